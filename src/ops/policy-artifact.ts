import { CountersignError, type Finding } from "../core/errors.ts";
import { explainBriefly } from "../core/explain.ts";
import {
  type PolicyArtifact,
  readPolicyArtifact,
  type UntrustedPolicyArtifact,
} from "../core/formats/policy-artifact.ts";
import { LIMITS } from "../core/limits.ts";
import { checkBytes } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import { formatDuration } from "../core/policy/duration.ts";
import type { ContentCache } from "../core/ports.ts";
import { reasonClass } from "../core/reasons.ts";
import { describeAge, type Instant } from "../core/time.ts";
import { type Rulebook, requiringBinding } from "../core/verify/criterion.ts";
import type { Requirement } from "../core/verify/requirement.ts";
import type { SignedBy } from "../core/verify/verdict.ts";
import type { TagJudging } from "./judging.ts";
import { sourceOf } from "./prepare-signature.ts";
import { bindArtifact, orUntrusted, resolveArtifact } from "./registry-artifact.ts";
import { type Target, verifyImage } from "./verify.ts";

/** Why a fetched policy is believed: its reference has a digest, its tag is signed, or somebody who is named signed it. */
export interface PolicyPin {
  /** Who must have signed it; absent where its digest or the root of its repository is pinned. */
  readonly signers?: Requirement | undefined;
  /** Where a root of its repository is pinned, its tag means what the publisher signed it for. */
  readonly tags?: TagJudging | undefined;
  /** Milliseconds since it was published, by its signer's word. */
  readonly maxAge?: number | undefined;
  readonly now: Instant;
  readonly cache?: ContentCache | undefined;
}

/** A policy from a registry, believed. */
export interface FetchedPolicy {
  readonly bytes: Uint8Array;
  /** Of the artifact: what a reference pins. */
  readonly digest: Digest;
  readonly createdAt: Instant | undefined;
  /** Empty where nobody was pinned. */
  readonly signedBy: readonly SignedBy[];
  /** Whether a signed tag says that it is this one. */
  readonly isTagSigned: boolean;
}

/**
 * Fetches a policy and proves that it is meant: its digest, where the target has one, its signed tag, where a root is pinned,
 * its signer, where one is, and for a tag the repository that it was published to.
 *
 * @throws CountersignError `policy-untrusted`; `policy-invalid` where it is no policy; where it could not be looked at, what
 * the store throws, and the policy is not known.
 */
export async function fetchPolicy(named: Target, pin: PolicyPin): Promise<FetchedPolicy> {
  const target = await bindArtifact(named, "policy", pin.tags);
  if (named.digest === undefined && target.bound?.signedTag === undefined && pin.signers === undefined) {
    throw unpinned(target);
  }
  return await orUntrusted(target, "the policy is not what its digest names", () => fetchProven(target, pin));
}

async function fetchProven(target: Target, pin: PolicyPin): Promise<FetchedPolicy> {
  const root = await resolveArtifact(target, "policy");
  const { digest } = root.descriptor;
  const artifact = readPolicyArtifact(root, target.image);
  const signedBy = await proveSigner({ ...target, digest, resolved: root }, pin);
  if (target.digest === undefined) requirePlace(target, artifact);
  requireAge(target, artifact, pin);
  const bytes = await target.store.readBlob(artifact.layer, LIMITS.policyBytes);
  checkBytes(bytes, artifact.layer, target.image);
  const isTagSigned = target.bound?.signedTag !== undefined;
  return { bytes, digest, createdAt: artifact.createdAt, signedBy, isTagSigned };
}

async function proveSigner(target: Target, pin: PolicyPin): Promise<readonly SignedBy[]> {
  const requirement = whatProves(target, pin);
  if (requirement === undefined) return [];
  const tags = target.bound && pin.tags;
  const { verdicts, accepted } = await verifyImage(target, { requirement, cache: pin.cache, tags });
  const [verdict] = verdicts;
  if (!accepted || verdict?.status !== "accepted") throw notProven(target, verdict?.reasons ?? []);
  return verdict.signatures.flatMap((report) => (report.accepted && report.signedBy ? [report.signedBy] : []));
}

/** Who is pinned, and whom the signed tag itself asks for beside it. */
function whatProves({ bound }: Target, { signers, now }: PolicyPin): Requirement | Rulebook | undefined {
  if (signers !== undefined) return signers;
  return (bound?.requires ?? []).length === 0 ? undefined : requiringBinding(now);
}

/** What could not be looked at says nothing of the policy, and is told as it is. */
function notProven({ image }: Target, reasons: readonly Finding[]): CountersignError {
  const unseen = reasons.find(({ code }) => reasonClass(code) !== "refused");
  if (unseen !== undefined) return new CountersignError(unseen.code, unseen.message, unseen);
  const [reason] = reasons;
  return untrusted("the policy is not signed by who has to sign it", {
    found: reason === undefined ? image : `${image}: ${explainBriefly(reason)}`,
    wanted: reason?.wanted,
  });
}

/** Another policy that its signer has made, for other images or less strict, is not this one. */
function requirePlace({ image, store }: Target, { repository }: UntrustedPolicyArtifact): void {
  if (repository === store.repository) return;
  throw untrusted("the policy was published elsewhere", {
    found: repository ?? "a policy that does not say where it was published",
    wanted: store.repository ?? image,
    next: "name the repository that it was published to, or pin its digest",
  });
}

function requireAge({ image }: Target, { createdAt }: UntrustedPolicyArtifact, { maxAge, now }: PolicyPin): void {
  if (maxAge === undefined) return;
  const isPlausible = createdAt !== undefined && createdAt <= now + LIMITS.clockSkewMs;
  if (isPlausible && now - createdAt <= maxAge) return;
  throw untrusted("the policy is not known to be recent", {
    found: createdAt === undefined ? `${image}: no time` : `${image}: published ${describeAge(createdAt, now)}`,
    wanted: `one published within ${formatDuration(maxAge)}`,
    next: "ask whoever keeps the policy to publish it again",
  });
}

function unpinned({ image }: Target): CountersignError {
  return untrusted("nothing says whose policy this is", {
    found: `${image}: a tag, which whoever may write there can move`,
    wanted: "its digest (…@sha256:…), or who has signed it: --policy-key KEY, or --policy-certificate-identity NAME",
    next: "say who has to have signed the policy, or pin its digest or the root of its repository",
  });
}

function untrusted(
  message: string,
  particulars: {
    readonly found: string;
    readonly wanted: string | undefined;
    readonly next?: string | undefined;
  },
): CountersignError {
  return new CountersignError("policy-untrusted", message, particulars);
}

export interface PublishRequest {
  /** Where: a registry's repository, and the tag that is moved last. */
  readonly target: Target & { readonly tag: string };
  readonly artifact: PolicyArtifact;
  /** Signs it where it lies. @returns who a consumer has to ask for. */
  readonly sign: (target: Target) => Promise<Requirement>;
  readonly now: Instant;
}

/**
 * Publishes a policy as images are published: by digest, signed, fetched back as its consumers will, and named last.
 *
 * @throws CountersignError what the store, the signer or the fetching throws; the tag points where it pointed then.
 */
export async function publishPolicy({ target, artifact, sign, now }: PublishRequest): Promise<FetchedPolicy> {
  const { store, tag } = target;
  const { manifest, blobs } = artifact;
  for (const { descriptor, bytes } of blobs) await store.pushBlob(descriptor, sourceOf(bytes));
  await store.pushManifest(manifest);
  const published: Target = { ...target, tag: undefined, digest: manifest.descriptor.digest };
  const signers = await sign(published);
  const fetched = await fetchPolicy(published, { signers, now });
  requirePlace(target, readPolicyArtifact(manifest, target.image));
  await store.pushManifest(manifest, tag);
  return fetched;
}
