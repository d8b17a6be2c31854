import type { StoredSignature, WantedMaker } from "../core/compat/stored.ts";
import type { PublicKey } from "../core/crypto/public-key.ts";
import { type SignatureVariant, verifySignature } from "../core/crypto/signature.ts";
import type { Finding } from "../core/errors.ts";
import type { UntrustedCandidate } from "../core/formats/envelope.ts";
import { parseCandidate } from "../core/formats/format.ts";
import type { Digest } from "../core/oci/digest.ts";
import { MEDIA_TYPES } from "../core/oci/media-types.ts";
import type { Acceptance } from "../core/ports.ts";
import type { ReasonCode } from "../core/reasons.ts";
import type { Instant } from "../core/time.ts";
import { examine } from "../core/verify/examine.ts";
import { describeSignedBy, type SignatureReport } from "../core/verify/verdict.ts";
import { withoutLogs } from "./sign.ts";

/** Who is asked for, and when. */
export interface Asked {
  /** undefined where nobody in particular is. */
  readonly acceptance?: Acceptance | undefined;
  readonly now: Instant;
}

/** Whether those made it who were asked for, how their key signed, and whether the trust root given proves its log entries. */
export function withMaker(
  signature: StoredSignature,
  candidate: UntrustedCandidate,
  subject: Digest,
  { acceptance, now }: Asked,
): StoredSignature {
  if (acceptance === undefined) return signature;
  const { signed, signature: bytes } = parseCandidate(candidate);
  const own = keyOf(acceptance.keys, signed.bytes, bytes);
  const examined = (asked: Acceptance): SignatureReport => examineAs(candidate, subject, asked, now);
  const unproven = signature.entries.length === 0 ? undefined : problemOfLogs(examined(acceptance));
  if (own === undefined) return { ...signature, unproven, wanted: provenMaker(examined(withoutProof(acceptance))) };
  const { algorithm } = own.key;
  const maker = { kind: "key", algorithm, variant: own.variant } as const;
  return { ...signature, unproven, maker, wanted: { made: true, by: describeSignedBy({ kind: "key", ...own.key }) } };
}

interface OwnSignature {
  readonly key: PublicKey;
  readonly variant: "usual" | SignatureVariant;
}

function keyOf(keys: readonly PublicKey[], data: Uint8Array, bytes: Uint8Array): OwnSignature | undefined {
  for (const key of keys) {
    const { verified, variant = "usual" } = verifySignature(key, data, bytes);
    if (verified) return { key, variant };
  }
  return undefined;
}

/** Logs are another question than the maker, and each verifier's own. */
function withoutProof(acceptance: Acceptance): Acceptance {
  return { ...withoutLogs(acceptance), keyProof: undefined };
}

function examineAs(
  candidate: UntrustedCandidate,
  digest: Digest,
  acceptance: Acceptance,
  now: Instant,
): SignatureReport {
  const requirement = { ...acceptance, threshold: 1, annotations: {}, signedAs: [], now };
  const descriptor = { mediaType: MEDIA_TYPES.ociManifest, digest, size: 0 };
  return examine(candidate, { name: digest, repository: undefined, descriptor }, requirement);
}

const OF_LOGS: ReadonlySet<ReasonCode> = new Set(["log-entry-missing", "log-entry-invalid"]);

function problemOfLogs({ finding }: SignatureReport): string | undefined {
  return finding !== undefined && OF_LOGS.has(finding.code) ? describeFinding(finding) : undefined;
}

/** What a signature says comes after the question of who made it: these findings are about that. */
const OF_CLAIMS: ReadonlySet<ReasonCode> = new Set([
  "not-a-signature",
  "wrong-digest",
  "wrong-repository",
  "wrong-annotations",
]);

function provenMaker({ signedBy, finding }: SignatureReport): WantedMaker {
  if (signedBy !== undefined && (finding === undefined || OF_CLAIMS.has(finding.code))) {
    return { made: true, by: describeSignedBy(signedBy) };
  }
  return { made: false, why: finding === undefined ? "its maker is not proven" : describeFinding(finding) };
}

function describeFinding({ message, wanted }: Finding): string {
  return wanted === undefined ? message : `${message}, wanted ${wanted}`;
}
