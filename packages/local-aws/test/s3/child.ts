/** A local S3 in a process of its own, that can be measured and killed. Run by `startChild`. */
import { startS3 } from "../../s3/server.ts";

const [data = "", accessKeyId = "", secretAccessKey = "", region = ""] = process.argv.slice(2);
const server = await startS3({
  data,
  port: 0,
  credentials: { accessKeyId, secretAccessKey },
  region,
  // A queue that takes test events and nothing else.
  notify: async (_, body) => {
    if (!body.includes("s3:TestEvent")) throw new Error("the queue is away");
  },
});
process.on("message", () => process.send?.({ maxRss: process.resourceUsage().maxRSS * 1024 }));
process.send?.({ url: server.url });
