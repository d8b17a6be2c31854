import type { Finding } from "../errors.ts";
import type { EvidenceFormat, Origin } from "../formats/envelope.ts";
import type { JsonObject } from "../json.ts";
import type { Digest } from "../oci/digest.ts";
import type { SignedTag } from "../tags/signed-tag.ts";
import type { Instant } from "../time.ts";
import type { CertificateIdentity } from "../trust/identity.ts";
import { describeIdentity } from "../trust/identity-mismatch.ts";
import type { SignatureProof } from "../trust/material.ts";
import type { Outcome, PolicyStamp } from "./criterion.ts";

export type VerdictStatus = "accepted" | "refused" | "undetermined";

/** The key that verified a signature, or the identity in the certificate that did. */
export type SignedBy =
  | { readonly kind: "key"; readonly label: string; readonly fingerprint: string; readonly terms?: SignerTerms }
  | { readonly kind: "identity"; readonly identity: CertificateIdentity; readonly terms?: SignerTerms };

/** Of whom a policy names: as what, and for whom it counts. */
export interface SignerTerms {
  readonly name: string;
  readonly person?: string | undefined;
}

/** Enough of a fingerprint to recognise a key by; the whole of it is in the JSON and in `key inspect`. */
const FINGERPRINT_SHOWN = "SHA256:".length + 16;

/** `release.pub (SHA256:1f2e3d4c5b6a7988…)`, or the identity in words. */
export function describeSignedBy(signedBy: SignedBy): string {
  if (signedBy.kind === "identity") return describeIdentity(signedBy.identity);
  return `${signedBy.label} (${shortFingerprint(signedBy.fingerprint)})`;
}

export function shortFingerprint(fingerprint: string): string {
  return fingerprint.length > FINGERPRINT_SHOWN ? `${fingerprint.slice(0, FINGERPRINT_SHOWN)}…` : fingerprint;
}

/** One signature that was looked at, and what became of it. */
export interface SignatureReport {
  readonly format: EvidenceFormat;
  readonly origin: Origin;
  /** Counts towards acceptance. */
  readonly accepted: boolean;
  /** Who made it: proven, whether wanted or not. */
  readonly signedBy?: SignedBy | undefined;
  /** Logs and times, where they were asked for or come with a certificate. */
  readonly proof?: SignatureProof | undefined;
  /** Of the verified statement. */
  readonly predicateType?: string | undefined;
  /** The verified statement, where an attestation was asked for. */
  readonly statement?: JsonObject | undefined;
  /** Of a scan that was attested, where the statement was not kept. */
  readonly scannedAt?: Instant | undefined;
  /** Only from a verified payload. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Why it does not count. */
  readonly finding?: Finding | undefined;
}

/** The judgement on one image. */
export interface Verdict {
  readonly status: VerdictStatus;
  /** As the user wrote it. */
  readonly image: string;
  /** Canonical, with tag and digest. */
  readonly name: string;
  /** undefined only where the image could not be resolved. */
  readonly digest: Digest | undefined;
  /** The platform that was chosen from an index, and the index it was chosen from. */
  readonly platform?: string | undefined;
  readonly index?: Digest | undefined;
  /** Empty exactly when accepted; the first is the nearest to acceptance. */
  readonly reasons: readonly Finding[];
  readonly signatures: readonly SignatureReport[];
  /** In words of the field: "signature", "subject digest", "predicate type" … */
  readonly checked: readonly string[];
  readonly notChecked: readonly string[];
  /** Every `--insecure-…` and `--allow-…` flag that was used. */
  readonly weakened: readonly string[];
  /** The reference time. */
  readonly judgedAt: Instant;
  /** Trust roots: those that proved it where it is accepted, else those whose word would have been taken. */
  readonly trust?: readonly string[] | undefined;
  /** What satisfied it: "2 of 2 distinct keys". Only when accepted. */
  readonly because?: string | undefined;
  /** The policy that decided and the rule in it; absent where flags did. */
  readonly policy?: PolicyStamp | undefined;
  /** What the publisher's signed tags say of it; absent where no root of the repository is pinned. */
  readonly signedTag?: SignedTag | undefined;
  /** What would have refused it but for an exception or a rule that only warns; and what to look at before it does. */
  readonly warnings?: readonly Finding[] | undefined;
  /** What became of the requirements one by one; the door prints it only where it is asked for. */
  readonly outcome?: Outcome | undefined;
}
