import { encodeUtf8 } from "../bytes.ts";
import type { Finding } from "../errors.ts";
import { nextStep } from "../explain.ts";
import { requireClosed } from "../formats/members.ts";
import { type JsonValue, parseJson } from "../json.ts";
import { reasonClass } from "../reasons.ts";
import { formatInstantExactly, type Instant } from "../time.ts";
import type { AuditedSigner, ImageFacts } from "./audit.ts";
import { readImage, readRecord } from "./parse.ts";

/** What was found out about one image, on its way from one process to another: the members that it has in the audit's document. */

/** One line of JSON; `parseFacts` reads it back. Half a surrogate pair, which nobody could read back, becomes U+FFFD. */
export function formatFacts(facts: ImageFacts): string {
  const wellFormed = (_name: string, value: unknown) => (typeof value === "string" ? value.toWellFormed() : value);
  return JSON.stringify(factsMember(facts), wellFormed);
}

function factsMember(facts: ImageFacts): Readonly<Record<string, unknown>> {
  const { rule, tagFinding } = facts;
  return {
    image: facts.image,
    name: facts.name,
    digest: facts.digest ?? null,
    verdict: facts.verdict,
    reasons: facts.reasons.map(findingMember),
    warnings: facts.warnings.map(findingMember),
    because: facts.because,
    rule: rule && { name: rule.name, place: rule.place },
    signers: facts.signers.map(signerMember),
    tagDigest: facts.tagDigest,
    tagFinding: tagFinding && findingMember(tagFinding),
    scannedAt: timeMember(facts.scannedAt),
    checked: facts.checked,
    notChecked: facts.notChecked,
  };
}

/**
 * As strict as an audit is read. `label` is what the text is called in errors.
 *
 * @throws CountersignError `record-invalid`, or `limit-reached` where it is longer than `maxBytes`.
 */
export function parseFacts(text: string, label: string, maxBytes: number): ImageFacts {
  const read = () => parseJson(encodeUtf8(text), { what: "the result", code: "record-invalid", maxBytes });
  return readRecord(label, () => readFacts(read(), "the result"));
}

const FACTS = [
  ...["image", "name", "digest", "verdict", "reasons", "warnings", "because", "rule", "signers", "tagDigest"],
  ...["tagFinding", "scannedAt", "checked", "notChecked"],
];

/** What belongs to the plan, or follows from it, is no part of them. */
export function readFacts(value: JsonValue, where: string): ImageFacts {
  const json = requireClosed(value, where, FACTS);
  const { pinned, drift, uses, ...facts } = readImage({ ...json, pinned: false, drift: false, uses: [] }, where);
  return facts;
}

/** The next step is written out, as in every document: the same bytes come of it whoever reads it. */
export function findingMember(finding: Finding): Readonly<Record<string, unknown>> {
  const { code, message, found, wanted, place } = finding;
  return { code, class: reasonClass(code), message, found, wanted, place, next: nextStep(finding) };
}

function signerMember(signer: AuditedSigner): Readonly<Record<string, unknown>> {
  const { kind, name, id, as, format, signedAt } = signer;
  return { kind, name, id, as, format, signedAt: timeMember(signedAt) };
}

function timeMember(at: Instant | undefined): string | undefined {
  return at === undefined ? undefined : formatInstantExactly(at);
}
