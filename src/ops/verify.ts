import { type PlaceOfUse, refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError, type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Descriptor, Platform } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { ImageIndex, Manifest } from "../core/oci/manifest.ts";
import { choosePlatform, platformName } from "../core/oci/platform.ts";
import type { ContentCache, ContentStore, EvidenceSource } from "../core/ports.ts";
import { reasonClass } from "../core/reasons.ts";
import { describeChecks, type Scope } from "../core/verify/checks.ts";
import type { Subject, UntrustedCandidate } from "../core/verify/evidence.ts";
import { examine } from "../core/verify/examine.ts";
import { checkRequirement, type Requirement } from "../core/verify/requirement.ts";
import type { SignatureReport, Verdict } from "../core/verify/verdict.ts";
import { conclude, type Judgement, judge } from "../core/verify/verify.ts";
import { Budget } from "./budget.ts";
import { mapConcurrently } from "./concurrency.ts";
import { gather } from "./gather.ts";

/** An image to look at: where, and which. */
export interface Target {
  /** As the user wrote it. */
  readonly image: string;
  readonly store: ContentStore;
  /** Tag of the reference, kept for printing. */
  readonly tag?: string | undefined;
  /** Digest of the reference: where there is one, the tag is information only. */
  readonly digest?: Digest | undefined;
}

export interface VerifyOptions {
  readonly requirement: Requirement;
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

/** Verifies many images, each judged whatever became of the others, in the order they were given. */
export async function verifyImages(targets: readonly Target[], options: VerifyOptions): Promise<VerifiedImage[]> {
  checkUse(targets, options.requirement);
  const judgements = new Map<string, Promise<Judgement>>();
  return mapConcurrently(targets, options.maxWorkers ?? DEFAULT_WORKERS, (target) =>
    verifyTarget(target, options, judgements),
  );
}

/** Verifies one image. @throws CountersignError only for a requirement that cannot be used, and `interrupted`. */
export async function verifyImage(target: Target, options: VerifyOptions): Promise<VerifiedImage> {
  checkUse([target], options.requirement);
  return verifyTarget(target, options, new Map());
}

function checkUse(targets: readonly Target[], requirement: Requirement): void {
  checkRequirement(requirement);
  refusePublishedKeys(requirement.keys, targets.map(placeOf));
}

/** Where a target is, for what depends on the place alone. */
export function placeOf({ image, store }: Target): PlaceOfUse {
  return { name: image, registry: store.repository?.split("/", 1)[0] };
}

type Memo = Map<string, Promise<Judgement>>;

async function verifyTarget(target: Target, options: VerifyOptions, memo: Memo): Promise<VerifiedImage> {
  try {
    const root = await resolveTarget(target);
    if (root.kind === "index" && options.platform !== undefined) {
      return await verifyPlatform(target, root, options.platform, options, memo);
    }
    const scope: Scope = root.kind === "index" && options.recursive !== true ? "index only" : "image";
    const judgement = await judgeOnce(target, root.descriptor, options, memo);
    const first = toVerdict(target, root.descriptor, judgement, options, scope);
    const rest =
      options.recursive === true && root.kind === "index" ? await verifyChildren(target, root, options, memo) : [];
    return toResult([first, ...rest], root, root.descriptor);
  } catch (error) {
    return { verdicts: [unresolved(target, error, options)], accepted: false };
  }
}

/** Resolves a tag once; everything after uses the digest. @throws `not-found`. */
export async function resolveTarget(target: Target): Promise<Manifest> {
  const wanted = target.digest ?? target.tag;
  const manifest = await target.store.resolve(wanted);
  if (manifest !== undefined) return manifest;
  throw new CountersignError("not-found", "there is no such image", { wanted: target.image });
}

/** The signature of the index that lists a platform by digest covers it; else its own signature has to. */
async function verifyPlatform(
  target: Target,
  index: ImageIndex,
  platform: Platform,
  options: VerifyOptions,
  memo: Memo,
): Promise<VerifiedImage> {
  const selected = choosePlatform(index, platform);
  const chosen = { platform: platformName(platform), index: index.descriptor.digest };
  const byIndex = await judgeOnce(target, index.descriptor, options, memo);
  if (byIndex.status === "accepted") {
    const verdict = toVerdict(target, selected, byIndex, options, "platform through its index");
    return toResult([{ ...verdict, ...chosen }], index, selected);
  }
  const byItself = await judgeOnce(target, selected, options, memo);
  const judgement = byItself.status === "accepted" ? byItself : nearer(byIndex, byItself);
  return toResult([{ ...toVerdict(target, selected, judgement, options, "platform"), ...chosen }], index, selected);
}

/** Of two that do not accept: what could not be determined first, then the one that found more than nothing. */
function nearer(a: Judgement, b: Judgement): Judgement {
  if (a.status !== b.status) return a.status === "undetermined" ? a : b;
  return a.reasons[0]?.code === "unsigned" ? b : a;
}

async function verifyChildren(
  target: Target,
  index: ImageIndex,
  options: VerifyOptions,
  memo: Memo,
): Promise<readonly Verdict[]> {
  const within = new Budget({ items: LIMITS.indexCandidates, bytes: LIMITS.indexCandidateBytes });
  return mapConcurrently(index.manifests, options.maxWorkers ?? DEFAULT_WORKERS, async (child) => {
    const judgement = await judgeOnce(target, child, options, memo, within);
    const verdict = toVerdict({ ...target, tag: undefined }, child, judgement, options, "platform");
    const platform = child.platform === undefined ? {} : { platform: platformName(child.platform) };
    return { ...verdict, ...platform, index: index.descriptor.digest };
  });
}

/** Judges each digest of a repository once in a call, however often it is mentioned. */
function judgeOnce(
  target: Target,
  descriptor: Descriptor,
  options: VerifyOptions,
  memo: Memo,
  within?: Budget,
): Promise<Judgement> {
  const key = `${target.store.location}@${descriptor.digest}`;
  const known = memo.get(key);
  if (known !== undefined) return known;
  const subject = { name: nameOf(target, descriptor), repository: target.store.repository, descriptor };
  const judgement = judgeSubject(target.store, subject, options, within);
  memo.set(key, judgement);
  return judgement;
}

/** Gathers step by step and judges after each: an acceptance ends the looking, since evidence only adds. */
async function judgeSubject(
  store: ContentStore,
  subject: Subject,
  options: VerifyOptions,
  within: Budget | undefined,
): Promise<Judgement> {
  if (options.bundles !== undefined) {
    const candidates = options.bundles.map(
      (bytes): UntrustedCandidate => ({ format: "bundle", origin: { via: "file" }, bytes }),
    );
    return judge({ subject, candidates, obstacles: [] }, options.requirement);
  }
  const { requirement, cache, sources } = options;
  const types = requirement.attestation?.predicateTypes;
  const signatures: SignatureReport[] = [];
  const obstacles: Finding[] = [];
  let judgement = conclude(signatures, obstacles, requirement);
  for await (const part of gather(store, subject.descriptor.digest, { cache, within, types, sources })) {
    signatures.push(...part.candidates.map((candidate) => examine(candidate, subject, requirement)));
    obstacles.push(...part.obstacles);
    judgement = conclude(signatures, obstacles, requirement);
    if (judgement.status === "accepted") break;
  }
  return { ...judgement, signatures: [...signatures] };
}

function toResult(verdicts: readonly Verdict[], root: Manifest, selected: Descriptor): VerifiedImage {
  return { verdicts, accepted: verdicts.every((verdict) => verdict.status === "accepted"), root, selected };
}

function toVerdict(
  target: Target,
  descriptor: Descriptor,
  judgement: Judgement,
  options: VerifyOptions,
  scope: Scope,
): Verdict {
  return {
    ...judgement,
    ...describeChecks(judgement, options.requirement, scope, {
      repository: target.store.repository,
      contentFollows: options.contentFollows === true,
    }),
    image: target.image,
    name: nameOf(target, descriptor),
    digest: descriptor.digest,
    weakened: options.weakened ?? [],
    judgedAt: options.requirement.now,
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
    judgedAt: options.requirement.now,
  };
}
