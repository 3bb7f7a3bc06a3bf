/** What stands before the API and the CDN where somebody asks for it. */
import { isDeepStrictEqual } from "node:util";
import { at, holds, plain, type Template } from "./packaged.ts";
import type { Rules } from "./rule.ts";

const API = "Resources.ApiDistribution.Properties.DistributionConfig";
const CDN = "Resources.MediaDistribution.Properties.DistributionConfig";
const DOMAIN = "Resources.ApiDomain.Properties";
const ACL = /^arn:aws:wafv2:us-east-1:[0-9]{12}:global\/webacl\//;

/** As it would be without the parameter behind a condition. */
const without = (template: Template, condition: string): Template => ({
  ...template,
  Conditions: { ...template.Conditions, [condition]: { "Fn::Equals": ["a", "b"] } },
});
function isThere(template: Template, id: string): boolean {
  const condition = at(template, `Resources.${id}.Condition`);
  return condition === undefined || holds({ Condition: condition }, template);
}
const apiUrl = (template: Template) => plain(template.Outputs["ApiUrl"]?.Value, template);

export const guardRules: Rules = {
  "a web ACL stands before the API and the CDN where one is named, and costs nobody else anything": {
    check: (template) => {
      const bare = without(template, "Guarded");
      return [
        ...[API, CDN]
          .filter((path) => !ACL.test(String(plain(at(template, `${path}.WebACLId`), template))))
          .map((path) => `${path}: no web ACL`),
        ...(isThere(template, "ApiDistribution") ? [] : ["nothing before the API"]),
        ...(isThere(bare, "ApiDistribution") ? ["a distribution nobody asked for"] : []),
        ...(plain(at(bare, `${CDN}.WebACLId`), bare) === undefined ? [] : ["a web ACL nobody asked for"]),
      ];
    },
    breaks: [
      [`${API}.WebACLId`, undefined],
      [`${CDN}.WebACLId`, undefined],
      [`${CDN}.WebACLId`, "arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/b"],
      ["Resources.ApiDistribution.Condition", undefined],
    ],
  },
  "what stands before the API keeps nothing, takes every method and hands on all but the host": {
    check: (template) => {
      const behaviour = at(template, `${API}.DefaultCacheBehavior`);
      const methods = (at(behaviour, "AllowedMethods") ?? []) as string[];
      const kept = (at(template, `${API}.CustomErrorResponses`) as object[]).filter(
        (one) => at(one, "ErrorCachingMinTTL") !== 0,
      );
      return [
        // Managed by AWS: CachingDisabled, AllViewerExceptHostHeader.
        ...(at(behaviour, "CachePolicyId") === "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
          ? []
          : ["it keeps answers"]),
        ...(at(behaviour, "OriginRequestPolicyId") === "b689b0a8-53d0-40ab-baf2-68738e2966ac"
          ? []
          : ["no token comes through, or the host does"]),
        ...["GET", "POST", "DELETE", "OPTIONS"].filter((one) => !methods.includes(one)),
        ...(at(behaviour, "ViewerProtocolPolicy") === "https-only" ? [] : ["without TLS"]),
        ...(at(template, `${API}.Origins.0.CustomOriginConfig.OriginProtocolPolicy`) === "https-only"
          ? []
          : ["without TLS behind it"]),
        ...kept.map((one) => `${at(one, "ErrorCode")} is kept`),
      ];
    },
    breaks: [
      [`${API}.DefaultCacheBehavior.CachePolicyId`, { Ref: "MediaCache" }],
      [`${API}.DefaultCacheBehavior.OriginRequestPolicyId`, undefined],
      [`${API}.DefaultCacheBehavior.AllowedMethods`, ["GET", "HEAD"]],
      [`${API}.DefaultCacheBehavior.ViewerProtocolPolicy`, "allow-all"],
      [`${API}.Origins.0.CustomOriginConfig.OriginProtocolPolicy`, "http-only"],
      [`${API}.CustomErrorResponses.0.ErrorCachingMinTTL`, 10],
    ],
  },
  "a domain for the API is the distribution's where there is one, else API Gateway's; and what is said of it is so":
    {
      check: (template) => {
        const bare = without(template, "Guarded");
        const none = without(bare, "OwnApiDomain");
        const target = (one: Template) => String(plain(one.Outputs["ApiDomainTarget"]?.Value, one));
        return [
          ...(isDeepStrictEqual(at(template, `${API}.Aliases`), ["api.example.com"]) ? [] : ["no alias"]),
          ...(isThere(template, "ApiDomain") ? ["the domain is taken twice"] : []),
          ...["ApiDomain", "ApiDomainMapping"].filter((id) => !isThere(bare, id)),
          ...["ApiDomain", "ApiDomainMapping"].filter((id) => isThere(none, id)),
          ...(at(bare, `${DOMAIN}.DomainNameConfigurations.0.SecurityPolicy`) === "TLS_1_2"
            ? []
            : ["old TLS"]),
          ...([template, bare].every((one) => apiUrl(one) === "https://api.example.com")
            ? []
            : ["another URL"]),
          ...(/execute-api/.test(String(apiUrl(none))) ? [] : ["no URL"]),
          ...(/ApiDistribution/.test(target(template)) && /^ApiDomain\./.test(target(bare))
            ? []
            : ["the target"]),
        ];
      },
      breaks: [
        [`${API}.Aliases`, []],
        ["Resources.ApiDomain.Condition", "OwnApiDomain"],
        ["Resources.ApiDomainMapping.Condition", "Guarded"],
        [`${DOMAIN}.DomainNameConfigurations.0.SecurityPolicy`, "TLS_1_0"],
        ["Outputs.ApiUrl.Value", "https://elsewhere.example"],
      ],
    },
};
