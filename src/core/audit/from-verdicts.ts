import { compareTexts } from "../bytes.ts";
import type { Finding } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { placeName } from "../policy/document.ts";
import type { SignedTag } from "../tags/signed-tag.ts";
import type { Instant } from "../time.ts";
import { nearestFirst } from "../verify/findings.ts";
import {
  describeSignedBy,
  type SignatureReport,
  type SignedBy,
  type Verdict,
  type VerdictStatus,
} from "../verify/verdict.ts";
import type { AuditedSigner, AuditedTag, ImageFacts } from "./audit.ts";
import { newestOf } from "./scan-time.ts";

/** What was looked at, and what became of it. */
export interface Examination {
  /** The key of the plan item. */
  readonly image: string;
  /** With tag and digest; as written where it could not be resolved. */
  readonly name: string;
  readonly digest?: Digest | undefined;
  /** At least one: of the image, and with `--recursive` of each of its platforms. */
  readonly verdicts: readonly Verdict[];
  /** What the tag beside a digest means now, or what the registry calls by a signed tag, or why that is not known. */
  readonly tag?: { readonly digest: Digest } | { readonly finding: Finding } | undefined;
  /** Of a scan that was looked for beside the verdicts. */
  readonly scannedAt?: Instant | undefined;
}

/**
 * Verdicts as what an audit tells. Where there are several, the worst decides, and its reasons say which platform they are
 * about; what was checked is what was checked of each.
 */
export function factsOf({ image, name, digest, verdicts, tag, scannedAt }: Examination): ImageFacts {
  const verdict = worst(verdicts);
  const alike = verdicts.filter(({ status }) => status === verdict);
  const { because, policy } = alike[0] ?? {};
  const signedTag = verdicts.find((each) => each.signedTag !== undefined)?.signedTag;
  const signatures = verdicts.flatMap((each) => each.signatures);
  return {
    image,
    name,
    digest,
    verdict,
    reasons: nearestFirst(alike.flatMap((each) => about(each, each.reasons))),
    warnings: nearestFirst(alike.flatMap((each) => about(each, each.warnings ?? []))),
    because,
    rule: policy?.rule && { name: policy.rule.name, place: placeName(policy.rule.place) },
    signers: signersOf(signatures),
    ...(signedTag !== undefined && { signedTag: auditedTag(signedTag) }),
    ...(tag !== undefined && ("digest" in tag ? { tagDigest: tag.digest } : { tagFinding: tag.finding })),
    scannedAt: newestOf([scannedAt, ...signatures.map((signature) => signature.scannedAt)]),
    checked: inEach(verdicts.map(({ checked }) => checked)),
    notChecked: [...new Set(verdicts.flatMap(({ notChecked }) => notChecked))],
  };
}

function auditedTag({ gun, binding, role, pin }: SignedTag): AuditedTag {
  const { digest, signedAt } = binding;
  return { repository: gun, digest, role, root: pin.root, ...(signedAt !== undefined && { signedAt }) };
}

function worst(verdicts: readonly Verdict[]): VerdictStatus {
  const is = (wanted: VerdictStatus): boolean => verdicts.some(({ status }) => status === wanted);
  if (is("refused")) return "refused";
  return is("undetermined") || !is("accepted") ? "undetermined" : "accepted";
}

/** `linux/arm64: the image is not signed`: of a platform among others. */
function about({ index, platform, digest }: Verdict, findings: readonly Finding[]): readonly Finding[] {
  if (index === undefined) return findings;
  return findings.map((finding) => ({ ...finding, message: `${platform ?? digest}: ${finding.message}` }));
}

function inEach([first = [], ...others]: readonly (readonly string[])[]): readonly string[] {
  return first.filter((one) => others.every((each) => each.includes(one)));
}

// --- signers ----------------------------------------------------------------------------------------------------------

/** Of several signatures by the same signer, the newest of which that is proven tells. */
function signersOf(signatures: readonly SignatureReport[]): readonly AuditedSigner[] {
  const signers = signatures.flatMap(({ accepted, signedBy, format, proof }) =>
    accepted && signedBy !== undefined ? [signerOf(signedBy, format, proof?.signedAt)] : [],
  );
  const sorted = signers.toSorted(compareSigners);
  return sorted.filter(({ id }, at) => sorted[at - 1]?.id !== id);
}

function signerOf(signedBy: SignedBy, format: AuditedSigner["format"], signedAt: Instant | undefined): AuditedSigner {
  const { kind, terms } = signedBy;
  return { kind, name: describeSignedBy(signedBy), id: idOf(signedBy), as: terms?.name, format, signedAt };
}

function idOf(signedBy: SignedBy): string {
  if (signedBy.kind === "key") return signedBy.fingerprint;
  const { issuer, subject } = signedBy.identity;
  return `${issuer} ${subject}`;
}

function compareSigners(a: AuditedSigner, b: AuditedSigner): number {
  return (
    compareTexts(a.id, b.id) ||
    (b.signedAt ?? Number.NEGATIVE_INFINITY) - (a.signedAt ?? Number.NEGATIVE_INFINITY) ||
    compareTexts(a.format, b.format) ||
    compareTexts(a.as, b.as) ||
    compareTexts(a.name, b.name)
  );
}
