#!/usr/bin/env node
/** `local-aws`: both servers from the command line, the one telling the other what was uploaded. */
import { parseArgs } from "node:util";
import { startS3 } from "./s3/server.ts";
import { startSqs } from "./sqs/server.ts";

const HELP = `Usage: local-aws [options]

S3 and SQS on this machine, on the loopback only. Prints the environment for AWS's SDKs and runs until Ctrl-C.

  --s3-port NUMBER            port of S3, 0 for a free one (9000)
  --sqs-port NUMBER           port of SQS, 0 for a free one (9324)
  --data FOLDER               keeps everything across restarts (.local-aws)
  --region NAME               (us-east-1)
  --access-key-id TEXT        the one account's (local)
  --secret-access-key TEXT    (local-secret)
  --help                      shows this
`;

const text = (byDefault: string) => ({ type: "string", default: byDefault }) as const;

function readOptions() {
  const { values } = parseArgs({
    options: {
      "s3-port": text("9000"),
      "sqs-port": text("9324"),
      data: text(".local-aws"),
      region: text("us-east-1"),
      "access-key-id": text("local"),
      "secret-access-key": text("local-secret"),
      help: { type: "boolean", default: false },
    },
  });
  const port = (name: "s3-port" | "sqs-port") => {
    if (/^\d{1,5}$/.test(values[name]) && Number(values[name]) < 65_536) return Number(values[name]);
    throw new Error(`--${name} takes a number from 0 to 65535, not ${JSON.stringify(values[name])}.`);
  };
  const credentials = { accessKeyId: values["access-key-id"], secretAccessKey: values["secret-access-key"] };
  const { data, region, help } = values;
  return { s3Port: port("s3-port"), sqsPort: port("sqs-port"), common: { data, region, credentials }, help };
}

async function serve({ s3Port, sqsPort, common }: ReturnType<typeof readOptions>): Promise<void> {
  const sqs = await startSqs({ ...common, port: sqsPort });
  const s3 = await startS3({
    ...common,
    port: s3Port,
    notify: (queueArn, body) => sqs.send(queueArn, body),
    log: (level, event, fields) => level !== "debug" && console.error(level, event, fields ?? ""),
  }).catch(async (error: unknown) => {
    await sqs.close();
    throw error;
  });
  const { accessKeyId, secretAccessKey } = common.credentials;
  for (const [name, value] of Object.entries({
    AWS_ENDPOINT_URL_S3: s3.url,
    AWS_ENDPOINT_URL_SQS: sqs.url,
    AWS_REGION: common.region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  }))
    console.log(`export ${name}='${value}'`);
  const stop = async () => {
    await s3.close();
    await sqs.close();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stop());
}

try {
  const options = readOptions();
  if (options.help) process.stdout.write(HELP);
  else await serve(options);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
