import type { PublicKey } from "../../src/core/crypto/public-key.ts";
import { publicKeyFrom } from "../../src/core/crypto/public-key.ts";
import { CountersignError, type Finding } from "../../src/core/errors.ts";
import type { UntrustedCandidate } from "../../src/core/formats/envelope.ts";
import { makeAttestation } from "../../src/core/formats/intoto.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import { parsePolicy } from "../../src/core/policy/parse.ts";
import { type Instant, instant } from "../../src/core/time.ts";
import { loadTrustMaterial } from "../../src/core/trust/load.ts";
import { PUBLIC_DEMANDS } from "../../src/core/trust/material.ts";
import type { Rulebook } from "../../src/core/verify/criterion.ts";
import type { Subject } from "../../src/core/verify/evidence.ts";
import type { Believed } from "../../src/core/verify/exhibit.ts";
import { Hearing } from "../../src/core/verify/hearing.ts";
import { openRulebook, type PolicyMaterial } from "../../src/core/verify/rulebook.ts";
import type { Judgement } from "../../src/core/verify/verify.ts";
import { bundleOver, type TestSigner } from "./signatures.ts";
import { fakeKey } from "./sigstore/keys.ts";
import { bundleCandidate, type FakeSigstore, type SignOptions, signKeyless } from "./sigstore/sign.ts";
import { MINUTE, NOW } from "./sigstore/times.ts";

/** What policies of a test may name, by the names of its files. */
export interface World {
  readonly keys?: Readonly<Record<string, PublicKey>>;
  /** By trust name or instance; "" is what is believed where a policy says nothing. */
  readonly roots?: Readonly<Record<string, readonly Believed[]>>;
  readonly withdrawn?: ReadonlyMap<Digest, Finding>;
}

/** Two hours after everything that `signKeyless` makes, unless it is told otherwise. */
export const JUDGED_AT: Instant = instant(NOW + 120 * MINUTE);

export function materialOf({ keys = {}, roots = {}, withdrawn = new Map() }: World): PolicyMaterial {
  const keyOf = (name: string): PublicKey => {
    const key = keys[name];
    if (key === undefined) throw new CountersignError("policy-invalid", `cannot read ${name}`);
    return key;
  };
  return {
    keysOf: async (identity) => {
      return identity.keys.map(({ source }) => keyOf(source.kind === "file" ? source.path : "pem"));
    },
    trustFor: async (reference) => {
      const name = typeof reference === "object" ? reference.name : (reference ?? "");
      const found = roots[name];
      if (found === undefined) throw new CountersignError("policy-invalid", `no trust root ${name}`);
      return found;
    },
    withdrawnBy: async () => withdrawn,
  };
}

export function rulebookOf(yaml: string, world: World, now: Instant = JUDGED_AT): Rulebook {
  return openRulebook(parsePolicy(new TextEncoder().encode(yaml), "policy.yaml"), materialOf(world), now);
}

/** A policy with one rule for every image of the tests' registry. `require` is in flow style; `rule` is more of the rule. */
export function policyText(
  identities: Readonly<Record<string, string>>,
  require: string,
  rule = "",
  more = "",
): string {
  const named = Object.entries(identities).map(([name, identity]) => `  ${name}: ${identity}\n`);
  return (
    `apiVersion: countersign/v1\n${named.length === 0 ? "" : `identities:\n${named.join("")}`}${more}rules:\n` +
    `  - name: everything of ours\n    images: registry.example.com/\n    require: ${require}\n${rule}`
  );
}

export interface Heard {
  readonly subject: Subject;
  readonly candidates: readonly UntrustedCandidate[];
  readonly obstacles?: readonly Finding[] | undefined;
}

export async function judgedBy(rulebook: Rulebook, { subject, candidates, obstacles = [] }: Heard): Promise<Judgement> {
  const { repository, descriptor } = subject;
  const ruling = await rulebook.rulingOf({ repository, digest: descriptor.digest });
  const hearing = new Hearing(ruling, subject, rulebook.now);
  hearing.add({ candidates, obstacles });
  return hearing.judgement();
}

// --- evidence ---------------------------------------------------------------------------------------------------------

export function statementOf(digest: Digest, predicateType: string, predicate: object = {}, repository?: string) {
  const parts = { digest, repository, annotations: {}, predicateType };
  return makeAttestation({ ...parts, predicate: new TextEncoder().encode(JSON.stringify(predicate)) });
}

export function attestedBy(
  signer: TestSigner,
  digest: Digest,
  predicateType: string,
  predicate: object = {},
  repository?: string,
): UntrustedCandidate {
  return bundleOver(signer, statementOf(digest, predicateType, predicate, repository));
}

export async function believing(sigstore: FakeSigstore, label = "root"): Promise<Believed> {
  return { trust: await loadTrustMaterial(sigstore.trustedRoot, label), demands: PUBLIC_DEMANDS };
}

/** A bare key whose signatures a Sigstore instance witnesses. */
export function witnessedKey(sigstore: FakeSigstore, label: string) {
  const key = fakeKey();
  return {
    publicKey: publicKeyFrom(key.publicKey, label),
    sign: (options: SignOptions = {}): UntrustedCandidate =>
      bundleCandidate(signKeyless(sigstore, { certificate: "none", key, ...options })),
  };
}
