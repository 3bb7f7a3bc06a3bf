/**
 * What a template must be, rule by rule, and for each the edits that must make it fail: a check that cannot fail is
 * none.
 */
import type { Rules } from "./rule.ts";
import { accountRules } from "./rules-account.ts";
import { bucketRules, queueRules } from "./rules-data.ts";
import { functionRules, roleRules } from "./rules-functions.ts";
import { guardRules } from "./rules-guard.ts";
import { watchRules } from "./rules-watch.ts";
import { apiRules, mediaRules } from "./rules-web.ts";

export const rules: Rules = {
  ...bucketRules,
  ...queueRules,
  ...functionRules,
  ...roleRules,
  ...apiRules,
  ...mediaRules,
  ...watchRules,
  ...accountRules,
  ...guardRules,
};
