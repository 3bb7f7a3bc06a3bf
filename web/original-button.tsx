/** Gives the file back as it was uploaded, under its own name. */
import type { Darkroom } from "darkroom/client";
import { useState } from "react";

export function OriginalButton({ darkroom, id, name }: { darkroom: Darkroom; id: string; name: string }) {
  const [problem, setProblem] = useState<string>();
  const download = async () => {
    setProblem(undefined);
    await darkroom.original(id).then(
      ({ url }) => {
        // Not by `location`, which would ask whether to leave while something is uploaded.
        const link = Object.assign(document.createElement("a"), { href: url, download: "" });
        link.click();
      },
      (error: Error) => setProblem(error.message),
    );
  };
  return (
    <>
      <button type="button" onClick={() => void download()}>
        Original<span className="visually-hidden"> of {name}</span>
      </button>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}
