import { type PlaceOfUse, refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError, findingUnlessInterrupted } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Descriptor, Platform } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { ImageIndex, Manifest } from "../core/oci/manifest.ts";
import { choosePlatform, platformName } from "../core/oci/platform.ts";
import type { ContentCache, ContentStore, EvidenceSource } from "../core/ports.ts";
import { reasonClass } from "../core/reasons.ts";
import { describeChecks, type Scope } from "../core/verify/checks.ts";
import {
  type ImageName,
  leavesOf,
  type Rulebook,
  type Ruling,
  requirementsOf,
  requiring,
} from "../core/verify/criterion.ts";
import type { Subject, UntrustedCandidate } from "../core/verify/evidence.ts";
import { Hearing } from "../core/verify/hearing.ts";
import type { Judgement } from "../core/verify/judgement.ts";
import { type Judged, judgeEach } from "../core/verify/platforms.ts";
import { checkRequirement, type Requirement } from "../core/verify/requirement.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import { Budget } from "./budget.ts";
import { mapConcurrently } from "./concurrency.ts";
import { type GatherOptions, gather } from "./gather.ts";

/** An image to look at: where, and which. */
export interface Target {
  /** As the user wrote it. */
  readonly image: string;
  readonly store: ContentStore;
  /** Tag of the reference, kept for printing. */
  readonly tag?: string | undefined;
  /** Digest of the reference: where there is one, the tag is information only. */
  readonly digest?: Digest | undefined;
  /** By the rules for which image it is judged, where the store gives it no name of its own. */
  readonly ruledAs?: ImageName | undefined;
}

export interface VerifyOptions {
  /** The same of every image, or what a policy says of each. */
  readonly requirement: Requirement | Rulebook;
  /** Judge this platform of an index: by the signature of the index that lists it, or by its own. */
  readonly platform?: Platform | undefined;
  /** Judge the index and every manifest in it, each by its own signature. */
  readonly recursive?: boolean | undefined;
  /** Bundles handed in as files: they are looked at instead of what the store holds. */
  readonly bundles?: readonly Uint8Array[] | undefined;
  readonly cache?: ContentCache | undefined;
  /** Other places to look in beside the image's own. */
  readonly sources?: readonly EvidenceSource[] | undefined;
  /** Flags that weaken, as they are printed in the verdict. */
  readonly weakened?: readonly string[] | undefined;
  /** Images judged at a time. */
  readonly maxWorkers?: number | undefined;
  /** The caller goes on to move the content and check it: then the verdict does not say that it was not. */
  readonly contentFollows?: boolean | undefined;
  /** Look at everything, and say what became of each requirement: nothing ends with the first acceptance. */
  readonly explained?: boolean | undefined;
}

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

const DEFAULT_WORKERS = 32;

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

/** One call: what holds for all of its images. */
interface Court {
  readonly options: VerifyOptions;
  readonly rulebook: Rulebook;
  /** Each digest of a repository is judged once in a call, however often it is mentioned. */
  readonly judged: Map<string, Promise<Judgement>>;
}

function openCourt(targets: readonly Target[], options: VerifyOptions): Court {
  const { requirement } = options;
  if ("rulingOf" in requirement) return { options, rulebook: requirement, judged: new Map() };
  checkRequirement(requirement);
  refusePublishedKeys(requirement.keys, targets.map(placeOf));
  return { options, rulebook: requiring(requirement), judged: new Map() };
}

/** Where a target is, for what depends on the place alone. */
export function placeOf({ image, store }: Target): PlaceOfUse {
  return { name: image, registry: store.repository?.split("/", 1)[0] };
}

async function verifyTarget(target: Target, court: Court): Promise<VerifiedImage> {
  try {
    const root = await resolveTarget(target);
    if (root.kind === "index") return await verifyIndex(target, root, court);
    const { descriptor } = root;
    const ruling = await rulingOf(target, descriptor, court);
    const judgement = await judgeOnce({ target, descriptor, ruling }, court);
    return toResult([toVerdict(target, descriptor, judgement, court, "image")], root, descriptor);
  } catch (error) {
    if (error instanceof UnusablePolicy) throw error.cause;
    return { verdicts: [unresolved(target, error, court.options)], accepted: false };
  }
}

/** Nothing can be judged by it: that is no finding about one image. */
class UnusablePolicy extends Error {
  override readonly cause: CountersignError;

  constructor(cause: CountersignError) {
    super(cause.message);
    this.cause = cause;
  }
}

/**
 * What applies to an image, or to what an index lists under its digest. A tag beside a digest is information only: whoever
 * names an image would choose its rule by it.
 */
async function rulingOf(target: Target, { digest }: Descriptor, { rulebook }: Court): Promise<Ruling> {
  const named = target.ruledAs ?? { repository: target.store.repository, tag: target.digest ? undefined : target.tag };
  try {
    return await rulebook.rulingOf({ ...named, digest });
  } catch (error) {
    if (error instanceof CountersignError && error.class === "usage") throw new UnusablePolicy(error);
    throw error;
  }
}

/** Resolves a tag once; everything after uses the digest. @throws `not-found`. */
export async function resolveTarget(target: Target): Promise<Manifest> {
  const wanted = target.digest ?? target.tag;
  const manifest = await target.store.resolve(wanted);
  if (manifest !== undefined) return manifest;
  throw new CountersignError("not-found", "there is no such image", { wanted: target.image });
}

// --- indexes ----------------------------------------------------------------------------------------------------------

async function verifyIndex(target: Target, index: ImageIndex, court: Court): Promise<VerifiedImage> {
  const { platform, recursive } = court.options;
  if (platform !== undefined) return await verifyPlatform(target, index, platform, court);
  const { descriptor } = index;
  const ruling = await rulingOf(target, descriptor, court);
  if (ruling.platforms === "each") return await verifyEach(target, index, ruling, court);
  const alsoRuns = index.manifests.map(({ digest }) => digest);
  const judgement = await judgeOnce({ target, descriptor, ruling, alsoRuns }, court);
  const first = toVerdict(target, descriptor, judgement, court, recursive === true ? "image" : "index only");
  const rest = recursive === true ? await judgeChildren(target, index, court) : [];
  return toResult([first, ...rest.map(({ verdict }) => verdict)], index, descriptor);
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
  const ruling = await rulingOf(target, index.descriptor, court);
  const ownRuling = await rulingOf(target, selected, court);
  const judgeItself = () =>
    judgeOnce({ target, descriptor: selected, ruling: ownRuling, alsoRuns: [index.descriptor.digest] }, court);
  if (ruling.platforms === "each" || isOtherRule(ruling, ownRuling)) return answer(await judgeItself(), "platform");
  const alsoRuns = [selected.digest];
  const byIndex = await judgeOnce({ target, descriptor: index.descriptor, ruling, alsoRuns }, court);
  if (byIndex.status === "accepted") return answer(byIndex, "platform through its index");
  const byItself = await judgeItself();
  return answer(byItself.status === "accepted" ? byItself : nearer(byIndex, byItself), "platform");
}

/** A rule for the platform's own digest is not answered by what is said of the index. */
function isOtherRule(a: Ruling, b: Ruling): boolean {
  const [one, other] = [a.policy?.rule?.place, b.policy?.rule?.place];
  return one?.line !== other?.line || one?.column !== other?.column;
}

/** Of two that do not accept: what could not be determined first, then the one that found more than nothing. */
function nearer(a: Judgement, b: Judgement): Judgement {
  if (a.status !== b.status) return a.status === "undetermined" ? a : b;
  return a.reasons[0]?.code === "unsigned" ? b : a;
}

/** What is said of the index does not count: everything that it lists has to meet the rule by itself. */
async function verifyEach(target: Target, index: ImageIndex, ruling: Ruling, court: Court): Promise<VerifiedImage> {
  const { descriptor } = index;
  const children = await judgeChildren(target, index, court);
  const judgement = judgeEach(children, ruling, subjectOf(target, descriptor), court.rulebook.now);
  const first = toVerdict(target, descriptor, judgement, court, "image");
  const rest = court.options.recursive === true ? children.map(({ verdict }) => verdict) : [];
  return toResult([first, ...rest], index, descriptor);
}

async function judgeChildren(
  target: Target,
  index: ImageIndex,
  court: Court,
): Promise<readonly (Judged & { readonly verdict: Verdict })[]> {
  const within = new Budget({ items: LIMITS.indexCandidates, bytes: LIMITS.indexCandidateBytes });
  const alsoRuns = [index.descriptor.digest];
  return await mapConcurrently(index.manifests, court.options.maxWorkers ?? DEFAULT_WORKERS, async (descriptor) => {
    const ruling = await rulingOf(target, descriptor, court);
    const judgement = await judgeOnce({ target, descriptor, ruling, alsoRuns, within }, court);
    const verdict = toVerdict({ ...target, tag: undefined }, descriptor, judgement, court, "platform");
    const platform = descriptor.platform === undefined ? {} : { platform: platformName(descriptor.platform) };
    return { descriptor, judgement, verdict: { ...verdict, ...platform, index: index.descriptor.digest } };
  });
}

// --- judging ----------------------------------------------------------------------------------------------------------

/** One manifest, and what applies to it. */
interface Case {
  readonly target: Target;
  readonly descriptor: Descriptor;
  readonly ruling: Ruling;
  readonly alsoRuns?: readonly Digest[] | undefined;
  readonly within?: Budget | undefined;
}

function judgeOnce(one: Case, court: Court): Promise<Judgement> {
  const { target, descriptor, ruling, alsoRuns = [] } = one;
  const withdrawn = alsoRuns.filter((digest) => ruling.withdrawn.has(digest));
  // Where a policy decides, its rule depends on what the image is called.
  const name = ruling.policy === undefined ? "" : `${target.ruledAs?.repository} ${target.ruledAs?.tag} ${target.tag}`;
  const key = `${target.store.location}@${descriptor.digest} ${name} ${withdrawn.join()}`;
  const known = court.judged.get(key);
  if (known !== undefined) return known;
  const subject = { ...subjectOf(target, descriptor), alsoRuns: withdrawn };
  const judgement = judgeSubject(target.store, subject, one, court);
  court.judged.set(key, judgement);
  return judgement;
}

function subjectOf(target: Target, descriptor: Descriptor): Subject {
  const repository = target.store.repository ?? target.ruledAs?.repository;
  return { name: nameOf(target, descriptor), repository, descriptor };
}

/** Gathers step by step and judges after each: an acceptance ends the looking, since evidence only adds. */
async function judgeSubject(
  store: ContentStore,
  subject: Subject,
  { ruling, within }: Case,
  { options, rulebook }: Court,
): Promise<Judgement> {
  const hearing = new Hearing(ruling, subject, rulebook.now);
  const conclude = (): Judgement => {
    const judgement = hearing.judgement();
    return options.explained === true ? { ...judgement, outcome: hearing.outcome() } : judgement;
  };
  if (options.bundles !== undefined) {
    const candidates = options.bundles.map(
      (bytes): UntrustedCandidate => ({ format: "bundle", origin: { via: "file" }, bytes }),
    );
    hearing.add({ candidates, obstacles: [] });
    return conclude();
  }
  const { cache, sources } = options;
  const wanted = wantedBy(ruling);
  if (wanted === undefined) return conclude();
  for await (const part of gather(store, subject.descriptor.digest, { ...wanted, cache, within, sources })) {
    hearing.add(part);
    if (options.explained !== true && hearing.isMet()) break;
  }
  return conclude();
}

/** What evidence can meet it; undefined where none can. */
function wantedBy({ criterion }: Ruling): Pick<GatherOptions, "types" | "signatures"> | undefined {
  const requirements = leavesOf(criterion).flatMap(requirementsOf);
  if (requirements.length === 0) return undefined;
  const attestations = requirements.flatMap(({ attestation }) => (attestation === undefined ? [] : [attestation]));
  const types = attestations.flatMap(({ predicateTypes }) => predicateTypes);
  return {
    types: attestations.length === 0 ? undefined : types,
    signatures: attestations.length < requirements.length,
  };
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
  const repository = target.store.repository ?? target.ruledAs?.repository;
  return {
    ...judged,
    ...describeChecks(judgement, met.flatMap(requirementsOf), scope, {
      repository,
      contentFollows: options.contentFollows === true,
    }),
    image: target.image,
    name: nameOf(target, descriptor),
    digest: descriptor.digest,
    weakened: options.weakened ?? [],
    judgedAt: rulebook.now,
  };
}

/** `location[:tag]@digest`: what was asked for and what it is. */
export function nameOf(target: Pick<Target, "store" | "tag">, descriptor: Descriptor): string {
  const tag = target.tag === undefined ? "" : `:${target.tag}`;
  return `${target.store.location}${tag}@${descriptor.digest}`;
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
