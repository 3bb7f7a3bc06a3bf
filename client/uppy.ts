/**
 * Stock Uppy (`@uppy/aws-s3` 6, `signRequest` mode) with this client's token:
 *
 *     uppy.use(AwsS3, uppySigner(darkroom, { preset: "photo" }));
 *
 * A file in one piece goes to S3 in a form with a POST policy, which holds it to size and type, or, where the storage takes
 * no forms, by a signed PUT. For a file in parts
 * Uppy speaks S3's XML, to our API instead of S3, so that sealed upload ids and limits hold there too:
 *
 * | Uppy | request |
 * | --- | --- |
 * | create | `POST {endpoint}/s3/xml/{key}?uploads&ticket={ticket}`; the ticket is from `POST /uploads` |
 * | list | `GET {endpoint}/s3/xml/{key}?uploadId={uploadId}` |
 * | complete | `POST {endpoint}/s3/xml/{key}?uploadId={uploadId}` |
 * | abort | `DELETE {endpoint}/s3/xml/{key}?uploadId={uploadId}` |
 * | part | `PUT` to S3, to the URL from `GET {endpoint}/s3/multipart/{uploadId}/{part}?key={key}` |
 */
import type { Api } from "./api.ts";
import { DarkroomError } from "./errors.ts";
import { refuseEmpty } from "./read.ts";
import { type Form, hash, type InParts, type Put, sign } from "./sign.ts";
import type { UploadOptions } from "./upload.ts";

/** What Uppy asks to have signed. */
export interface UppyRequest {
  readonly method: string;
  readonly key: string;
  readonly uploadId?: string | undefined;
  readonly partNumber?: number | undefined;
}

export interface UppySigned {
  url: string;
  key?: string;
  headers?: Record<string, string>;
  fields?: Record<string, string>;
}

/** What we use of Uppy's file. */
export interface UppyFile {
  readonly id: string;
  readonly name?: string | undefined;
  readonly type?: string | undefined;
  readonly data: unknown;
  /** `ref` in it goes with the upload. */
  readonly meta?: object;
}

/** Options of `@uppy/aws-s3`. */
export interface UppySigner {
  readonly signRequest: (request: UppyRequest) => Promise<UppySigned>;
  readonly generateObjectKey: (file: UppyFile) => string;
  readonly getChunkSize: (file: { size: number }) => number;
}

/** As large as the API cuts parts, which it signs with their exact length. */
const partSizeOf = (size: number) => Math.max(8_388_608, Math.ceil(size / 10_000));

export function uppySigner(
  darkroom: { readonly api: Api },
  { preset, focus }: Pick<UploadOptions, "preset" | "focus"> = {},
): UppySigner {
  const { api } = darkroom;
  /** Uppy names a file by the key that it proposed; ours, which is what S3 stores, comes with the signature. */
  const files = new Map<string, UppyFile>();

  const begin = async <S extends Form | Put | InParts>(
    key: string,
    method: "POST" | "MULTIPART",
  ): Promise<S> => {
    const file = files.get(key);
    if (!(file?.data instanceof Blob)) throw new DarkroomError("bad-answer", `Uppy has no data for ${key}.`);
    const { data, name, type = data.type, meta } = file;
    await refuseEmpty(data);
    const ref = meta && "ref" in meta && typeof meta.ref === "string" ? meta.ref : undefined;
    const described = { name: name ?? "", type, size: data.size, sha256: await hash(data), focus, ref };
    return sign<S>(api, described, { method, preset });
  };

  return {
    getChunkSize: ({ size }) => partSizeOf(size),
    generateObjectKey(file) {
      // Uppy's id is the same for the same file; a retry proposes it again and gets a fresh signature.
      files.set(file.id, file);
      return file.id;
    },
    async signRequest({ method, key, uploadId, partNumber }) {
      const xml = (path: string, query: string) => `${api.endpoint}/s3/xml/${path}?${query}`;
      const headers = async () => ({ authorization: await api.authorization() });
      if (uploadId === undefined && method === "PUT") {
        const signed = await begin<Form | Put>(key, "POST");
        const { url } = signed;
        return signed.method === "POST"
          ? { url, fields: signed.fields }
          : { url, key: signed.key, headers: { ...signed.headers } };
      }
      if (uploadId === undefined) {
        const { key: stored, ticket } = await begin<InParts>(key, "MULTIPART");
        return {
          url: xml(stored, `uploads&ticket=${encodeURIComponent(ticket)}`),
          key: stored,
          headers: await headers(),
        };
      }
      const id = encodeURIComponent(uploadId);
      if (partNumber !== undefined) {
        const path = `/s3/multipart/${id}/${partNumber}?key=${encodeURIComponent(key)}`;
        const { json } = await api.call<{ url: string }>("GET", path);
        return { url: json.url };
      }
      return { url: xml(key, `uploadId=${id}`), headers: await headers() };
    },
  };
}

/** The image's id in the key that Uppy reports in `upload-success`; undefined for a key of something else. */
export function imageIdFromKey(key: string): string | undefined {
  return /^originals\/([0-9a-hjkmnp-tv-z]{26})$/.exec(key)?.[1];
}
