import type { RecordedImage } from "../core/cases/recorded.ts";
import { CountersignError, type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import { SIGNATURE_PREDICATE } from "../core/formats/envelope.ts";
import { type Carried, carriedBy, type Everybody } from "../core/review/carried.ts";
import { hasCertificate } from "../core/review/everybody.ts";
import type { LearnedImage, LearnedSigner, UnlearnedImage } from "../core/review/learned.ts";
import type { Rulebook } from "../core/verify/criterion.ts";
import { Exhibit } from "../core/verify/exhibit.ts";
import type { SignedBy } from "../core/verify/verdict.ts";
import { mapConcurrently } from "./concurrency.ts";
import type { Bound, Target } from "./judging.ts";
import { openRecorded, type RecordOptions, recordImage } from "./recorded.ts";
import { reachTarget, type TagSearch } from "./resolve.ts";
import { verifyImage } from "./verify.ts";

/** An image as it was found. */
export interface GatheredImage {
  /** As the user wrote it. */
  readonly name: string;
  readonly recorded: RecordedImage;
  readonly exhibits: readonly Exhibit[];
  /** What it was reached by, for rules that judge by signed tags; the record holds none. */
  readonly bound?: Bound | undefined;
}

const WORKERS = 8;

/** Everything that is stored about images. @throws CountersignError only `interrupted`, and for wrong usage. */
export async function gatherImages(
  targets: readonly Target[],
  { tags, ...options }: Pick<RecordOptions, "now" | "cache"> & Pick<TagSearch, "tags">,
): Promise<{ readonly gathered: readonly GatheredImage[]; readonly unlearned: readonly UnlearnedImage[] }> {
  const looked = await mapConcurrently(targets, WORKERS, async (target): Promise<GatheredImage | UnlearnedImage> => {
    const { image: name } = target;
    try {
      const { target: reached, root } = await reachTarget(target, { tags });
      const recorded = await recordImage({ ...reached, resolved: root }, { ...options, isShallow: true });
      const candidates = recorded.subjects.flatMap((subject) => subject.candidates);
      return { name, recorded, exhibits: candidates.map((candidate) => new Exhibit(candidate)), bound: reached.bound };
    } catch (error) {
      return { name, finding: findingUnlessInterrupted(error) };
    }
  });
  return {
    gathered: looked.flatMap((one) => ("recorded" in one ? [one] : [])),
    unlearned: looked.flatMap((one) => ("finding" in one ? [one] : [])),
  };
}

/** Whether any of it is signed with a certificate: then a trust root is needed. */
export function needsTrust(images: readonly GatheredImage[]): boolean {
  return images.some(({ exhibits }) => exhibits.some(hasCertificate));
}

/** Whether there are certificates that none of these roots vouch for. */
export function isUnproven(images: readonly GatheredImage[], everybody: Everybody): boolean {
  const certified = images.flatMap(({ exhibits }) => exhibits).filter(hasCertificate);
  return certified.some((exhibit) => !("claim" in carriedBy(exhibit, everybody)));
}

/** What the policy calls those who are proven; undefined for whom it has no way to name. */
export type NameSigner = (signedBy: SignedBy, trust: string | undefined) => LearnedSigner | undefined;

export interface Lesson {
  readonly learned: readonly LearnedImage[];
  readonly unlearned: readonly UnlearnedImage[];
  /** Evidence that was passed over beside what was learned, and why. */
  readonly leftOut: readonly UnlearnedImage[];
}

/** Whom the images carry, as far as that is proven. Nothing is learned of an image that could not be looked at wholly. */
export function learnFrom(images: readonly GatheredImage[], everybody: Everybody, name: NameSigner): Lesson {
  const lessons = images.map((image) => learnOne(image, everybody, name));
  return {
    learned: lessons.flatMap(({ learned }) => learned),
    unlearned: lessons.flatMap(({ unlearned }) => unlearned),
    leftOut: lessons.flatMap(({ leftOut }) => leftOut),
  };
}

function learnOne({ name, recorded, exhibits }: GatheredImage, everybody: Everybody, nameSigner: NameSigner): Lesson {
  const nothing = (finding: Finding): Lesson => ({ learned: [], unlearned: [{ name, finding }], leftOut: [] });
  const { repository, manifest } = recorded;
  const [obstacle] = recorded.subjects.flatMap(({ obstacles }) => obstacles);
  if (obstacle !== undefined) return nothing(obstacle);
  if (repository === undefined) return nothing(NAMELESS);
  const { digest } = manifest.descriptor;
  const looked = exhibits.map((exhibit) => usableOf(carriedBy(exhibit, everybody), { repository, digest }, nameSigner));
  const usable = looked.flatMap((one) => ("signer" in one ? [one] : []));
  const findings = looked.flatMap((one) => ("signer" in one ? [] : [one]));
  const [first = UNSIGNED] = findings;
  if (usable.length === 0) return nothing(first);
  const signatures = usable.filter(({ type }) => type === SIGNATURE_PREDICATE);
  const attestations = usable.filter(({ type }) => type !== SIGNATURE_PREDICATE);
  const byType = Map.groupBy(attestations, ({ type }) => type);
  const attestedBy = new Map([...byType].map(([type, some]) => [type, some.map(({ signer }) => signer)] as const));
  const learned = { name, repository, digest, signedBy: signatures.map(({ signer }) => signer), attestedBy };
  return { learned: [learned], unlearned: [], leftOut: findings.map((finding) => ({ name, finding })) };
}

const NAMELESS: Finding = {
  code: "usage",
  message: "the image has no name by which a rule could be found",
  next: "learn from the image in its registry",
};
const UNSIGNED: Finding = { code: "unsigned", message: "the image is not signed", found: "no signature" };

interface Usable {
  readonly signer: LearnedSigner;
  readonly type: string;
}

/** What a rule for this image would accept; else why it would not. */
function usableOf(
  carried: Carried,
  { repository, digest }: Pick<LearnedImage, "repository" | "digest">,
  nameSigner: NameSigner,
): Usable | Finding {
  if (!("claim" in carried)) return unknownMaker(carried.finding);
  const { claim, signedBy, proof } = carried;
  if (!claim.subjects.includes(digest)) {
    const found = claim.subjects.join(", ") || "no digest";
    return { code: "wrong-digest", message: "the signature is about another image", found, wanted: digest };
  }
  if (claim.repository !== undefined && claim.repository !== repository) {
    const message = "the signature names another repository";
    return { code: "wrong-repository", message, found: claim.repository, wanted: repository };
  }
  const signer = nameSigner(signedBy, proof?.trust);
  if (signer !== undefined) return { signer, type: claim.predicateType };
  return { code: "wrong-identity", message: "a policy has no way to name who signed", found: "no issuer" };
}

function unknownMaker(finding: Finding): Finding {
  if (finding.code !== "wrong-key") return finding;
  return { ...finding, next: "say whose keys may be learned with --key; a signature alone does not hold its key" };
}

/**
 * What was learned has to accept what it was learned from.
 *
 * @throws CountersignError `internal` that names the image.
 */
export async function checkLearned(
  images: readonly GatheredImage[],
  learned: readonly LearnedImage[],
  rulebook: Rulebook,
): Promise<void> {
  const names = new Set(learned.map(({ name }) => name));
  for (const { name, recorded } of images.filter((image) => names.has(image.name))) {
    const { target, source } = openRecorded(recorded, name);
    const { verdicts, accepted } = await verifyImage(target, { requirement: rulebook, sources: [source] });
    if (accepted) continue;
    const [reason] = verdicts.flatMap(({ reasons }) => reasons);
    throw new CountersignError("internal", "what was learned does not accept what it was learned from", {
      found: `${name}: ${reason?.message ?? "refused"}`,
    });
  }
}

/** Those of the images that a policy accepts already, by what is stored beside them and by the signed tags that they were reached by. */
export async function acceptedBy(
  images: readonly GatheredImage[],
  rulebook: Rulebook,
  { tags }: Pick<TagSearch, "tags"> = {},
): Promise<ReadonlySet<string>> {
  const accepted = await mapConcurrently(images, 1, async ({ name, recorded, bound }) => {
    const { target, source } = openRecorded(recorded, name);
    const reached = { ...target, resolved: recorded.manifest, bound };
    const judged = await verifyImage(reached, { requirement: rulebook, sources: [source], tags });
    return judged.accepted ? [name] : [];
  });
  return new Set(accepted.flat());
}
