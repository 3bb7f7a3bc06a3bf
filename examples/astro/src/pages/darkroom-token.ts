import { uploadToken } from "../token";

export const GET = async () =>
  new Response(await uploadToken(), { headers: { "cache-control": "no-store" } });
