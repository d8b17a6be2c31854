import { compareTexts, encodeUtf8 } from "../bytes.ts";
import type { Finding } from "../errors.ts";
import { describeTypes } from "../formats/predicates.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import type { TextCondition } from "../trust/identity.ts";
import type { Demands, TrustMaterial } from "../trust/material.ts";
import type { Criterion } from "../verify/criterion.ts";
import { describeWanted } from "../verify/prove-signer.ts";
import type { IdentityRequirement, Requirement, WantedKey } from "../verify/requirement.ts";
import type { AuditStandard } from "./audit.ts";

/** What a policy comes to for the images of a plan. */
export interface PolicyMeaning {
  readonly name: string;
  readonly digest: Digest;
  /** Those rules that an image may fall under: where each stands, and what it asks for, or why that is not known. */
  readonly rules: readonly { readonly place: string; readonly criterion: Criterion | Finding }[];
  /** What was taken back, or why that is not known. */
  readonly withdrawn: ReadonlyMap<Digest, Finding> | Finding;
}

export interface StandardInput {
  /** `signed-tag`: what the signed tags of pinned roots say, and nothing else. */
  readonly asked: Requirement | PolicyMeaning | "signed-tag";
  /** Everything else that decides, each in words of its own: "recursive", "platform linux/arm64". */
  readonly also: readonly string[];
  /** Every weakening flag. */
  readonly weakened: readonly string[];
}

/**
 * What was required of every image, as words and as a digest over all that decides a verdict. What keys and files are called
 * decides nothing, nor does the order in which they are named; the reference time is the plan's.
 */
export function makeStandard({ asked, also, weakened }: StandardInput): AuditStandard {
  const meaning = meaningValue(asked);
  const digest = digestOf(
    encodeUtf8(JSON.stringify([meaning, also.toSorted(compareTexts), weakened.toSorted(compareTexts)])),
  );
  const policy = isPolicy(asked) ? { policy: { name: asked.name, digest: asked.digest } } : {};
  const wanted = [wantedWords(asked), ...also].join(", ");
  return { ...policy, wanted, digest, weakened };
}

function isPolicy(asked: StandardInput["asked"]): asked is PolicyMeaning {
  return asked !== "signed-tag" && "rules" in asked;
}

function wantedWords(asked: StandardInput["asked"]): string {
  if (asked === "signed-tag") return "what its publisher signed";
  if (isPolicy(asked)) return `what ${asked.name} requires`;
  const { threshold, attestation, annotations } = asked;
  const types = attestation === undefined ? undefined : describeTypes(attestation.predicateTypes);
  const [one, several] =
    types === undefined ? ["a signature", "signatures"] : [`an attestation (${types})`, `attestations (${types})`];
  const who = describeWanted(asked);
  const pairs = Object.entries(annotations).map(([name, value]) => `${name}=${value}`);
  const wishes = [...pairs, ...(attestation?.conditions ?? []).map(({ text }) => text)];
  const by = threshold === 1 ? `${one} by ${who}` : `${several} by ${threshold} of ${who}`;
  return wishes.length === 0 ? by : `${by}, with ${wishes.join(" and ")}`;
}

// --- what decides, as values that JSON writes in one way --------------------------------------------------------------

/** Every member of a list keeps its place: what is undefined is written as null. */
type Value = string | number | boolean | null | undefined | readonly Value[];

function meaningValue(asked: StandardInput["asked"]): Value {
  if (asked === "signed-tag") return [asked];
  return isPolicy(asked) ? policyValue(asked) : requirementValue(asked);
}

function policyValue({ digest, rules, withdrawn }: PolicyMeaning): Value {
  return [
    "policy",
    digest,
    sorted(
      rules.map(({ place, criterion }) => [
        place,
        "code" in criterion ? unknownValue(criterion) : criterionValue(criterion),
      ]),
    ),
    "code" in withdrawn ? unknownValue(withdrawn) : sorted([...withdrawn.keys()]),
  ];
}

function unknownValue({ code }: Finding): Value {
  return ["unknown", code];
}

/** The policy's own words are in its digest: what is written here is what they name. */
function criterionValue(criterion: Criterion): Value {
  switch (criterion.kind) {
    case "all":
    case "any":
    case "threshold":
      return [criterion.kind, criterion.of.map(criterionValue)];
    case "never":
      return [criterion.kind];
    case "binding":
      return [criterion.kind, criterion.maxAge];
    case "vulnerabilities": {
      const { scan, vex } = criterion;
      return [criterion.kind, requirementValue(scan), vex && requirementValue(vex)];
    }
    default:
      return requirementValue(criterion.requirement);
  }
}

function requirementValue(requirement: Requirement): Value {
  const { keys, keyProof, identities, threshold, annotations, signedAs, attestation, maxAge, nameBinding } =
    requirement;
  return [
    "requirement",
    sorted(keys.map(keyValue)),
    keyProof && proofValue(keyProof),
    sorted(identities.map(identityValue)),
    threshold,
    sorted(Object.entries(annotations)),
    sorted(signedAs),
    attestation && [
      sorted(attestation.predicateTypes.map(({ uri, hasVersions }) => [uri, hasVersions])),
      sorted(attestation.conditions.map(({ text }) => text)),
    ],
    maxAge,
    nameBinding === true,
  ];
}

function keyValue({ fingerprint, terms, proof }: WantedKey): Value {
  return [fingerprint, terms && termsValue(terms), terms?.person, proof && proofValue(proof)];
}

function identityValue({ condition, trust, demands, terms }: IdentityRequirement): Value {
  const { subject, issuer, claims } = condition;
  return [
    textValue(subject),
    textValue(issuer),
    sorted(claims.map((claim) => [claim.name, textValue(claim.condition)])),
    proofValue({ trust, demands }),
    terms && termsValue(terms),
  ];
}

function termsValue({ window: { from, until } }: NonNullable<IdentityRequirement["terms"]>): Value {
  return [from, until];
}

function textValue({ kind, text }: TextCondition): Value {
  return [kind, text];
}

function proofValue({ trust, demands }: { readonly trust: TrustMaterial; readonly demands: Demands }): Value {
  const { logs, certificateLogs, timestamps, times, currentTime } = demands;
  return [trust.digest, logs, certificateLogs, timestamps, times, currentTime];
}

/** In one order, each once: who is named twice is asked for once. */
function sorted(values: readonly Value[]): readonly Value[] {
  const texts = new Map(values.map((value) => [JSON.stringify(value), value]));
  return [...texts].toSorted(([a], [b]) => compareTexts(a, b)).map(([, value]) => value);
}
