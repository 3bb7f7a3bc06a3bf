/** Where the API is and with which token: told by the local stack, else by whoever opens the page. */
import type { Token } from "darkroom/client";
import { type TypedToken, typedToken } from "./typed-token.ts";

export interface Settings {
  readonly endpoint: string;
  readonly token: Token;
  /** Where there is a token with the scope `admin`. */
  readonly adminToken: Token | undefined;
  /** Where a person typed it in, and may want to change it. */
  readonly typed: TypedToken | undefined;
}

/** What the local stack answers; undefined where this is not one. */
export async function localSettings(): Promise<Settings | undefined> {
  if (!["localhost", "127.0.0.1"].includes(location.hostname)) return undefined;
  const read = async () => {
    const answer = await fetch("local.json");
    return (await answer.json()) as { api: string; uploadToken: string; adminToken: string };
  };
  const local = await read().catch(() => undefined);
  return (
    local && {
      endpoint: local.api,
      // Asked again when the hour of a token is over.
      token: async () => (await read()).uploadToken,
      adminToken: async () => (await read()).adminToken,
      typed: undefined,
    }
  );
}

/**
 * In sessionStorage, because a token is a key to somebody's images: it should be gone with the tab. localStorage would
 * keep it on the disk, for whoever opens this browser next and for every other page of this origin.
 */
const KEPT = "darkroom.connection";

export function keptSettings(): Settings | undefined {
  const kept = sessionStorage.getItem(KEPT);
  return kept === null ? undefined : settingsOf(JSON.parse(kept));
}

interface Typed {
  readonly endpoint: string;
  readonly token: string;
}

const keep = (typed: Typed) => sessionStorage.setItem(KEPT, JSON.stringify(typed));

export function keepSettings(typed: Typed): Settings {
  keep(typed);
  return settingsOf(typed);
}

export const forgetSettings = () => sessionStorage.removeItem(KEPT);

function settingsOf({ endpoint, token }: Typed): Settings {
  const typed = typedToken(token, (another) => keep({ endpoint, token: another }));
  return {
    endpoint,
    token: typed.source(),
    adminToken: scopesOf(token).includes("admin") ? typed.source() : undefined,
    typed,
  };
}

/** Read, not verified: the API does that. */
function scopesOf(token: string): string[] {
  try {
    const payload = token.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
    return String(JSON.parse(atob(payload)).scope).split(" ");
  } catch {
    return [];
  }
}
