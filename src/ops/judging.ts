import { isPassing } from "../core/audit/passing.ts";
import { type PlaceOfUse, refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError } from "../core/errors.ts";
import type { Descriptor, Platform } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { ImageIndex, Manifest } from "../core/oci/manifest.ts";
import type { ContentCache, ContentStore, EvidenceSource } from "../core/ports.ts";
import type { RequiredIdentity } from "../core/tags/binding.ts";
import type { SignedTags, TagAnswer } from "../core/tags/signed-tag.ts";
import {
  type ImageName,
  leavesOf,
  type Rulebook,
  type Ruling,
  requirementsOf,
  requiring,
} from "../core/verify/criterion.ts";
import type { FoundTag, Subject, UntrustedCandidate } from "../core/verify/evidence.ts";
import { Hearing } from "../core/verify/hearing.ts";
import type { Judgement } from "../core/verify/judgement.ts";
import { checkRequirement, type Requirement } from "../core/verify/requirement.ts";
import type { SignatureReport } from "../core/verify/verdict.ts";
import type { Budget } from "./budget.ts";
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
  /** A file pins it so: the tag says where the digest came from once, and not that it is what the tag means now. */
  readonly isTagNote?: boolean | undefined;
  /** What it was resolved to before, by the digest that it names. */
  readonly resolved?: Manifest | undefined;
  /** Of a platform that is judged by itself: the index that it was chosen from. What is signed for a tag is the index. */
  readonly index?: ImageIndex | undefined;
  /** By the rules for which image it is judged, where the store gives it no name of its own. */
  readonly ruledAs?: ImageName | undefined;
  /** What its signed tags say of it, where they were asked already. */
  readonly bound?: Bound | undefined;
}

export interface Bound extends TagAnswer {
  /** A reference by digest, of which the rule wants no signed tag. */
  readonly isExempt: boolean;
}

/** Signed tags at a door: how references are resolved through them, and what they are wanted for. */
export interface TagJudging {
  readonly signedTags: SignedTags;
  /** Refuse what no signed tag covers, whatever a policy says: a flag or the environment wants that. */
  readonly isRequired: boolean;
  /**
   * What a binding asks for beside itself: a signature by one of these.
   *
   * @throws CountersignError where the trust root for it cannot be had.
   */
  readonly signedBy: (identities: readonly RequiredIdentity[]) => Promise<Requirement>;
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
  /** Where a root is pinned for the repository, its tags mean what is signed; without this, what the registry says. */
  readonly tags?: TagJudging | undefined;
  /** The caller goes on to move the content and check it: then the verdict does not say that it was not. */
  readonly contentFollows?: boolean | undefined;
  /**
   * An acceptance in spite of something that may pass is looked for again, twice at most: several signatures may do, and the same ones are
   * told whatever the network did.
   */
  readonly steady?: boolean | undefined;
  /** Look at everything, and say what became of each requirement: nothing ends with the first acceptance. */
  readonly explained?: boolean | undefined;
  /** What is kept of each signature that was looked at; everything where nothing is said. */
  readonly keep?: ((signature: SignatureReport) => readonly SignatureReport[]) | undefined;
}

/** Where a target is, for what depends on the place alone. */
export function placeOf({ image, store }: Target): PlaceOfUse {
  return { name: image, registry: store.repository?.split("/", 1)[0] };
}

/** Images judged at a time, where nobody says how many. */
export const DEFAULT_WORKERS = 32;

/** How often an acceptance is looked for once more while something stands in the way. */
const STEADY_TRIES = 2;

// --- what applies -----------------------------------------------------------------------------------------------------

/** One call: what holds for all of its images. */
export interface Court {
  readonly options: VerifyOptions;
  readonly rulebook: Rulebook;
  /** Each digest of a repository is judged once in a call, however often it is mentioned. */
  readonly judged: JudgementMemory;
}

export interface JudgementMemory {
  get(key: string): Promise<Judgement> | undefined;
  set(key: string, judgement: Promise<Judgement>): unknown;
}

export function openCourt(
  targets: readonly Target[],
  options: VerifyOptions,
  judged: JudgementMemory = new Map<string, Promise<Judgement>>(),
): Court {
  const { requirement } = options;
  if ("rulingOf" in requirement) return { options, rulebook: requirement, judged };
  checkRequirement(requirement);
  refusePublishedKeys(requirement.keys, targets.map(placeOf));
  return { options, rulebook: requiring(requirement), judged };
}

/** Nothing can be judged by it: that is no finding about one image. */
export class UnusablePolicy extends Error {
  override readonly cause: CountersignError;

  constructor(cause: CountersignError) {
    super(cause.message);
    this.cause = cause;
  }
}

/** What applies to an image, or to what an index lists under its digest. */
export async function rulingOf(target: Target, { digest }: Descriptor, { rulebook }: Court): Promise<Ruling> {
  try {
    return await rulebook.rulingOf({ ...imageName(target), digest });
  } catch (error) {
    if (error instanceof CountersignError && error.class === "usage") throw new UnusablePolicy(error);
    throw error;
  }
}

/** A tag beside a digest is information only: whoever names an image could choose its rule by it. */
export function imageName({ ruledAs, store, digest, tag }: Target): ImageName {
  return ruledAs ?? { repository: store.repository, tag: digest === undefined ? tag : undefined };
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

export function judgeOnce(one: Case, court: Court): Promise<Judgement> {
  const { target, descriptor, ruling, alsoRuns = [] } = one;
  const withdrawn = alsoRuns.filter((digest) => ruling.withdrawn.has(digest));
  const key = JSON.stringify([
    ...[target.store.location, descriptor.digest, withdrawn, boundPart(target, ruling)],
    ...namePart(target, ruling),
  ]);
  const known = court.judged.get(key);
  if (known !== undefined) return known;
  const subject = { ...subjectOf(target, descriptor), alsoRuns: withdrawn };
  const judgement = judgeSubject(target.store, subject, one, court);
  court.judged.set(key, judgement);
  return judgement;
}

/**
 * What a judgement depends on of what the image is called, and of the index that it was reached by: the rule and the pattern
 * of it that matched, and the exceptions that cover the name. The tag itself decides nothing beside them, so that all the tags
 * of a digest that fall under one rule are judged together.
 */
function namePart(target: Target, { policy, exceptions }: Ruling): readonly unknown[] {
  if (policy === undefined) return [];
  const { repository, tag } = imageName(target);
  if (policy.rule === undefined) return [repository, tag];
  const { place, pattern } = policy.rule;
  const covering = exceptions.map((each) => [each.place.line, each.place.column, each.coversName]);
  return [repository, place.line, place.column, pattern, covering];
}

/** What a judgement depends on of the signed tag that the image was reached by. */
function boundPart({ bound }: Target, { criterion }: Ruling): readonly unknown[] {
  if (bound === undefined) return [];
  const { requires, signedTag, isExempt } = bound;
  if (!leavesOf(criterion).some(({ kind }) => kind === "binding")) return [requires];
  const { role, pin, binding } = signedTag ?? {};
  return [requires, isExempt, role, pin, binding?.signedAt, binding?.tag === undefined];
}

export function subjectOf(target: Target, descriptor: Descriptor): Subject {
  const repository = target.store.repository ?? target.ruledAs?.repository;
  return { name: nameOf(target, descriptor), repository, descriptor, signedTag: foundTag(target) };
}

/** What the target was reached by, for who judges and for who tells. */
export function foundTag({ bound }: Pick<Target, "bound">): FoundTag | undefined {
  return bound && (bound.signedTag ?? (bound.isExempt ? "exempt" : "unpinned"));
}

async function judgeSubject(store: ContentStore, subject: Subject, one: Case, court: Court): Promise<Judgement> {
  let heard = await hearSubject(store, subject, one, court);
  if (court.options.steady !== true) return heard.judgement;
  for (let tries = 0; tries < STEADY_TRIES && heard.isHindered; tries++) {
    if (heard.judgement.status !== "accepted") break;
    const again = await hearSubject(store, subject, one, court);
    if (again.judgement.status === "accepted") heard = again;
  }
  return heard.judgement;
}

/** What came of it, and whether something that may pass stood in the way of what was looked for. */
interface Heard {
  readonly judgement: Judgement;
  readonly isHindered: boolean;
}

/** Gathers step by step and judges after each: an acceptance ends the looking, since evidence only adds. */
async function hearSubject(
  store: ContentStore,
  subject: Subject,
  { ruling, within }: Case,
  { options, rulebook }: Court,
): Promise<Heard> {
  let isHindered = false;
  const hearing = new Hearing(ruling, subject, rulebook.now);
  const conclude = (): Heard => {
    const judgement = keeping(hearing.judgement(), options);
    const outcome = options.explained === true ? { outcome: hearing.outcome() } : {};
    return { judgement: { ...judgement, ...outcome }, isHindered };
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
    isHindered ||= part.obstacles.some(isPassing);
    if (options.explained !== true && hearing.isMet()) break;
  }
  return conclude();
}

function keeping(judgement: Judgement, { keep }: VerifyOptions): Judgement {
  return keep === undefined ? judgement : { ...judgement, signatures: judgement.signatures.flatMap(keep) };
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

/** `location[:tag]@digest`: what was asked for and what it is. */
export function nameOf(target: Pick<Target, "store" | "tag">, descriptor: Descriptor): string {
  const tag = target.tag === undefined ? "" : `:${target.tag}`;
  return `${target.store.location}${tag}@${descriptor.digest}`;
}
