/** What somebody who means harm can make the owner of a stack pay in a day. */
import { costOf, WORKER_GB } from "./prices.ts";

const DAY = 86_400;

/** As a deployment has them. */
export interface Bounds {
  readonly requestsPerSecond: number;
  readonly workers: number;
  /** Invocations at once that send webhooks. */
  readonly senders: number;
  /** Files of one request for signatures, and bytes of one of them. */
  readonly files: number;
  readonly maxBytes: number;
}

interface Abuse {
  readonly who: string;
  readonly how: string;
  readonly dollars: number;
  readonly lowers: string;
}

/** The worst day of each, by the bounds that hold without anybody looking. */
export function abuses({ requestsPerSecond, workers, senders, files, maxBytes }: Bounds): Abuse[] {
  const calls = requestsPerSecond * DAY;
  const answered = {
    apiRequest: calls,
    lambdaRequest: calls,
    // A refusal takes a millisecond or two, and is paid for as such; its lines in two logs.
    lambdaGbSecond: calls * 0.002 * 0.5,
    logs: (calls * 600) / 1e9,
  };
  const uploads = calls * files;
  return [
    {
      who: "anonymous",
      how: "calls the API without a token, all day at its throttle",
      dollars: costOf(answered),
      lowers: "`requestsPerSecond`; `webAcl`",
    },
    {
      who: "anonymous",
      how: "downloads pictures at 1 Gbit/s; ten times that is ten times as much, there is no bound",
      dollars: costOf({ cdnTransfer: (DAY * 1e9) / 8 / 1e9 }),
      lowers: "`webAcl`, a rate by address; `budgetDollars` tells of it",
    },
    {
      who: "an uploader",
      how: `keeps all ${workers} workers developing`,
      dollars: costOf({ lambdaGbSecond: workers * WORKER_GB * DAY }),
      lowers: "`workers`; `maxUploadsPerMinute` in the token",
    },
    {
      who: "an uploader",
      how: `has ${files} files signed by every request at the throttle, and sends them: S3's requests alone`,
      dollars: costOf({ ...answered, s3Write: uploads, sqsRequest: uploads }),
      lowers: "`maxUploadsPerMinute` in the token, `requestsPerSecond`",
    },
    {
      who: "an uploader",
      how: "sends 1 Gbit/s of the largest files, kept from then on: for each month that they stay",
      dollars: costOf({
        s3Storage: (DAY * 1e9) / 8 / 1e9,
        s3Write: (DAY * 1e9) / 8 / maxBytes,
      }),
      lowers: "`maxBytes` in the token, `maxUploadsPerMinute`; `DELETE /images/{id}` as admin",
    },
    {
      who: "a receiver of webhooks",
      how: "answers so slowly that every invocation waits",
      dollars: costOf({ lambdaGbSecond: senders * 0.5 * DAY }),
      lowers: "the events' `maximumConcurrency`; it is parked after five tries, so this lasts minutes",
    },
  ];
}
