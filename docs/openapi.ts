/**
 * `docs/openapi.json`: every route as OpenAPI 3.1 has it. A row a route; its key is `serverless.yml`'s, and what it asks and
 * answers are schemas. Tests hold the rows to the routes: scopes, parameters, and what every sample event is answered.
 */
import { type ConversionConfig, toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import type { Scope } from "../core/caller.ts";
import { ChangesSchema } from "../core/edit.ts";
import { type ErrorCode, errors } from "../core/errors.ts";
import { MAX_WAIT_SECONDS } from "../core/image/ask-again.ts";
import { RejectRequest } from "../core/image/judgement.ts";
import { ImportRequest } from "../core/job/import.ts";
import { ReprocessRequest } from "../core/job/job.ts";
import { ATTENTION } from "../core/keys.ts";
import { AskSweep } from "../core/sweep/ask-sweep.ts";
import { ReplayRequest } from "../core/tell/replay.ts";
import { UploadRequest } from "../core/upload/issue-uploads.ts";
import { CompleteRequest, CreateRequest } from "../core/upload/multipart.ts";
import * as answers from "./openapi-answers.ts";

type Schema = v.GenericSchema;
interface Answer {
  readonly says: string;
  /** `xml` is a document; without one there is no body. */
  readonly schema?: Schema | "xml";
  readonly header?: string;
}
interface Row {
  readonly summary: string;
  readonly scopes: readonly Scope[];
  readonly query?: Readonly<Record<string, Schema>>;
  /** Of the request, beside the token. */
  readonly headers?: readonly string[];
  readonly body?: Schema;
  /** By status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Beside those that every route has. */
  readonly problems?: readonly ErrorCode[];
  /** Refusals are XML, as S3's are. */
  readonly xml?: true;
}

const upload = ["upload", "admin"] as const;
const admin = ["admin"] as const;
const text = v.optional(v.string());
const whole = (from: number, to: number, byDefault: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(from), v.maxValue(to)), byDefault);
const page = (byDefault: number, most: number) => ({ limit: whole(1, most, byDefault), cursor: text });
const key = { key: v.string() };
const done = (says: string) => ({ 204: { says } });
const image = ["not-found", "gone"] as const;
const { Image, Job, Sweep } = answers;

export const rows: Readonly<Record<string, Row>> = {
  "POST /uploads": {
    summary: "Signs up to 50 uploads; files go to S3 by what it answers",
    scopes: upload,
    body: UploadRequest,
    answers: { 201: { says: "A signed upload for each file, in their order", schema: answers.Uploads } },
    problems: ["body-too-large", "type-not-accepted", "file-too-large", "file-empty", "rate-limited"],
  },
  "GET /images/{id}": {
    summary: "The image's document, with context",
    scopes: upload,
    query: { wait: whole(0, MAX_WAIT_SECONDS, 0) },
    headers: ["if-none-match"],
    answers: {
      200: { says: "It has come to an end", schema: Image, header: "etag" },
      202: {
        says: "It is on its way; ask again after so many seconds",
        schema: answers.Processing,
        header: "retry-after",
      },
      304: { says: "You have this version", header: "etag" },
    },
    problems: image,
  },
  "GET /images/{id}/original": {
    summary: "The file as it was uploaded, by a URL signed for five minutes",
    scopes: ["original", "admin"],
    answers: {
      200: { says: "For whoever accepts application/json", schema: answers.Original },
      302: { says: "For everybody else", schema: answers.Original, header: "location" },
    },
    problems: [...image, "original-gone", "archived"],
  },
  "GET /images": {
    summary: "The caller's images, newest first",
    scopes: ["upload"],
    query: page(25, 100),
    answers: {
      200: { says: "A page, which may be short while there is a cursor", schema: answers.Images },
    },
  },
  "PATCH /images/{id}": {
    summary: "Turns, crops, sets the focus or the words of an image",
    scopes: upload,
    headers: ["if-match"],
    body: ChangesSchema,
    answers: { 202: { says: "The edit as it stands, which is made next", schema: answers.Edited } },
    problems: [...image, "not-ready", "edited-since", "body-too-large"],
  },
  "POST /access": {
    summary: "A signature over all private images of the caller",
    scopes: ["upload"],
    answers: { 200: { says: "As a query and as cookies", schema: answers.Access } },
    problems: ["not-signed"],
  },
  "DELETE /images/{id}": {
    summary: "Deletes an image and everything made of it",
    scopes: upload,
    answers: done("It is deleted; the same when repeated"),
    problems: ["not-found"],
  },
  "POST /images/{id}/attach": {
    summary: "Keeps an image whose token said attachWithin",
    scopes: admin,
    answers: done("It stays"),
    problems: image,
  },
  "POST /images/{id}/release": {
    summary: "Shows a held image to everybody",
    scopes: admin,
    answers: { 200: { says: "It is ready", schema: Image } },
    problems: [...image, "not-held"],
  },
  "POST /images/{id}/reject": {
    summary: "Rejects a held image; the body may be left out",
    scopes: admin,
    body: RejectRequest,
    answers: { 200: { says: "It is rejected", schema: Image } },
    problems: [...image, "not-held", "body-too-large"],
  },
  "GET /admin/usage": {
    summary: "What an owner has, in images and bytes; without owner the hundred with the most",
    scopes: admin,
    query: { owner: text },
    answers: { 200: { says: "Of one owner, or of many", schema: answers.UsageOrTop } },
  },
  "POST /admin/reprocess": {
    summary: "Develops or deletes many images, as a job",
    scopes: admin,
    body: ReprocessRequest,
    answers: {
      200: { says: "What it would do and cost (dryRun)", schema: answers.DryRun },
      202: { says: "The job begins", schema: Job },
    },
    problems: ["body-too-large", "job-running", "job-over", "not-found"],
  },
  "POST /admin/imports": {
    summary: "Fetches up to 500 images from URLs, as a job",
    scopes: admin,
    body: ImportRequest,
    answers: { 202: { says: "The job begins", schema: Job } },
    problems: ["body-too-large"],
  },
  "GET /admin/imports/{id}": {
    summary: "How far an import is, and what became of each URL",
    scopes: admin,
    answers: { 200: { says: "The job, and its URLs", schema: answers.Import } },
    problems: ["not-found"],
  },
  "GET /admin/jobs": {
    summary: "The jobs, newest first",
    scopes: admin,
    query: page(10, 25),
    answers: { 200: { says: "A page of them", schema: answers.Jobs } },
  },
  "GET /admin/jobs/{id}": {
    summary: "How far a job is",
    scopes: admin,
    answers: { 200: { says: "The job", schema: Job } },
    problems: ["not-found"],
  },
  "DELETE /admin/jobs/{id}": {
    summary: "Stops a job",
    scopes: admin,
    answers: { 200: { says: "How far it came; the same when repeated", schema: Job } },
    problems: ["not-found"],
  },
  "GET /admin/images": {
    summary: "Anybody's images: those that need attention by status alone, else a search",
    scopes: admin,
    query: {
      ...{ owner: text, ref: text, status: v.optional(v.picklist([...ATTENTION, "stale", "all"])) },
      ...{ preset: text, after: text, before: text },
      ...page(25, 100),
    },
    answers: {
      200: { says: "A page, which may be empty while there is a cursor", schema: answers.FoundImages },
    },
  },
  "GET /admin/sweep": {
    summary: "Where the sweep stands",
    scopes: admin,
    answers: { 200: { says: "Its state", schema: Sweep } },
  },
  "POST /admin/sweep": {
    summary: "Lets a sweep go on that has stopped itself, or begins a round",
    scopes: admin,
    body: AskSweep,
    answers: {
      200: { says: "It would be taken (dryRun)", schema: Sweep },
      202: { says: "At the next turn of the schedule", schema: Sweep },
    },
    problems: ["body-too-large", "not-stopped"],
  },
  "GET /admin/webhooks/failed": {
    summary: "What no receiver took",
    scopes: admin,
    answers: { 200: { says: "The first 200", schema: answers.Webhooks } },
  },
  "POST /admin/webhooks/failed": {
    summary: "Sends those again",
    scopes: admin,
    answers: { 202: { says: "How many are on their way", schema: answers.SentAgain } },
  },
  "POST /admin/webhooks/replay": {
    summary: "Sends what was told again, by time, image or type",
    scopes: admin,
    body: ReplayRequest,
    answers: {
      202: { says: "How many are on their way; go on with cursor", schema: answers.Replayed },
    },
    problems: ["body-too-large"],
  },
  "GET /s3/params": {
    summary: "A form for one file whose size is not known",
    scopes: upload,
    query: { filename: v.string(), type: v.string(), "metadata[ref]": text },
    answers: { 200: { says: "The form, for five minutes", schema: answers.UppyForm } },
    problems: ["type-not-accepted", "rate-limited", "no-forms"],
  },
  "POST /s3/multipart": {
    summary: "Begins an upload in parts, by a ticket of POST /uploads or as Uppy does",
    scopes: upload,
    body: CreateRequest,
    answers: { 200: { says: "It is open for a day", schema: answers.Begun } },
    problems: [
      ...(["not-found", "type-not-accepted", "file-too-large", "file-empty"] as const),
      ...(["body-too-large", "rate-limited"] as const),
    ],
  },
  "GET /s3/multipart/{uploadId}": {
    summary: "The parts that are there",
    scopes: upload,
    query: key,
    answers: { 200: { says: "In their order", schema: answers.Parts } },
    problems: ["not-found"],
  },
  "GET /s3/multipart/{uploadId}/{part}": {
    summary: "A URL for one part's bytes",
    scopes: upload,
    query: key,
    answers: { 200: { says: "Send them there with PUT", schema: answers.Part } },
    problems: ["not-found", "file-too-large", "rate-limited"],
  },
  "POST /s3/multipart/{uploadId}/complete": {
    summary: "Makes the original of its parts",
    scopes: upload,
    query: key,
    body: CompleteRequest,
    answers: { 200: { says: "The original is there", schema: answers.Completed } },
    problems: ["not-found", "file-too-large", "body-too-large"],
  },
  "DELETE /s3/multipart/{uploadId}": {
    summary: "Ends an upload in parts",
    scopes: upload,
    query: key,
    answers: { 200: { says: "The parts are gone; the same when repeated", schema: answers.Nothing } },
    problems: ["not-found"],
  },
  "POST /s3/xml/{proxy+}": {
    summary: "CreateMultipartUpload and CompleteMultipartUpload, as S3 has them",
    scopes: upload,
    query: { uploads: text, ticket: text, uploadId: text },
    answers: { 200: { says: "S3's document", schema: "xml" } },
    problems: ["not-found", "file-too-large", "body-too-large", "rate-limited"],
    xml: true,
  },
  "GET /s3/xml/{proxy+}": {
    summary: "ListParts, as S3 has it",
    scopes: upload,
    query: { uploadId: v.string() },
    answers: { 200: { says: "S3's document", schema: "xml" } },
    problems: ["not-found"],
    xml: true,
  },
  "DELETE /s3/xml/{proxy+}": {
    summary: "AbortMultipartUpload, as S3 has it",
    scopes: upload,
    query: { uploadId: v.string() },
    answers: done("The parts are gone; the same when repeated"),
    problems: ["not-found"],
    xml: true,
  },
};

/** Named, so that a client has a type of that name. */
const named = { Image, Job, Problem: answers.Problem };
const config = {
  target: "draft-2020-12",
  errorMode: "ignore",
  definitions: named,
  overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
} as const satisfies ConversionConfig;

function jsonSchema(schema: Schema, typeMode: "input" | "output") {
  const { $schema: _, $defs: __, ...json } = toJsonSchema(schema, { ...config, typeMode });
  return json;
}
const content = (schema: Schema, typeMode: "input" | "output", type = "application/json") => ({
  [type]: { schema: jsonSchema(schema, typeMode) },
});
const XML = { "application/xml": { schema: { type: "string" } } };
const headersOf = (header: string | undefined) =>
  header === undefined ? {} : { headers: { [header]: { schema: { type: "string" } } } };

/** What any route may be refused with. */
const COMMON = ["bad-request", "unauthenticated", "forbidden", "internal", "unavailable"] as const;
export const problemsOf = ({ problems = [] }: Row): readonly ErrorCode[] => [...COMMON, ...problems];

function refusal(codes: readonly ErrorCode[], status: number, how: "refer" | "json" | "xml") {
  const [only] = codes;
  if (codes.length === 1 && only && how === "refer") return { $ref: `#/components/responses/${only}` };
  return {
    description: codes.map((code) => `\`${code}\`: ${errors[code].sentence}`).join("\n\n"),
    ...headersOf(status === 429 || status === 503 ? "retry-after" : undefined),
    content: how === "xml" ? XML : content(answers.Problem, "output", "application/problem+json"),
  };
}

const byStatus = (row: Row) => Map.groupBy(problemsOf(row), (code) => errors[code].status);

function responsesOf(row: Row) {
  const refused = [...byStatus(row)].map(([status, codes]) => [
    status,
    refusal(codes, status, row.xml ? "xml" : "refer"),
  ]);
  const answered = Object.entries(row.answers).map(([status, { says: description, schema, header }]) => [
    status,
    {
      description,
      ...headersOf(header),
      ...(schema === "xml" ? { content: XML } : schema ? { content: content(schema, "output") } : {}),
    },
  ]);
  return Object.fromEntries([...answered, ...refused]);
}

function parametersOf(path: string, { query = {}, headers = [] }: Row) {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => ({
    ...{ name, in: "path", required: true },
    schema: { type: name === "part" ? "integer" : "string" },
  }));
  const inQuery = Object.entries(query).map(([name, schema]) => ({
    ...{ name, in: "query", required: schema.type !== "optional" },
    schema: jsonSchema(schema, "input"),
  }));
  const inHeaders = headers.map((name) => ({ name, in: "header", schema: { type: "string" } }));
  return [...inPath, ...inQuery, ...inHeaders];
}

/** `GET /images/{id}` is `getImagesId`. */
const operationId = (route: string) =>
  route
    .replaceAll(/[^A-Za-z0-9]+(\w)/g, (_, letter: string) => letter.toUpperCase())
    .replaceAll(/\W/g, "")
    .replace(/^[A-Z]+(?=[A-Z])/, (method) => method.toLowerCase());

function operation(route: string, path: string, row: Row) {
  const parameters = parametersOf(path, row);
  const { body } = row;
  const required = body !== RejectRequest;
  return {
    operationId: operationId(route),
    summary: row.summary,
    security: row.scopes.map((scope) => ({ token: [scope] })),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: { required, content: content(body, "input") } } : {}),
    responses: responsesOf(row),
  };
}

/** @param version of Darkroom */
export function openapi(version: string) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [route, row] of Object.entries(rows)) {
    const [method = "", greedy = ""] = route.split(" ");
    const path = greedy.replace("{proxy+}", "{key}");
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation(route, path, row) };
  }
  // A copy of each: the schema itself would be a reference to itself.
  const schemas = Object.fromEntries(
    Object.entries(named).map(([name, { entries }]) => [name, jsonSchema(v.object(entries), "output")]),
  );
  const refusals = Object.values(rows).flatMap((row) => (row.xml ? [] : [...byStatus(row).values()]));
  const alone = new Set(refusals.filter(({ length }) => length === 1).flat());
  const responses = Object.fromEntries(
    [...alone].map((code) => [code, refusal([code], errors[code].status, "json")]),
  );
  const api = { default: "http://localhost:3001", description: "The output HttpApiUrl of the stack" };
  const token = { default: "TOKEN", description: "An upload token of an hour at most; no admin's" };
  return {
    openapi: "3.1.0",
    info: {
      title: "Darkroom",
      version,
      description: "Images from browsers to a CDN. docs/api.md says what each route promises.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [
      { url: "{api}", variables: { api } },
      {
        url: "{api}/t/{token}",
        description: "For clients that cannot set headers",
        variables: { api, token },
      },
    ],
    paths,
    components: {
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "Its claim `scope` has the scope",
        },
      },
      schemas,
      responses,
    },
  };
}
