/**
 * Who a signing certificate speaks for. Only made from a certificate whose chain was proven.
 * Sigstore's certificates carry one subject alternative name and say which issuer vouched for it (Fulcio, docs/oid-info.md).
 */
export interface CertificateIdentity {
  /** The one subject alternative name: an address, a URI, a user name. */
  readonly subject: string;
  readonly subjectKind: "email" | "uri" | "other-name";
  /** The OIDC issuer; empty where a private authority wrote none. */
  readonly issuer: string;
  /** What else the issuer said of the workload; present ones only. */
  readonly claims: Readonly<Partial<Record<ClaimName, string>>>;
}

/** Fulcio's extensions below 1.3.6.1.4.1.57264.1 beside the issuer: the last number of their OID, by the name of the flag. */
export const CLAIMS = {
  "github-workflow-trigger": 2,
  "github-workflow-sha": 3,
  "github-workflow-name": 4,
  "github-workflow-repository": 5,
  "github-workflow-ref": 6,
  "build-signer-uri": 9,
  "build-signer-digest": 10,
  "runner-environment": 11,
  "source-repository-uri": 12,
  "source-repository-digest": 13,
  "source-repository-ref": 14,
  "source-repository-identifier": 15,
  "source-repository-owner-uri": 16,
  "source-repository-owner-identifier": 17,
  "build-config-uri": 18,
  "build-config-digest": 19,
  "build-trigger": 20,
  "run-invocation-uri": 21,
  "source-repository-visibility": 22,
  "deployment-environment": 23,
  "token-subject": 24,
} as const;

export type ClaimName = keyof typeof CLAIMS;

/** What a text has to be: exactly this, or wholly matched by this pattern. Never guessed, never a part of it. */
export interface TextCondition {
  readonly kind: "exact" | "pattern";
  /** As it was written. */
  readonly text: string;
  matches(value: string): boolean;
}

/** Who is wanted. */
export interface IdentityCondition {
  readonly subject: TextCondition;
  readonly issuer: TextCondition;
  readonly claims: readonly { readonly name: ClaimName; readonly condition: TextCondition }[];
}

export function exactly(text: string): TextCondition {
  return { kind: "exact", text, matches: (value) => value === text };
}

/** The first thing in which an identity differs from what is wanted; undefined where it is the one. */
export function identityMismatch(
  identity: CertificateIdentity,
  { subject, issuer, claims }: IdentityCondition,
): { readonly found: string; readonly wanted: string } | undefined {
  if (!issuer.matches(identity.issuer)) return { found: `issuer ${identity.issuer}`, wanted: describeText(issuer) };
  if (!subject.matches(identity.subject)) return { found: identity.subject, wanted: describeText(subject) };
  for (const { name, condition } of claims) {
    const found = identity.claims[name];
    if (found !== undefined && condition.matches(found)) continue;
    return { found: `${name} ${found ?? "absent"}`, wanted: `${name} ${describeText(condition)}` };
  }
  return undefined;
}

export function describeText({ kind, text }: TextCondition): string {
  return kind === "exact" ? text : `what matches ${text}`;
}

export function describeCondition({ subject, issuer }: IdentityCondition): string {
  return `${describeText(subject)} by issuer ${describeText(issuer)}`;
}
