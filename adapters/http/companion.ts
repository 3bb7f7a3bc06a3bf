/** The routes of Uppy's Companion protocol, which our own client speaks too. */
import type { Caller } from "../../core/caller.ts";
import type { SignUpload, UploadTerms } from "../../core/upload/issue-uploads.ts";
import {
  type Agreement,
  abortUpload,
  CompleteRequest,
  CreateRequest,
  completeUpload,
  createUpload,
  holderOf,
  listParts,
  type MultipartDeps,
  openTicket,
  signPart,
} from "../../core/upload/multipart.ts";
import type { ApiRequest, Route, Routes } from "./api.ts";

/** What was agreed on an original, and where it will lie. */
export interface Originals {
  /** On one whose size the client may not be able to say. @throws DarkroomError `bad-request` for a `ref` that is none */
  agree(
    caller: Caller,
    file: { name: string; type: string; size?: number | undefined; ref?: string | undefined },
  ): UploadTerms & Agreement;
  readonly sign: SignUpload;
  /** How long a signed form holds. */
  readonly validitySeconds: number;
  where(key: string): { readonly bucket: string; readonly location: string };
}

const refOf = ({ params, query }: ApiRequest) => ({
  uploadId: params["uploadId"] ?? "",
  key: query["key"],
});

export function companionRoutes(
  deps: MultipartDeps,
  { agree, sign, validitySeconds, where }: Originals,
  scopes: Route["scopes"],
): Routes {
  // Its form asks for whatever fields the file's metadata has.
  const uppys = { scopes, query: "any" } as const;
  const begun: Omit<Route, "run"> = {
    ...uppys,
    holder: (pass, { uploadId }) => holderOf(deps, pass, uploadId),
  };
  return {
    "GET /s3/params": {
      ...uppys,
      run: async ({ caller, query }) => {
        deps.count(caller);
        const terms = agree(caller, {
          name: query["filename"] ?? "",
          type: query["type"] ?? "",
          ref: query["metadata[ref]"],
        });
        return { status: 200, json: { ...(await sign("POST", terms)), expires: validitySeconds } };
      },
    },
    "POST /s3/multipart": {
      ...uppys,
      run: async ({ caller, body }) => {
        const wanted = body(CreateRequest);
        const agreement =
          "ticket" in wanted
            ? openTicket(deps, caller, wanted.ticket)
            : agree(caller, { name: wanted.filename, type: wanted.type ?? "", ...wanted.metadata });
        const { bucket } = where(agreement.key);
        return { status: 200, json: { ...(await createUpload(deps, caller, agreement)), bucket } };
      },
    },
    "GET /s3/multipart/{uploadId}": {
      ...begun,
      run: async (request) => {
        const parts = await listParts(deps, request.caller, refOf(request));
        const json = parts.map(({ number, etag, size }) => ({
          PartNumber: number,
          ETag: `"${etag}"`,
          Size: size,
        }));
        return { status: 200, json };
      },
    },
    "GET /s3/multipart/{uploadId}/{part}": {
      ...begun,
      run: async (request) => {
        const part = Number(request.params["part"]);
        return { status: 200, json: await signPart(deps, request.caller, refOf(request), part) };
      },
    },
    "POST /s3/multipart/{uploadId}/complete": {
      ...begun,
      run: async (request) => {
        const { parts } = request.body(CompleteRequest);
        const { key } = await completeUpload(deps, request.caller, refOf(request), parts);
        return { status: 200, json: { key, ...where(key) } };
      },
    },
    "DELETE /s3/multipart/{uploadId}": {
      ...begun,
      run: async (request) => {
        await abortUpload(deps, request.caller, refOf(request));
        return { status: 200, json: {} };
      },
    },
  };
}
