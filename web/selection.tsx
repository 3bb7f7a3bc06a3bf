/** The fields of a form that choose images, for a job and for finding them. */
import { presets } from "./presets.ts";

const CHOICES = [
  { status: "stale", label: "made by an older recipe" },
  { status: "failed", label: "that failed" },
  { status: "rejected", label: "that were rejected" },
  { status: "original-gone", label: "that have lost their original" },
  { status: "all", label: "all of them" },
] as const;
const FIELDS = ["status", "owner", "preset", "uploadedAfter", "uploadedBefore"] as const;

/** What was filled in. */
export function selectionOf(data: FormData): Partial<Record<(typeof FIELDS)[number], string>> {
  const text = (name: string) => String(data.get(name) ?? "").trim();
  return Object.fromEntries(FIELDS.flatMap((name) => (text(name) ? [[name, text(name)]] : [])));
}

export function Selection({ first }: { first: (typeof CHOICES)[number]["status"] }) {
  return (
    <>
      <label>
        Images
        <select name="status" defaultValue={first}>
          {CHOICES.map(({ status, label }) => (
            <option key={status} value={status}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label>
        Preset
        <select name="preset">
          <option value="">any</option>
          {presets.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        Owner
        <input name="owner" placeholder="any" autoComplete="off" spellCheck={false} />
      </label>
      <label>
        Uploaded from
        <input name="uploadedAfter" type="date" />
      </label>
      <label>
        Uploaded before
        <input name="uploadedBefore" type="date" />
      </label>
    </>
  );
}
