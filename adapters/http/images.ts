/** The routes of `/images…`, which `functions/images.ts` gives their ports. */
import { ChangesSchema } from "../../core/edit.ts";
import { DarkroomError } from "../../core/errors.ts";
import { type Access, type AccessDeps, accessOf, opened } from "../../core/image/access.ts";
import { type asker, MAX_WAIT_SECONDS } from "../../core/image/ask-again.ts";
import { attachImage } from "../../core/image/attach.ts";
import type { DeleteDeps } from "../../core/image/delete-image.ts";
import { type EditDeps, editImage } from "../../core/image/edit.ts";
import { revealHeld } from "../../core/image/held.ts";
import { listImages, removeImage } from "../../core/image/images.ts";
import { RejectRequest, rejectImage, releaseImage } from "../../core/image/judgement.ts";
import { originalUrl, type SignDownload } from "../../core/image/original.ts";
import { ownerOf } from "../../core/keys.ts";
import { topOwners } from "../../core/sweep/tally.ts";
import { usageOf } from "../../core/usage.ts";
import { type ApiResponse, admin, matches, PAGE, pageOf, type Routes, wholeNumber } from "./api.ts";

export interface ImagesPorts {
  readonly ask: ReturnType<typeof asker>;
  readonly signDownload: SignDownload;
  readonly access: AccessDeps;
  readonly cookieDomain: string | undefined;
}

export function imageRoutes(
  deps: DeleteDeps & EditDeps,
  { ask, signDownload, access, cookieDomain }: ImagesPorts,
): Routes {
  const view = (key: string) => signDownload(key, "inline");
  return {
    "GET /images/{id}": {
      scopes: ["upload", "admin"],
      query: ["wait"],
      run: async ({ caller, params, query }) => {
        const wait = wholeNumber(query, "wait", { byDefault: 0, from: 0, to: MAX_WAIT_SECONDS });
        const said = await ask(caller, params["id"] ?? "", wait);
        if (said.retryAfter !== undefined)
          return { status: 202, json: said.document, retryAfter: said.retryAfter };
        const { document } = said;
        // Each time with other URLs: no ETag says that nothing has changed.
        if (document.status === "held" && caller.scopes.has("admin"))
          return { status: 200, json: await revealHeld(deps.uploads, view, document) };
        const json = opened(access, document);
        // What is signed anew is another answer, of the same document.
        const signed = json.signedUntil ? `-${Date.parse(json.signedUntil) / 1000}` : "";
        return { status: 200, json, etag: said.etag + signed };
      },
    },
    "GET /images/{id}/original": {
      scopes: ["original", "admin"],
      run: async ({ caller, params, headers }) => {
        const json = await originalUrl(deps, signDownload, caller, params["id"] ?? "");
        // A page cannot see where a redirect leads to: whoever takes JSON is told instead.
        const status = headers["accept"]?.includes("application/json") ? 200 : 302;
        return { status, headers: { location: json.url, "cache-control": "no-store" }, json };
      },
    },
    "GET /images": {
      scopes: ["upload"],
      query: PAGE,
      run: async ({ caller, query }) => {
        const page = pageOf(query, 25, 100);
        const { images, ...rest } = await listImages(deps, caller, page);
        const json = images.map((image) => (image.status === "processing" ? image : opened(access, image)));
        return { status: 200, json: { images: json, ...rest } };
      },
    },
    "POST /access": {
      scopes: ["upload"],
      run: async ({ caller }) => accessAnswer(accessOf(access, caller), cookieDomain),
    },
    "PATCH /images/{id}": {
      scopes: ["upload", "admin"],
      run: async ({ caller, params, headers, body }) => {
        // What was signed anew is the same revision, under a name of its own: `GET` above.
        const seen = headers["if-match"]?.replaceAll(/-\d{9,}(?=")/g, "");
        const {
          schema: _,
          at: __,
          ...json
        } = await editImage(
          deps,
          caller,
          params["id"] ?? "",
          body(ChangesSchema),
          seen === undefined ? undefined : (etag) => matches(seen, `"${etag}"`),
        );
        return { status: 202, json: { id: params["id"], ...json } };
      },
    },
    ...backEndRoutes(deps),
    "DELETE /images/{id}": {
      scopes: ["upload", "admin"],
      run: async ({ caller, params }) => {
        await removeImage(deps, caller, params["id"] ?? "");
        return { status: 204 };
      },
    },
  };
}

/** What an application's own back end, or whoever judges, says and asks of images. */
function backEndRoutes(deps: DeleteDeps): Routes {
  return {
    "POST /images/{id}/attach": admin(async ({ params }) => {
      await attachImage(deps, params["id"] ?? "");
      return { status: 204 };
    }),
    "POST /images/{id}/release": admin(async ({ params }) => {
      const document = await releaseImage(deps, params["id"] ?? "");
      return { status: 200, json: document };
    }),
    "POST /images/{id}/reject": admin(async ({ params, body, text }) => {
      const { reason } = text() === "" ? {} : body(RejectRequest);
      return { status: 200, json: await rejectImage(deps, params["id"] ?? "", reason) };
    }),
    "GET /admin/usage": admin(
      async ({ query }) => {
        const { owner: sub } = query;
        if (sub === undefined)
          return { status: 200, json: (await topOwners(deps.uploads)) ?? { owners: [] } };
        if (sub === "" || sub.length > 1024 || !sub.isWellFormed())
          throw new DarkroomError("bad-request", "owner: 1 to 1,024 characters.");
        const owner = ownerOf(sub);
        return { status: 200, json: { owner, ...(await usageOf(deps.uploads, owner, deps.now())) } };
      },
      ["owner"],
    ),
  };
}

/**
 * Pages of the same site show the images by these cookies, and no other page, script or path of the CDN gets them. Only where
 * the API is of that site too can it set them; a back end may set their values itself.
 */
function accessAnswer({ until, ...access }: Access, domain: string | undefined): ApiResponse {
  const json = { ...access, expiresAt: until.toISOString() };
  const terms = [
    ...[`Domain=${domain}`, `Path=${new URL(access.prefix).pathname}`, `Expires=${until.toUTCString()}`],
    ...["Secure", "HttpOnly", "SameSite=Lax"],
  ].join("; ");
  const cookies = Object.entries(access.cookies).map(([name, value]) => `${name}=${value}; ${terms}`);
  return {
    status: 200,
    json,
    headers: { "cache-control": "no-store" },
    ...(domain === undefined ? {} : { cookies }),
  };
}
