/** What the world sees: the API and the CDN. */
import { isDeepStrictEqual } from "node:util";
import { isAllowed } from "./iam.ts";
import { ACCOUNT, at, ofType, plain, type Template } from "./packaged.ts";
import { each, type Rules } from "./rule.ts";

const STAGE = "Resources.HttpApiStage.Properties";
const CORS = "Resources.HttpApi.Properties.CorsConfiguration";
const LOGS = "Resources.HttpApiLogGroup.Properties.LogGroupName";
/** What tells who called, or with what: the path may hold a token. */
const TELLTALE = /\$context\.(path|identity|authorizer|requestOverride|httpMethod.*path)/i;

export const apiRules: Rules = {
  "the API is throttled, and its logs name the route": {
    check: (template) => {
      const rate = Number(at(template, `${STAGE}.DefaultRouteSettings.ThrottlingRateLimit`));
      const burst = Number(at(template, `${STAGE}.DefaultRouteSettings.ThrottlingBurstLimit`));
      const routes = Object(at(template, `${STAGE}.RouteSettings`)) as Record<
        string,
        Record<string, unknown>
      >;
      const format = String(at(template, `${STAGE}.AccessLogSettings.Format`));
      return [
        ...(rate > 0 && burst >= rate ? [] : [`throttling: ${rate} a second, ${burst} at once`]),
        // Who waits for images must not keep signatures waiting.
        ...["GET /images/{id}", "GET /t/{token}/images/{id}"]
          .filter((route) => !(Number(routes[route]?.["ThrottlingRateLimit"]) > 0))
          .map((route) => `${route} has no throttle of its own`),
        ...(at(template, `${STAGE}.DefaultRouteSettings.DetailedMetricsEnabled`) === true
          ? ["metrics for each route, which nothing reads"]
          : []),
        // For any other name API Gateway adds to the account's one policy of 5,120 characters.
        ...(/^\/aws\/vendedlogs\//.test(String(plain(at(template, LOGS), template)))
          ? []
          : ["a log group that a full account cannot give"]),
        ...(format.includes("$context.routeKey") && format.includes("$context.requestId")
          ? []
          : ["log format"]),
        ...(TELLTALE.test(format) ? ["the log tells a path or an address"] : []),
      ];
    },
    breaks: [
      [`${STAGE}.DefaultRouteSettings.ThrottlingRateLimit`, undefined],
      [`${STAGE}.RouteSettings`, undefined],
      [`${STAGE}.AccessLogSettings`, undefined],
      [`${STAGE}.AccessLogSettings.Format`, "$context.requestId $context.routeKey $context.path"],
      [
        `${STAGE}.AccessLogSettings.Format`,
        "$context.requestId $context.routeKey $context.identity.sourceIp",
      ],
      [`${STAGE}.DefaultRouteSettings.DetailedMetricsEnabled`, true],
      [LOGS, "/aws/http-api/darkroom-dev"],
    ],
  },
  "pages of the configured origins may call the API, by its methods": {
    check: (template) => {
      const methods = new Set(
        ofType(template, "AWS::ApiGatewayV2::Route").map(
          ([, { Properties }]) => String(at(Properties, "RouteKey")).split(" ")[0],
        ),
      );
      const origins = ["https://app.example.com", "https://b.example"];
      return [
        ...(isDeepStrictEqual(at(template, `${CORS}.AllowOrigins`), origins) ? [] : ["origins"]),
        ...(isDeepStrictEqual(new Set(at(template, `${CORS}.AllowMethods`) as string[]), methods)
          ? []
          : ["methods"]),
        ...(at(template, `${CORS}.AllowCredentials`) === undefined ? [] : ["cookies"]),
      ];
    },
    breaks: [
      [`${CORS}.AllowOrigins`, ["*"]],
      [`${CORS}.AllowMethods`, ["*"]],
      [`${CORS}.AllowCredentials`, true],
    ],
  },
};

const CDN = "Resources.MediaDistribution.Properties.DistributionConfig";
const CACHE = "Resources.MediaCache.Properties.CachePolicyConfig";
const KEY = `${CACHE}.ParametersInCacheKeyAndForwardedToOrigin`;
const HEADERS = "Resources.MediaHeaders.Properties.ResponseHeadersPolicyConfig";
const READ = "Resources.MediaBucketPolicy.Properties.PolicyDocument.Statement.2";

const LISTS = {
  Effect: "Allow",
  Principal: { Service: "cloudfront.amazonaws.com" },
  Action: "s3:ListBucket",
  Resource: { "Fn::GetAtt": ["MediaBucket", "Arn"] },
};

const behaviours = (template: Template) =>
  Object.entries({
    ...(at(template, `${CDN}.CacheBehaviors`) as object),
    default: at(template, `${CDN}.DefaultCacheBehavior`),
  });

export const mediaRules: Rules = {
  "only the distribution reads the media bucket, and only what is public": {
    check: (template) => {
      const reads = (resource: string, distribution = "MediaDistribution", action = "s3:GetObject") =>
        isAllowed(template, undefined, {
          action,
          resource,
          service: "cloudfront.amazonaws.com",
          context: { "aws:SourceArn": `arn:aws:cloudfront::${ACCOUNT}:distribution/${distribution}` },
        });
      const picture = "arn:aws:s3:::MediaBucket/images/x/w320.avif";
      const signing = "Resources.MediaAccess.Properties.OriginAccessControlConfig.SigningBehavior";
      return [
        ...(reads(picture) ? [] : ["it may not read pictures"]),
        ...(reads("arn:aws:s3:::MediaBucket/static/1/a.css") ? [] : ["it may not read static files"]),
        ...(reads(picture, "ANOTHER") ? ["another distribution may"] : []),
        ...(reads("arn:aws:s3:::UploadsBucket/originals/x") ? ["it may read originals"] : []),
        ...(reads("arn:aws:s3:::MediaBucket/private/o/x/w320.avif") ? [] : ["it may not read private ones"]),
        ...(reads("arn:aws:s3:::MediaBucket/homes/x") ? ["it may read where they are"] : []),
        ...(reads("arn:aws:s3:::MediaBucket/else") ? ["it may read everything"] : []),
        // A missing key is then 403 and not 404.
        ...(reads("arn:aws:s3:::MediaBucket", "MediaDistribution", "s3:ListBucket") ? ["it may list"] : []),
        ...(at(template, signing) === "always" ? [] : ["it does not sign"]),
        ...(at(template, `${CDN}.Origins.0.OriginAccessControlId.Fn::GetAtt.0`) === "MediaAccess"
          ? []
          : ["no OAC"]),
      ];
    },
    breaks: [
      [`${READ}.Condition`, undefined],
      [`${READ}.Resource`, { "Fn::Sub": "${MediaBucket.Arn}/*" }],
      [`${READ}.Action`, "s3:PutObject"],
      ["Resources.MediaBucketPolicy.Properties.PolicyDocument.Statement.3", LISTS],
      [`${READ}.Resource.1`, undefined],
      ["Resources.MediaAccess.Properties.OriginAccessControlConfig.SigningBehavior", "never"],
      [`${CDN}.Origins.0.OriginAccessControlId`, undefined],
    ],
  },
  "what is private is served with a signature only, by a key that was known long before": {
    check: (template) => {
      const [private_] = behaviours(template).filter(([, one]) => at(one, "PathPattern") === "private/*");
      const groups = at(private_?.[1], "TrustedKeyGroups");
      const items = at(template, "Resources.CdnKeyGroup.Properties.KeyGroupConfig.Items") as {
        Ref: string;
      }[];
      const keys = items.map(({ Ref }) =>
        at(template, `Resources.${Ref}.Properties.PublicKeyConfig.EncodedKey`),
      );
      const signing = at(
        template,
        "Resources.ImagesLambdaFunction.Properties.Environment.Variables",
      ) as Record<string, unknown>;
      const secret = "{{resolve:secretsmanager:darkroom-dev-cdn-keys:SecretString:";
      return [
        ...(isDeepStrictEqual(groups, [{ Ref: "CdnKeyGroup" }]) ? [] : ["everybody is served"]),
        ...(isDeepStrictEqual(
          keys,
          [0, 1, 2].map((key) => `${secret}public${key}}}`),
        )
          ? []
          : ["keys"]),
        ...(isDeepStrictEqual(signing["CDN_KEY_ID"], { Ref: "CdnKey1" }) ? [] : ["signed by an unknown key"]),
        ...(signing["CDN_PRIVATE_KEY"] === `${secret}private1}}` ? [] : ["signed by another key"]),
        ...(JSON.stringify(template).match(/private1\}/g)?.length === 1 ? [] : ["others have the key"]),
      ];
    },
    breaks: [
      [`${CDN}.CacheBehaviors.1.TrustedKeyGroups`, undefined],
      [`${CDN}.CacheBehaviors.1.PathPattern`, "private"],
      ["Resources.CdnKeyGroup.Properties.KeyGroupConfig.Items.2", undefined],
      ["Resources.ImagesLambdaFunction.Properties.Environment.Variables.CDN_KEY_ID", { Ref: "CdnKey2" }],
      [
        "Resources.WorkerLambdaFunction.Properties.Environment.Variables.CDN_PRIVATE_KEY",
        "{{resolve:secretsmanager:darkroom-dev-cdn-keys:SecretString:private1}}",
      ],
    ],
  },
  "the path alone is the cache key, and what is compressible is compressed": {
    check: (template) => [
      ...[
        "HeadersConfig.HeaderBehavior",
        "CookiesConfig.CookieBehavior",
        "QueryStringsConfig.QueryStringBehavior",
      ]
        .filter((path) => at(template, `${KEY}.${path}`) !== "none")
        .map((path) => `${path} in the key`),
      ...["Brotli", "Gzip"].filter((one) => at(template, `${KEY}.EnableAcceptEncoding${one}`) !== true),
      ...(Number(at(template, `${CACHE}.MinTTL`)) === 0 ? [] : ["what says no-cache is cached"]),
      // What was deleted, and nobody said so, is gone after a day.
      ...(Number(at(template, `${CACHE}.MaxTTL`)) === 86_400 ? [] : ["a picture is not kept for its day"]),
      ...each(
        behaviours(template),
        "cache, compression, TLS or methods",
        (one) =>
          at(one, "CachePolicyId.Ref") === "MediaCache" &&
          at(one, "Compress") === true &&
          at(one, "ViewerProtocolPolicy") === "redirect-to-https" &&
          isDeepStrictEqual(at(one, "AllowedMethods"), ["GET", "HEAD"]),
      ),
      ...(at(template, `${CDN}.HttpVersion`) === "http2and3" ? [] : ["no HTTP/3"]),
    ],
    breaks: [
      [`${KEY}.QueryStringsConfig.QueryStringBehavior`, "all"],
      [`${KEY}.EnableAcceptEncodingBrotli`, false],
      [`${CACHE}.MinTTL`, 60],
      [`${CACHE}.MaxTTL`, 31_536_000],
      [`${CDN}.CacheBehaviors.0.Compress`, false],
      [`${CDN}.DefaultCacheBehavior.ViewerProtocolPolicy`, "allow-all"],
      [`${CDN}.HttpVersion`, "http2"],
    ],
  },
  "no error stays in the cache and hides a fresh image": {
    check: (template) => {
      const responses = (at(template, `${CDN}.CustomErrorResponses`) ?? []) as object[];
      const kept = new Map(
        responses.filter(Boolean).map((one) => [at(one, "ErrorCode"), at(one, "ErrorCachingMinTTL")]),
      );
      return [403, 404, 500, 502, 503, 504]
        .filter((code) => kept.get(code) !== 0)
        .map((code) => `${code} is kept`);
    },
    breaks: [
      [`${CDN}.CustomErrorResponses.1.ErrorCachingMinTTL`, 10],
      [`${CDN}.CustomErrorResponses.0`, undefined],
    ],
  },
  "nothing uploaded can run or be sniffed into running, and every page may show it": {
    check: (template) => {
      const policyOf = (one: unknown) => {
        const id = String(at(one, "ResponseHeadersPolicyId.Ref"));
        return at(template, `Resources.${id}.Properties.ResponseHeadersPolicyConfig`);
      };
      const csp = at(template, `${HEADERS}.SecurityHeadersConfig.ContentSecurityPolicy`);
      const wanted = { ContentSecurityPolicy: "default-src 'none'; sandbox", Override: true };
      const origins = at(template, `${HEADERS}.CorsConfig.AccessControlAllowOrigins.Items`);
      return [
        ...(isDeepStrictEqual(csp, wanted) ? [] : ["Content-Security-Policy"]),
        ...(isDeepStrictEqual(origins, ["*"]) ? [] : ["CORS"]),
        ...each(
          behaviours(template),
          "nosniff",
          (one) => at(policyOf(one), "SecurityHeadersConfig.ContentTypeOptions.Override") === true,
        ),
        ...(at(template, `${CDN}.DefaultCacheBehavior.ResponseHeadersPolicyId.Ref`) === "MediaHeaders"
          ? []
          : ["images have no policy"]),
      ];
    },
    breaks: [
      [`${HEADERS}.SecurityHeadersConfig.ContentSecurityPolicy.ContentSecurityPolicy`, "default-src 'self'"],
      [`${HEADERS}.SecurityHeadersConfig.ContentTypeOptions`, undefined],
      [`${HEADERS}.CorsConfig.AccessControlAllowOrigins.Items`, ["https://app.example.com"]],
      [`${CDN}.DefaultCacheBehavior.ResponseHeadersPolicyId.Ref`, "StaticHeaders"],
      [`${CDN}.CacheBehaviors.0.ResponseHeadersPolicyId`, undefined],
    ],
  },
  "what is named in the whole account is named after its region": {
    check: (template) => {
      const named: Record<string, string> = {
        "AWS::CloudFront::CachePolicy": "CachePolicyConfig.Name",
        "AWS::CloudFront::OriginAccessControl": "OriginAccessControlConfig.Name",
        "AWS::CloudFront::ResponseHeadersPolicy": "ResponseHeadersPolicyConfig.Name",
        "AWS::CloudWatch::Dashboard": "DashboardName",
        "AWS::IAM::Role": "RoleName",
        "AWS::S3::Bucket": "BucketName",
      };
      return Object.entries(named).flatMap(([type, path]) =>
        each(ofType(template, type), "a second region would find its name taken", ({ Properties }) => {
          const name = at(Properties, path);
          return name === undefined || String(at(name, "Fn::Sub")).includes("${AWS::Region}");
        }),
      );
    },
    breaks: [
      [`${CACHE}.Name`, "darkroom-prod-media"],
      ["Resources.WorkerRole.Properties.RoleName", "darkroom-worker"],
    ],
  },
  "static files have a behaviour of their own": {
    check: (template) => {
      const patterns = (at(template, `${CDN}.CacheBehaviors`) as object[]).map((one) =>
        at(one, "PathPattern"),
      );
      return isDeepStrictEqual(patterns, ["static/*", "private/*"]) ? [] : [`behaviours: ${patterns}`];
    },
    breaks: [[`${CDN}.CacheBehaviors.0.PathPattern`, "*"]],
  },
  "a domain of one's own comes with its certificate and today's TLS": {
    check: (template) => {
      const certificate = plain(at(template, `${CDN}.ViewerCertificate`), template);
      return [
        ...(isDeepStrictEqual(at(template, `${CDN}.Aliases`), ["images.example.com"]) ? [] : ["the domain"]),
        ...(/^arn:aws:acm:us-east-1:/.test(String(at(certificate, "AcmCertificateArn")))
          ? []
          : ["certificate"]),
        ...(at(certificate, "MinimumProtocolVersion") === "TLSv1.2_2021" ? [] : ["old TLS"]),
        ...(plain(template.Outputs["MediaUrl"]?.Value, template) === "https://images.example.com"
          ? []
          : ["URL"]),
      ];
    },
    breaks: [
      [`${CDN}.Aliases`, []],
      [`${CDN}.ViewerCertificate.Fn::If.1.MinimumProtocolVersion`, "TLSv1"],
    ],
  },
};
