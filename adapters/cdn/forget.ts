/**
 * CDNs that are not CloudFront, asked to forget what was deleted: a row each, by the API that its documentation describes.
 * Paths are a folder's, with `*` behind; nobody minds being asked twice.
 */
import type { ForgetDeps } from "../../core/tell/forget.ts";

interface CdnAccess {
  /** Cloudflare's zone, Fastly's service. */
  readonly zone: string;
  /** Of its API. */
  readonly token: string;
  /** Where it serves the media bucket. */
  readonly mediaUrl: string;
}

interface PurgeRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** What a CDN is sent for folders without a slash at either end. */
const rows = {
  /**
   * By prefix, which all plans have; 30 to a request, of which Free has 5 a minute.
   * https://developers.cloudflare.com/cache/how-to/purge-cache/purge_by_prefix/
   * https://developers.cloudflare.com/api/resources/cache/methods/purge/
   */
  cloudflare: ({ zone, token, mediaUrl }: CdnAccess, folders: readonly string[]): PurgeRequest[] => [
    {
      url: `https://api.cloudflare.com/client/v4/zones/${zone}/purge_cache`,
      headers: { authorization: `Bearer ${token}` },
      body: { prefixes: folders.map((folder) => `${mediaUrl.replace(/^https?:\/\//, "")}/${folder}`) },
    },
  ],
  /**
   * A URL that ends in a slash stands for all below it.
   * https://docs.bunny.net/reference/purgepublic_indexpost
   */
  bunny: ({ token, mediaUrl }: CdnAccess, folders: readonly string[]): PurgeRequest[] =>
    folders.map((folder) => ({
      url: `https://api.bunny.net/purge?url=${encodeURIComponent(`${mediaUrl}/${folder}/`)}`,
      headers: { accesskey: token },
    })),
  /**
   * It knows no folders: by surrogate keys, 256 to a request, which the service's VCL makes of paths (docs/outside-aws.md).
   * https://www.fastly.com/documentation/reference/api/purging/
   */
  fastly: ({ zone, token }: CdnAccess, folders: readonly string[]): PurgeRequest[] => [
    {
      url: `https://api.fastly.com/service/${zone}/purge`,
      headers: { "fastly-key": token },
      body: { surrogate_keys: folders },
    },
  ],
} as const;

/** No more than one is waited for than this, in milliseconds. */
const PATIENCE_MS = 10_000;

/** Resolves with false where the CDN says that it has been asked too much (429). */
export function cdnForget(
  cdn: keyof typeof rows,
  access: CdnAccess,
  send: typeof fetch = fetch,
): NonNullable<ForgetDeps["forget"]> {
  return async (paths) => {
    const folders = paths.map((path) => path.replace(/^\/|\/?\*$/g, ""));
    for (const { url, headers, body } of rows[cdn](access, folders)) {
      const answer = await send(url, {
        method: "POST",
        headers: { ...headers, ...(body ? { "content-type": "application/json" } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      await answer.body?.cancel();
      if (answer.status === 429) return false;
      if (!answer.ok) throw new Error(`${cdn} forgets nothing: it answers ${answer.status}`);
    }
    return true;
  };
}
