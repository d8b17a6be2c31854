import { CountersignError, type Finding } from "../errors.ts";
import type { EvidenceFormat } from "../formats/envelope.ts";
import { describeValue, malformed } from "../formats/members.ts";
import { describeJson, isObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { REASONS, type ReasonCode } from "../reasons.ts";
import type { SourceKind, SourcePlace, SourceProblem, Workload } from "../sources/mention.ts";
import type { VerdictStatus } from "../verify/verdict.ts";
import type { Audit, AuditedImage, AuditedSigner, AuditedTag, AuditShard, AuditStandard, Use } from "./audit.ts";
import { Members, readDigest, readText, readTime } from "./members.ts";

const WHAT = "the audit";
/** Of the documents that are understood (`SCHEMA_VERSION` of report/json.ts). */
const VERSION = 1;

/**
 * Reads an audit's document strictly: one version, no unknown members, every digest, time and code checked. What follows
 * from the rest (`summary`, `breaks`, `fixes`) is not read: it is worked out again. `label` is what the file is called in errors.
 *
 * @throws CountersignError `record-invalid`, or `limit-reached`.
 */
export function parseAudit(bytes: Uint8Array, label: string): Audit {
  return readRecord(label, () => {
    const json = parseJsonObject(bytes, { what: WHAT, code: "record-invalid", maxBytes: LIMITS.auditBytes });
    checkVersion(json["schemaVersion"], WHAT);
    const { command, error } = json;
    if (command !== "audit") throw malformed("the document is no audit", describeJson(command), '"audit"');
    if (isObject(error)) throw malformed("the audit did not come about", describeJson(error["message"]), "an audit");
    return readAudit(new Members(json, WHAT, AUDIT));
  });
}

/** Reads what is called `label`: whatever is wrong with it is `record-invalid`, too much of it `limit-reached`. */
export function readRecord<Result>(label: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    const { message, found, wanted, cause } = error;
    const code = error.code === "limit-reached" ? "limit-reached" : "record-invalid";
    throw new CountersignError(code, `${label}: ${message}`, { found, wanted, cause });
  }
}

/** @throws CountersignError for every version but the one that is understood. */
export function checkVersion(version: JsonValue | undefined, what: string): void {
  if (version === VERSION) return;
  const found = typeof version === "number" ? `version ${version}` : describeValue(version);
  throw malformed(`${what} is of another version`, found, `version ${VERSION}`);
}

const DERIVED = ["summary", "breaks", "fixes"];
const AUDIT = [
  ...["schemaVersion", "command", "at", "sources", "plan", "shard", "standard", "images", "problems"],
  ...DERIVED,
];

function readAudit(members: Members): Audit {
  return {
    at: members.time("at"),
    sources: members.texts("sources"),
    plan: members.digest("plan"),
    standard: members.required("standard", readStandard),
    images: members.list("images", readImage),
    problems: members.list("problems", readProblem),
    ...members.optional("shard", readShard),
  };
}

function readShard(value: JsonValue, where: string): AuditShard {
  const members = new Members(value, where, ["index", "count"]);
  const [index, count] = [members.count("index"), members.count("count")];
  if (index >= 1 && index <= count) return { index, count };
  throw malformed(`${where} is none`, `${index} of ${count}`, "an index from 1 to the count");
}

export function readStandard(value: JsonValue, where: string): AuditStandard {
  const members = new Members(value, where, ["policy", "wanted", "digest", "weakened"]);
  return {
    ...members.optional("policy", readPolicy),
    wanted: members.text("wanted"),
    digest: members.digest("digest"),
    weakened: members.texts("weakened"),
  };
}

function readPolicy(value: JsonValue, where: string): NonNullable<AuditStandard["policy"]> {
  const members = new Members(value, where, ["name", "digest"]);
  return { name: members.text("name"), digest: members.digest("digest") };
}

// --- images -----------------------------------------------------------------------------------------------------------

const IMAGE = [
  ...["image", "name", "digest", "verdict", "reasons", "warnings", "because", "rule", "signers", "pinned", "drift"],
  ...["signedTag", "tagDigest", "tagFinding", "scannedAt", "checked", "notChecked", "uses"],
];
const VERDICTS: readonly VerdictStatus[] = ["accepted", "refused", "undetermined"];

export function readImage(value: JsonValue, where: string): AuditedImage {
  const members = new Members(value, where, IMAGE);
  const verdict = members.oneOf("verdict", VERDICTS);
  const reasons = members.list("reasons", readFinding);
  if ((verdict === "accepted") !== (reasons.length === 0)) {
    throw malformed(`the verdict of ${where} does not go with its reasons`, `${verdict}, ${reasons.length} reasons`);
  }
  const digest = members.required("digest", (one, at) => (one === null ? undefined : readDigest(one, at)));
  return {
    image: members.text("image"),
    name: members.text("name"),
    ...(digest !== undefined && { digest }),
    verdict,
    reasons,
    warnings: members.list("warnings", readFinding),
    ...members.optional("because", readText),
    ...members.optional("rule", readRule),
    signers: members.list("signers", readSigner),
    pinned: members.flag("pinned"),
    drift: members.flag("drift"),
    ...members.optional("signedTag", readSignedTag),
    ...members.optional("tagDigest", readDigest),
    ...members.optional("tagFinding", readFinding),
    ...members.optional("scannedAt", readTime),
    checked: members.texts("checked"),
    notChecked: members.texts("notChecked"),
    uses: members.list("uses", readUse),
  };
}

function readRule(value: JsonValue, where: string): NonNullable<AuditedImage["rule"]> {
  const members = new Members(value, where, ["name", "place"]);
  return { ...members.optional("name", readText), place: members.text("place") };
}

function readSignedTag(value: JsonValue, where: string): AuditedTag {
  const members = new Members(value, where, ["repository", "digest", "role", "root", "signedAt"]);
  return {
    repository: members.text("repository"),
    digest: members.digest("digest"),
    role: members.text("role"),
    root: members.digest("root"),
    ...members.optional("signedAt", readTime),
  };
}

/** Complete: a kind of evidence that is new does not compile without an entry. */
const FORMATS: Readonly<Record<EvidenceFormat, true>> = {
  bundle: true,
  "cosign-legacy": true,
  "cosign-attestation": true,
};

function readSigner(value: JsonValue, where: string): AuditedSigner {
  const members = new Members(value, where, ["kind", "name", "id", "as", "format", "signedAt"]);
  return {
    kind: members.oneOf("kind", ["key", "identity"]),
    name: members.text("name"),
    id: members.text("id"),
    ...members.optional("as", readText),
    format: members.oneOf("format", Object.keys(FORMATS) as EvidenceFormat[]),
    ...members.optional("signedAt", readTime),
  };
}

// --- where an image is used -------------------------------------------------------------------------------------------

const KINDS: Readonly<Record<SourceKind, true>> = {
  kubernetes: true,
  kustomize: true,
  "helm-values": true,
  compose: true,
  dockerfile: true,
  "github-actions": true,
  "gitlab-ci": true,
  list: true,
  registry: true,
  cluster: true,
};

export function readUse(value: JsonValue, where: string): Use {
  const members = new Members(value, where, ["as", "kind", "place", "workload"]);
  return {
    as: members.text("as"),
    kind: members.oneOf("kind", Object.keys(KINDS) as SourceKind[]),
    place: members.required("place", readPlace),
    ...members.optional("workload", readWorkload),
  };
}

function readPlace(value: JsonValue, where: string): SourcePlace {
  const members = new Members(value, where, ["source", "line", "column"]);
  return {
    source: members.text("source"),
    ...members.optional("line", readNumber),
    ...members.optional("column", readNumber),
  };
}

function readNumber(value: JsonValue, where: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return value;
  throw malformed(`${where} is no number`, describeValue(value), "a whole number from 1");
}

function readWorkload(value: JsonValue, where: string): Workload {
  const members = new Members(value, where, ["kind", "namespace", "name", "container", "owner"]);
  return {
    kind: members.text("kind"),
    ...members.optional("namespace", readText),
    name: members.text("name"),
    ...members.optional("container", readText),
    ...members.optional("owner", readText),
  };
}

export function readProblem(value: JsonValue, where: string): SourceProblem {
  const members = new Members(value, where, ["place", "finding"]);
  return { place: members.required("place", readPlace), finding: members.required("finding", readFinding) };
}

/** With its next step, be it the reason's own; the class follows from the code. */
export function readFinding(value: JsonValue, where: string): Finding {
  const members = new Members(value, where, ["code", "class", "message", "found", "wanted", "place", "next"]);
  return {
    code: members.oneOf("code", Object.keys(REASONS) as ReasonCode[]),
    message: members.text("message"),
    ...members.optional("found", readText),
    ...members.optional("wanted", readText),
    ...members.optional("place", readText),
    next: members.text("next"),
  };
}
