/** Every sub-command, a file each. Only the one that is run is loaded, for the sake of its start. */
import type { Command } from "commander";

/** Add a command by adding a row; `npm run generate` puts it into docs/operations.md. */
export const commands: Readonly<Record<string, () => Promise<{ command: Command }>>> = {
  attach: () => import("./attach.ts"),
  delete: () => import("./delete.ts"),
  deploy: () => import("./deploy.ts"),
  doctor: () => import("./doctor.ts"),
  erased: () => import("./erased.ts"),
  estimate: () => import("./estimate.ts"),
  explain: () => import("./explain.ts"),
  failures: () => import("./failures.ts"),
  find: () => import("./find.ts"),
  held: () => import("./held.ts"),
  import: () => import("./import.ts"),
  init: () => import("./init.ts"),
  jobs: () => import("./jobs.ts"),
  original: () => import("./original.ts"),
  plan: () => import("./plan.ts"),
  reject: () => import("./reject.ts"),
  release: () => import("./release.ts"),
  reprocess: () => import("./reprocess.ts"),
  serverless: () => import("./serverless.ts"),
  show: () => import("./show.ts"),
  start: () => import("./start.ts"),
  sweep: () => import("./sweep.ts"),
  sync: () => import("./sync.ts"),
  undelete: () => import("./undelete.ts"),
  upgrade: () => import("./upgrade.ts"),
  upload: () => import("./upload.ts"),
  webhooks: () => import("./webhooks.ts"),
  worker: () => import("./worker.ts"),
};
