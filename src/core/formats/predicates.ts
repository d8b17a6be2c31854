import { CountersignError } from "../errors.ts";
import { SIGNATURE_PREDICATE } from "./envelope.ts";

/** A kind of statement: the URI in its `predicateType`. */
export interface PredicateType {
  readonly uri: string;
  /** The same URI with a version behind it (`https://spdx.dev/Document/v2.3`) is this type too. */
  readonly hasVersions: boolean;
}

const VERSION = /^\/v[0-9]+(?:\.[0-9]+){0,2}$/;

/** Whether a statement's `predicateType` is of a type. Compared exactly: another case or a slash at the end is another. */
export function isOfType(predicateType: string, { uri, hasVersions }: PredicateType): boolean {
  if (predicateType === uri) return true;
  return hasVersions && predicateType.startsWith(uri) && VERSION.test(predicateType.slice(uri.length));
}

function plain(uri: string): PredicateType {
  return { uri, hasVersions: false };
}

function versioned(uri: string): PredicateType {
  return { uri, hasVersions: true };
}

/** What cosign calls `custom`: any text, wrapped with the time. */
export const CUSTOM_PREDICATE = "https://cosign.sigstore.dev/attestation/v1";
export const SPDX_PREDICATE = "https://spdx.dev/Document";

/**
 * The short names of `--type` (cosign's, pkg/cosign/attestation; then the vetted ones of in-toto/attestation,
 * spec/predicates). The first type of a name is what is attested; all of them are looked for. cosign 1 wrote its own types
 * without `https://`.
 */
const ALIASES: ReadonlyMap<string, readonly [PredicateType, ...PredicateType[]]> = new Map([
  ["slsaprovenance1", [plain("https://slsa.dev/provenance/v1")]],
  ["slsaprovenance02", [plain("https://slsa.dev/provenance/v0.2")]],
  ["slsaprovenance", [plain("https://slsa.dev/provenance/v0.2")]],
  ["spdxjson", [versioned(SPDX_PREDICATE)]],
  ["spdx", [versioned(SPDX_PREDICATE)]],
  ["cyclonedx", [versioned("https://cyclonedx.org/bom")]],
  ["openvex", [versioned("https://openvex.dev/ns")]],
  [
    "vuln",
    [plain("https://cosign.sigstore.dev/attestation/vuln/v1"), plain("cosign.sigstore.dev/attestation/vuln/v1")],
  ],
  [
    "in-toto-vulns",
    [plain("https://in-toto.io/attestation/vulns/v0.2"), plain("https://in-toto.io/attestation/vulns/v0.1")],
  ],
  ["vsa", [plain("https://slsa.dev/verification_summary/v1")]],
  ["svr", [plain("https://in-toto.io/attestation/svr/v0.2"), plain("https://in-toto.io/attestation/svr/v0.1")]],
  ["test-result", [plain("https://in-toto.io/attestation/test-result/v0.1")]],
  ["link", [plain("https://in-toto.io/Link/v1")]],
  ["custom", [plain(CUSTOM_PREDICATE), plain("cosign.sigstore.dev/attestation/v1")]],
]);

/** The short names, the usual ones first. */
export const PREDICATE_ALIASES: readonly string[] = [...ALIASES.keys()];

/**
 * The types that `--type` names: those of a short name, or exactly the URI that was given.
 *
 * @throws CountersignError `usage` for what is neither.
 */
export function resolveType(name: string): readonly [PredicateType, ...PredicateType[]] {
  const known = ALIASES.get(name);
  if (known !== undefined) return known;
  const isOld = [...ALIASES.values()].some((types) => types.some(({ uri }) => uri === name));
  if (isOld || isUri(name)) return [plain(name)];
  throw new CountersignError("usage", "not a type of attestation", {
    found: name === "" ? "an empty name" : name,
    wanted: `${PREDICATE_ALIASES.join(", ")}, or a URI`,
  });
}

/** RFC 3986's outline: a scheme, then characters that are neither blank nor control characters. */
function isUri(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/.test(text);
}

/** `spdxjson` for `https://spdx.dev/Document/v2.3`: how a type is called in a report; its URI where it has no name. */
export function typeName(predicateType: string): string {
  if (predicateType === SIGNATURE_PREDICATE) return "image signature";
  for (const [alias, types] of ALIASES) if (types.some((type) => isOfType(predicateType, type))) return alias;
  return predicateType;
}

/** `spdxjson (https://spdx.dev/Document)`: the name with what it stands for. */
export function describeType(predicateType: string): string {
  const name = typeName(predicateType);
  return name === predicateType ? name : `${name} (${predicateType})`;
}

/** What is wanted, for a message: every URI once. */
export function describeTypes(types: readonly PredicateType[]): string {
  return types.map(({ uri, hasVersions }) => (hasVersions ? `${uri} (any version)` : uri)).join(" or ");
}

/** The same in short names, each once: `vuln or in-toto-vulns`. */
export function typeNames(types: readonly PredicateType[]): string {
  return [...new Set(types.map(({ uri }) => typeName(uri)))].join(" or ");
}
