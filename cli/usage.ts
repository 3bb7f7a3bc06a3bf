/** `darkroom usage`: what owners have. */
import { Command } from "commander";
import type { TopOwners } from "../core/sweep/tally.ts";
import type { Usage } from "../core/usage.ts";
import { connect } from "./api.ts";
import { type ApiOptions, withApi, withExamples, withJson } from "./options.ts";
import { bytes, minute, note, printable, table } from "./terminal.ts";

export const command = new Command("usage")
  .description("show what an owner has, or which owners have the most")
  .argument("[owner]", "the sub of their tokens")
  .action(async (sub: string | undefined, { json, ...options }: ApiOptions & { readonly json?: boolean }) => {
    const api = await connect(options, "admin");
    const query = sub === undefined ? "" : `?owner=${encodeURIComponent(sub)}`;
    const answer = await api.call<(Usage & { owner: string }) | Partial<TopOwners>>(
      "GET",
      `/admin/usage${query}`,
    );
    if (json) return console.log(JSON.stringify(answer));
    const owners = "owner" in answer ? [answer] : ((answer as Partial<TopOwners>).owners ?? []);
    if (owners.length === 0) return console.log("Nobody has been counted yet: the sweep's first round does.");
    console.log(table(["owner", "images", "originals", "variants", "uploads this month"], owners.map(row)));
    if ("at" in answer && answer.at) note(`By the sweep's round of ${minute(answer.at)} (UTC).`);
  });
withJson(withApi(command), "the answer of the API");
withExamples(command, "usage", "usage user-17");

const row = ({
  owner,
  images,
  originals,
  variants,
  uploadsThisMonth,
}: Usage & { readonly owner: string }) => [
  printable(owner),
  String(images),
  bytes(originals),
  bytes(variants),
  String(uploadsThisMonth),
];
