import { type CertificateIdentity, GITHUB_ISSUER, type IdentityCondition, type TextCondition } from "./identity.ts";

/** Where an identity is not the wanted one, and both of them in words that can be compared. */

/** The first thing in which an identity differs from what is wanted; undefined where it is the one. */
export function identityMismatch(
  identity: CertificateIdentity,
  wanted: IdentityCondition,
): { readonly message: string; readonly found: string; readonly wanted: string } | undefined {
  const difference = firstDifference(identity, wanted);
  if (difference === undefined) return undefined;
  const { what, claim, nearMiss } = difference;
  return {
    message: nearMiss === undefined ? what : `${what}: ${nearMiss}`,
    found: `${isShort(wanted) ? describeIdentity(identity) : spellIdentity(identity)}${claim ?? ""}`,
    wanted: describeCondition(wanted),
  };
}

interface Difference {
  readonly what: string;
  readonly nearMiss?: string | undefined;
  /** What the identity says instead of the wanted claim. */
  readonly claim?: string;
}

function firstDifference(
  identity: CertificateIdentity,
  { subject, issuer, claims }: IdentityCondition,
): Difference | undefined {
  if (!issuer.matches(identity.issuer)) {
    return { what: "the identity is vouched for by another issuer", nearMiss: issuer.nearMiss?.(identity.issuer) };
  }
  if (!subject.matches(identity.subject)) {
    return { what: "the signature is by another identity", nearMiss: subject.nearMiss?.(identity.subject) };
  }
  for (const { name, condition } of claims) {
    const found = Object.hasOwn(identity.claims, name) ? identity.claims[name] : undefined;
    if (found !== undefined && condition.matches(found)) continue;
    const nearMiss = found === undefined ? undefined : condition.nearMiss?.(found);
    return { what: `the identity differs in ${name}`, nearMiss, claim: `, ${name} ${found ?? "absent"}` };
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
  return `${subject} by issuer ${describeIssuer(issuer)}`;
}

/** Everybody who is wanted is printed as an identity is: both can be compared at a glance. */
function isShort({ label, subject, issuer }: IdentityCondition): boolean {
  if (label !== undefined) return true;
  return subject.kind === "exact" && issuer.kind === "exact" && WORKFLOW.test(subject.text);
}

function describeText({ kind, text }: TextCondition): string {
  if (kind === "exact") return text;
  return kind === "any-case" ? `${text} in any case` : `what matches ${text}`;
}

export function describeCondition(condition: IdentityCondition): string {
  const { subject, issuer, claims, label } = condition;
  if (label !== undefined) return label;
  const who = isShort(condition)
    ? describeIdentity({ subject: subject.text, issuer: issuer.text })
    : `${describeText(subject)} by issuer ${describeText(issuer)}`;
  return who + describeClaims(claims);
}

export function describeClaims(claims: IdentityCondition["claims"]): string {
  return claims.map(({ name, condition }) => `, ${name} ${describeText(condition)}`).join("");
}
