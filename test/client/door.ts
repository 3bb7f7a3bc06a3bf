/** A TCP door in front of a server: what comes through it can be held up or cut off, at any byte. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Door {
  readonly url: string;
  /** Lets only so many more bytes in, and keeps the senders waiting from then on. */
  hold(after: number): void;
  /** Ends every connection and lets none through, as when a cable is pulled. */
  cut(): void;
  /** Lets everything through again. */
  open(): void;
  close(): void;
}

export async function openDoor(target: string): Promise<Door> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let allowed = Number.POSITIVE_INFINITY;
  let shut = false;
  const server = createServer((outside) => {
    if (shut) return outside.destroy();
    const inside = connect(Number(port), hostname);
    for (const [one, other] of [
      [outside, inside],
      [inside, outside],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    inside.pipe(outside);
    return outside.on("data", (bytes: Buffer) => {
      inside.write(bytes);
      allowed -= bytes.length;
      if (allowed <= 0) outside.pause();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold(after) {
      allowed = after;
    },
    open() {
      shut = false;
      allowed = Number.POSITIVE_INFINITY;
      for (const socket of sockets) socket.resume();
    },
    cut() {
      shut = true;
      for (const socket of sockets) socket.destroy();
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
