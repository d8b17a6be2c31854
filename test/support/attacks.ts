import assert from "node:assert/strict";
import type { UntrustedCandidate, UntrustedLogEntry } from "../../src/core/formats/envelope.ts";
import type { ReasonCode } from "../../src/core/reasons.ts";
import { instant } from "../../src/core/time.ts";
import { exactly, type IdentityCondition } from "../../src/core/trust/identity.ts";
import { type Demands, PUBLIC_DEMANDS } from "../../src/core/trust/material.ts";
import { parseTrustedRoot } from "../../src/core/trust/root.ts";
import { SigstoreTrust } from "../../src/core/trust/sigstore.ts";
import type { Requirement } from "../../src/core/verify/requirement.ts";
import { type Judgement, judge } from "../../src/core/verify/verify.ts";
import { requirementOf } from "./signatures.ts";
import { ISSUER, SUBJECT } from "./sigstore/authority.ts";
import type { EntryBody } from "./sigstore/entry-bodies.ts";
import {
  bundleCandidate,
  type FakeSigstore,
  fakeSigstore,
  IMAGE,
  REPOSITORY,
  type Signed,
  type SignOptions,
  signKeyless,
} from "./sigstore/sign.ts";
import { DAY, NOW } from "./sigstore/times.ts";

/** What attacks on keyless verification share: one instance, one image, one identity that is wanted. */

export const sigstore: FakeSigstore = fakeSigstore();

export const DEV: IdentityCondition = { subject: exactly(SUBJECT), issuer: exactly(ISSUER), claims: [] };

export const IMAGE_SUBJECT = {
  name: `${REPOSITORY}@${IMAGE}`,
  repository: REPOSITORY,
  descriptor: { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: IMAGE, size: 5 },
};

export interface Wanted {
  readonly condition?: IdentityCondition | undefined;
  readonly demands?: Partial<Demands> | undefined;
  /** `trusted_root.json`, where it is not the instance's own. */
  readonly root?: Uint8Array | undefined;
  readonly more?: Partial<Requirement> | undefined;
}

export function wanting({ condition = DEV, demands = {}, root = sigstore.trustedRoot, more = {} }: Wanted = {}) {
  const trust = new SigstoreTrust(parseTrustedRoot(root), "root");
  const identity = { condition, trust, demands: { ...PUBLIC_DEMANDS, ...demands } };
  return requirementOf([], { identities: [identity], now: instant(NOW + DAY), ...more });
}

/** The judgement on the image by what lies beside it. */
export function judged(candidates: readonly UntrustedCandidate[], wanted?: Wanted): Judgement {
  return judge({ subject: IMAGE_SUBJECT, candidates, obstacles: [] }, wanting(wanted));
}

/** Fails unless it is refused for this reason; what was found and wanted has to be said too. */
export function refused(candidate: UntrustedCandidate | Signed, code: ReasonCode, wanted?: Wanted): string {
  const { status, reasons } = judged([asCandidate(candidate)], wanted);
  const [reason] = reasons;
  const words = `${reason?.message} | ${reason?.found} | ${reason?.wanted}`;
  assert.equal(status, "refused", words);
  assert.equal(reason?.code, code, words);
  return words;
}

export function accepted(candidate: UntrustedCandidate | Signed, wanted?: Wanted): Judgement {
  const judgement = judged([asCandidate(candidate)], wanted);
  const [reason] = judgement.reasons;
  assert.equal(judgement.status, "accepted", `${reason?.message} | ${reason?.found} | ${reason?.wanted}`);
  return judgement;
}

function asCandidate(candidate: UntrustedCandidate | Signed): UntrustedCandidate {
  return "format" in candidate ? candidate : bundleCandidate(candidate);
}

/** A signature in both generations of logs, with a timestamp: everything that can be exchanged is there. */
export function signFully(options: SignOptions = {}): Signed {
  const { log, log2, timestampAuthority } = sigstore;
  return signKeyless(sigstore, { logs: [log, log2], timestampAuthorities: [timestampAuthority], ...options });
}

/** The signature with this entry of Rekor 1 in place of its own. */
export function recordedAs(signed: Signed, body: EntryBody): Signed {
  return { ...signed, logEntries: [sigstore.log.include(body)] };
}

export function onlyEntry({ logEntries: [entry] }: Signed): UntrustedLogEntry {
  assert.ok(entry);
  return entry;
}
