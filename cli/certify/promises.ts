/** What Darkroom promises by what its S3 server keeps to: a row a promise, with the probes that show whether it holds. */
import { browsers, lifecycle, notifications, versions } from "./bucket.ts";
import type { Candidate, Outcome, Probes } from "./candidate.ts";
import { commit, copy, list, read, remove, strangers } from "./objects.ts";
import { parts, sumOfParts } from "./parts.ts";
import { checksum, forms, once, put } from "./uploads.ts";

interface Promised {
  readonly name: string;
  /** Darkroom is not to be run without it. */
  readonly essential?: true;
  /** What holds. */
  readonly says: string;
  /** What does not, otherwise, and what to do about it. */
  readonly otherwise: string;
  readonly probes: Probes;
}

const promises: readonly Promised[] = [
  {
    name: "strangers",
    essential: true,
    says: "Nobody reads, lists, writes or deletes without a signature.",
    otherwise:
      "Whoever finds the server finds every original. Shut the bucket (no public policy, no anonymous access) or use another server.",
    probes: strangers,
  },
  {
    name: "signed PUT",
    essential: true,
    says: "An upload is what was signed: its size, type, owner and time.",
    otherwise:
      "Whoever is given a signature can send something else under it, in another's name too. Use another server for uploads.",
    probes: put,
  },
  {
    name: "written once",
    says: "A signature is good for one file.",
    otherwise:
      "A signed upload can be sent again with another file until it expires. Shorten `validity`, or use another server for uploads.",
    probes: once,
  },
  {
    name: "checksum",
    says: "What arrives is the file whose SHA-256 was declared.",
    otherwise:
      "A file that was damaged or exchanged on its way is taken. Darkroom's worker compares the SHA-256 and rejects it (checksum-mismatch): later, and nothing worse.",
    probes: checksum,
  },
  {
    name: "signed POST",
    says: "Forms are held to their policy.",
    otherwise:
      "Set `UPLOADS_BY=put` (the parameter `uploadsBy`): what would be a form is signed as a PUT, for Uppy's signer too. Uppy in Companion's mode sends nothing but forms, and is answered 501.",
    probes: forms,
  },
  {
    name: "parts",
    says: "Files in parts are as long as was agreed, and complete once.",
    otherwise: "Set `multipartAbove` of the presets above their `maxBytes`, so that files go in one piece.",
    probes: parts,
  },
  {
    name: "sum of parts",
    says: "The server too compares the size of a file in parts with what was agreed.",
    otherwise: "Nothing to change: Darkroom lists the parts and adds them up before it completes.",
    probes: sumOfParts,
  },
  {
    name: "conditional writes",
    essential: true,
    says: "Two workers never overwrite each other: documents, jobs and deletes are consistent.",
    otherwise: "Documents get lost when two write at once, and deleted images come back. Use another server.",
    probes: commit,
  },
  {
    name: "conditional deletes",
    says: "What changed after it was read is not deleted.",
    otherwise:
      "Between reading and deleting, which is milliseconds, the sweep may remove what somebody has just written again. Rare; nothing mends it by itself.",
    probes: remove,
  },
  {
    name: "reads",
    essential: true,
    says: "What is read is the version that was meant, with all that was said of it.",
    otherwise:
      "Whose an upload is stands in its metadata, and which one a message means in its ETag. Use another server.",
    probes: read,
  },
  {
    name: "lists",
    essential: true,
    says: "Lists are whole, in order, and as things are now.",
    otherwise: "Images would be missing in lists, jobs and the sweep. Use another server.",
    probes: list,
  },
  {
    name: "copies",
    says: "Versions are copied under a condition: `sync` and `undelete` work.",
    otherwise: "Do without `darkroom sync`'s changes of headers and without `undelete`.",
    probes: copy,
  },
  {
    name: "CORS",
    says: "Browsers upload from the origins that are allowed, and from no others.",
    otherwise:
      "Set CORS in front of the server: origins, PUT and POST, the headers of docs/deploy.md, ETag exposed. Where the server allows all origins, a signature is what protects uploads, on every page.",
    probes: browsers,
  },
  {
    name: "notifications",
    says: "The server tells a queue of uploads (that it can; whether messages arrive shows `darkroom worker --set-up`).",
    otherwise: "`darkroom worker --set-up` lists `originals/` every two seconds instead. Nothing is lost.",
    probes: notifications,
  },
  {
    name: "lifecycle",
    says: "Unfinished uploads, events and marks go by themselves.",
    otherwise:
      "Abort uploads in parts that are days old, and delete `events/` after 30 days and `marks/` after 15, by a schedule of your own.",
    probes: lifecycle,
  },
  {
    name: "versions",
    says: "`undoDays` and `darkroom undelete` work.",
    otherwise: "Leave `undoDays` at 0: what is deleted is gone.",
    probes: versions,
  },
];

export interface Judged {
  readonly name: string;
  readonly essential: boolean;
  readonly holds: boolean | undefined;
  readonly means: string;
  readonly probes: readonly (Outcome & { readonly probe: string })[];
}

export async function* certify(candidate: Candidate): AsyncGenerator<Judged> {
  for (const { name, essential = false, says, otherwise, probes } of promises) {
    const outcomes: (Outcome & { probe: string })[] = [];
    for (const [probe, run] of probes) {
      const [first] = outcomes;
      // What refuses what is right shows nothing by refusing what is wrong.
      const played =
        first && first.is !== "enforced" ? { ...first, saw: "not played" } : await outcomeOf(run, candidate);
      outcomes.push({ ...played, probe });
    }
    const asked = outcomes.filter(({ is }) => is !== "not asked");
    const holds = asked.length === 0 ? undefined : asked.every(({ is }) => is === "enforced");
    const means =
      holds === undefined ? "Not asked: the bucket's own rules are left alone." : holds ? says : otherwise;
    yield { name, essential, holds, means, probes: outcomes };
  }
}

/** An answer that nobody foresaw is one too. */
const outcomeOf = (run: Probes[number][1], candidate: Candidate): Promise<Outcome> =>
  run(candidate).catch((error: Error) => ({
    is: "unsupported",
    saw: `${error.name}: ${error.message}`.slice(0, 80),
  }));
