import type { Finding } from "../errors.ts";
import type { Origin, SignatureFormat } from "../formats/envelope.ts";
import type { Digest } from "../oci/digest.ts";

export type VerdictStatus = "accepted" | "refused" | "undetermined";

/** One signature that was looked at, and what became of it. */
export interface SignatureReport {
  readonly format: SignatureFormat;
  readonly origin: Origin;
  /** Counts towards acceptance. */
  readonly accepted: boolean;
  /** Label and fingerprint of the key that verified it. */
  readonly signedBy?: { readonly label: string; readonly fingerprint: string } | undefined;
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
  /** What satisfied it: "2 of 2 distinct keys". Only when accepted. */
  readonly because?: string | undefined;
}
