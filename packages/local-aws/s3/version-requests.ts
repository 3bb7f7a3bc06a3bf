/** Requests that speak of versions, and what others say of them. */
import { renderS3, textOf as textIn } from "../xml.ts";
import { readDocument } from "./body.ts";
import { httpDate, quoted } from "./conditions.ts";
import { parseDocument } from "./documents.ts";
import { headerNotImplemented, S3Error } from "./errors.ts";
import { bytesOf, encoderOf, pageSize, successor, textOf } from "./paging.ts";
import type { S3Request } from "./request.ts";
import { bucketOf, isoDate, keyOf, type Operation, OWNER, type S3, xmlReply } from "./s3.ts";
import { keyBytes, keyText, type Storage, type StoredObject } from "./storage.ts";
import { NULL, removeVersion, versioningOf } from "./versions.ts";

export const putVersioning: Operation = async ({ storage }, request) => {
  const root = parseDocument(await readDocument(request, { needsChecksum: true }), "VersioningConfiguration");
  const status = textIn(root, "Status")?.trim();
  if (status !== "Enabled" && status !== "Suspended")
    throw new S3Error("IllegalVersioningConfigurationException");
  if (textIn(root, "MfaDelete")?.trim() === "Enabled") throw headerNotImplemented("MfaDelete");
  storage.transaction(() => storage.setConfiguration(bucketOf(request), "versioning", status));
  return { status: 200 };
};

export const getVersioning: Operation = ({ storage }, request) => {
  const Status = versioningOf(storage, bucketOf(request));
  return xmlReply(renderS3("VersioningConfiguration", Status ? { Status } : ""));
};

/** The version that a request asks for. @throws S3Error `InvalidArgument` where that could be none */
export function versionIn(query: ReadonlyMap<string, string>): string | undefined {
  const version = query.get("versionId");
  if (version === undefined || version === NULL || /^[A-Za-z0-9_-]{32}$/.test(version)) return version;
  throw new S3Error("InvalidArgument", "Invalid version id specified", {
    ArgumentName: "versionId",
    ArgumentValue: version,
  });
}

/** @throws S3Error `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed` for a delete marker */
export function requireVersion(
  { storage }: S3,
  bucket: string,
  key: string,
  version: string | undefined,
): StoredObject {
  const current = storage.object(bucket, key);
  if (current && (version === undefined || (current.version ?? NULL) === version)) return current;
  if (version === undefined) {
    const marker = storage.newestMarker(bucket, key);
    const headers = marker ? { "x-amz-delete-marker": "true", "x-amz-version-id": marker } : {};
    throw new S3Error("NoSuchKey", undefined, { Key: key }, { headers });
  }
  const found = storage.version(bucket, key, version);
  if (!found) throw new S3Error("NoSuchVersion", undefined, { Key: key, VersionId: version });
  if (!found.marker) return found.object;
  throw new S3Error(
    "MethodNotAllowed",
    undefined,
    { Method: "GET", ResourceType: "DeleteMarker" },
    {
      headers: {
        allow: "DELETE",
        "x-amz-delete-marker": "true",
        "x-amz-version-id": version,
        "last-modified": httpDate(found.object.modified),
      },
    },
  );
}

/** Of the answer to a read or a write. */
export function versionHeader(storage: Storage, object: StoredObject): Record<string, string> {
  return versioningOf(storage, object.bucket) ? { "x-amz-version-id": object.version ?? NULL } : {};
}

/** ListObjectVersions, newest first within a key; without a delimiter. */
export const listVersions: Operation = ({ storage }, request) => {
  if (request.query.get("delimiter")) throw headerNotImplemented("delimiter");
  const size = pageSize(request, "max-keys");
  const encode = encoderOf(request);
  const rows = [...versionsAfter(storage, request, size + 1)];
  const shown = rows.slice(0, size);
  const last = rows.length > size ? shown.at(-1) : undefined;
  const common = (row: Listed) => ({
    Key: encode(row.key),
    VersionId: row.version,
    IsLatest: row.latest,
    LastModified: isoDate(row.modified),
    Owner: OWNER,
  });
  return xmlReply(
    renderS3("ListVersionsResult", {
      Name: bucketOf(request),
      Prefix: encode(textOf(request, "prefix") ?? ""),
      KeyMarker: encode(textOf(request, "key-marker") ?? ""),
      VersionIdMarker: request.query.get("version-id-marker") ?? "",
      NextKeyMarker: last && encode(last.key),
      NextVersionIdMarker: last?.version,
      MaxKeys: size,
      EncodingType: request.query.get("encoding-type"),
      IsTruncated: last !== undefined,
      Version: shown
        .filter(({ marker }) => !marker)
        .map((row) => ({
          ...common(row),
          ETag: quoted(row.etag),
          Size: row.size,
          StorageClass: row.storageClass,
        })),
      DeleteMarker: shown.filter(({ marker }) => marker).map(common),
    }),
  );
};

interface Listed {
  readonly key: string;
  readonly version: string;
  readonly latest: boolean;
  readonly marker: boolean;
  readonly modified: number;
  readonly etag: string;
  readonly size: number;
  readonly storageClass: string;
}

function* versionsAfter(storage: Storage, request: S3Request, limit: number): Generator<Listed> {
  const [prefix, marker] = [bytesOf(request, "prefix"), bytesOf(request, "key-marker")];
  const versionMarker = request.query.get("version-id-marker") || undefined;
  if (versionMarker !== undefined && marker.length === 0)
    throw new S3Error("InvalidArgument", "A version-id marker cannot be specified without a key marker.");
  const from = Buffer.compare(marker, prefix) > 0 ? marker : prefix;
  let before: string | undefined;
  let isPassed = marker.length === 0;
  let left = limit;
  for (const row of storage.versions(bucketOf(request), from, successor(prefix))) {
    if (left === 0) return;
    const key = keyText(row["key"]);
    const latest = key !== before;
    before = key;
    const version = String(row["version"] ?? NULL);
    if (!isPassed && keyBytes(key).equals(marker)) {
      // Behind the version that is named, or behind all of the key.
      isPassed = versionMarker === version;
      continue;
    }
    isPassed = true;
    left--;
    yield {
      key,
      version,
      latest,
      marker: row["marker"] === 1,
      modified: Number(row["modified"]),
      etag: String(row["etag"]),
      size: Number(row["size"]),
      storageClass: row["class"] === null ? "STANDARD" : String(row["class"]),
    };
  }
}

/** DeleteObject of one version. */
export function deleteOneVersion(s3: S3, request: S3Request, version: string) {
  const [bucket, key] = [bucketOf(request), keyOf(request)];
  const dropped = s3.storage.transaction(() => {
    const what = removeVersion(s3.storage, bucket, key, version);
    if (what) s3.notifications.note(request, "ObjectRemoved:Delete", { bucket, key, version });
    return what;
  });
  const marker = dropped === "marker" ? { "x-amz-delete-marker": "true" } : {};
  return { status: 204, headers: { "x-amz-version-id": version, ...marker } };
}
