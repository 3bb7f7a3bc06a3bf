/** Whose a picture is: from XMP, else IPTC, else EXIF. Nothing here throws, whatever the bytes are. */
import { cleanRight, type Rights, rightNames } from "../../core/rights.ts";
import { rightsInExif } from "../exif.ts";
import { rightsInIptc } from "./iptc.ts";
import { rightsInXmp } from "./xmp.ts";

/** The blocks of a file that may say it. */
export interface Said {
  /** RDF in XML. */
  readonly xmp?: Uint8Array | undefined;
  /** A JPEG's APP13: Photoshop's resources. */
  readonly iptc?: Uint8Array | undefined;
  /** A TIFF structure, with or without `Exif\0\0` before it. */
  readonly exif?: Uint8Array | undefined;
}

/** Undefined where it says nothing. */
export function rightsOf({ xmp, iptc, exif }: Said): Rights | undefined {
  const all = [rightsInXmp(xmp), rightsInIptc(iptc), rightsInExif(exif)];
  const found = rightNames.flatMap((name) => {
    const text = all.map((one) => one[name] && cleanRight(name, one[name])).find(Boolean);
    return text ? [[name, text]] : [];
  });
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}
