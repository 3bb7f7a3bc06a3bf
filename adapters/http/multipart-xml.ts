/**
 * The multipart routes as S3 itself speaks, for a client that was made to talk to S3 (Uppy's `signRequest`): only
 * create, list, complete and abort, as parts go to S3 by URLs signed elsewhere.
 */
import * as v from "valibot";
import type { Caller } from "../../core/caller.ts";
import { DarkroomError } from "../../core/errors.ts";
import {
  abortUpload,
  CompleteRequest,
  completeUpload,
  createUpload,
  listParts,
  type MultipartDeps,
  openTicket,
} from "../../core/upload/multipart.ts";
import type { ApiRequest, ApiResponse, Route, Routes } from "./api.ts";
import type { Originals } from "./companion.ts";

const ROUTE = "/s3/xml/{proxy+}";

export function xmlRoutes(
  deps: MultipartDeps,
  { where }: Pick<Originals, "where">,
  scopes: Route["scopes"],
): Routes {
  const create = async (caller: Caller, key: string, ticket: string): Promise<ApiResponse> => {
    const agreement = openTicket(deps, caller, ticket);
    if (agreement.key !== key) throw new DarkroomError("not-found");
    const { uploadId: UploadId } = await createUpload(deps, caller, agreement);
    const { bucket: Bucket } = where(key);
    return { status: 200, xml: render("InitiateMultipartUploadResult", { Bucket, Key: key, UploadId }) };
  };
  const complete = async (request: ApiRequest, ref: ReturnType<typeof refOf>): Promise<ApiResponse> => {
    const { key: Key } = await completeUpload(deps, request.caller, ref, partsOf(request.text()));
    const { bucket: Bucket, location: Location } = where(Key);
    return { status: 200, xml: render("CompleteMultipartUploadResult", { Location, Bucket, Key }) };
  };
  const list = async (request: ApiRequest): Promise<ApiResponse> => {
    const ref = refOf(request);
    const parts = await listParts(deps, request.caller, ref);
    const xml = render("ListPartsResult", {
      Key: ref.key,
      UploadId: ref.uploadId,
      IsTruncated: "false",
      Part: parts.map(({ number, etag, size }) => ({
        PartNumber: `${number}`,
        ETag: `"${etag}"`,
        Size: `${size}`,
      })),
    });
    return { status: 200, xml };
  };
  const as = { scopes, refusal, query: "any" } as const;
  return {
    [`POST ${ROUTE}`]: {
      ...as,
      run: async (request) => {
        const { uploads, ticket = "" } = request.query;
        const ref = refOf(request);
        return uploads === undefined ? complete(request, ref) : create(request.caller, ref.key, ticket);
      },
    },
    [`GET ${ROUTE}`]: { ...as, run: list },
    [`DELETE ${ROUTE}`]: {
      ...as,
      run: async (request) => {
        await abortUpload(deps, request.caller, refOf(request));
        return { status: 204 };
      },
    },
  };
}

const refOf = ({ params, query }: ApiRequest) => ({
  uploadId: query["uploadId"] ?? "",
  key: params["proxy"] ?? "",
});

function refusal({ code: Code, message: Message, row }: DarkroomError, RequestId: string): ApiResponse {
  return { status: row.status, xml: render("Error", { Code, Message, RequestId }) };
}

type Fields = { readonly [name: string]: string | readonly Fields[] };

function render(root: string, fields: Fields): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}>${content(fields)}</${root}>`;
}

function content(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) =>
      typeof value === "string"
        ? `<${name}>${escapeXml(value)}</${name}>`
        : value.map((child) => `<${name}>${content(child)}</${name}>`).join(""),
    )
    .join("");
}

const references = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" } as const;
const escapeXml = (text: string) =>
  text.replaceAll(/[&<>"]/g, (character) => references[character as keyof typeof references]);

/** The parts of a `CompleteMultipartUpload` document. No parser: of each part two values without markup are wanted. */
function partsOf(document: string): v.InferOutput<typeof CompleteRequest>["parts"] {
  const parts = document.split(/<Part\s*>/).slice(1);
  const textIn = (part: string, name: string) =>
    new RegExp(`<${name}>\\s*([^<]{1,100}?)\\s*</${name}>`).exec(part)?.[1] ?? "";
  const parsed = v.safeParse(CompleteRequest, {
    parts: parts.map((part) => ({
      PartNumber: Number(textIn(part, "PartNumber") || Number.NaN),
      ETag: textIn(part, "ETag").replaceAll(/&(quot|#34|#x22);/g, '"'),
    })),
  });
  if (parsed.success) return parsed.output.parts;
  throw new DarkroomError("bad-request", "The body must be S3's CompleteMultipartUpload document.");
}
