/** Names of a stage: right ones pass, and what CloudFormation would refuse half-way is refused in words. */
import assert from "node:assert/strict";
import test from "node:test";
import { checkNames, checkRegion, longestStage } from "../../deploy/names.ts";

const place = {
  service: "darkroom",
  stage: "prod",
  region: "eu-central-1",
  suffix: "",
  functions: ["multipart", "webhooks"],
};

test("usual stages fit everywhere", () => {
  for (const stage of ["dev", "prod", "staging", "production", "pr-1234"])
    for (const region of ["us-east-1", "ap-southeast-1", "ap-northeast-2"])
      checkNames({ ...place, stage, region });
  checkNames({ ...place, suffix: "-12345678" });
});

for (const [changes, complaint] of [
  [{ stage: "Prod" }, /The stage "Prod" .*lower-case/],
  [{ stage: "feature/new-menu" }, /lower-case letters, digits and dashes/],
  [{ stage: "feature-DARK-12" }, /lower-case/],
  [
    { stage: "feature-a-new-menu-for-phones" },
    /too long: the bucket of uploads may have 63.*in eu-central-1 15/,
  ],
  [{ stage: "production-europe", region: "ap-southeast-1" }, /too long.*in ap-southeast-1 13/],
  [{ stage: "production", region: "ap-southeast-1", suffix: "-12345678" }, /too long/],
  [{ stage: "prod", service: "Darkroom" }, /The service "Darkroom"/],
  [{ stage: "prod", service: "1darkroom" }, /The service "1darkroom"/],
  [{ functions: ["a-function-whose-name-alone-is-forty-letters"], stage: "staging-two" }, /the function a-/],
] as const) {
  test(`${JSON.stringify(changes)} is refused`, () => {
    assert.throws(() => checkNames({ ...place, ...changes }), complaint);
  });
}

test("the longest stage passes, and one letter more does not", () => {
  const stage = "x".repeat(longestStage(place));
  checkNames({ ...place, stage });
  assert.throws(() => checkNames({ ...place, stage: `${stage}x` }), /too long/);
});

test("regions of other partitions are refused in words", () => {
  for (const region of ["cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eusc-de-east-1"])
    assert.throws(() => checkRegion(region), /another partition.*CloudFront/);
  for (const region of ["eu-central-1", "us-east-1", "ap-southeast-1", "me-central-1"]) checkRegion(region);
});
