import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Platform } from "../core/oci/descriptor.ts";
import { parsePlatformName } from "../core/oci/platform.ts";
import { parseRepository, repositoryName } from "../core/oci/reference.ts";
import { formatsOf } from "./manual.ts";
import type { GlobalOptions } from "./output.ts";

/** What commander hands to an action, before it is read into a typed group. */
export type RawOptions = Readonly<Record<string, unknown>>;

// --- groups of flags ------------------------------------------------------------------------------------------------

const REGISTRY_GROUP = "Registry:";

export function grouped(command: Command, heading: string, options: readonly Option[]): Command {
  for (const option of options) command.addOption(option.helpGroup(heading));
  return command;
}

/** How registries are spoken to: on every command that may meet one. */
export function addRegistryOptions(command: Command): Command {
  return grouped(command, REGISTRY_GROUP, [
    new Option(
      "--registry-username <name>",
      "log in as this user instead of the one in Docker's or Podman's login file",
    ),
    new Option("--registry-password-stdin", "read the password from the first line of standard input"),
    new Option("--registry-token <token>", "send this bearer token as it is"),
    new Option("--registry-cacert <file>", "trust the certificate authorities in this PEM file as well"),
    new Option("--registry-client-cert <file>", "show this client certificate (PEM)"),
    new Option("--registry-client-key <file>", "the client certificate's private key (PEM)"),
    new Option("--allow-http-registry", "speak plain HTTP to hosts other than loopback ones"),
    new Option("--allow-insecure-registry", "accept any TLS certificate from the registry"),
    new Option("--platform <os/arch[/variant]>", "choose this platform from an index").argParser(platform),
    new Option("--max-workers <n>", "how many requests may be under way at once").argParser(count("--max-workers", 1)),
    new Option("-t, --timeout <duration>", "give up when nothing arrives for this long (default: 60s)").argParser(
      duration,
    ),
    new Option(
      "--retry <n>",
      `how often to try again after a failure that may pass (default: ${LIMITS.tries - 1})`,
    ).argParser(count("--retry", 0)),
  ]);
}

/** On the commands that ask a registry for many images. */
export function addRateOption(command: Command): Command {
  return grouped(command, REGISTRY_GROUP, [
    new Option(
      "--max-rate <n/unit>",
      "send each registry no more requests than this: 10/s, 300/m, 5000/h (default: as many as it bears)",
    ).argParser(rate("--max-rate", "requests")),
  ]);
}

// --- what they mean -------------------------------------------------------------------------------------------

/** The flags that every command has, wherever on the command line they stand: nearest to the command wins. */
export function globalOptions(command: Command): GlobalOptions {
  const given = (name: string): unknown => {
    for (let at: Command | null = command; at !== null; at = at.parent) {
      const source = at.getOptionValueSource(name);
      if (source !== undefined && source !== "default") return at.getOptionValue(name);
    }
    return undefined;
  };
  const format = given("output");
  const outputFile = given("outputFile");
  return {
    format: typeof format === "string" ? format : (formatsOf(command)[0] ?? "text"),
    outputFile: typeof outputFile === "string" ? outputFile : undefined,
    quiet: given("quiet") === true,
    debug: given("debug") === true,
    progress: given("progress") !== false,
  };
}

export interface RegistryOptions {
  readonly username: string | undefined;
  /** Else the password is in COUNTERSIGN_REGISTRY_PASSWORD. */
  readonly passwordFromStdin: boolean;
  readonly token: string | undefined;
  readonly caCertificate: string | undefined;
  readonly clientCertificate: string | undefined;
  readonly clientKey: string | undefined;
  readonly allowHttp: boolean;
  readonly allowInsecure: boolean;
  readonly platform: Platform | undefined;
  readonly maxWorkers: number | undefined;
  /** Milliseconds without progress. */
  readonly timeoutMs: number;
  /** Tries after the first. */
  readonly retries: number;
  /** Requests a second to each registry at most; absent where nothing is said. */
  readonly maxRate?: number | undefined;
}

/** @throws CountersignError `usage` for flags that contradict each other. */
export function readRegistryOptions(raw: RawOptions): RegistryOptions {
  const options: RegistryOptions = {
    username: text(raw, "registryUsername"),
    passwordFromStdin: flag(raw, "registryPasswordStdin"),
    token: text(raw, "registryToken"),
    caCertificate: text(raw, "registryCacert"),
    clientCertificate: text(raw, "registryClientCert"),
    clientKey: text(raw, "registryClientKey"),
    allowHttp: flag(raw, "allowHttpRegistry"),
    allowInsecure: flag(raw, "allowInsecureRegistry"),
    platform: raw["platform"] as Platform | undefined,
    maxWorkers: number(raw, "maxWorkers"),
    timeoutMs: number(raw, "timeout") ?? LIMITS.idleMs,
    retries: number(raw, "retry") ?? LIMITS.tries - 1,
    maxRate: number(raw, "maxRate"),
  };
  needsPartner(options.passwordFromStdin, options.username, "--registry-password-stdin", "--registry-username");
  needsPartner(options.clientCertificate, options.clientKey, "--registry-client-cert", "--registry-client-key");
  needsPartner(options.clientKey, options.clientCertificate, "--registry-client-key", "--registry-client-cert");
  if (options.token !== undefined && options.username !== undefined) {
    throw new CountersignError("usage", "two ways to log in were given", {
      found: "--registry-token and --registry-username",
      wanted: "one of them",
    });
  }
  return options;
}

function needsPartner(given: unknown, partner: unknown, name: string, wanted: string): void {
  if (given === undefined || given === false || (partner !== undefined && partner !== false)) return;
  throw new CountersignError("usage", `${name} needs a second flag`, {
    found: `${name} alone`,
    wanted: `${wanted} too`,
  });
}

/** `acme/app` is `docker.io/acme/app`, as in references: a legacy payload holds the whole name. */
export function readRepository(flagName: string, name: string): string {
  try {
    return repositoryName(parseRepository(name));
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause;
    const { found, wanted } = cause;
    throw new CountersignError("usage", `${flagName} takes the name of a repository`, { found, wanted, cause });
  }
}

/** `name=value` pairs; the value may hold further equal signs and may be empty. */
export function readAnnotations(pairs: readonly string[]): Readonly<Record<string, string>> {
  const annotations = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) throw new CountersignError("usage", "not an annotation", { found: pair, wanted: "name=value" });
    const name = pair.slice(0, at);
    const value = pair.slice(at + 1);
    if (annotations.has(name) && annotations.get(name) !== value) {
      throw new CountersignError("usage", "an annotation was given twice", {
        found: pair,
        wanted: `one value for ${name}`,
      });
    }
    annotations.set(name, value);
  }
  return Object.fromEntries(annotations);
}

// --- parsers of single values ---------------------------------------------------------------------------------------

/** For repeatable flags: values in the order in which they were given. */
export function collect(value: string, previous: unknown): readonly string[] {
  return [...(Array.isArray(previous) ? previous.map(String) : []), value];
}

/** For a flag that has one value: of two, the second would silently win. @throws CountersignError `usage`. */
export function once(name: string): (value: string, previous: unknown) => string {
  return (value, previous) => {
    if (previous === undefined || previous === value) return value;
    throw new CountersignError("usage", `${name} was given twice`, {
      found: `${String(previous)} and ${value}`,
      wanted: "one value",
    });
  };
}

/** A whole number from `least`. */
export function count(name: string, least: number): (value: string) => number {
  return (value) => {
    const parsed = Number(value);
    if (/^[0-9]+$/.test(value) && Number.isSafeInteger(parsed) && parsed >= least && parsed <= MAX_COUNT) return parsed;
    throw new CountersignError("usage", `${name} takes a number`, { found: value, wanted: `${least} to ${MAX_COUNT}` });
  };
}

const MAX_COUNT = 1000;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const MAX_DURATION_MS = 24 * 3_600_000;

/** `90s`, `1m30s`, `500ms`, or a plain number of seconds; milliseconds as result. */
export function duration(value: string): number {
  const spelled = /^[0-9]+$/.test(value) ? `${value}s` : value;
  const valid = /^(?:[0-9]+(?:ms|s|m|h))+$/.test(spelled);
  const parts = valid ? [...spelled.matchAll(/([0-9]+)(ms|s|m|h)/g)] : [];
  const total = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS[unit ?? ""] ?? Number.NaN), 0);
  if (total > 0 && total <= MAX_DURATION_MS) return total;
  throw new CountersignError("usage", "not a duration", {
    found: value,
    wanted: "such as 90s, 1m30s or 500ms, at most 24h",
  });
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** `10/s`, `300/m`, `5000/h`; so many a second as result. */
export function rate(name: string, what: string): (value: string) => number {
  return (value) => {
    const [, amount = "", unit = "s"] = /^([0-9]{1,6})(?:\/([smh]))?$/.exec(value) ?? [];
    if (Number(amount) > 0) return Number(amount) / (UNIT_SECONDS[unit] ?? 1);
    throw new CountersignError("usage", `${name} takes a number of ${what} in a unit of time`, {
      found: value,
      wanted: "such as 10/s, 300/m or 5000/h",
    });
  };
}

function platform(value: string): Platform {
  return parsePlatformName(value);
}

export function text(raw: RawOptions, name: string): string | undefined {
  const value = raw[name];
  return typeof value === "string" ? value : undefined;
}

export function number(raw: RawOptions, name: string): number | undefined {
  const value = raw[name];
  return typeof value === "number" ? value : undefined;
}

export function flag(raw: RawOptions, name: string): boolean {
  return raw[name] === true;
}

export function list(raw: RawOptions, name: string): readonly string[] {
  const value = raw[name];
  return Array.isArray(value) ? value.map(String) : [];
}
