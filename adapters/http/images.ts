/** The routes of `/images…`, which `functions/images.ts` gives their ports. */
import { ChangesSchema } from "../../core/edit.ts";
import { type asker, MAX_WAIT_SECONDS } from "../../core/image/ask-again.ts";
import { attachImage } from "../../core/image/attach.ts";
import type { DeleteDeps } from "../../core/image/delete-image.ts";
import { type EditDeps, editImage } from "../../core/image/edit.ts";
import { revealHeld } from "../../core/image/held.ts";
import { listImages, removeImage } from "../../core/image/images.ts";
import { RejectRequest, rejectImage, releaseImage } from "../../core/image/judgement.ts";
import { originalUrl, type SignDownload } from "../../core/image/original.ts";
import { admin, matches, PAGE, pageOf, type Routes, wholeNumber } from "./api.ts";

export interface ImagesPorts {
  readonly ask: ReturnType<typeof asker>;
  readonly signDownload: SignDownload;
}

export function imageRoutes(deps: DeleteDeps & EditDeps, { ask, signDownload }: ImagesPorts): Routes {
  const view = (key: string) => signDownload(key, "inline");
  return {
    "GET /images/{id}": {
      scopes: ["upload", "admin"],
      query: ["wait"],
      run: async ({ caller, params, query }) => {
        const wait = wholeNumber(query, "wait", { byDefault: 0, from: 0, to: MAX_WAIT_SECONDS });
        const { document: json, ...rest } = await ask(caller, params["id"] ?? "", wait);
        // Each time with other URLs: no ETag says that nothing has changed.
        if (json.status === "held" && caller.scopes.has("admin"))
          return { status: 200, json: await revealHeld(deps.uploads, view, json) };
        return { status: rest.retryAfter === undefined ? 200 : 202, ...rest, json };
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
        return { status: 200, json: await listImages(deps, caller, page) };
      },
    },
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
    "PATCH /images/{id}": {
      scopes: ["upload", "admin"],
      run: async ({ caller, params, headers, body }) => {
        const seen = headers["if-match"];
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
    "DELETE /images/{id}": {
      scopes: ["upload", "admin"],
      run: async ({ caller, params }) => {
        await removeImage(deps, caller, params["id"] ?? "");
        return { status: 204 };
      },
    },
  };
}
