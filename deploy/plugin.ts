/**
 * The Serverless plugin of this repository: packages functions with our own build, and makes `serverless invoke local`
 * run TypeScript handlers against the running local stack. Everything else is the Serverless CLI's.
 */
import inspector from "node:inspector";
import { pathToFileURL } from "node:url";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { concurrencyLimit } from "../adapters/aws/concurrency.ts";
import { bucketOf } from "../adapters/aws/live-stack.ts";
import { type Source, settingsOf } from "../adapters/environment.ts";
import { checkParameters, listOf, notices, parameters } from "../adapters/parameters.ts";
import { ENDING, fileOfOurs, OURS } from "../adapters/project.ts";
import { type Invocation, prepareInvocation } from "../laptop/invoke-local.ts";
import { makeCdnKeys, secretOf } from "./cdn-keys.ts";
import { type FunctionEvent, lowerToFit } from "./fit.ts";
import { aliasOf, makeGradual, type Versioned } from "./gradual.ts";
import { checkNames, checkRegion } from "./names.ts";

/** What we use of the CLI; its own types describe the configuration only. */
interface Serverless {
  readonly serviceDir: string;
  readonly processedInput: { readonly commands: readonly string[] };
  readonly classes: { readonly Error: new (message: string, code: string) => Error };
  readonly service: {
    readonly service: string;
    getAllFunctions(): string[];
    getFunction(name: string): ServiceFunction;
    readonly custom: { readonly parameters: Readonly<Record<string, unknown>> };
    readonly provider: {
      readonly compiledCloudFormationTemplate: { readonly Resources: Record<string, object> };
    };
  };
  getProvider(name: "aws"): Provider;
}
interface Provider {
  getStage(): string;
  getRegion(): string;
  /** With the credentials that the CLI was told of, and for its region. */
  getAwsSdkV3Config(): Promise<Parameters<typeof concurrencyLimit>[0]>;
}
interface ServiceFunction extends Versioned {
  handler: string;
  readonly events: readonly FunctionEvent[];
  readonly timeout: number;
  readonly environment?: Readonly<Record<string, unknown>>;
  package?: { individually?: boolean; artifact?: string };
}
interface Options {
  readonly function?: string;
  /** `NAME=value`, as often as it was said. */
  readonly param?: string | readonly string[];
  /** Of the file that holds the event. */
  readonly path?: string;
  /** The event, parsed by the CLI before ours is called; what stands here is what the handler gets. */
  data?: unknown;
  functionObj?: ServiceFunction;
}
interface Utils {
  readonly log: { notice(message?: string): void; warning(message: string): void };
}
interface VariableSource {
  readonly resolve: (context: {
    readonly address: string;
    readonly resolveVariable: (variable: string) => Promise<unknown>;
  }) => Promise<{ value: unknown }>;
}

export default class Darkroom {
  readonly hooks: Readonly<Record<string, () => Promise<void> | void>>;
  readonly configurationVariablesSources: Readonly<Record<string, VariableSource>> = {
    /** `${list:NAME}`: a parameter as a list, which on the command line is one text. */
    list: {
      resolve: async ({ address, resolveVariable }) => ({
        value: listOf(await resolveVariable(`param:${address}`)),
      }),
    },
    /** `${parameters:all}`: as they hold for this deployment. */
    parameters: {
      resolve: async () => ({
        value: Object.fromEntries(Object.keys(parameters).map((name) => [name, `\${param:${name}}`])),
      }),
    },
    /** `${settings:FUNCTION}`: its environment. */
    settings: {
      resolve: async ({ address, resolveVariable }) => {
        const variableOf = (await resolveVariable("sls:stage")) === "local" ? localValue : deployedValue;
        return {
          value: Object.fromEntries(settingsOf(address).map(({ name, from }) => [name, variableOf(from)])),
        };
      },
    },
  };
  readonly #serverless: Serverless;
  readonly #options: Options;
  readonly #log: Utils["log"];
  #invocation: Invocation | undefined;

  constructor(serverless: Serverless, options: Options, { log }: Utils) {
    this.#serverless = serverless;
    this.#options = options;
    this.#log = log;
    this.hooks = {
      "before:package:createDeploymentArtifacts": () => this.#package(serverless.service.getAllFunctions()),
      "after:package:compileFunctions": () => this.#compiled(),
      "before:package:function:package": () => this.#package(options.function ? [options.function] : []),
      initialize: () => this.#prepare(),
      "before:invoke:local:invoke": () => this.#beforeInvoke(),
      "after:invoke:local:invoke": () => this.#afterInvoke(),
    };
  }

  /** As an error whose message says it all: the CLI prints others with their stack. */
  readonly #say = (error: Error): never => {
    throw new this.#serverless.classes.Error(error.message, "DARKROOM");
  };

  /** What is wrong, before anything is packaged. */
  #check(): void {
    const { service } = this.#serverless;
    const provider = this.#serverless.getProvider("aws");
    // One that was misspelled would be passed over, and the default hold.
    const said = [this.#options.param ?? []].flat().map((param) => [param.split("=")[0], ""]);
    checkParameters({ ...Object.fromEntries(said), ...service.custom.parameters });
    checkRegion(provider.getRegion());
    checkNames({
      service: service.service,
      stage: provider.getStage(),
      region: provider.getRegion(),
      suffix: String(service.custom.parameters["bucketSuffix"] ?? ""),
      functions: service.getAllFunctions(),
    });
  }

  get #isGradual(): boolean {
    return String(this.#serverless.service.custom.parameters["gradual"]) === "true";
  }

  #compiled(): void {
    const { service } = this.#serverless;
    if (!this.#isGradual) return;
    Object.assign(
      service.provider.compiledCloudFormationTemplate.Resources,
      aliasOf(service.getFunction("worker")),
    );
  }

  async #package(names: string[]): Promise<void> {
    const { parameters } = this.#serverless.service.custom;
    try {
      this.#check();
    } catch (error) {
      this.#say(error as Error);
    }
    for (const notice of notices(parameters)) this.#log.warning(notice);
    if (this.#isGradual) makeGradual(this.#serverless.service.getFunction("worker"));
    // Whoever only packages needs no account, and is asked for none.
    if (this.#serverless.processedInput.commands.join(" ") === "deploy") {
      await this.#keepBuckets();
      await this.#fitAccount();
      await this.#makeKeys();
    }
    // Not before it is asked for: it loads the presets in force.
    const { buildFunctions, describe } = await import("./build.ts").catch(this.#say);
    const built = await buildFunctions(
      names,
      OURS,
      pathToFileURL(`${this.#serverless.serviceDir}/.serverless/`),
    ).catch(this.#say);
    for (const { name } of built) {
      const fn = this.#serverless.service.getFunction(name);
      // Individually: else `deploy` looks for one zip of the whole service, and stops.
      fn.package = { ...fn.package, individually: true, artifact: `.serverless/${name}.zip` };
      fn.handler = fn.handler.replace(/^.*\./, "index.");
    }
    this.#log.notice(`\n${describe(built)}`);
  }

  /** Another suffix on a live stack would put two empty buckets in the old ones' place. */
  async #keepBuckets(): Promise<void> {
    const provider = this.#serverless.getProvider("aws");
    const stack = `${this.#serverless.service.service}-${provider.getStage()}`;
    const suffix = String(this.#serverless.service.custom.parameters["bucketSuffix"] ?? "");
    const live = await bucketOf(await provider.getAwsSdkV3Config(), stack).catch(() => undefined);
    if (live !== undefined && !live.endsWith(`-${provider.getRegion()}${suffix}`))
      this.#say(
        new Error(
          `The stack ${stack} has its pictures in ${live}: bucketSuffix "${suffix}" would put empty buckets in their place. ` +
            "Leave it as it was; it is for a new stack (docs/deploy.md, Removing everything).",
        ),
      );
  }

  /** CloudFormation takes them from there. */
  async #makeKeys(): Promise<void> {
    const provider = this.#serverless.getProvider("aws");
    const { service, custom } = this.#serverless.service;
    const client = new SecretsManagerClient(await provider.getAwsSdkV3Config());
    const stack = `${service}-${provider.getStage()}`;
    try {
      const made = await makeCdnKeys(client, stack, Number(custom.parameters["cdnKey"]));
      if (made > 0)
        this.#log.notice(`${made} keys for private images were made, in the secret ${secretOf(stack)}.`);
    } catch (error) {
      this.#say(new Error(`The keys for private images cannot be made: ${(error as Error).message}`));
    } finally {
      client.destroy();
    }
  }

  async #fitAccount(): Promise<void> {
    const provider = this.#serverless.getProvider("aws");
    const { service } = this.#serverless;
    const events = service.getAllFunctions().flatMap((name) => service.getFunction(name).events);
    try {
      const limit = await concurrencyLimit(await provider.getAwsSdkV3Config());
      const said = limit === undefined ? undefined : lowerToFit(limit, events, provider.getRegion());
      if (said) this.#log.warning(said);
    } catch (error) {
      this.#log.warning(
        `How many functions this account may run at once is not known: ${(error as Error).message}`,
      );
    }
  }

  /** Before the CLI itself looks for credentials and a region, and finds the user's own. */
  async #prepare(): Promise<void> {
    const local = this.#serverless.processedInput.commands.join(" ") === "invoke local";
    if (!local || this.#serverless.getProvider("aws").getStage() !== "local") return;
    // What samples speak of, whichever presets are the user's own.
    if (/^(\.\/)?events\//.test(this.#options.path ?? ""))
      process.env["DARKROOM_CONFIG"] ||= fileOfOurs(`core/shipped${ENDING}`);
    this.#invocation = await prepareInvocation(process.env).catch(this.#say);
    // A session or profile of the user's own would be taken along with, or instead of, ours.
    for (const name of ["AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"]) delete process.env[name];
    Object.assign(process.env, this.#invocation.connection);
  }

  async #beforeInvoke(): Promise<void> {
    const { functionObj } = this.#options;
    if (!functionObj) return;
    // The CLI loads handlers with require, which takes TypeScript in modules too, but only by its whole name.
    functionObj.handler = functionObj.handler.replace(/(?=\.\w+$)/, ENDING);
    if (this.#invocation) {
      // Again: the CLI has put the region of `serverless.yml` in its place.
      Object.assign(process.env, this.#invocation.connection);
      const { environment, event } = await this.#invocation.ready(
        functionObj.environment ?? {},
        this.#options.data,
        this.#log.notice,
      );
      Object.assign(process.env, environment);
      this.#options.data = event;
    }
    // The CLI would wait for ever, or end well when nothing is left to wait for.
    if (!inspector.url()) setTimeout(timedOut, functionObj.timeout * 1000, functionObj.timeout);
  }

  /** The CLI would wait for connections that the handler keeps for its next invocation. */
  #afterInvoke(): void {
    process.stdout.write("", () => process.exit());
  }
}

/** As the CLI takes it: it fills in what is a variable. */
function deployedValue(from: Source): unknown {
  if ("ref" in from) return { Ref: from.ref };
  return "param" in from ? `\${param:${from.param}}` : `\${self:custom.values.${from.value}}`;
}

/** Of `invoke local`: the running stack says the rest, and nothing is asked of CloudFormation. */
const localValue = (from: Source) => ("param" in from ? deployedValue(from) : "");

function timedOut(seconds: number): void {
  process.stderr.write(`Task timed out after ${seconds} seconds\n`, () => process.exit(1));
}
