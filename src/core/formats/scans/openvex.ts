import { describeJson, isObject, type JsonObject, type JsonValue } from "../../json.ts";
import { LIMITS } from "../../limits.ts";
import type { Instant } from "../../time.ts";
import { describeValue, isPresent } from "../members.ts";
import { isOfType, type PredicateType, resolveType } from "../predicates.ts";
import { foldId } from "./scan.ts";
import {
  digestsIn,
  invalid,
  listIfAny,
  listIn,
  objectIn,
  textIfAny,
  textIn,
  textsIfAny,
  timeIfAny,
  tooLong,
} from "./values.ts";

/** The types of statements that are OpenVEX documents. */
export const VEX_TYPES: readonly [PredicateType, ...PredicateType[]] = resolveType("openvex");

export const VEX_STATUSES = ["not_affected", "affected", "fixed", "under_investigation"] as const;
export type VexStatus = (typeof VEX_STATUSES)[number];

export interface VexDocument {
  /** `last_updated` where it is given, else `timestamp`. */
  readonly issuedAt: Instant;
  readonly statements: readonly VexStatement[];
}

/** What its author says of a vulnerability in some products. */
export interface VexStatement {
  /** The vulnerability's, folded: its name, its aliases, its IRI. */
  readonly ids: readonly string[];
  readonly status: VexStatus;
  /** The justification or, where there is none, the beginning of the impact statement. */
  readonly why: string | undefined;
  /** Since when it is so: the document's time where it has none of its own. */
  readonly at: Instant;
  /** None where it is about the subject of the statement around the document. */
  readonly products: readonly VexProduct[];
}

export interface VexComponent {
  /** `@id` and identifiers: package URLs and other names. */
  readonly names: readonly string[];
  /** `sha256:…`, of hashes and of names that carry one. */
  readonly digests: readonly string[];
}

export interface VexProduct extends VexComponent {
  /** What of the product is vulnerable; all of it where nothing is listed. */
  readonly parts: readonly VexComponent[];
}

const DOCUMENT = "the VEX document";

/** OpenVEX, "Document Struct Fields": without a version it is the first. */
const CONTEXTS: ReadonlySet<string> = new Set([
  "https://openvex.dev/ns",
  "https://openvex.dev/ns/v0.0.1",
  "https://openvex.dev/ns/v0.2.0",
]);

/** OpenVEX, "Status Justifications". */
const JUSTIFICATIONS: ReadonlySet<string> = new Set([
  "component_not_present",
  "vulnerable_code_not_present",
  "vulnerable_code_not_in_execute_path",
  "vulnerable_code_cannot_be_controlled_by_adversary",
  "inline_mitigations_already_exist",
]);

/**
 * The OpenVEX document in a verified statement, of version 0.0.1 or 0.2.0 (openvex/spec, OPENVEX-SPEC.md). In the former
 * vulnerabilities and products are texts, and the parts of all products stand beside them.
 *
 * @throws CountersignError `scan-invalid` where any of its statements is none: the one that is broken may be the one that takes
 *   back another. `limit-reached`.
 */
export function readVexDocument(predicateType: string, statement: JsonObject): VexDocument {
  if (!VEX_TYPES.some((type) => isOfType(predicateType, type))) throw invalid("the statement is no VEX", predicateType);
  const json = objectIn(statement["predicate"], DOCUMENT);
  const context = textIn(json, "@context", DOCUMENT);
  if (!CONTEXTS.has(context)) {
    throw invalid(`${DOCUMENT} is not OpenVEX of a version that is known`, context, [...CONTEXTS].join(", "));
  }
  checkVersion(json["version"]);
  const timestamp = timeIfAny(json, "timestamp", DOCUMENT);
  if (timestamp === undefined) throw invalid(`${DOCUMENT} does not say when it was issued`, "no timestamp", "a time");
  const statements = listIn(json, "statements", DOCUMENT, LIMITS.vexStatements).map((value, at) =>
    readStatement(value, timestamp, `statement ${at} of ${DOCUMENT}`),
  );
  checkSize(statements);
  return { issuedAt: timeIfAny(json, "last_updated", DOCUMENT) ?? timestamp, statements };
}

/** A number, in the first version of the format a text. It is told, and decides nothing: times do. */
function checkVersion(version: JsonValue | undefined): void {
  if (!isPresent(version) || VERSION.test(describeJson(version))) return;
  throw invalid(`${DOCUMENT} has no version`, describeJson(version), "a number from 1 on");
}

function checkSize(statements: readonly VexStatement[]): void {
  const count = statements.reduce(
    (sum, { products }) => sum + products.reduce((inner, { parts }) => inner + 1 + parts.length, 0),
    0,
  );
  if (count > LIMITS.vexProducts) throw tooLong("products", DOCUMENT, count, LIMITS.vexProducts);
}

const VERSION = /^"?[1-9]\d{0,8}"?$/;

function readStatement(value: JsonValue, issuedAt: Instant, where: string): VexStatement {
  const json = objectIn(value, where);
  const status = VEX_STATUSES.find((known) => known === json["status"]);
  if (status === undefined) {
    throw invalid(`${where} has no status that is known`, describeJson(json["status"]), VEX_STATUSES.join(", "));
  }
  return {
    ids: readIds(json["vulnerability"], where),
    status,
    why: readReason(json, status, where),
    at: timeIfAny(json, "last_updated", where) ?? timeIfAny(json, "timestamp", where) ?? issuedAt,
    products: readProducts(json, where),
  };
}

function readIds(value: JsonValue | undefined, where: string): readonly string[] {
  const what = `the vulnerability of ${where}`;
  if (typeof value === "string" && value.trim() !== "") return [foldId(value)];
  const json = objectIn(value, what);
  const iri = textIfAny(json, "@id", what);
  // The name is required since 0.2.0; documents that only have the IRI mean it for the name.
  const name = iri === undefined ? textIn(json, "name", what) : textIfAny(json, "name", what);
  const names = [name ?? "", iri ?? "", ...textsIfAny(json, "aliases", what, LIMITS.scanDetails)];
  return names.map(foldId).filter((id) => id !== "");
}

/** OpenVEX, "Statement Fields": that something is not affected has to be justified, or its impact be stated. */
function readReason(json: JsonObject, status: VexStatus, where: string): string | undefined {
  const justification = textIfAny(json, "justification", where);
  const impact = textIfAny(json, "impact_statement", where);
  if (status !== "not_affected") return undefined;
  if (justification !== undefined && !JUSTIFICATIONS.has(justification)) {
    throw invalid(`${where} has a justification that is not known`, justification, [...JUSTIFICATIONS].join(", "));
  }
  if (justification === undefined && impact === undefined) {
    throw invalid(`${where} says not_affected and not why`, "nothing", "a justification or an impact_statement");
  }
  return justification ?? impact?.slice(0, REASON_SHOWN).toWellFormed();
}

const REASON_SHOWN = 100;

function readProducts(json: JsonObject, where: string): readonly VexProduct[] {
  const shared = readComponents(json, "subcomponents", where);
  return listIfAny(json, "products", where, LIMITS.vexProducts).map((value, at) => {
    const what = `product ${at} of ${where}`;
    const own = isObject(value) ? readComponents(value, "subcomponents", what) : [];
    return { ...readComponent(value, what), parts: [...shared, ...own] };
  });
}

function readComponents(json: JsonObject, name: string, where: string): readonly VexComponent[] {
  return listIfAny(json, name, where, LIMITS.vexProducts).map((value, at) =>
    readComponent(value, `${name} ${at} of ${where}`),
  );
}

function readComponent(value: JsonValue, where: string): VexComponent {
  if (typeof value === "string" && value.trim() !== "") return { names: [value], digests: digestsIn([value]) };
  const json = objectIn(value, where);
  const identifiers = isPresent(json["identifiers"]) ? objectIn(json["identifiers"], `identifiers of ${where}`) : {};
  const names = [json["@id"], ...Object.values(identifiers)].flatMap((name) =>
    typeof name === "string" && name.trim() !== "" ? [name] : [],
  );
  const digests = [...digestsIn(names), ...readHashes(json["hashes"], where)];
  if (names.length > 0 || digests.length > 0) return { names, digests };
  throw invalid(`${where} does not say what it is`, describeValue(value), "an @id, identifiers or hashes");
}

/** OpenVEX, appendix A: `sha-256`. In-toto's names are found too. */
function readHashes(value: JsonValue | undefined, where: string): readonly string[] {
  if (!isPresent(value)) return [];
  return Object.entries(objectIn(value, `hashes of ${where}`)).map(([name, hash]) => {
    const algorithm = name.toLowerCase().replace(/^sha-/, "sha");
    return `${algorithm}:${typeof hash === "string" ? hash.toLowerCase() : ""}`;
  });
}
