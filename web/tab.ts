/** What every tab of the page is given. */
import type { Darkroom } from "darkroom/client";
import type { UseUpload } from "darkroom/react";

export interface TabProps {
  readonly darkroom: Darkroom;
  /** Up here and not in the tab: they go on while another tab is looked at. */
  readonly uploads: UseUpload;
  /** With a token that may do more; tabs marked `admin` are only there with it. */
  readonly admin: Darkroom | undefined;
  /** On the local stack, which shows more of itself. */
  readonly local: boolean;
}
