import type { Finding } from "../errors.ts";
import type { ReasonCode } from "../reasons.ts";
import type { CertificateIdentity, IdentityCondition, TextCondition } from "../trust/identity.ts";
import { describeCondition } from "../trust/identity-mismatch.ts";
import type { Requirement } from "./requirement.ts";
import type { SignatureReport } from "./verdict.ts";

/** The one thing in which evidence differs from what is wanted of it. */
export interface FieldDifference {
  /** `issuer`, `claim source-repository-ref`, `key`, `annotations`, `time of signing` … */
  readonly field: string;
  readonly found?: string | undefined;
  readonly wanted?: string | undefined;
}

/** What a reason is about, where the finding holds both sides of it. */
const FIELDS: Readonly<Partial<Record<ReasonCode, string>>> = {
  "wrong-key": "key",
  "bad-signature": "signature",
  "wrong-identity": "identity",
  "wrong-digest": "digest",
  "wrong-repository": "repository",
  "wrong-annotations": "annotation",
  "not-a-signature": "type of statement",
  unattested: "type of statement",
  unscanned: "type of statement",
  "condition-not-met": "condition",
  "evidence-old": "time of signing",
  "signer-distrusted": "time of signing",
  "timestamp-missing": "time of signing",
  "timestamp-invalid": "timestamp",
  "log-entry-missing": "log entry",
  "log-entry-invalid": "log entry",
  "certificate-untrusted": "certificate",
  "scan-old": "time of the scan",
  "scan-invalid": "scan",
  vulnerable: "vulnerabilities",
  "malformed-signature": "format",
};

/** Of a requirement on evidence: what keeps this piece of it from meeting it. */
export function differenceOf(
  finding: Finding,
  report: Pick<SignatureReport, "signedBy">,
  { identities }: Pick<Requirement, "identities">,
): FieldDifference {
  const { signedBy } = report;
  if (finding.code === "wrong-identity" && signedBy?.kind === "identity") {
    const conditions = identities.map(({ condition }) => condition);
    return identityDifference(signedBy.identity, conditions) ?? fieldOf(finding);
  }
  return fieldOf(finding);
}

function fieldOf({ code, found, wanted }: Finding): FieldDifference {
  return { field: FIELDS[code] ?? code, found, wanted };
}

/** Of several that are wanted, the one that differs least. */
function identityDifference(
  identity: CertificateIdentity,
  conditions: readonly IdentityCondition[],
): FieldDifference | undefined {
  const [nearest] = conditions
    .map((condition) => differences(identity, condition))
    .toSorted((a, b) => a.length - b.length);
  return nearest?.[0];
}

function differences(identity: CertificateIdentity, wanted: IdentityCondition): readonly FieldDifference[] {
  const { subject, issuer, claims } = wanted;
  const subjectWords = wanted.label === undefined ? describe(subject) : describeCondition(wanted);
  const isAuthor = subject.matches(identity.subject);
  return [
    ...(isAuthor ? [] : [{ field: "subject", found: identity.subject, wanted: subjectWords }]),
    ...differing("issuer", identity.issuer, issuer),
    ...claims.flatMap(({ name, condition }) => {
      const value = Object.hasOwn(identity.claims, name) ? identity.claims[name] : undefined;
      return differing(`claim ${name}`, value, condition);
    }),
  ];
}

function differing(field: string, value: string | undefined, condition: TextCondition): readonly FieldDifference[] {
  if (value !== undefined && condition.matches(value)) return [];
  return [{ field, found: value === undefined || value === "" ? "nothing" : value, wanted: describe(condition) }];
}

function describe({ kind, text }: TextCondition): string {
  if (kind === "exact") return text;
  return kind === "any-case" ? `${text} in any case` : `pattern ${text}`;
}
