/**
 * What AWS's services put into CloudWatch by themselves, as far as this stack has them: names and dimensions, from the page
 * of each service's guide. What is not here is not emitted, to whoever watches it.
 */
interface Emitted {
  readonly source: string;
  readonly metrics: readonly string[];
  /** Sets of dimensions under which each of them comes; the empty one is over the whole account and region. */
  readonly dimensions: readonly (readonly string[])[];
  /** Where it is to be looked for, wherever the stack is. */
  readonly region?: string;
}

export const awsMetrics: Readonly<Record<string, Emitted>> = {
  "AWS/Lambda": {
    source: "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html",
    metrics: [
      "Invocations",
      "Errors",
      "Throttles",
      "Duration",
      "ConcurrentExecutions",
      "RecursiveInvocationsDropped",
    ],
    dimensions: [["FunctionName"], ["FunctionName", "Resource"], []],
  },
  "AWS/SQS": {
    source:
      "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html",
    metrics: [
      "ApproximateAgeOfOldestMessage",
      "ApproximateNumberOfMessagesDelayed",
      "ApproximateNumberOfMessagesNotVisible",
      "ApproximateNumberOfMessagesVisible",
      "NumberOfEmptyReceives",
      "NumberOfMessagesDeleted",
      "NumberOfMessagesReceived",
      "NumberOfMessagesSent",
      "SentMessageSize",
    ],
    dimensions: [["QueueName"]],
  },
  // Of an HTTP API: a REST API says 4XXError. By route only with DetailedMetricsEnabled.
  "AWS/ApiGateway": {
    source: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html",
    metrics: ["4xx", "5xx", "Count", "IntegrationLatency", "Latency", "DataProcessed"],
    dimensions: [["ApiId"], ["ApiId", "Stage"]],
  },
  // Without "additional metrics", which are paid for.
  "AWS/CloudFront": {
    source:
      "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/programming-cloudwatch-metrics.html",
    metrics: [
      "Requests",
      "BytesDownloaded",
      "BytesUploaded",
      "4xxErrorRate",
      "5xxErrorRate",
      "TotalErrorRate",
    ],
    dimensions: [["DistributionId", "Region"]],
    region: "us-east-1",
  },
};
