/** A receiver of webhooks for the local stack, as an app's back end would have one: verifies, keeps the last ones. */
import type { IncomingMessage, RequestListener } from "node:http";
import { Webhook } from "standardwebhooks";

/** Enough for a page to show; older ones are in the uploads bucket, under `events/`. */
const KEPT = 100;
const MAX_BYTES = 1_048_576;

export interface ReceivedWebhook {
  /** `webhook-id`: the same again for an event told twice. */
  readonly id: string;
  readonly receivedAt: string;
  readonly event: unknown;
}

/** `POST /webhooks` takes them, `GET /webhooks.json` shows them, newest first. */
export function webhookReceiver(secret: string): RequestListener {
  const webhook = new Webhook(secret);
  const received: ReceivedWebhook[] = [];
  const take = async (request: IncomingMessage): Promise<number> => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) return 413;
      chunks.push(chunk);
    }
    try {
      const event = webhook.verify(Buffer.concat(chunks), request.headers as Record<string, string>);
      const id = String(request.headers["webhook-id"]);
      received.unshift({ id, receivedAt: new Date().toISOString(), event });
      received.splice(KEPT);
      return 204;
    } catch {
      return 401;
    }
  };
  return (request, response) => {
    const route = `${request.method} ${request.url?.split("?")[0]}`;
    // Another site's name that resolves to this machine must not get at them (DNS rebinding).
    const own = /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(request.headers.host ?? "");
    if (own && route === "GET /webhooks.json") {
      response.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
      response.end(JSON.stringify({ webhooks: received }));
    } else if (own && route === "POST /webhooks") {
      take(request).then(
        (status) => response.writeHead(status).end(),
        () => response.destroy(),
      );
    } else {
      response.writeHead(404).end();
    }
  };
}
