/**
 * What the server keeps: an index in SQLite and one file per body. A body is written under a random name first and
 * becomes part of an object by one transaction; a file that no row names is nothing, and goes at the next start. So a
 * crash at any moment leaves the old object or the new one.
 */
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from "node:sqlite";
import { Bodies, type Segment } from "./bodies.ts";
import type { Checksum } from "./checksums.ts";

/** What a list shows of an object. */
export interface ObjectEntry {
  readonly key: string;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  /** Milliseconds, whole seconds, as S3 keeps them. */
  readonly modified: number;
  readonly storageClass: string;
}

export interface StoredObject extends Omit<ObjectEntry, "storageClass"> {
  readonly bucket: string;
  /** Response headers of a GET, as the uploader set them (Latin-1). */
  readonly headers: Readonly<Record<string, string>>;
  readonly segments: readonly Segment[];
  readonly multipart: boolean;
  readonly checksum?: Checksum;
  /** Absent of what was written while the bucket kept none. */
  readonly version?: string;
}

/** Rows are plain objects of SQLite's types; a statement says which columns it has. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

const SCHEMA_VERSION = 2;
/** Keys are blobs: SQLite compares those byte by byte, which is S3's order, and a zero byte does not end them. */
const SCHEMA = `
  CREATE TABLE buckets (name TEXT PRIMARY KEY, created INTEGER NOT NULL) WITHOUT ROWID, STRICT;
  CREATE TABLE configurations (
    bucket TEXT NOT NULL REFERENCES buckets ON DELETE CASCADE, kind TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (bucket, kind)) WITHOUT ROWID, STRICT;
  CREATE TABLE objects (
    bucket TEXT NOT NULL REFERENCES buckets, key BLOB NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    modified INTEGER NOT NULL, headers TEXT NOT NULL, segments TEXT NOT NULL, multipart INTEGER NOT NULL, checksum TEXT,
    PRIMARY KEY (bucket, key)) WITHOUT ROWID, STRICT;
  CREATE TABLE uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL REFERENCES buckets ON DELETE CASCADE, key BLOB NOT NULL,
    created INTEGER NOT NULL, headers TEXT NOT NULL, algorithm TEXT, type TEXT) WITHOUT ROWID, STRICT;
  CREATE TABLE parts (
    upload TEXT NOT NULL REFERENCES uploads ON DELETE CASCADE, number INTEGER NOT NULL, file TEXT NOT NULL,
    size INTEGER NOT NULL, etag TEXT NOT NULL, modified INTEGER NOT NULL, checksum TEXT,
    PRIMARY KEY (upload, number)) WITHOUT ROWID, STRICT;
  CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, body TEXT NOT NULL) STRICT;
  CREATE TABLE sequence (last INTEGER NOT NULL) STRICT;
  INSERT INTO sequence VALUES (0);
`;
/** From the first version: what is no longer current, or a delete's marker; the one with the highest `place` is the newest. */
const WITH_VERSIONS = `
  ALTER TABLE objects ADD COLUMN version TEXT;
  CREATE TABLE versions (
    place INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL REFERENCES buckets, key BLOB NOT NULL,
    version TEXT NOT NULL, marker INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, modified INTEGER NOT NULL,
    headers TEXT NOT NULL, segments TEXT NOT NULL, multipart INTEGER NOT NULL, checksum TEXT) STRICT;
  CREATE UNIQUE INDEX versions_by_key ON versions (bucket, key, version);
  PRAGMA user_version = ${SCHEMA_VERSION};
`;
/** What both tables have. */
const COLUMNS = "bucket, key, version, size, etag, modified, headers, segments, multipart, checksum";

export const keyBytes = (key: string): Buffer => Buffer.from(key, "utf8");
export const keyText = (bytes: SQLOutputValue | undefined): string =>
  Buffer.from(bytes as Uint8Array).toString("utf8");
/** As JSON, which has no `undefined`. */
const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));

function objectOf(bucket: string, key: string, row: Row): StoredObject {
  return {
    bucket,
    key,
    size: Number(row["size"]),
    etag: String(row["etag"]),
    modified: Number(row["modified"]),
    headers: JSON.parse(String(row["headers"])),
    segments: JSON.parse(String(row["segments"])),
    multipart: row["multipart"] === 1,
    ...(row["checksum"] ? { checksum: JSON.parse(String(row["checksum"])) } : {}),
    ...(row["version"] ? { version: String(row["version"]) } : {}),
  };
}

export class Storage {
  readonly bodies: Bodies;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
  /** Files that the running transaction takes out of the index. */
  #dropped: string[] = [];

  /** @throws Error when another process has the folder open */
  constructor(folder: string) {
    this.bodies = new Bodies(join(folder, "bodies"));
    this.#db = new DatabaseSync(join(folder, "index.sqlite"));
    try {
      // Exclusive: a second server on the folder would delete the files that this one is writing.
      this.#db.exec(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;",
      );
      this.transaction(() => {
        const version = this.get("PRAGMA user_version")?.["user_version"];
        if (version === 0) this.#db.exec(SCHEMA);
        if (version === 0 || version === 1) this.#db.exec(WITH_VERSIONS);
        else if (version !== SCHEMA_VERSION)
          throw new Error(`made by another version of this program (${version})`);
      });
    } catch (error) {
      this.#db.close();
      const why = (error as Error).message.includes("locked")
        ? "another process is using it"
        : (error as Error).message;
      throw new Error(`cannot open the data of the local S3 in ${folder}: ${why}`, { cause: error });
    }
    this.bodies.keepOnly(this.#namedFiles());
  }

  #namedFiles(): Set<string> {
    const named = new Set<string>();
    for (const row of this.all("SELECT segments FROM objects UNION ALL SELECT segments FROM versions")) {
      for (const { file } of JSON.parse(String(row["segments"])) as Segment[]) named.add(file);
    }
    for (const row of this.all("SELECT file FROM parts")) named.add(String(row["file"]));
    return named;
  }

  close(): void {
    this.#db.close();
  }

  #prepare(sql: string) {
    const prepared = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, prepared);
    return prepared;
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values);
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  /** All of `work` or nothing of it. Synchronous, so nothing happens in between; not to be nested. */
  transaction<T>(work: () => T): T {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#db.exec("COMMIT");
      this.bodies.discard(this.#dropped);
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after a full disk.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    } finally {
      this.#dropped = [];
    }
  }

  /** Deletes files once the running transaction is committed. */
  dropAfterCommit(files: Iterable<string>): void {
    this.#dropped.push(...files);
  }

  /** Keeps a body and, when it is there to its end, runs `commit` in a transaction; unless both succeed it is gone. */
  async store<T>(stream: AsyncIterable<Buffer>, commit: (file: string) => T): Promise<T> {
    const file = await this.bodies.write(stream);
    try {
      return this.transaction(() => commit(file));
    } catch (error) {
      this.bodies.discard([file]);
      throw error;
    }
  }

  bucketExists(bucket: string): boolean {
    return this.get("SELECT 1 FROM buckets WHERE name = ?", bucket) !== undefined;
  }

  object(bucket: string, key: string): StoredObject | undefined {
    const row = this.get("SELECT * FROM objects WHERE bucket = ? AND key = ?", bucket, keyBytes(key));
    return row && objectOf(bucket, key, row);
  }

  /** In a transaction: the object, where nothing is. */
  putObject(object: StoredObject): void {
    this.run(
      "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      object.bucket,
      keyBytes(object.key),
      object.size,
      object.etag,
      object.modified,
      JSON.stringify(object.headers),
      JSON.stringify(object.segments),
      object.multipart ? 1 : 0,
      json(object.checksum),
      object.version ?? null,
    );
  }

  /** In a transaction: the current object goes, with its bytes. */
  dropObject(bucket: string, key: string): void {
    const where = "WHERE bucket = ? AND key = ?";
    this.#dropBytes(this.get(`DELETE FROM objects ${where} RETURNING segments`, bucket, keyBytes(key)));
  }

  #dropBytes(row: Row | undefined): void {
    if (!row) return;
    this.dropAfterCommit((JSON.parse(String(row["segments"])) as Segment[]).map(({ file }) => file));
  }

  /** In a transaction: the current object is a version from now on. */
  setAside(bucket: string, key: string): void {
    const where = "WHERE bucket = ? AND key = ?";
    this.run(
      `INSERT INTO versions (${COLUMNS}, marker)
       SELECT ${COLUMNS.replace("version", "coalesce(version, 'null')")}, 0 FROM objects ${where}`,
      bucket,
      keyBytes(key),
    );
    this.run(`DELETE FROM objects ${where}`, bucket, keyBytes(key));
  }

  /** In a transaction: the newest version is current again, unless that is a marker. */
  bringBack(bucket: string, key: string): void {
    const newest = "place = (SELECT max(place) FROM versions WHERE bucket = ? AND key = ?) AND marker = 0";
    this.run(
      `INSERT INTO objects (${COLUMNS}) SELECT ${COLUMNS} FROM versions WHERE ${newest}`,
      bucket,
      keyBytes(key),
    );
    this.run(`DELETE FROM versions WHERE ${newest}`, bucket, keyBytes(key));
  }

  /** In a transaction. */
  putMarker(bucket: string, key: string, version: string, modified: number): void {
    this.run(
      `INSERT INTO versions (${COLUMNS}, marker) VALUES (?, ?, ?, 0, '', ?, '{}', '[]', 0, NULL, 1)`,
      bucket,
      keyBytes(key),
      version,
      modified,
    );
  }

  /** In a transaction: one that is not current goes for good. */
  dropVersion(bucket: string, key: string, version: string): "object" | "marker" | undefined {
    const row = this.get(
      "DELETE FROM versions WHERE bucket = ? AND key = ? AND version = ? RETURNING segments, marker",
      bucket,
      keyBytes(key),
      version,
    );
    this.#dropBytes(row);
    return row && (row["marker"] === 1 ? "marker" : "object");
  }

  /** One that is not current. */
  version(
    bucket: string,
    key: string,
    version: string,
  ): { readonly object: StoredObject; readonly marker: boolean } | undefined {
    const row = this.get(
      "SELECT * FROM versions WHERE bucket = ? AND key = ? AND version = ?",
      bucket,
      keyBytes(key),
      version,
    );
    return row && { object: objectOf(bucket, key, row), marker: row["marker"] === 1 };
  }

  /** The marker that hides a key. */
  newestMarker(bucket: string, key: string): string | undefined {
    const row = this.get(
      "SELECT version FROM versions WHERE bucket = ? AND key = ? AND marker = 1 ORDER BY place DESC LIMIT 1",
      bucket,
      keyBytes(key),
    );
    return row && String(row["version"]);
  }

  /** All versions with `from` <= key < `to`, by key and newest first. */
  versions(bucket: string, from: Buffer, to: Buffer | undefined): Iterable<Row> {
    const columns = "key, version, size, etag, modified, headers ->> 'x-amz-storage-class' AS class";
    const range = "WHERE bucket = ? AND key >= ? AND (? IS NULL OR key < ?)";
    const values = [bucket, from, to ?? null, to ?? null];
    return this.#db
      .prepare(
        `SELECT ${columns}, 0 AS marker, 1 AS latest, 0 AS place FROM objects ${range} UNION ALL
         SELECT ${columns}, marker, 0, place FROM versions ${range} ORDER BY key, latest DESC, place DESC`,
      )
      .iterate(...values, ...values);
  }

  /** Entries with `from` <= key < `to` in order; `to` undefined for no end. */
  *entries(
    bucket: string,
    from: Buffer,
    to: Buffer | undefined,
  ): Generator<ObjectEntry & { readonly bytes: Buffer }> {
    // A statement of its own: two lists may be under way at once, and a shared one would be reset.
    const rows = this.#db
      .prepare(
        `SELECT key, size, etag, modified, headers ->> 'x-amz-storage-class' AS class FROM objects
         WHERE bucket = ? AND key >= ? AND (? IS NULL OR key < ?) ORDER BY key`,
      )
      .iterate(bucket, from, to ?? null, to ?? null);
    for (const row of rows) {
      const bytes = Buffer.from(row["key"] as Uint8Array);
      yield {
        bytes,
        key: bytes.toString("utf8"),
        size: Number(row["size"]),
        etag: String(row["etag"]),
        modified: Number(row["modified"]),
        storageClass: row["class"] === null ? "STANDARD" : String(row["class"]),
      };
    }
  }

  configuration(bucket: string, kind: string): string | undefined {
    const row = this.get("SELECT document FROM configurations WHERE bucket = ? AND kind = ?", bucket, kind);
    return row && String(row["document"]);
  }

  setConfiguration(bucket: string, kind: string, document: string): void {
    this.run("INSERT OR REPLACE INTO configurations VALUES (?, ?, ?)", bucket, kind, document);
  }

  /** A number higher than any before, also across restarts; microseconds since 1970 when the clock allows. */
  nextSequence(now: number): number {
    const row = this.get("UPDATE sequence SET last = max(last + 1, ?) RETURNING last", now * 1000);
    return Number(row?.["last"]);
  }
}
