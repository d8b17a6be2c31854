import type { Finding } from "../core/errors.ts";
import { findingMember, tallyOf } from "../core/explain.ts";

import { placeName } from "../core/policy/document.ts";
import { printableJson } from "../core/printable.ts";
import type { SignedTag } from "../core/tags/signed-tag.ts";
import { formatInstant, type Instant } from "../core/time.ts";
import type { SignatureProof } from "../core/trust/material.ts";
import type { Outcome, PolicyStamp } from "../core/verify/criterion.ts";
import type { SignatureReport, SignedBy, Verdict } from "../core/verify/verdict.ts";

export { findingMember } from "../core/explain.ts";

/** Grows by one when a member changes its meaning or goes away; new members do not count. */
export const SCHEMA_VERSION = 1;

/** One JSON document, ended by a line break. Members that are undefined are absent. */
export function formatDocument(command: string, members: Readonly<Record<string, unknown>>): string {
  return `${printableJson({ schemaVersion: SCHEMA_VERSION, command, ...members })}\n`;
}

/** docs/schemas/verdicts.json. */
export function verdictsDocument(command: string, verdicts: readonly Verdict[]): string {
  return formatDocument(command, { summary: tallyOf(verdicts), images: verdicts.map(verdictMember) });
}

/** docs/schemas/error.json: what is printed where no image was judged. */
export function errorDocument(command: string, finding: Finding): string {
  return formatDocument(command, { error: findingMember(finding) });
}

/** One image of any command's document. */
export function verdictMember(verdict: Verdict): Readonly<Record<string, unknown>> {
  return {
    image: verdict.image,
    name: verdict.name,
    digest: verdict.digest ?? null,
    platform: verdict.platform,
    index: verdict.index,
    verdict: verdict.status,
    reasons: verdict.reasons.map(findingMember),
    because: verdict.because,
    signedTag: verdict.signedTag && signedTagMember(verdict.signedTag),
    policy: verdict.policy === undefined ? undefined : policyMember(verdict.policy),
    warnings: verdict.warnings?.length ? verdict.warnings.map(findingMember) : undefined,
    signatures: verdict.signatures.map(signatureMember),
    checked: verdict.checked,
    notChecked: verdict.notChecked,
    trust: verdict.trust?.length === 0 ? undefined : verdict.trust,
    weakened: verdict.weakened,
    judgedAt: formatInstant(verdict.judgedAt),
  };
}

/** What the publisher's signed tags say, as every document has it. */
export function signedTagMember(signedTag: SignedTag): Readonly<Record<string, unknown>> {
  const { gun, binding, role, keyIds, pin, versions, freshUntil, registryDigest, unheard } = signedTag;
  const { tag, digest, mediaType, signedAt, source, supersedes, note, requires } = binding;
  return {
    repository: gun,
    tag,
    digest,
    mediaType,
    role,
    keyIds,
    signedAt: timeMember(signedAt),
    source,
    supersedes,
    note,
    requires: requires.length === 0 ? undefined : requires,
    root: { digest: pin.root, version: pin.rootVersion, mode: pin.mode },
    versions,
    freshUntil: formatInstant(freshUntil),
    registryDigest,
    unheard: unheard && findingMember(unheard),
  };
}

/** The policy that decided, and the rule of it. */
export function policyMember({ label, digest, rule }: PolicyStamp): Readonly<Record<string, unknown>> {
  if (rule === undefined) return { name: label, digest };
  const { name, place, pattern, mode } = rule;
  return { name: label, digest, rule: { name, place: placeName(place), pattern, mode } };
}

/** What became of a requirement and of its parts. */
export function outcomeMember(outcome: Outcome): Readonly<Record<string, unknown>> {
  const { kind, status, wanted, metBy, reasons, of, place } = outcome;
  return {
    kind,
    status,
    wanted,
    place: place && placeName(place),
    metBy,
    reasons: reasons.map(findingMember),
    of: of.map(outcomeMember),
  };
}

export function proofMember({
  trust,
  logs,
  timestamps,
  certificateLogs,
  signedAt,
}: SignatureProof): Readonly<Record<string, unknown>> {
  return {
    trust,
    logs: logs.map(({ log, index, integratedAt }) => ({ log, index, integratedAt: timeMember(integratedAt) })),
    timestamps: timestamps.map(({ authority, at }) => ({ authority, at: formatInstant(at) })),
    certificateLogs,
    signedAt: timeMember(signedAt),
  };
}

function timeMember(at: Instant | undefined): string | undefined {
  return at === undefined ? undefined : formatInstant(at);
}

/** Who made a signature, as every document has it. */
export function signedByMember({ terms, ...signedBy }: SignedBy): Readonly<Record<string, unknown>> {
  return { ...signedBy, name: terms?.name };
}

function signatureMember(signature: SignatureReport): Readonly<Record<string, unknown>> {
  return {
    format: signature.format,
    origin: signature.origin,
    accepted: signature.accepted,
    signedBy: signature.signedBy === undefined ? undefined : signedByMember(signature.signedBy),
    proof: signature.proof === undefined ? undefined : proofMember(signature.proof),
    predicateType: signature.predicateType,
    statement: signature.statement,
    annotations: signature.annotations,
    finding: signature.finding === undefined ? undefined : findingMember(signature.finding),
  };
}
