import { encodeUtf8 } from "../bytes.ts";
import { findingMember } from "../explain.ts";
import { requireClosed } from "../formats/members.ts";
import { type JsonValue, parseJson, wellFormedJson } from "../json.ts";
import { formatInstantExactly, type Instant } from "../time.ts";
import type { AuditedSigner, AuditedTag, ImageFacts } from "./audit.ts";
import { readImage, readRecord } from "./parse.ts";

/** What was found out about one image, on its way from one process to another: the members that it has in the audit's document. */

/** One line of JSON; `parseFacts` reads it back. Half a surrogate pair, which nobody could read back, becomes U+FFFD. */
export function formatFacts(facts: ImageFacts): string {
  return wellFormedJson(factsMember(facts));
}

function factsMember(facts: ImageFacts): Readonly<Record<string, unknown>> {
  return { ...judgedMembers(facts), ...lookedAtMembers(facts) };
}

/** What an image is, the verdict, and on whose word: the first members of an image in every document. */
export function judgedMembers(facts: ImageFacts): Readonly<Record<string, unknown>> {
  const { rule } = facts;
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
  };
}

/** The members after those: its tag and its scans now, and what was checked. */
export function lookedAtMembers(facts: ImageFacts): Readonly<Record<string, unknown>> {
  const { tagFinding } = facts;
  return {
    signedTag: facts.signedTag && signedTagMember(facts.signedTag),
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
  ...["signedTag", "tagFinding", "scannedAt", "checked", "notChecked"],
];

/** What belongs to the plan, or follows from it, is no part of them. */
export function readFacts(value: JsonValue, where: string): ImageFacts {
  const json = requireClosed(value, where, FACTS);
  const { pinned, drift, uses, ...facts } = readImage({ ...json, pinned: false, drift: false, uses: [] }, where);
  return facts;
}

export function signerMember(signer: AuditedSigner): Readonly<Record<string, unknown>> {
  const { kind, name, id, as, format, signedAt } = signer;
  return { kind, name, id, as, format, signedAt: timeMember(signedAt) };
}

function signedTagMember(signedTag: AuditedTag): Readonly<Record<string, unknown>> {
  const { repository, digest, role, root, signedAt } = signedTag;
  return { repository, digest, role, root, signedAt: timeMember(signedAt) };
}

export function timeMember(at: Instant | undefined): string | undefined {
  return at === undefined ? undefined : formatInstantExactly(at);
}
