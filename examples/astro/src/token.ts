import { getSecret } from "astro:env/server";
import { createToken } from "darkroom/server";

/** Whoever may call it, may upload: look at your session first. */
export async function uploadToken(): Promise<string> {
  const user = "42"; // whoever your session says is signed in; without one, throw
  return createToken({ secret: getSecret("AUTH_SECRET") ?? "", owner: user });
}
