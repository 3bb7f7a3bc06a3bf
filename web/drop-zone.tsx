/** Where files are chosen; dropping works on the whole page. */
import { presetOf, presets } from "./presets.ts";
import { bytes } from "./words.ts";

interface Props {
  readonly preset: string;
  readonly onPreset: (name: string) => void;
  readonly onFiles: (files: Iterable<File>) => void;
  readonly dragging: boolean;
}

export function DropZone({ preset, onPreset, onFiles, dragging }: Props) {
  const { accept, formats = [], maxBytes = 0 } = presetOf(preset) ?? {};
  return (
    <section className="drop-zone" data-dragging={dragging} aria-label="Upload">
      <label className="chooser">
        <input
          type="file"
          multiple
          accept={accept}
          aria-describedby="limits"
          onChange={({ target }) => {
            onFiles(target.files ?? []);
            // So that the same file can be chosen again.
            target.value = "";
          }}
        />
        <svg viewBox="0 0 48 48" width="48" height="48" aria-hidden="true">
          <path d="M24 32V10m-9 9 9-9 9 9M8 30v6a4 4 0 0 0 4 4h24a4 4 0 0 0 4-4v-6" />
        </svg>
        <span className="big">Choose pictures</span>
        <span>or drop them anywhere, folders too, or paste</span>
      </label>
      <div className="terms">
        <fieldset>
          <legend>Preset</legend>
          {presets.map(({ name }) => (
            <label key={name}>
              <input type="radio" name="preset" checked={name === preset} onChange={() => onPreset(name)} />
              {name}
            </label>
          ))}
        </fieldset>
        <p id="limits" className="note">
          {formats.join(", ")}, up to {bytes(maxBytes)} each
        </p>
      </div>
      {dragging && (
        <div className="overlay" aria-hidden="true">
          Drop to upload
        </div>
      )}
    </section>
  );
}
