/** The versions that a bucket keeps, behind AWS's S3 client. Under a person's own credentials: no function has the rights. */
import {
  CopyObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type S3Client,
} from "@aws-sdk/client-s3";
import { decodeKey } from "../../core/message.ts";
import type { KeptVersion, Versions } from "../../core/ports.ts";

export function s3Versions(client: S3Client, Bucket: string): Versions {
  return {
    async *list(prefix) {
      let next: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {};
      while (next) {
        const answer: ListObjectVersionsCommandOutput = await client.send(
          new ListObjectVersionsCommand({ Bucket, Prefix: prefix, EncodingType: "url", ...next }),
        );
        const plain = (key = "") => (answer.EncodingType === "url" ? (decodeKey(key) ?? key) : key);
        const entry =
          (marker: boolean) =>
          (one: {
            Key?: string | undefined;
            VersionId?: string | undefined;
            LastModified?: Date | undefined;
            ETag?: string | undefined;
            Size?: number | undefined;
          }): KeptVersion => ({
            key: plain(one.Key),
            versionId: one.VersionId ?? "null",
            marker,
            at: one.LastModified ?? new Date(0),
            etag: (one.ETag ?? "").replaceAll('"', ""),
            size: one.Size ?? 0,
          });
        // Each of the two lists is newest first within a key; those of one key are told apart by nothing else that is asked for.
        yield* (answer.Versions ?? []).map(entry(false));
        yield* (answer.DeleteMarkers ?? []).map(entry(true));
        const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = answer;
        next =
          answer.IsTruncated && KeyMarker !== undefined
            ? { KeyMarker: plain(KeyMarker), ...(VersionIdMarker ? { VersionIdMarker } : {}) }
            : undefined;
      }
    },
    async read({ key, versionId }) {
      const answer = await client.send(new GetObjectCommand({ Bucket, Key: key, VersionId: versionId }));
      return (await answer.Body?.transformToString()) ?? "";
    },
    async restore({ key, versionId }) {
      const source = [Bucket, ...key.split("/")].map(encodeURIComponent).join("/");
      await client.send(
        new CopyObjectCommand({ Bucket, Key: key, CopySource: `${source}?versionId=${versionId}` }),
      );
    },
  };
}
