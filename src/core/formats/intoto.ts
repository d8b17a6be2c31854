import { encodeUtf8 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { type JsonObject, type JsonValue, parseJsonObject, refuseCaseVariants } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { Annotations } from "../oci/descriptor.ts";
import { type Digest, digestAlgorithm, digestHex, isDigest } from "../oci/digest.ts";
import { formatAnnotations, goString, readAnnotations } from "./annotations.ts";
import { SIGNATURE_PREDICATE, type VerifiedClaim } from "./envelope.ts";
import { describeValue, malformed, optionalList, requireObject, requireString } from "./members.ts";

const STATEMENT_TYPES: ReadonlySet<string> = new Set([
  "https://in-toto.io/Statement/v0.1",
  "https://in-toto.io/Statement/v1",
]);
const READING = {
  what: "the statement",
  code: "malformed-signature",
  maxBytes: LIMITS.signatureBytes,
} as const;
const STATEMENT_MEMBERS: ReadonlySet<string> = new Set(["_type", "subject", "predicateType", "predicate"]);
const SUBJECT_MEMBERS: ReadonlySet<string> = new Set(["name", "digest", "annotations"]);

/**
 * The statement that signs an image, as cosign 3 makes it: no subject name, annotations on the subject and only where
 * there are any, an empty predicate. There is no canonical text: the bytes returned are signed and never made again.
 */
export function makeStatement(digest: Digest, annotations: Annotations = {}): Uint8Array {
  const hashes = `{"${digestAlgorithm(digest)}":"${digestHex(digest)}"}`;
  const noted = Object.keys(annotations).length === 0 ? "" : `,"annotations":${formatAnnotations(annotations)}`;
  return encodeUtf8(
    `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":${hashes}${noted}}],` +
      `"predicateType":"${SIGNATURE_PREDICATE}","predicate":{}}`,
  );
}

/** What an attestation says of an image. */
export interface StatementParts {
  readonly digest: Digest;
  /** `registry/repository`; a layout has none. */
  readonly repository: string | undefined;
  readonly annotations: Annotations;
  readonly predicateType: string;
  /** JSON, taken over byte for byte. */
  readonly predicate: Uint8Array;
}

/**
 * The statement of an attestation, in version 1 of the format. cosign still writes 0.1, which has the same members and was
 * superseded in 2023; cosign 2 and 3, gh and policy-controller read both.
 */
export function makeAttestation(parts: StatementParts): Uint8Array {
  const { digest, repository, annotations, predicateType, predicate } = parts;
  const name = repository === undefined ? "" : `"name":${goString(repository)},`;
  const hashes = `{"${digestAlgorithm(digest)}":"${digestHex(digest)}"}`;
  const noted = Object.keys(annotations).length === 0 ? "" : `,"annotations":${formatAnnotations(annotations)}`;
  const head =
    `{"_type":"https://in-toto.io/Statement/v1","subject":[{${name}"digest":${hashes}${noted}}],` +
    `"predicateType":${goString(predicateType)},"predicate":`;
  return Buffer.concat([encodeUtf8(head), predicate, encodeUtf8("}")]);
}

/**
 * Reads a statement whose signature was verified (in-toto attestation, spec/v1/statement.md; v0.1 has the same members).
 *
 * @throws CountersignError `malformed-signature` or `limit-reached`.
 */
export function readStatement(payload: Uint8Array): VerifiedClaim {
  const json = parseJsonObject(payload, READING);
  refuseCaseVariants(json, STATEMENT_MEMBERS, READING);
  const type = requireString(json, "_type", "the statement");
  if (!STATEMENT_TYPES.has(type)) {
    throw malformed(
      "the statement is not an in-toto statement of a known version",
      type,
      [...STATEMENT_TYPES].join(", "),
    );
  }
  const predicateType = requireString(json, "predicateType", "the statement");
  if (predicateType === "") throw malformed("the statement has an empty predicate type", "nothing", "a URI");
  const subjects = optionalList(json, "subject", "the statement", LIMITS.statementSubjects).map(readSubject);
  if (subjects.length === 0) throw malformed("the statement is about nothing", "no subject", "at least one");
  return {
    predicateType,
    subjects: subjects.flatMap((subject) => subject.digests),
    annotations: sharedAnnotations(subjects.map((subject) => subject.annotations)),
    statement: json,
  };
}

interface StatementSubject {
  readonly digests: readonly Digest[];
  readonly annotations: Annotations;
}

function readSubject(value: JsonValue, at: number): StatementSubject {
  const where = `subject ${at} of the statement`;
  const json = requireObject(value, where);
  refuseCaseVariants(json, SUBJECT_MEMBERS, READING);
  const digests = requireObject(json["digest"], `the digest of ${where}`);
  return { digests: readDigests(digests, where), annotations: readAnnotations(json["annotations"]) };
}

/** Digests of the algorithms that images have; others (`gitCommit`) are of no use here. */
function readDigests(digests: JsonObject, where: string): readonly Digest[] {
  const entries = Object.entries(digests);
  if (entries.length > LIMITS.subjectDigests) {
    throw new CountersignError("limit-reached", `${where} has too many digests`, {
      found: `${entries.length} digests`,
      wanted: `at most ${LIMITS.subjectDigests}`,
    });
  }
  return entries.flatMap(([algorithm, hex]) => {
    if (algorithm !== "sha256" && algorithm !== "sha512") return [];
    const digest = `${algorithm}:${typeof hex === "string" ? hex : ""}`;
    if (isDigest(digest)) return [digest];
    throw malformed(`${where} has a broken ${algorithm} digest`, describeValue(hex), "lower-case hexadecimal");
  });
}

/** What is said of every subject alike: an annotation of one must not speak for another. */
function sharedAnnotations(all: readonly Annotations[]): Annotations {
  const [first = {}, ...others] = all;
  const shared = Object.entries(first).filter(([name, value]) =>
    others.every((other) => Object.hasOwn(other, name) && other[name] === value),
  );
  return Object.fromEntries(shared);
}
