import { createHmac, timingSafeEqual } from "node:crypto";
import express, { type Request } from "express";
import { SignJWT } from "jose";

const { AUTH_SECRET = "", WEBHOOK_SECRET = "" } = process.env;
export const app = express();
/** In place of your database: the status of each image. */
export const images = new Map<string, string>();

app.get("/darkroom-token", async (_request, response) => {
  const user = "42"; // whoever your session says is signed in; without one, response.sendStatus(401)
  const token = await new SignJWT({ scope: "upload" })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(user)
    .setExpirationTime("10m")
    .sign(new TextEncoder().encode(AUTH_SECRET));
  response.set("cache-control", "no-store").type("text/plain").send(token);
});

// The body as it came: parsed and written again it would not be what was signed.
app.post("/darkroom-webhook", express.raw({ type: "*/*", limit: "1mb" }), (request, response) => {
  if (!isSigned(request)) {
    response.sendStatus(401);
    return;
  }
  const { data } = JSON.parse(request.body);
  images.set(data.id, data.status); // it may come twice and late: keep `data.rev`, pass over what is not greater
  response.sendStatus(204);
});

function isSigned(request: Request): boolean {
  const [id, timestamp, signatures] = ["id", "timestamp", "signature"].map(
    (name) => request.get(`webhook-${name}`) ?? "",
  );
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300)) return false;
  const key = Buffer.from(WEBHOOK_SECRET.replace("whsec_", ""), "base64");
  const mac = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(request.body).digest("base64");
  const expected = Buffer.from(`v1,${mac}`);
  // Several while a secret is being replaced.
  return (signatures ?? "").split(" ").some((text) => {
    const given = Buffer.from(text);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

// To try it out: AUTH_SECRET=$(cat .darkroom/secret) npx node examples/express.ts
if (import.meta.main) {
  app.use(express.static("examples"));
  app.use("/darkroom", express.static("dist/client"));
  app.listen(4000, "127.0.0.1", (error) => {
    if (error) throw error;
    console.log("http://localhost:4000/plain.html");
  });
}
