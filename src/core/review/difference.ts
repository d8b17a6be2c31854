import type { Finding } from "../errors.ts";
import type { GithubIdentity, Identity } from "../policy/document.ts";
import type { ReasonCode } from "../reasons.ts";
import { type CertificateIdentity, foldCase, type IdentityCondition, type TextCondition } from "../trust/identity.ts";
import { describeCondition } from "../trust/identity-mismatch.ts";
import type { IdentityRequirement } from "../verify/requirement.ts";
import type { SignatureReport } from "../verify/verdict.ts";

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
  wanted: readonly IdentityRequirement[],
  named: ReadonlyMap<string, Identity>,
): FieldDifference {
  const { signedBy } = report;
  if (finding.code === "wrong-identity" && signedBy?.kind === "identity") {
    return identityDifference(signedBy.identity, wanted, named) ?? fieldOf(finding);
  }
  return fieldOf(finding);
}

function fieldOf({ code, found, wanted }: Finding): FieldDifference {
  return { field: FIELDS[code] ?? code, found, wanted };
}

/** Of several that are wanted, the one that differs least. */
function identityDifference(
  identity: CertificateIdentity,
  wanted: readonly IdentityRequirement[],
  named: ReadonlyMap<string, Identity>,
): FieldDifference | undefined {
  const [nearest] = wanted
    .map(({ condition, terms }) => {
      const name = terms === undefined ? undefined : named.get(terms.name);
      return differences(identity, condition, name?.kind === "github" ? name : undefined);
    })
    .toSorted((a, b) => a.length - b.length);
  return nearest?.[0];
}

function differences(
  identity: CertificateIdentity,
  wanted: IdentityCondition,
  workflow: GithubIdentity | undefined,
): readonly FieldDifference[] {
  const { subject, issuer, claims } = wanted;
  const subjectWords = wanted.label === undefined ? describe(subject) : describeCondition(wanted);
  const isAuthor = subject.matches(identity.subject);
  const whole = { field: "subject", found: identity.subject, wanted: subjectWords };
  return [
    ...(isAuthor ? [] : (workflowDifference(identity, workflow) ?? [whole])),
    ...differing("issuer", identity.issuer, issuer),
    ...claims.flatMap(({ name, condition }) => {
      const value = Object.hasOwn(identity.claims, name) ? identity.claims[name] : undefined;
      return differing(`claim ${name}`, value, condition);
    }),
  ];
}

const WORKFLOW = /^https:\/\/github\.com\/([^/@]+)\/([^/@]+)\/\.github\/workflows\/([^@]+)@(.+)$/;

/** Which part of the address of a workflow it is; undefined for what is none. */
function workflowDifference(
  { subject }: CertificateIdentity,
  wanted: GithubIdentity | undefined,
): readonly FieldDifference[] | undefined {
  const [, owner = "", repository = "", workflow = "", ref = ""] = WORKFLOW.exec(subject) ?? [];
  if (wanted === undefined || owner === "") return undefined;
  const isOwner = foldCase(owner) === foldCase(wanted.owner);
  if (!isOwner || (wanted.repository !== undefined && foldCase(repository) !== foldCase(wanted.repository))) {
    const whole = wanted.repository === undefined ? "" : `/${wanted.repository}`;
    return [{ field: "repository", found: `${owner}/${repository}`, wanted: `${wanted.owner}${whole}` }];
  }
  if (wanted.workflow !== undefined && workflow !== wanted.workflow) {
    return [{ field: "workflow", found: workflow, wanted: wanted.workflow }];
  }
  return wanted.ref === undefined ? undefined : [{ field: "ref", found: ref, wanted: wanted.ref }];
}

function differing(field: string, value: string | undefined, condition: TextCondition): readonly FieldDifference[] {
  if (value !== undefined && condition.matches(value)) return [];
  return [{ field, found: value === undefined || value === "" ? "nothing" : value, wanted: describe(condition) }];
}

function describe({ kind, text }: TextCondition): string {
  if (kind === "exact") return text;
  return kind === "any-case" ? `${text} in any case` : `pattern ${text}`;
}
