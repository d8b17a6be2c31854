import { decodeUtf8, encodeUtf8 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { isObject, type JsonObject, type JsonValue, parseJson } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { formatInstant, type Instant } from "../time.ts";
import { goString } from "./annotations.ts";
import { describeValue } from "./members.ts";
import { CUSTOM_PREDICATE, describeType } from "./predicates.ts";

const READING = { what: "the predicate", code: "usage", maxBytes: LIMITS.statementBytes } as const;

/** A predicate as it goes into a statement. */
export interface PredicateText {
  /** JSON. What the file holds is not written anew: a number of many digits stays what it was. */
  readonly json: Uint8Array;
  /** Whether the file's text is a value inside it, with the time beside it. */
  readonly isWrapped: boolean;
}

/**
 * The content of a `--predicate` file for a type. `custom` and `spdx` take any text, as cosign does; all others take a
 * JSON object, which has to look like the type where the type is known: the wrong file is the commonest mistake.
 *
 * @param name as `--type` was given: `spdx` and `spdxjson` are one type, and differ in what the file is.
 * @throws CountersignError `usage`, `limit-reached`.
 */
export function readPredicate(file: Uint8Array, name: string, predicateType: string, at: Instant): PredicateText {
  if (predicateType === CUSTOM_PREDICATE) {
    const json = `{"Data":${goString(readText(file))},"Timestamp":"${formatInstant(at)}"}`;
    return { json: encodeUtf8(json), isWrapped: true };
  }
  if (name === "spdx") return { json: encodeUtf8(goString(readTagValues(file))), isWrapped: false };
  const json = parseJson(file, READING);
  if (!isObject(json)) throw wrongFile(predicateType, describeValue(json), "a JSON object");
  const foreign = WRAPPINGS.find(({ members }) => members.every((member) => Object.hasOwn(json, member)));
  if (foreign !== undefined) throw wrongFile(predicateType, foreign.what, "the predicate alone");
  const lack = SHAPES.find(({ types }) => types.test(predicateType))?.lack(json);
  if (lack !== undefined) throw wrongFile(predicateType, recognise(json), lack);
  return { json: file, isWrapped: false };
}

function readText(file: Uint8Array): string {
  if (file.byteLength > LIMITS.statementBytes) {
    throw new CountersignError("limit-reached", "the predicate is too large", {
      found: `${file.byteLength} bytes`,
      wanted: `at most ${LIMITS.statementBytes} bytes`,
    });
  }
  try {
    return decodeUtf8(file);
  } catch (cause) {
    throw new CountersignError("usage", "the predicate is not a text in UTF-8", { cause });
  }
}

/** SPDX's tag-value form, which is a string in the statement. */
function readTagValues(file: Uint8Array): string {
  const text = readText(file);
  if (/^\s*SPDXVersion:/m.test(text)) return text;
  const found = text.trimStart().startsWith("{") ? "JSON" : "other text";
  throw new CountersignError("usage", "the predicate is not SPDX in its tag-value form", {
    found,
    wanted: "a line SPDXVersion: …",
    next: "give JSON as --type spdxjson",
  });
}

function wrongFile(predicateType: string, found: string, wanted: string): CountersignError {
  const message = `the predicate is not of the type ${describeType(predicateType)}`;
  return new CountersignError("usage", message, { found, wanted, next: "check the file of --predicate and --type" });
}

/** Documents that have a predicate inside, or hold one that is signed already. */
const WRAPPINGS: readonly { readonly what: string; readonly members: readonly string[] }[] = [
  { what: "a whole in-toto statement", members: ["_type", "predicateType", "subject"] },
  { what: "a DSSE envelope", members: ["payloadType", "payload", "signatures"] },
  { what: "a Sigstore bundle", members: ["mediaType", "verificationMaterial"] },
];

interface Shape {
  readonly types: RegExp;
  readonly what: string;
  /** What is not there that every document of the type has; undefined where it looks right. */
  lack(json: JsonObject): string | undefined;
}

/** Only what the types' own documents require, and of that what tells one type from another. */
const SHAPES: readonly Shape[] = [
  {
    types: /^https:\/\/slsa\.dev\/provenance\/v1$/,
    what: "SLSA provenance v1",
    lack: (json) =>
      lackOf(json, "buildDefinition", isObject) ??
      lackOf(json, "runDetails", isObject) ??
      lackIn(json, "buildDefinition", "buildType", isText) ??
      lackIn(json, "buildDefinition", "externalParameters", isObject) ??
      lackIn(json, "runDetails", "builder", isObject),
  },
  {
    types: /^https:\/\/slsa\.dev\/provenance\/v0\.2$/,
    what: "SLSA provenance v0.2",
    lack: (json) =>
      lackOf(json, "builder", isObject) ?? lackOf(json, "buildType", isText) ?? lackIn(json, "builder", "id", isText),
  },
  {
    types: /^https:\/\/spdx\.dev\/Document(?:\/v[0-9.]+)?$/,
    what: "an SPDX document",
    // SPDX 3 is JSON-LD: its version is in the elements of the graph.
    lack: (json) => (isList(json["@graph"]) ? undefined : lackOf(json, "spdxVersion", isText)),
  },
  {
    types: /^https:\/\/cyclonedx\.org\/bom(?:\/v[0-9.]+)?$/,
    what: "a CycloneDX document",
    lack: (json) => (json["bomFormat"] === "CycloneDX" ? undefined : 'a member "bomFormat" that is "CycloneDX"'),
  },
  {
    types: /^https:\/\/(?:cosign\.sigstore\.dev\/attestation\/vuln\/v1|in-toto\.io\/attestation\/vulns\/v0\.[12])$/,
    what: "a report of vulnerabilities",
    // No verifier takes a scan without a result, or one that does not say when it was made, for one that found nothing.
    lack: (json) =>
      lackOf(json, "scanner", isObject) ??
      lackOf(json, "metadata", isObject) ??
      lackIn(json, "scanner", "result", isPresent) ??
      lackIn(json, "metadata", "scanFinishedOn", isText),
  },
  {
    types: /^https:\/\/openvex\.dev\/ns(?:\/v[0-9.]+)?$/,
    what: "an OpenVEX document",
    lack: (json) => lackOf(json, "@context", isText) ?? lackOf(json, "statements", isList),
  },
  {
    types: /^https:\/\/slsa\.dev\/verification_summary\/v1$/,
    what: "a verification summary",
    lack: (json) =>
      lackOf(json, "verifier", isObject) ??
      lackOf(json, "resourceUri", isText) ??
      lackOf(json, "verificationResult", isText),
  },
  {
    types: /^https:\/\/in-toto\.io\/attestation\/svr\/v0\.[12]$/,
    what: "a simple verification result",
    lack: (json) => lackOf(json, "verifier", isObject) ?? lackOf(json, "properties", isList),
  },
  {
    types: /^https:\/\/in-toto\.io\/attestation\/test-result\/v0\.1$/,
    what: "a test result",
    lack: (json) => lackOf(json, "result", isText) ?? lackOf(json, "configuration", isList),
  },
  {
    types: /^https:\/\/in-toto\.io\/Link\/v1$/,
    what: "an in-toto link",
    lack: (json) =>
      lackOf(json, "name", isText) ?? lackOf(json, "materials", isPresent) ?? lackOf(json, "products", isPresent),
  },
];

function recognise(json: JsonObject): string {
  const shape = SHAPES.find(({ lack }) => lack(json) === undefined);
  if (shape !== undefined) return shape.what;
  const names = Object.keys(json).slice(0, NAMES_SHOWN);
  return names.length === 0
    ? "an empty object"
    : `an object with ${names.map((name) => JSON.stringify(name)).join(", ")}`;
}

const NAMES_SHOWN = 6;

type Kind = (value: JsonValue | undefined) => boolean;

const isText: Kind = (value) => typeof value === "string";
const isList: Kind = (value) => Array.isArray(value);
const isPresent: Kind = (value) => value !== undefined && value !== null;
const KINDS: ReadonlyMap<Kind, string> = new Map([
  [isText, "a text"],
  [isList, "a list"],
  [isObject, "an object"],
]);

function lackOf(json: JsonObject, name: string, kind: Kind): string | undefined {
  if (kind(json[name])) return undefined;
  const what = KINDS.get(kind);
  return `a member ${JSON.stringify(name)}${what === undefined ? "" : ` that is ${what}`}`;
}

function lackIn(json: JsonObject, outer: string, name: string, kind: Kind): string | undefined {
  const inner = json[outer];
  const lack = isObject(inner) ? lackOf(inner, name, kind) : "it";
  return lack === undefined ? undefined : `${lack} in ${JSON.stringify(outer)}`;
}
