import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { githubWorkflow } from "../core/trust/github-identity.ts";
import { exactly, type IdentityCondition, type TextCondition } from "../core/trust/identity.ts";
import { type Demands, PUBLIC_DEMANDS, type TrustMaterial } from "../core/trust/material.ts";
import { pattern } from "../core/trust/pattern.ts";
import type { IdentityRequirement, Requirement } from "../core/verify/requirement.ts";
import { onDisk } from "../io/disk/errors.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import type { Context } from "./context.ts";
import type { IdentityOptions, WantedText } from "./identity-options.ts";
import type { ProofOptions, SignerOptions } from "./signer-options.ts";

export type Signers = Pick<Requirement, "keys" | "keyProof" | "identities">;

/**
 * Who must have signed, from the flags: keys and trust roots are read here, patterns are compiled.
 *
 * @throws CountersignError `key-invalid`, `key-weak`, `trust-invalid`, `usage`.
 */
export async function readSigners(context: Context, options: SignerOptions): Promise<Signers> {
  const { identity, proof } = options;
  const keys = await Promise.all(options.keys.map((key) => loadPublicKey(key, context)));
  const trust = await openTrust(context, options);
  return {
    keys,
    keyProof: options.trustedRoot === undefined ? undefined : readKeyProof(trust, proof),
    identities: identity === undefined ? [] : await readIdentities(identity, trust, proof),
  };
}

/** The trust root of the flags; undefined where keys alone are wanted and nothing is named. */
async function openTrust(context: Context, options: SignerOptions): Promise<TrustMaterial | undefined> {
  const { trustedRoot, identity } = options;
  if (trustedRoot === undefined && identity === undefined) return undefined;
  if (trustedRoot === undefined) {
    throw new CountersignError("usage", "nothing says which authorities to believe", { wanted: "--trusted-root FILE" });
  }
  const { loadTrustMaterial } = await import("../core/trust/load.ts");
  const path = resolve(context.workingDirectory, trustedRoot);
  return await loadTrustMaterial(await onDisk(`reading ${trustedRoot}`, () => readFile(path)), trustedRoot);
}

/** A trust root that is named is used: with a key too, a log has to hold the signature. */
function readKeyProof(trust: TrustMaterial | undefined, proof: ProofOptions): Signers["keyProof"] {
  const logs = proof.ignoreLog ? 0 : 1;
  const timestamps = proof.signedTimestamps ? 1 : 0;
  if (trust === undefined || logs + timestamps === 0) return undefined;
  return { trust, demands: { logs, timestamps, certificateLogs: 0, times: 0, currentTime: false } };
}

async function readIdentities(
  identity: IdentityOptions,
  trust: TrustMaterial | undefined,
  proof: ProofOptions,
): Promise<readonly IdentityRequirement[]> {
  const condition = await readCondition(identity);
  return trust === undefined ? [] : [{ condition, trust, demands: demandsOf(PUBLIC_DEMANDS, proof) }];
}

async function readCondition(identity: IdentityOptions): Promise<IdentityCondition> {
  const claims = identity.claims.map(({ name, text }) => ({ name, condition: exactly(text) }));
  if (identity.kind === "named") {
    return { subject: await readText(identity.subject), issuer: await readText(identity.issuer), claims };
  }
  const subject = identity.subject === undefined ? undefined : await readText(identity.subject);
  return await githubWorkflow(identity.source, { subject, claims });
}

async function readText({ kind, text }: WantedText): Promise<TextCondition> {
  return kind === "exact" ? exactly(text) : await pattern(text);
}

/** What a trust root's signatures usually bring, and what the flags ask for on top or do without. */
export function demandsOf(usual: Demands, proof: ProofOptions): Demands {
  return {
    logs: proof.ignoreLog ? 0 : usual.logs,
    certificateLogs: proof.ignoreCertificateLog ? 0 : usual.certificateLogs,
    timestamps: proof.signedTimestamps ? Math.max(usual.timestamps, 1) : usual.timestamps,
    times: proof.currentTime ? 0 : usual.times,
    currentTime: proof.currentTime,
  };
}
