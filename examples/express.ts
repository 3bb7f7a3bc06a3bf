import { adminApi, createToken, DarkroomError, type Image, picture, verifyWebhook } from "darkroom/server";
import express from "express";

const {
  AUTH_SECRET = "",
  WEBHOOK_SECRET = "",
  API = "http://localhost:3001",
  DEMO_USER = "42",
} = process.env;
export const app = express();
/** In place of your database. */
export const images = new Map<string, { owner: string; rev: number; status: string }>();
const user = DEMO_USER; // whoever your session says is signed in; without one, response.sendStatus(401)
const darkroom = adminApi({ endpoint: API, secret: AUTH_SECRET });

app.get("/darkroom-token", async (_request, response) => {
  const token = await createToken({ secret: AUTH_SECRET, owner: user });
  response.set("cache-control", "no-store").type("text/plain").send(token);
});

// The body as it came: parsed and written again it would not be what was signed.
app.post("/darkroom-webhook", express.text({ type: "*/*", limit: "1mb" }), async (request, response) => {
  const signed = { headers: request.headers, text: () => String(request.body) };
  const event = await verifyWebhook(signed, { secret: WEBHOOK_SECRET }).catch(() => undefined);
  if (!event) {
    response.sendStatus(401);
    return;
  }
  const { id, rev, status } = event.data;
  const known = images.get(id);
  const owner = status === "deleted" ? "" : (event.context?.owner ?? known?.owner ?? "");
  // It may come twice and late: what is not newer changes nothing.
  if (!known || rev > known.rev) images.set(id, { owner, rev, status });
  response.sendStatus(204);
});

/** What is private comes with URLs that open for an hour. */
app.get("/", async (_request, response) => {
  const mine = [...images].filter(([, { owner, status }]) => owner === user && status === "ready");
  const shown = await Promise.all(
    mine.map(async ([id]) => {
      try {
        return picture((await darkroom.image(id)) as Image, {}).html;
      } catch (error) {
        if (error instanceof DarkroomError && error.code === "gone") return ""; // deleted a moment ago
        throw error;
      }
    }),
  );
  const button = `<form method="post" action="/delete-me"><button>Delete me and my pictures</button></form>`;
  response.set("cache-control", "no-store").type("html");
  response.send(`<!doctype html><title>Pictures</title>${shown.join("")}${button}`);
});

app.post("/delete-me", async (request, response) => {
  // Browsers say where a request comes from: not from another site's form.
  if (request.get("sec-fetch-site") !== "same-origin") {
    response.sendStatus(403);
    return;
  }
  // End the user's sessions first: no more tokens. Webhooks tell of each image when it is gone.
  await darkroom.start({ action: "delete", select: { owner: user } });
  response.redirect(303, "/");
});

// To try it out: AUTH_SECRET=$(cat .darkroom/secret) npx node examples/express.ts
if (import.meta.main) {
  app.use(express.static("examples"));
  app.use("/darkroom", express.static("dist/client"));
  app.listen(Number(process.argv[2] ?? 4000), "127.0.0.1", (error) => {
    if (error) throw error;
    console.log("http://localhost:4000/plain.html");
  });
}
