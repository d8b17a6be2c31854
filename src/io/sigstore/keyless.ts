import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import { EXTENSIONS, parseCertificate } from "../../core/crypto/certificate.ts";
import { publicKeyFrom } from "../../core/crypto/public-key.ts";
import { signData } from "../../core/crypto/signature.ts";
import { CountersignError } from "../../core/errors.ts";
import { explainFinding } from "../../core/explain.ts";
import type { UntrustedSignature } from "../../core/formats/envelope.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Acceptance, Signatory, Signer, Witness, Witnessed } from "../../core/ports.ts";
import { type Instant, instant } from "../../core/time.ts";
import { readCertificateIdentity } from "../../core/trust/certificate-identity.ts";
import { foreseenIdentities } from "../../core/trust/foreseen.ts";
import { type CertificateIdentity, exactly, type IdentityCondition } from "../../core/trust/identity.ts";
import type { Demands, TrustMaterial } from "../../core/trust/material.ts";
import type { IdentityToken } from "../../core/trust/token.ts";
import type { IdentityRequirement } from "../../core/verify/requirement.ts";
import type { CertificateAuthority } from "./fulcio.ts";

export interface KeylessOptions {
  readonly authority: CertificateAuthority;
  /** A token that is valid now, for each certificate; where there is none yet, as in a dry run, nobody is foreseen. */
  readonly token: (() => Promise<IdentityToken>) | undefined;
  readonly trust: TrustMaterial;
  /** What a signature has to bring to be accepted with that trust. */
  readonly demands: Demands;
  readonly witness?: Witness | undefined;
  /** One certificate for all that is signed while it lives, instead of one for each image. */
  readonly oneCertificate?: boolean | undefined;
  readonly now: () => number;
}

interface KeylessSigner extends Signer {
  readonly certificates: readonly Uint8Array[];
  readonly notAfter: number;
}

/** An identity that signs: with a key made on the spot, which a certificate binds to it and which is dropped after use. */
export function keylessSignatory(options: KeylessOptions): Signatory {
  const { oneCertificate = false, token, trust, demands, witness } = options;
  const make = () => makeSigner(options);
  const accepting = (condition: IdentityCondition): IdentityRequirement => ({ condition, trust, demands });
  return {
    signer: oneCertificate ? shared(make, options.now) : make,
    witness,
    accepts: (signer) => ({ keys: [], identities: [accepting(identityOf(signer))] }),
    async foresees(): Promise<Acceptance | undefined> {
      const conditions = token === undefined ? [] : foreseenIdentities(await token());
      return conditions.length === 0 ? undefined : { keys: [], identities: conditions.map(accepting) };
    },
  };
}

/** Callers at the same time share one; who comes when its certificate is about to expire gets the next. */
function shared(make: () => Promise<KeylessSigner>, now: () => number): () => Promise<KeylessSigner> {
  let current: Promise<KeylessSigner> | undefined;
  return async () => {
    const before = current;
    if (before !== undefined && (await before).notAfter - now() > LIMITS.certificateLeftMs) return await before;
    if (current === before) current = make();
    return await (current ?? make());
  };
}

/** P-256: what every verifier knows. */
async function makeSigner({ authority, token, demands }: KeylessOptions): Promise<KeylessSigner> {
  if (token === undefined) throw new CountersignError("internal", "a certificate was asked for without a token");
  const { privateKey, publicKey: generated } = await promisify(generateKeyPair)("ec", { namedCurve: "P-256" });
  const publicKey = publicKeyFrom(generated, "the certificate's key");
  const sign = async (data: Uint8Array) => signData(privateKey, data);
  const identityToken = await token();
  const issued = await authority.certify({ token: identityToken, publicKey, sign });
  const [leaf = new Uint8Array()] = issued.certificates;
  checkSubject(readCertificateIdentity(leaf), identityToken, authority.host);
  if (demands.certificateLogs > 0) requireSct(leaf, authority.host);
  return { publicKey, sign, certificates: issued.certificates, notAfter: issued.notAfter };
}

function identityOf(signer: Signer): IdentityCondition {
  const [leaf] = signer.certificates ?? [];
  if (leaf === undefined) throw new CountersignError("internal", "a keyless signer without a certificate");
  const { subject, issuer } = readCertificateIdentity(leaf);
  return { subject: exactly(subject), issuer: exactly(issuer), claims: [] };
}

/** An address in the certificate is the token's; what else it names is made of claims as the authority is set up to. */
function checkSubject({ subject, subjectKind }: CertificateIdentity, token: IdentityToken, host: string): void {
  if (subjectKind !== "email" || subject === token.email) return;
  throw new CountersignError("protocol-error", `${host} certified somebody else than the identity token names`, {
    found: subject,
    wanted: token.email ?? token.subject,
    next: `nothing was signed; report it to the operator of ${host}`,
  });
}

function requireSct(leaf: Uint8Array, host: string): void {
  const { extensions } = parseCertificate(leaf, `the certificate by ${host}`, "protocol-error");
  if (extensions.has(EXTENSIONS.certificateTimestamps)) return;
  throw new CountersignError("protocol-error", `${host} gave a certificate that is in no certificate log`, {
    found: "a certificate without an embedded timestamp of a log (SCT)",
    wanted: "one with it: the trust root names certificate logs, so verifiers ask for it",
    next: `nothing was signed; use the trust root of ${host}, or report it to its operator`,
  });
}

/**
 * A check for the witness: that the certificate and the timestamps so far would be accepted, before a log makes the
 * signature public for ever. With no timestamp there is no proven time yet, and the present has to do.
 */
export function provesWithoutLogs(
  { trust, demands }: Pick<KeylessOptions, "trust" | "demands">,
  now: () => number,
): (signed: Witnessed, timestamps: readonly Uint8Array[]) => void {
  return ({ signer, signedBytes, signature }, timestamps) => {
    const shown: UntrustedSignature = {
      encoding: "plain",
      signed: { kind: "bytes", bytes: signedBytes },
      signature,
      timestamped: signature,
      certificates: signer.certificates ?? [],
      logEntries: [],
      timestamps,
    };
    const times = Math.min(demands.times, timestamps.length);
    const [leaf] = shown.certificates;
    const asked = { ...demands, logs: 0, times };
    try {
      if (leaf === undefined) trust.proveKey(shown, signer.publicKey, asked, instant(Math.floor(now())));
      else trust.proveCertificate(shown, { ...asked, currentTime: times === 0 }, presentFor(leaf, now()));
    } catch (error) {
      throw error instanceof CountersignError ? notProven(error, trust.label) : error;
    }
  };
}

function notProven(error: CountersignError, label: string): CountersignError {
  return new CountersignError(error.code, "the signature that was made does not verify; no log was shown it", {
    found: explainFinding(error),
    wanted: `one that is proven by ${label}`,
    next: "give the trust root of the services that were signed with: --trusted-root FILE",
    cause: error,
  });
}

/** The authority's clock may be ahead of ours: a certificate that was made just now is valid now. */
function presentFor(leaf: Uint8Array, now: number): Instant {
  const { notBefore } = parseCertificate(leaf, "the signing certificate", "certificate-untrusted");
  return instant(Math.max(now, notBefore));
}
