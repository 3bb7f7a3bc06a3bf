/** The functions' settings off AWS, by the same rows (`adapters/environment.ts`) as on it. */
import { ownSettings } from "../adapters/environment.ts";

/**
 * @param refs queues' URLs and buckets' names, by logical id
 * @param values what CloudFormation works out on AWS, by its name in `custom.values` of `serverless.yml`
 * @returns those that these decide
 */
export function settingsFrom(
  refs: ReadonlyMap<string, string>,
  values: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return Object.fromEntries(
    ownSettings.flatMap(({ name, from }) => {
      const value = "ref" in from ? refs.get(from.ref) : "value" in from ? values[from.value] : undefined;
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
