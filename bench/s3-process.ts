/** The local S3 in a process of its own, so that its CPU is not taken for the worker's: prints its URL. */
import { startS3 } from "local-aws/s3";

const [data = ""] = process.argv.slice(2);
const s3 = await startS3({
  data,
  port: 0,
  credentials: { accessKeyId: "bench", secretAccessKey: "bench-secret" },
  region: "us-east-1",
  notify: () => {},
});
console.log(s3.url);
