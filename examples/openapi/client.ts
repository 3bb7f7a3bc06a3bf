import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { paths } from "./darkroom.ts"; // npx openapi-typescript http://localhost:3001/openapi.json -o darkroom.ts

const { API = "http://localhost:3001", UPLOAD_TOKEN, ADMIN_TOKEN } = process.env;
const as = (token: string | undefined) =>
  createClient<paths>({ baseUrl: API, headers: { authorization: `Bearer ${token}` } });
const [user, admin] = [as(UPLOAD_TOKEN), as(ADMIN_TOKEN)];

const [path = ""] = process.argv.slice(2);
const bytes = await readFile(path);
const files = [{ name: path, type: "image/jpeg", size: bytes.length, ref: "from a generated client" }];
const signed = await user.POST("/uploads", { body: { files } });
if (signed.error) throw new Error(signed.error.detail);
const [upload] = signed.data.uploads;
if (upload?.method !== "PUT") throw new Error("One file, in one piece.");
const sent = await fetch(upload.url, { method: "PUT", headers: upload.headers, body: bytes });
if (!sent.ok) throw new Error(`S3 answers ${sent.status}.`);

const params = { path: { id: upload.id } };
for (;;) {
  const { data, error, response } = await user.GET("/images/{id}", {
    params: { ...params, query: { wait: 20 } },
  });
  if (error) throw new Error(error.detail);
  if (data?.status !== "processing") {
    console.log(data?.status, data?.variants.length, data?.context?.clientRef);
    break;
  }
  await setTimeout(Number(response.headers.get("retry-after")) * 1000);
}
const mine = await user.GET("/images", { params: { query: { limit: 1 } } });
console.log("mine", mine.data?.images[0]?.id === upload.id);
const found = await admin.GET("/admin/images", { params: { query: { ref: "from a generated client" } } });
console.log(
  "found",
  found.data?.images.map(({ context }) => context?.clientRef),
);
await user.DELETE("/images/{id}", { params });
const gone = await user.GET("/images/{id}", { params });
console.log(gone.error?.status, gone.error?.code);
