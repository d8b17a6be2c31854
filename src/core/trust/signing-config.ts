import { encodeUtf8 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { isPresent, optionalList, requireClosed, requireObject, requireString } from "../formats/members.ts";
import { type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Instant, parseInstant } from "../time.ts";

/** A service as a signing configuration lists it (protobuf-specs, sigstore_trustroot.proto, "Service"). */
export interface Service {
  /** Timestamp authorities: the whole address. All others: what the API's paths are below. */
  readonly url: string;
  readonly majorApiVersion: number;
  /** When to use it, both ends included; without an end, until further notice. */
  readonly validFor: { readonly start: Instant; readonly end?: Instant | undefined };
  /** Who runs it; empty where nothing is said, which counts as one operator. */
  readonly operator: string;
}

/** How many of the listed services are to be used; `undefined` where the file does not say. */
export type Selector =
  | { readonly kind: "undefined" }
  | { readonly kind: "all" }
  | { readonly kind: "any" }
  | { readonly kind: "exact"; readonly count: number };

/** A signing configuration v0.2: which services a client signs with. Nothing in it decides what is believed. */
export interface SigningConfig {
  readonly certificateAuthorities: readonly Service[];
  readonly identityProviders: readonly Service[];
  readonly logs: readonly Service[];
  readonly logSelector: Selector;
  readonly timestampAuthorities: readonly Service[];
  readonly timestampSelector: Selector;
}

/** So many of these services have to do their part. */
export interface Quorum {
  /** In order of preference; all of one API version, no two of one operator. At least `count`. */
  readonly services: readonly Service[];
  readonly count: number;
}

/** What a configuration comes to at one time. */
export interface ChosenServices {
  readonly certificateAuthority: Service | undefined;
  readonly identityProvider: Service | undefined;
  readonly logs: Quorum;
  readonly timestampAuthorities: Quorum;
}

const MEDIA_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
const CLIENT_MEDIA_TYPE = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";

/** The major versions of each API that there are clients for here. */
const SUPPORTED = { certificateAuthority: [1], identityProvider: [1], log: [1, 2], timestampAuthority: [1] } as const;

// --- reading ----------------------------------------------------------------------------------------------------------

/**
 * Reads a signing configuration strictly: v0.2 alone, no unknown members, counts bounded.
 *
 * @throws CountersignError `trust-invalid` or `limit-reached`.
 */
export function parseSigningConfig(bytes: Uint8Array): SigningConfig {
  const what = "the signing configuration";
  return asTrust(() => readConfig(parseJsonObject(bytes, reading(what)), what));
}

/**
 * Reads a file that holds a trust root and a signing configuration (ClientTrustConfig). The root comes back as bytes, for
 * `parseTrustedRoot`.
 *
 * @throws CountersignError `trust-invalid` or `limit-reached`.
 */
export function parseClientTrustConfig(bytes: Uint8Array): {
  readonly trustedRoot: Uint8Array;
  readonly signingConfig: SigningConfig;
} {
  const what = "the client trust configuration";
  return asTrust(() => {
    const document = parseJsonObject(bytes, reading(what));
    requireMediaType(document, CLIENT_MEDIA_TYPE, what);
    const json = requireClosed(document, what, ["mediaType", "trustedRoot", "signingConfig"]);
    const trustedRoot = requireObject(json["trustedRoot"], `the trustedRoot of ${what}`);
    const signingConfig = requireObject(json["signingConfig"], `the signingConfig of ${what}`);
    return {
      trustedRoot: encodeUtf8(JSON.stringify(trustedRoot)),
      signingConfig: readConfig(signingConfig, `the signingConfig of ${what}`),
    };
  });
}

const reading = (what: string) => ({ what, code: "trust-invalid", maxBytes: LIMITS.signingConfigBytes }) as const;

/** The readers of members know signatures only. */
function asTrust<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== "malformed-signature") throw error;
    const { found, wanted, cause } = error;
    throw new CountersignError("trust-invalid", error.message, { found, wanted, cause });
  }
}

function invalid(message: string, found: string, wanted: string): CountersignError {
  return new CountersignError("trust-invalid", message, { found, wanted });
}

function readConfig(value: JsonObject, what: string): SigningConfig {
  requireMediaType(value, MEDIA_TYPE, what);
  const json = requireClosed(value, what, [
    "mediaType",
    "caUrls",
    "oidcUrls",
    "rekorTlogUrls",
    "rekorTlogConfig",
    "tsaUrls",
    "tsaConfig",
  ]);
  const services = (name: string) =>
    optionalList(json, name, what, LIMITS.services).map((service, at) => readService(service, `${name}[${at}]`));
  return {
    certificateAuthorities: services("caUrls"),
    identityProviders: services("oidcUrls"),
    logs: services("rekorTlogUrls"),
    logSelector: readSelector(json["rekorTlogConfig"], "rekorTlogConfig"),
    timestampAuthorities: services("tsaUrls"),
    timestampSelector: readSelector(json["tsaConfig"], "tsaConfig"),
  };
}

function requireMediaType(json: JsonObject, wanted: string, what: string): void {
  const found = requireString(json, "mediaType", what);
  if (found !== wanted) throw invalid(`${what} is of another version`, found, wanted);
}

function readService(value: JsonValue, where: string): Service {
  const json = requireClosed(value, where, ["url", "majorApiVersion", "validFor", "operator"]);
  const url = requireString(json, "url", where);
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw invalid(`"url" of ${where} is not an address`, url, "an http or https URL");
  }
  return {
    url,
    majorApiVersion: readCount(json, "majorApiVersion", where),
    validFor: readWindow(json["validFor"], `the validFor of ${where}`),
    operator: isPresent(json["operator"]) ? requireString(json, "operator", where) : "",
  };
}

/** A uint32 from 1: ProtoJSON leaves out zero, and neither a version nor a count of zero means anything. */
function readCount(json: JsonObject, name: string, where: string): number {
  const value = json[name];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value < 2 ** 32) return value;
  throw invalid(`"${name}" of ${where} is not a count`, JSON.stringify(value) ?? "nothing", "a whole number from 1");
}

function readWindow(value: JsonValue | undefined, where: string): Service["validFor"] {
  const json = requireClosed(value, where, ["start", "end"]);
  const start = readInstant(json, "start", where);
  return isPresent(json["end"]) ? { start, end: readInstant(json, "end", where) } : { start };
}

/** ProtoJSON's Timestamp as writers print it: RFC 3339 in UTC. */
function readInstant(json: JsonObject, name: string, where: string): Instant {
  const text = requireString(json, name, where);
  const at = text.endsWith("Z") ? parseInstant(text) : undefined;
  if (at !== undefined) return at;
  throw invalid(`"${name}" of ${where} is not a time`, text, "RFC 3339 in UTC");
}

function readSelector(value: JsonValue | undefined, where: string): Selector {
  if (!isPresent(value)) return { kind: "undefined" };
  const json = requireClosed(value, where, ["selector", "count"]);
  const selector = isPresent(json["selector"]) ? requireString(json, "selector", where) : "SERVICE_SELECTOR_UNDEFINED";
  switch (selector) {
    case "SERVICE_SELECTOR_UNDEFINED":
      return { kind: "undefined" };
    case "ALL":
      return { kind: "all" };
    case "ANY":
      return { kind: "any" };
    case "EXACT":
      return { kind: "exact", count: readCount(json, "count", where) };
    default:
      throw invalid(`"selector" of ${where} is unknown`, selector, "ALL, ANY or EXACT");
  }
}

// --- choosing ---------------------------------------------------------------------------------------------------------

/**
 * Which services to use at a time: those valid then and of a supported API, of these the highest major version alone,
 * newest start first, one for each operator; and of what is left as many as the selector says.
 *
 * The order is the same on every machine. Where fewer are needed than are listed (ANY, EXACT), `services` holds the others
 * too: a caller may turn to the next where one is down. They are of the same version, and each is as good as the first.
 *
 * A kind of service of which none is listed is not used, whatever an ANY or ALL says of it: that is how a configuration
 * for signing without a log is written.
 *
 * @throws CountersignError `trust-invalid` where services are listed and the selector is undefined, or where fewer can be
 * used than it asks for.
 */
export function chooseServices(config: SigningConfig, now: Instant): ChosenServices {
  const { certificateAuthorities, identityProviders, logs, timestampAuthorities } = config;
  return {
    certificateAuthority: chooseFirst(certificateAuthorities, SUPPORTED.certificateAuthority, now, "caUrls"),
    identityProvider: chooseFirst(identityProviders, SUPPORTED.identityProvider, now, "oidcUrls"),
    logs: chooseQuorum(logs, config.logSelector, SUPPORTED.log, now, "rekorTlogUrls"),
    timestampAuthorities: chooseQuorum(
      timestampAuthorities,
      config.timestampSelector,
      SUPPORTED.timestampAuthority,
      now,
      "tsaUrls",
    ),
  };
}

function chooseFirst(
  services: readonly Service[],
  versions: readonly number[],
  now: Instant,
  list: string,
): Service | undefined {
  const [first] = usable(services, versions, now);
  if (first === undefined && services.length > 0) throw noneUsable(services, versions, list);
  return first;
}

function chooseQuorum(
  listed: readonly Service[],
  selector: Selector,
  versions: readonly number[],
  now: Instant,
  list: string,
): Quorum {
  if (listed.length === 0 && selector.kind !== "exact") return { services: [], count: 0 };
  if (selector.kind === "undefined") {
    throw invalid(
      `the signing configuration does not say how many of ${list} to use`,
      "no selector",
      "ANY, ALL or EXACT",
    );
  }
  const services = usable(listed, versions, now);
  if (services.length === 0) throw noneUsable(listed, versions, list);
  const count = countOf(selector, services.length);
  if (count <= services.length) return { services, count };
  throw invalid(
    `the signing configuration asks for more of ${list} than can be used now`,
    `${services.length} of different operators, valid now`,
    `${count}`,
  );
}

function countOf(selector: Exclude<Selector, { readonly kind: "undefined" }>, all: number): number {
  if (selector.kind === "exact") return selector.count;
  return selector.kind === "all" ? all : 1;
}

function usable(services: readonly Service[], versions: readonly number[], now: Instant): readonly Service[] {
  const valid = services.filter(
    ({ majorApiVersion, validFor: { start, end } }) =>
      versions.includes(majorApiVersion) && start <= now && (end === undefined || now <= end),
  );
  const highest = Math.max(...valid.map(({ majorApiVersion }) => majorApiVersion));
  const newestFirst = valid
    .filter(({ majorApiVersion }) => majorApiVersion === highest)
    .toSorted((a, b) => b.validFor.start - a.validFor.start);
  const operators = new Set<string>();
  return newestFirst.filter(({ operator }) => {
    const isFirst = !operators.has(operator);
    operators.add(operator);
    return isFirst;
  });
}

function noneUsable(services: readonly Service[], versions: readonly number[], list: string): CountersignError {
  return invalid(
    `the signing configuration lists no usable service in ${list}`,
    services.length === 0 ? "none" : `${services.length}, not valid now or of another API version`,
    `one that is valid now, of API version ${versions.join(" or ")}`,
  );
}
