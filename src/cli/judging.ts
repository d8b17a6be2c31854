import { refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError } from "../core/errors.ts";
import { parseLocation } from "../core/oci/location.ts";
import { repositoryName } from "../core/oci/reference.ts";
import type { ImageName } from "../core/policy/document.ts";
import { type Rulebook, requiringBinding } from "../core/verify/criterion.ts";
import { checkRequirement, type Requirement } from "../core/verify/requirement.ts";
import { type Target, unresolved, type VerifiedImage, type VerifyOptions, verifyImages } from "../ops/verify.ts";
import type { SignedList } from "../ops/withdrawn-artifact.ts";
import type { Wiring } from "../wire.ts";
import { compileAttestation } from "./attestation-options.ts";
import { readBundles } from "./bundles.ts";
import type { Context } from "./context.ts";
import { openGithubSources } from "./github-options.ts";
import { placesOf } from "./images.ts";
import type { RegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import type { OpenPolicy } from "./policy.ts";
import { type PolicyOptions, refuseRenaming } from "./policy-options.ts";
import { isPublishedPolicy } from "./policy-pin-options.ts";
import { type OpenedTags, openPins, openSignedTags, requirePinned } from "./signed-tags.ts";
import { type FindTrust, readSigners } from "./signers.ts";
import { refuseRegistriesOffline } from "./trust-options.ts";
import type { VerifyOptions as VerifyFlags } from "./verify-options.ts";

/** How images are judged, by whichever door: from flags, or by the policy that is there in their place. */

export interface Judging extends VerifyOptions {
  /** The policy that says what is required; absent where flags do. */
  readonly policy?: OpenPolicy | undefined;
  /** What images without a name of their own are called for it. */
  readonly as?: ImageName | undefined;
  readonly tags: OpenedTags;
}

type JudgingFlags = VerifyFlags & Pick<RegistryOptions, "platform" | "maxWorkers">;

/** Everything a command has that judges, beside its flags. */
export interface Judge {
  readonly context: Context;
  readonly output: Output;
  readonly wiring: Wiring;
  /** As the command line names them. */
  readonly images: readonly string[];
  /** Where they come from, where that is not what they are named by. */
  readonly repositories?: readonly (string | undefined)[] | undefined;
  /** Nothing else has to be looked at before a registry is asked. */
  readonly mayAskAhead?: boolean | undefined;
  /** Where trust roots are found; on this machine where nothing is said. */
  readonly find?: FindTrust | undefined;
}

/**
 * How verify, pull and copy judge images: everything that the flags name is read here.
 *
 * @throws CountersignError as `readRequirement`, `openPolicy` and `readBundles`.
 */
export async function readJudging(judge: Judge, flags: JudgingFlags): Promise<Judging> {
  refuseRegistriesOffline(flags.signers.trust, judge.images);
  const { context, wiring } = judge;
  const tags = await readTags(judge, flags);
  if (judge.mayAskAhead === true) await askAhead(judge, flags, tags);
  const policy = await readPolicy(judge, flags);
  const requirement = policy?.rulebook ?? (await readRequirement(judge, flags));
  const bundles = await readBundles(context, flags.bundles);
  const { recursive, weakened, platform, maxWorkers, github } = flags;
  const sources = github && (await openGithubSources(github, policy?.document, context, wiring));
  const as = flags.policy?.as;
  return { requirement, bundles, sources, recursive, weakened, platform, maxWorkers, policy, as, tags };
}

/** How tags are resolved. @throws CountersignError `usage` where only signed tags could decide, and there are none. */
async function readTags(judge: Judge, flags: JudgingFlags): Promise<OpenedTags> {
  const tags = await openSignedTags(judge, flags);
  if (flags.byTagAlone) {
    await requirePinned(tags, judge.repositories ?? judge.images.map((image) => nameFor(image).repository));
  }
  return tags;
}

/**
 * The first image is asked for while keys and identities are read: that takes as long as a registry near by takes to answer.
 * Not where the tag is not what decides, nor by a policy, which has to be usable before anything is looked at.
 */
async function askAhead(
  { wiring, images: [image = ""] }: Judge,
  { policy, byTagAlone, tags: { tofu } }: JudgingFlags,
  tags: OpenedTags,
): Promise<void> {
  if (policy !== undefined || byTagAlone || tofu || tags.isRequired) return;
  const location = parseLocation(image);
  if (location.kind !== "registry") return;
  const { reference } = location;
  const pinned = await tags.rootsOf([repositoryName(reference)]);
  if (pinned.length === 0) await wiring.askAhead(reference);
}

/** What must hold for the images. @throws CountersignError as `readSigners`, and `key-published`. */
async function readRequirement(
  { context, output, wiring, images, find }: Judge,
  flags: JudgingFlags,
): Promise<Requirement | Rulebook> {
  if (flags.byTagAlone) return requiringBinding(context.referenceTime);
  const signers = await readSigners(context, output, flags.signers, wiring, find);
  refusePublishedKeys(signers.keys, placesOf(images));
  const { threshold, annotations, signedAs } = flags;
  const now = context.referenceTime;
  const attestation = await compileAttestation(flags.attestation, now);
  const requirement = { ...signers, attestation, threshold, annotations, signedAs, now };
  checkRequirement(requirement);
  return requirement;
}

// --- by a policy ------------------------------------------------------------------------------------------------------

async function readPolicy(judge: Judge, flags: JudgingFlags): Promise<OpenPolicy | undefined> {
  const { policy, signers } = flags;
  if (policy === undefined) return undefined;
  const { context, output, wiring, images, find } = judge;
  refuseRenaming(policy, images);
  const published = new Published(judge, flags);
  const fetched = isPublishedPolicy(policy.file) ? await published.policy(policy) : undefined;
  const { openPolicy } = await import("./policy.ts");
  const { file } = policy;
  const { trust } = signers;
  const fetchList = (reference: string): Promise<SignedList> => published.list(reference);
  const opened = await openPolicy(context, output, wiring, { file, trust, images, find, fetched, fetchList });
  await prepareRules(
    opened.rulebook,
    images.map((image) => nameFor(image, policy.as)),
  );
  return opened;
}

/** What the policy is read from in registries: itself, and lists that it names. */
class Published {
  readonly #judge: Judge;
  readonly #flags: JudgingFlags;
  #tags: Promise<OpenedTags> | undefined;

  constructor(judge: Judge, flags: JudgingFlags) {
    this.#judge = judge;
    this.#flags = flags;
  }

  async policy(options: PolicyOptions): Promise<Uint8Array> {
    const { fetchPublishedPolicy } = await import("./policy-fetch.ts");
    return await fetchPublishedPolicy(this.#judge, options, this.#flags.signers.trust, await this.#pins());
  }

  async list(reference: string): Promise<SignedList> {
    const { fetchPublishedList } = await import("./policy-fetch.ts");
    return await fetchPublishedList(this.#judge, reference, this.#flags.signers.trust, await this.#pins());
  }

  /** Pins hold for what policies are read from too, once for all of it; what flags would pin or compare is about images. */
  #pins(): Promise<OpenedTags> {
    this.#tags ??= openPins(this.#judge, this.#flags, { tofu: false, checkTag: false });
    return this.#tags;
  }
}

/** What an image is called where rules are looked for: as it is named, else as the user says. */
export function nameFor(image: string, as?: ImageName): ImageName {
  const location = parseLocation(image);
  if (location.kind !== "registry") return as ?? { repository: undefined };
  const { reference } = location;
  return { repository: repositoryName(reference), tag: reference.tag, digest: reference.digest };
}

/**
 * Reads what the rules for these images name, so that a policy that cannot be used stops the call before anything is
 * looked at. What may pass is each image's own finding later.
 *
 * @throws CountersignError of those classes that say that nothing was checked.
 */
export async function prepareRules(rulebook: Rulebook, names: readonly ImageName[]): Promise<void> {
  for (const name of names) {
    try {
      await rulebook.rulingOf(name);
    } catch (error) {
      if (!(error instanceof CountersignError) || error.class === "usage" || error.class === "interrupted") throw error;
    }
  }
}

// --- images -----------------------------------------------------------------------------------------------------------

/** Judges images in their order; one that cannot even be opened is judged undetermined and stops no other. */
export async function judgeImages(
  wiring: Wiring,
  images: readonly string[],
  judging: Judging,
  narrow: (target: Target) => Promise<Target> = async (target) => target,
): Promise<readonly (VerifiedImage & { readonly target?: Target | undefined })[]> {
  const options = { ...judging, cache: wiring.cache };
  const opened = await Promise.all(images.map((image) => openTarget(wiring, image, options, narrow)));
  const targets = opened.flatMap((one) => ("store" in one ? [one] : []));
  const judged = await verifyImages(targets, options);
  const results = new Map(targets.map((target, at) => [target, judged[at]]));
  return opened.map((one) => {
    const result = "store" in one ? results.get(one) : undefined;
    return result === undefined || !("store" in one) ? (one as VerifiedImage) : { ...result, target: one };
  });
}

async function openTarget(
  wiring: Wiring,
  image: string,
  options: Judging,
  narrow: (target: Target) => Promise<Target>,
): Promise<Target | VerifiedImage> {
  try {
    return nameAs(await narrow(await wiring.target(image)), options);
  } catch (error) {
    if (error instanceof CountersignError && error.class === "usage") throw error;
    return { verdicts: [unresolved({ image }, error, options)], accepted: false };
  }
}

/** An image that has no name of its own is judged by the rules for the one that the user gives it. */
export function nameAs(target: Target, { as }: Pick<Judging, "as">): Target {
  if (as === undefined || target.store.repository !== undefined) return target;
  return { ...target, ruledAs: as };
}
