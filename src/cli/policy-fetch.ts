import { refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError } from "../core/errors.ts";
import { parseReference, type Reference } from "../core/oci/reference.ts";
import { formatInstant } from "../core/time.ts";
import type { Requirement } from "../core/verify/requirement.ts";
import type { TagJudging } from "../ops/judging.ts";
import { fetchPolicy } from "../ops/policy-artifact.ts";
import { fetchWithdrawn, type SignedList } from "../ops/withdrawn-artifact.ts";
import type { Judge } from "./judging.ts";
import type { PolicyOptions } from "./policy-options.ts";
import { isPublishedPolicy, type PolicyPinOptions } from "./policy-pin-options.ts";
import { readSigners } from "./signers.ts";
import type { TrustOptions } from "./trust-options.ts";

/**
 * A policy in a registry, proven to be the one that is meant.
 *
 * @throws CountersignError `policy-untrusted`, `policy-invalid`, `usage`; what the registry fails with, since then nothing
 *   says what is required.
 */
export async function fetchPublishedPolicy(
  judge: Judge,
  { file, pin }: PolicyOptions,
  trust: TrustOptions,
  tags: TagJudging,
): Promise<Uint8Array> {
  const { context, output, wiring } = judge;
  if (trust.offline) {
    throw new CountersignError("usage", "--offline opens no connection, and this policy is behind one", {
      found: file,
      wanted: "a policy in a file",
    });
  }
  const reference = policyReference(file);
  const { tag, digest } = reference;
  const store = await wiring.open({ kind: "registry", reference });
  const signers = await readPinned(judge, pin, trust, reference);
  const target = { image: file, store, ...(digest === undefined ? { tag } : { digest }) };
  const now = context.referenceTime;
  const fetched = await fetchPolicy(target, { signers, tags, maxAge: pin.maxAge, now, cache: wiring.cache });
  const age = fetched.createdAt === undefined ? "" : `, published ${formatInstant(fetched.createdAt)}`;
  const by = fetched.isTagSigned ? ", by its signed tag" : "";
  if (digest === undefined) output.note(`the policy ${file} is ${fetched.digest}${by}${age}`);
  return fetched.bytes;
}

/**
 * A list of withdrawn digests as it is kept in a registry. Whether it is signed is not said.
 *
 * @throws CountersignError as `fetchWithdrawn`; `unreachable` where no connection is to be opened, since what cannot be
 *   looked at withdraws anything.
 */
export async function fetchPublishedList(
  { wiring }: Judge,
  artifact: string,
  { offline }: Pick<TrustOptions, "offline">,
  tags: TagJudging,
): Promise<SignedList> {
  if (offline) {
    throw new CountersignError("unreachable", "--offline opens no connection, and a list of the policy is behind one", {
      found: artifact,
      wanted: "a list in a file beside the policy",
    });
  }
  const reference = policyReference(artifact);
  const { tag, digest } = reference;
  const store = await wiring.open({ kind: "registry", reference });
  return await fetchWithdrawn({ image: artifact, store, ...(digest === undefined ? { tag } : { digest }) }, tags);
}

/**
 * `oci://registry/repository:tag` or `@digest`. No registry is added, and no tag: a policy is named in full.
 *
 * @throws CountersignError `reference-invalid`.
 */
export function policyReference(policy: string): Reference {
  const name = policy.replace(/^oci:\/\//, "");
  const reference = parseReference(name);
  const isWhole = name.startsWith(`${reference.registry}/`) && /[:@][^/]*$/.test(name);
  if (isWhole) return reference;
  throw new CountersignError("reference-invalid", "a policy is named in full", {
    found: policy,
    wanted: "oci://registry/repository:tag or oci://registry/repository@sha256:…",
  });
}

export type TaggedReference = Reference & { readonly tag: string };

/** Where something is published: `oci://registry/repository:tag`. @throws CountersignError `usage`, `reference-invalid`. */
export function taggedReference(place: string): TaggedReference {
  const wanted = "oci://registry/repository:tag";
  if (!isPublishedPolicy(place)) {
    throw new CountersignError("usage", "not a place in a registry", { found: place, wanted });
  }
  const { tag, digest, ...reference } = policyReference(place);
  if (tag !== undefined && digest === undefined) return { ...reference, tag };
  throw new CountersignError("usage", "what is published has a tag", { found: place, wanted });
}

async function readPinned(
  { context, output, wiring, find }: Judge,
  { keys, identity }: PolicyPinOptions,
  trust: TrustOptions,
  { registry }: Reference,
): Promise<Requirement | undefined> {
  if (keys.length === 0 && identity === undefined) return undefined;
  const proof = { ignoreLog: false, ignoreCertificateLog: false, signedTimestamps: false, currentTime: false };
  // The trust root that the flags name is for identities: a bare key rests on nobody else.
  const believed = identity === undefined ? { ...trust, trustedRoot: undefined, instance: undefined } : trust;
  const signers = await readSigners(context, output, { keys, identity, proof, trust: believed }, wiring, find);
  refusePublishedKeys(signers.keys, [{ name: "the policy", registry }]);
  return { ...signers, threshold: 1, annotations: {}, signedAs: [], now: context.referenceTime };
}
