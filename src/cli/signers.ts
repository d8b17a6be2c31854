import { githubWorkflow } from "../core/trust/github-identity.ts";
import { exactly, type IdentityCondition, type TextCondition } from "../core/trust/identity.ts";
import type { Demands, TrustMaterial } from "../core/trust/material.ts";
import { pattern } from "../core/trust/pattern.ts";
import type { IdentityRequirement, Requirement } from "../core/verify/requirement.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import type { Context } from "./context.ts";
import type { IdentityOptions, WantedText } from "./identity-options.ts";
import type { Output } from "./output.ts";
import { namesTrust, type ProofOptions, type SignerOptions } from "./signer-options.ts";
import { type FoundTrust, findTrust } from "./trust.ts";
import type { TrustServices } from "./trust-instances.ts";
import type { TrustOptions } from "./trust-options.ts";

/** Where trust roots are found: on this machine, unless somebody brings them along. */
export type FindTrust = typeof findTrust;

export type Signers = Pick<Requirement, "keys" | "keyProof" | "identities">;

/**
 * Who must have signed, from the flags: keys and trust roots are read here, patterns are compiled.
 *
 * @throws CountersignError `key-…`, `usage`, and what `findTrust` throws.
 */
export async function readSigners(
  context: Context,
  output: Output,
  options: SignerOptions,
  wiring: TrustServices,
  find: FindTrust = findTrust,
): Promise<Signers> {
  const { identity, proof, trust } = options;
  const keys = await Promise.all(options.keys.map((key) => loadPublicKey(key, { ...context, warn: output.warn })));
  const condition = identity === undefined ? undefined : await readCondition(identity);
  const isNamed = namesTrust(trust);
  if (condition === undefined && !isNamed) return { keys, identities: [] };
  const roots: readonly OpenTrust[] = await Promise.all(
    instancesFor(identity, trust).map(async (flags) => openTrust(await find(context, output, flags, wiring))),
  );
  return {
    keys,
    keyProof: isNamed ? readKeyProof(roots, proof) : undefined,
    identities: condition === undefined ? [] : roots.map((root) => identityRequirement(condition, root, proof)),
  };
}

// --- trust ------------------------------------------------------------------------------------------------------------

interface OpenTrust {
  readonly trust: TrustMaterial;
  /** What its signatures usually bring. */
  readonly demands: Demands;
}

async function openTrust({ bytes, label, demands }: FoundTrust): Promise<OpenTrust> {
  const { loadTrustMaterial } = await import("../core/trust/load.ts");
  return { trust: await loadTrustMaterial(bytes, label), demands };
}

/**
 * GitHub signs what comes from public repositories with the public instance and the rest with its own: where gh's flags
 * name nobody else, either's word is taken, each with what it usually proves. A certificate never chooses.
 */
function instancesFor(identity: IdentityOptions | undefined, trust: TrustOptions): readonly TrustOptions[] {
  if (identity?.kind !== "github" || namesTrust(trust)) return [trust];
  return ["sigstore", "github"].map((instance) => ({ ...trust, instance }));
}

/** A trust root that is named is used: with a key too, what it usually brings has to be there. */
function readKeyProof([root]: readonly OpenTrust[], proof: ProofOptions): Signers["keyProof"] {
  if (root === undefined) return undefined;
  const { logs, timestamps } = demandsOf(root.demands, proof);
  const demands = { logs, timestamps, certificateLogs: 0, times: 0, currentTime: false };
  return logs + timestamps === 0 ? undefined : { trust: root.trust, demands };
}

// --- identities -------------------------------------------------------------------------------------------------------

function identityRequirement(
  condition: IdentityCondition,
  { trust, demands }: OpenTrust,
  proof: ProofOptions,
): IdentityRequirement {
  return { condition, trust, demands: demandsOf(demands, proof) };
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
    currentTime: proof.currentTime || usual.currentTime,
  };
}
