/** The index of multipart uploads and their parts. */
import { randomBytes } from "node:crypto";
import type { Algorithm, Checksum, ChecksumType } from "./checksums.ts";
import { S3Error } from "./errors.ts";
import { keyBytes, keyText, type Row, type Storage } from "./storage.ts";

export interface Upload {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly created: number;
  /** Of the object to be. */
  readonly headers: Readonly<Record<string, string>>;
  /** What each part and the whole are summed by, where the creator wants it. */
  readonly checksum: { readonly algorithm: Algorithm; readonly type: ChecksumType } | undefined;
}

export interface Part {
  readonly number: number;
  readonly file: string;
  readonly size: number;
  readonly etag: string;
  readonly modified: number;
  readonly checksum: Checksum | undefined;
}

const uploadOf = (row: Row): Upload => ({
  id: String(row["id"]),
  bucket: String(row["bucket"]),
  key: keyText(row["key"]),
  created: Number(row["created"]),
  headers: JSON.parse(String(row["headers"])),
  checksum:
    row["algorithm"] === null
      ? undefined
      : { algorithm: row["algorithm"] as Algorithm, type: row["type"] as ChecksumType },
});

const partOf = (row: Row): Part => ({
  number: Number(row["number"]),
  file: String(row["file"]),
  size: Number(row["size"]),
  etag: String(row["etag"]),
  modified: Number(row["modified"]),
  checksum: row["checksum"] === null ? undefined : JSON.parse(String(row["checksum"])),
});

export function createUpload(storage: Storage, upload: Omit<Upload, "id">): string {
  const id = randomBytes(32).toString("base64url");
  const { bucket, key, created, headers, checksum } = upload;
  storage.run(
    "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?)",
    id,
    bucket,
    keyBytes(key),
    created,
    JSON.stringify(headers),
    checksum?.algorithm ?? null,
    checksum?.type ?? null,
  );
  return id;
}

/** @throws S3Error `NoSuchUpload`, also for an id of another bucket or key */
export function requireUpload(storage: Storage, bucket: string, key: string, id: string): Upload {
  const row = storage.get(
    "SELECT * FROM uploads WHERE id = ? AND bucket = ? AND key = ?",
    id,
    bucket,
    keyBytes(key),
  );
  if (!row) throw new S3Error("NoSuchUpload", undefined, { UploadId: id });
  return uploadOf(row);
}

/** All open uploads of keys with the prefix, by key and then by age. */
export function openUploads(storage: Storage, bucket: string, prefix: string): Upload[] {
  return storage
    .all("SELECT * FROM uploads WHERE bucket = ? ORDER BY key, created, id", bucket)
    .map(uploadOf)
    .filter(({ key }) => key.startsWith(prefix));
}

/** Parts by number, after `after`. */
export function partsOf(storage: Storage, upload: string, after = 0, limit = -1): Part[] {
  return storage
    .all("SELECT * FROM parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?", upload, after, limit)
    .map(partOf);
}

/** In a transaction: the part, in place of an earlier one with its number. */
export function putPart(storage: Storage, upload: string, part: Part): void {
  const old = storage.get("SELECT file FROM parts WHERE upload = ? AND number = ?", upload, part.number);
  if (old) storage.dropAfterCommit([String(old["file"])]);
  storage.run(
    "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)",
    upload,
    part.number,
    part.file,
    part.size,
    part.etag,
    part.modified,
    part.checksum ? JSON.stringify(part.checksum) : null,
  );
}

/** In a transaction: the upload and its parts are gone; files in `keep` are not deleted. */
export function removeUpload(storage: Storage, upload: string, keep: ReadonlySet<string> = new Set()): void {
  storage.dropAfterCommit(
    partsOf(storage, upload)
      .map(({ file }) => file)
      .filter((file) => !keep.has(file)),
  );
  storage.run("DELETE FROM uploads WHERE id = ?", upload);
}
