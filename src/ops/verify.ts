import { findingUnlessInterrupted } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Descriptor, Platform } from "../core/oci/descriptor.ts";
import { type Digest, digestAlgorithm, digestOf } from "../core/oci/digest.ts";
import type { ImageIndex, Manifest } from "../core/oci/manifest.ts";
import { choosePlatform, platformName, runsNowhere } from "../core/oci/platform.ts";
import { reasonClass } from "../core/reasons.ts";
import type { SignedTag } from "../core/tags/signed-tag.ts";
import { tagWarnings } from "../core/tags/signed-tag-words.ts";
import { describeChecks, type Scope } from "../core/verify/checks.ts";
import { type Ruling, requirementsOf } from "../core/verify/criterion.ts";
import type { Judgement } from "../core/verify/judgement.ts";
import { isForDigest, type Judged, judgeBeside, judgeEach, rulingWithin } from "../core/verify/platforms.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import { Budget } from "./budget.ts";
import { mapConcurrently } from "./concurrency.ts";
import {
  type Court,
  DEFAULT_WORKERS,
  foundTag,
  judgeOnce,
  nameOf,
  openCourt,
  rulingOf,
  subjectOf,
  type Target,
  UnusablePolicy,
  type VerifyOptions,
} from "./judging.ts";
import { courtFor, type Reached, reachTarget } from "./resolve.ts";

export { nameOf, placeOf, type TagJudging, type Target, type VerifyOptions } from "./judging.ts";
export { bindTarget, type Reached, reachNarrowed, reachPlatform, reachTarget, resolveTarget } from "./resolve.ts";

/** What became of one image of the call. */
export interface VerifiedImage {
  /** One, or with `recursive` one for each manifest, the image itself first. */
  readonly verdicts: readonly Verdict[];
  readonly accepted: boolean;
  /** The manifest that was resolved: its bytes are those that were judged. */
  readonly root?: Manifest | undefined;
  /** What was asked for in it: the root, or the platform's manifest. */
  readonly selected?: Descriptor | undefined;
}

/**
 * Verifies many images, each judged whatever became of the others, in the order they were given.
 *
 * @throws CountersignError for a requirement or a policy that cannot be used, and `interrupted`.
 */
export async function verifyImages(targets: readonly Target[], options: VerifyOptions): Promise<VerifiedImage[]> {
  const court = openCourt(targets, options);
  return await mapConcurrently(targets, options.maxWorkers ?? DEFAULT_WORKERS, (target) => verifyTarget(target, court));
}

/** Verifies one image. @throws CountersignError as `verifyImages`. */
export async function verifyImage(target: Target, options: VerifyOptions): Promise<VerifiedImage> {
  return await verifyTarget(target, openCourt([target], options));
}

/** The same among others of a call that it shares judgements with. @throws CountersignError as `verifyImages`. */
export async function verifyTarget(target: Target, court: Court): Promise<VerifiedImage> {
  try {
    const { options, rulebook } = court;
    const reached = await reachTarget(target, { tags: options.tags, rulebook });
    return await verifyReached(reached, await courtFor(reached.target, court));
  } catch (error) {
    if (error instanceof UnusablePolicy) throw error.cause;
    return { verdicts: [unresolved(target, error, court.options)], accepted: false };
  }
}

async function verifyReached({ target, root }: Reached, court: Court): Promise<VerifiedImage> {
  if (root.kind === "index") return await verifyIndex(target, root, court);
  const { descriptor } = root;
  const ruling = await rulingOfRoot(target, root, court);
  const { index } = target;
  const within = index === undefined ? [] : [index.descriptor.digest, ...otherDigestsOf(index)];
  const judgement = await judgeOnce(
    { target, descriptor, ruling, alsoRuns: [...otherDigestsOf(root), ...within] },
    court,
  );
  return toResult([toVerdict(target, descriptor, judgement, court, "image")], root, descriptor);
}

/** Digests that are taken back and rules for digests are written with SHA-256: the same content is no other by another hash. */
function otherDigestsOf({ descriptor, bytes }: Manifest): readonly Digest[] {
  return digestAlgorithm(descriptor.digest) === "sha256" ? [] : [digestOf(bytes)];
}

async function rulingOfRoot(target: Target, root: Manifest, court: Court): Promise<Ruling> {
  const own = await rulingOf(target, root.descriptor, court);
  const others = otherDigestsOf(root).map((digest) => rulingOf(target, { ...root.descriptor, digest }, court));
  return [own, ...(await Promise.all(others))].find(isForDigest) ?? own;
}

// --- indexes ----------------------------------------------------------------------------------------------------------

async function verifyIndex(target: Target, index: ImageIndex, court: Court): Promise<VerifiedImage> {
  const { platform, recursive } = court.options;
  if (platform !== undefined) return await verifyPlatform(target, index, platform, court);
  const { descriptor } = index;
  const ruling = await rulingOfRoot(target, index, court);
  if (ruling.platforms === "each") return await verifyEach(target, index, ruling, court);
  const alsoRuns = [...otherDigestsOf(index), ...index.manifests.map(({ digest }) => digest)];
  const judgement = await judgeOnce({ target, descriptor, ruling, alsoRuns }, court);
  const isWhole = recursive === true;
  const children = await judgeChildren(target, index, ruling, court, isWhole ? () => true : isForDigest);
  const beside = judgeBeside(
    judgement,
    children.filter(({ ruling: own }) => isForDigest(own)),
  );
  const first = toVerdict(target, descriptor, beside, court, isWhole ? "image" : "index only");
  return toResult([first, ...(isWhole ? children.map(({ verdict }) => verdict) : [])], index, descriptor);
}

/** The signature of the index that lists a platform by digest covers it, unless the rule says otherwise; else its own has to. */
async function verifyPlatform(
  target: Target,
  index: ImageIndex,
  platform: Platform,
  court: Court,
): Promise<VerifiedImage> {
  const selected = choosePlatform(index, platform);
  const chosen = { platform: platformName(platform), index: index.descriptor.digest };
  const answer = (judgement: Judgement, scope: Scope): VerifiedImage =>
    toResult([{ ...toVerdict(target, selected, judgement, court, scope), ...chosen }], index, selected);
  const ruling = await rulingOfRoot(target, index, court);
  const others = otherDigestsOf(index);
  const own = rulingWithin(await rulingOf(target, selected, court), ruling);
  const judgeItself = () =>
    judgeOnce({ target, descriptor: selected, ruling: own, alsoRuns: [index.descriptor.digest, ...others] }, court);
  if (ruling.platforms === "each") return answer(await judgeItself(), "platform");
  const judgeIndex = () =>
    judgeOnce({ target, descriptor: index.descriptor, ruling, alsoRuns: [selected.digest, ...others] }, court);
  if (isOtherRule(ruling, own)) {
    const itself = await judgeItself();
    const byIndex = isForDigest(ruling) && itself.status === "accepted" ? await judgeIndex() : itself;
    return answer(byIndex.status === "accepted" ? itself : byIndex, "platform");
  }
  const byIndex = await judgeIndex();
  if (byIndex.status === "accepted") return answer(byIndex, "platform through its index");
  const byItself = await judgeItself();
  return answer(byItself.status === "accepted" ? byItself : nearer(byIndex, byItself), "platform");
}

/** A rule for the platform's own digest is not answered by what is said of the index; one for the index's holds as well. */
function isOtherRule(a: Ruling, b: Ruling): boolean {
  const [one, other] = [a.policy?.rule?.place, b.policy?.rule?.place];
  return one?.line !== other?.line || one?.column !== other?.column;
}

/** Of two that do not accept: what could not be determined first, then the one that found more than nothing. */
function nearer(a: Judgement, b: Judgement): Judgement {
  if (a.status !== b.status) return a.status === "undetermined" ? a : b;
  return a.reasons[0]?.code === "unsigned" ? b : a;
}

/** What is said of the index does not count: everything that it lists and that could be run has to meet the rule by itself. */
async function verifyEach(target: Target, index: ImageIndex, ruling: Ruling, court: Court): Promise<VerifiedImage> {
  const { descriptor } = index;
  const manifests = index.manifests.filter((entry) => !runsNowhere(entry));
  const children = await judgeChildren(target, { ...index, manifests }, ruling, court);
  const judgement = judgeEach(children, ruling, subjectOf(target, descriptor), court.rulebook.now);
  const first = toVerdict(target, descriptor, judgement, court, "image");
  const rest = court.options.recursive === true ? children.map(({ verdict }) => verdict) : [];
  return toResult([first, ...rest], index, descriptor);
}

/** A manifest that an index lists, by which rule it was judged, and the verdict on it. */
interface Child extends Judged {
  readonly ruling: Ruling;
  readonly verdict: Verdict;
}

async function judgeChildren(
  target: Target,
  index: ImageIndex,
  ofIndex: Ruling,
  court: Court,
  isAsked: (ruling: Ruling) => boolean = () => true,
): Promise<readonly Child[]> {
  const within = new Budget({ items: LIMITS.indexCandidates, bytes: LIMITS.indexCandidateBytes });
  const alsoRuns = [index.descriptor.digest, ...otherDigestsOf(index)];
  const judge = async (descriptor: Descriptor): Promise<readonly Child[]> => {
    const own = await rulingOf(target, descriptor, court);
    if (!isAsked(own)) return [];
    const ruling = rulingWithin(own, ofIndex);
    const judgement = await judgeOnce({ target, descriptor, ruling, alsoRuns, within }, court);
    const verdict = toVerdict({ ...target, tag: undefined }, descriptor, judgement, court, "platform");
    const platform = descriptor.platform === undefined ? {} : { platform: platformName(descriptor.platform) };
    return [
      { descriptor, judgement, ruling: own, verdict: { ...verdict, ...platform, index: index.descriptor.digest } },
    ];
  };
  return (await mapConcurrently(index.manifests, court.options.maxWorkers ?? DEFAULT_WORKERS, judge)).flat();
}

// --- verdicts ---------------------------------------------------------------------------------------------------------

function toResult(verdicts: readonly Verdict[], root: Manifest, selected: Descriptor): VerifiedImage {
  return { verdicts, accepted: verdicts.every((verdict) => verdict.status === "accepted"), root, selected };
}

function toVerdict(
  target: Target,
  descriptor: Descriptor,
  judgement: Judgement,
  { options, rulebook }: Court,
  scope: Scope,
): Verdict {
  const { met = [], ...judged } = judgement;
  const signedTag = foundTag(target);
  const repository = target.store.repository ?? target.ruledAs?.repository;
  return {
    ...judged,
    ...describeChecks(judgement, met.flatMap(requirementsOf), scope, {
      repository,
      contentFollows: options.contentFollows === true,
      signedTag: signedTag === "unpinned" && !isByTag(target) ? undefined : signedTag,
    }),
    ...(typeof signedTag === "object" && tellSignedTag(signedTag, judgement)),
    image: target.image,
    name: nameOf(target, descriptor),
    digest: descriptor.digest,
    weakened: options.weakened ?? [],
    judgedAt: rulebook.now,
  };
}

/** Of what is named by digest nobody needs to know what a tag means. */
function isByTag({ tag, digest }: Target): boolean {
  return tag !== undefined && digest === undefined;
}

function tellSignedTag(signedTag: SignedTag, { warnings = [] }: Judgement): Pick<Verdict, "signedTag" | "warnings"> {
  const all = [...tagWarnings(signedTag), ...warnings];
  return { signedTag, ...(all.length > 0 && { warnings: all }) };
}

/** An image that could not even be resolved: refused only where what arrived was seen to be wrong. */
export function unresolved(
  target: Pick<Target, "image">,
  error: unknown,
  options: Pick<VerifyOptions, "weakened" | "requirement">,
): Verdict {
  const finding = findingUnlessInterrupted(error);
  const { requirement } = options;
  const policy = "rulingOf" in requirement ? requirement.policy : undefined;
  return {
    status: reasonClass(finding.code) === "refused" ? "refused" : "undetermined",
    image: target.image,
    name: target.image,
    digest: undefined,
    reasons: [finding],
    signatures: [],
    checked: [],
    notChecked: [],
    weakened: options.weakened ?? [],
    judgedAt: requirement.now,
    ...(policy && { policy }),
  };
}
