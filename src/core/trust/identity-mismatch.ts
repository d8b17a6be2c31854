import {
  type CertificateIdentity,
  type ClaimName,
  GITHUB_ISSUER,
  type IdentityCondition,
  type TextCondition,
} from "./identity.ts";

/** Where an identity is not the wanted one, and both of them in words that can be compared. */

/** What a finding says of it. */
export interface IdentityMismatch {
  readonly message: string;
  readonly found: string;
  readonly wanted: string;
  readonly next?: string;
}

/**
 * The first thing in which an identity differs from what is wanted; undefined where it is the one. `age` is how long ago
 * it signed, where that is known.
 */
export function identityMismatch(
  identity: CertificateIdentity,
  wanted: IdentityCondition,
  age?: string,
): IdentityMismatch | undefined {
  const difference = firstDifference(identity, wanted);
  if (difference === undefined) return undefined;
  const { what, condition, value, claim } = difference;
  const nearMiss = value === undefined ? undefined : condition.nearMiss?.(value);
  const who = isShort(wanted) ? describeIdentity(identity) : spellIdentity(identity);
  return {
    message: nearMiss === undefined ? what : `${what}: ${nearMiss}`,
    found: [
      who,
      ...(age === undefined ? [] : [age]),
      ...(claim === undefined ? [] : [`${claim} ${value ?? "absent"}`]),
    ].join(", "),
    wanted: describeCondition(wanted),
    ...(nearMiss !== undefined && condition.kind === "pattern" && { next: PATTERN_NEXT }),
  };
}

const PATTERN_NEXT = "countersign help identities says how a pattern is written; check that it means this identity";

interface Difference {
  readonly what: string;
  /** What does not hold, and of what; undefined where a claim is absent. */
  readonly condition: TextCondition;
  readonly value: string | undefined;
  readonly claim?: ClaimName;
}

function firstDifference(
  identity: CertificateIdentity,
  { subject, issuer, claims }: IdentityCondition,
): Difference | undefined {
  const isSubject = subject.matches(identity.subject);
  if (isSubject && !issuer.matches(identity.issuer)) {
    return { what: "the identity is vouched for by another issuer", condition: issuer, value: identity.issuer };
  }
  if (!isSubject) {
    return { what: "the signature is by another identity", condition: subject, value: identity.subject };
  }
  for (const { name, condition } of claims) {
    const value = Object.hasOwn(identity.claims, name) ? identity.claims[name] : undefined;
    if (value !== undefined && condition.matches(value)) continue;
    return { what: `the identity differs in ${name}`, condition, value, claim: name };
  }
  return undefined;
}

// --- words ------------------------------------------------------------------------------------------------------------

const WORKFLOW = /^https:\/\/github\.com\/([^/@]+\/[^/@]+)\/\.github\/workflows\/([^/@]+)@(.+)$/;

/** `release.yml of acme/app at refs/tags/v1 (GitHub Actions)`, else the subject and its issuer as they are. */
export function describeIdentity({ subject, issuer }: Pick<CertificateIdentity, "subject" | "issuer">): string {
  const [, repository, workflow, ref] = WORKFLOW.exec(subject) ?? [];
  const by = issuer === GITHUB_ISSUER ? "GitHub Actions" : describeIssuer(issuer);
  return `${repository === undefined ? subject : `${workflow} of ${repository} at ${ref}`} (${by})`;
}

function describeIssuer(issuer: string): string {
  return issuer === "" ? "no issuer" : issuer;
}

/** The same as it is in the certificate: to be held against a pattern. */
function spellIdentity({ subject, issuer }: CertificateIdentity): string {
  return `${subject}, ${issuer === "" ? "no issuer" : `issuer ${issuer}`}`;
}

/** Everybody who is wanted is printed as an identity is: both can be compared at a glance. */
function isShort({ label, subject, issuer }: IdentityCondition): boolean {
  if (label !== undefined) return true;
  return subject.kind === "exact" && issuer.kind === "exact" && WORKFLOW.test(subject.text);
}

function describeText({ kind, text }: TextCondition): string {
  if (kind === "exact") return text;
  return kind === "any-case" ? `${text} in any case` : `pattern ${text}`;
}

export function describeCondition(condition: IdentityCondition): string {
  const { subject, issuer, claims, label } = condition;
  if (label !== undefined) return label;
  const who = isShort(condition)
    ? describeIdentity({ subject: subject.text, issuer: issuer.text })
    : `${describeText(subject)}, issuer ${describeText(issuer)}`;
  return who + describeClaims(claims);
}

export function describeClaims(claims: IdentityCondition["claims"]): string {
  return claims.map(({ name, condition }) => `, ${name} ${describeText(condition)}`).join("");
}
