import { type ReactNode, useEffect, useState } from "react";
import { announce } from "./announce.ts";

/** Copies, and says so for two seconds. */
export function CopyButton(props: { label: string; text: () => string; children: ReactNode }) {
  const [said, say] = useState<string>();
  useEffect(() => {
    if (!said) return undefined;
    const timer = setTimeout(() => say(undefined), 2000);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = async () => {
    const outcome = await navigator.clipboard.writeText(props.text()).then(
      () => "Copied",
      () => "Not allowed",
    );
    say(outcome);
    announce(`${outcome}.`);
  };
  return (
    <button type="button" aria-label={props.label} data-said={said} onClick={copy}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <path d="M5.5 5.5h8v8h-8zM2.5 10.5v-8h8" />
      </svg>
      {props.children}
    </button>
  );
}
