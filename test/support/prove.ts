import type { CountersignError } from "../../src/core/errors.ts";
import type { UntrustedSignature } from "../../src/core/formats/envelope.ts";
import type { ReasonCode } from "../../src/core/reasons.ts";
import type { Instant } from "../../src/core/time.ts";
import { type CertificateProof, type Demands, PUBLIC_DEMANDS } from "../../src/core/trust/material.ts";
import { parseTrustedRoot } from "../../src/core/trust/root.ts";
import { SigstoreTrust } from "../../src/core/trust/sigstore.ts";
import { thrownBy } from "./codes.ts";
import type { FakeSigstore, Signed } from "./sigstore/sign.ts";
import { NOW } from "./sigstore/times.ts";

export interface ProveOptions {
  /** `trusted_root.json`, where it is not the instance's own. */
  readonly root?: Uint8Array;
  readonly demands?: Partial<Demands>;
  readonly now?: Instant;
}

/** What a trust root proves of a signature of the fake instance. */
export function prove(
  sigstore: Pick<FakeSigstore, "trustedRoot">,
  signed: Signed | UntrustedSignature,
  { root = sigstore.trustedRoot, demands = {}, now = NOW }: ProveOptions = {},
): CertificateProof {
  const trust = new SigstoreTrust(parseTrustedRoot(root), "trusted_root.json");
  return trust.proveCertificate(
    "signed" in signed ? signed : untrusted(signed),
    { ...PUBLIC_DEMANDS, ...demands },
    now,
  );
}

/** The error in which proving ends; it always says what was found and what was wanted. */
export function unproven(
  sigstore: Pick<FakeSigstore, "trustedRoot">,
  signed: Signed | UntrustedSignature,
  code: ReasonCode,
  options: ProveOptions = {},
): CountersignError {
  const error = thrownBy(() => prove(sigstore, signed, options), code);
  if (error.found === undefined || error.wanted === undefined) throw error;
  return error;
}

/** A signature as a parser would leave it: a DSSE envelope's, or one over the bytes themselves. */
export function untrusted(signed: Signed): UntrustedSignature {
  const { statement, signature, signedBytes, certificates, logEntries, timestamps } = signed;
  return {
    encoding: statement === undefined ? "plain" : "dsse",
    signed: { kind: "bytes", bytes: signedBytes },
    signature,
    payload: statement,
    timestamped: signature,
    certificates: certificates.slice(0, 1),
    logEntries,
    timestamps,
  };
}
