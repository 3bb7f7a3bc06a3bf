/** A local SQS in a process of its own, to be killed. Takes the folder as its argument, says its URL. */
import { startSqs } from "../../sqs/server.ts";
import { CREDENTIALS, REGION } from "./server.ts";

const server = await startSqs({
  data: process.argv[2] ?? "",
  port: 0,
  region: REGION,
  credentials: CREDENTIALS,
});
process.send?.(server.url);
