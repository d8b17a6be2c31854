import type { RecordedImage } from "../core/cases/recorded.ts";
import type { Finding } from "../core/errors.ts";
import type { Descriptor, Platform } from "../core/oci/descriptor.ts";
import { choosePlatform } from "../core/oci/platform.ts";
import type { ImageName, PolicyDocument } from "../core/policy/document.ts";
import { digestPatterns, matchingRules } from "../core/policy/images.ts";
import { everybodyIn } from "../core/review/everybody.ts";
import { type Explanation, explainSubject } from "../core/review/explanation.ts";
import type { RuleMaterial } from "../core/verify/compile.ts";
import type { Rulebook, Ruling } from "../core/verify/criterion.ts";
import type { Evidence, Subject } from "../core/verify/evidence.ts";
import { Exhibit } from "../core/verify/exhibit.ts";
import { isForDigest, rulingWithin } from "../core/verify/platforms.ts";
import { type Bound, foundTag } from "./judging.ts";
import { openRecorded, type RecordOptions, recordImage, ruledName } from "./recorded.ts";
import { reachTarget, type TagSearch } from "./resolve.ts";
import { type Target, verifyImage } from "./verify.ts";

/** A policy, and where what it names is read. */
export interface ExplainingPolicy {
  readonly document: PolicyDocument;
  readonly rulebook: Rulebook;
  readonly material: RuleMaterial;
}

export interface ExplainOptions {
  readonly platform?: Platform | undefined;
  /** What it was reached by. */
  readonly bound?: Bound | undefined;
}

/**
 * Looks at everything that is stored about an image, and holds it against a policy.
 *
 * @throws CountersignError where the image or what the rule names cannot be had, `platform-missing`, and `interrupted`.
 */
export async function explainImage(
  target: Target,
  policy: ExplainingPolicy,
  {
    platform,
    cache,
    sources,
    tags,
  }: ExplainOptions & Pick<RecordOptions, "cache" | "sources"> & Pick<TagSearch, "tags">,
): Promise<Explanation> {
  const { rulebook } = policy;
  const { now } = rulebook;
  const { target: reached, root } = await reachTarget(target, { tags, rulebook });
  const { descriptor } = root;
  const name = ruledName(target);
  const { platforms } = await policy.rulebook.rulingOf({ ...name, digest: descriptor.digest });
  const haveOwnRules = name.repository !== undefined && digestPatterns(policy.document, name.repository).length > 0;
  const isShallow = platforms === "index" && platform === undefined && !haveOwnRules;
  const recorded = await recordImage({ ...reached, resolved: root }, { now, cache, sources, isShallow });
  return await explainRecorded(recorded, target.image, policy, { platform, bound: reached.bound });
}

/**
 * Holds everything that was found about an image against a policy.
 *
 * @throws CountersignError where what the rule names cannot be had, and `platform-missing`.
 */
export async function explainRecorded(
  recorded: RecordedImage,
  image: string,
  policy: ExplainingPolicy,
  { platform, bound }: ExplainOptions = {},
): Promise<Explanation> {
  const { document, rulebook, material } = policy;
  const { target: opened, source } = openRecorded(recorded, image);
  const target = { ...opened, bound };
  const options = { requirement: rulebook, sources: [source], platform, explained: true };
  const { verdicts } = await verifyImage(target, options);
  const [verdict] = verdicts;
  if (verdict === undefined) throw new Error("an image has no verdict");
  const named: ImageName = { ...recorded, digest: recorded.manifest.descriptor.digest };
  const exhibits = recorded.subjects.flatMap(({ candidates }) => candidates.map((each) => new Exhibit(each)));
  const { everybody, problems } = await everybodyIn(document, material, rulebook.now, exhibits);
  const subjects = await Promise.all(
    (await subjectsOf(recorded, rulebook, platform)).map(async (descriptor) => {
      const ruling = await rulingOf(recorded, rulebook, descriptor);
      return explainSubject(
        ruling,
        subjectOf(recorded, target, descriptor),
        foundAbout(recorded, descriptor),
        everybody,
        document.identities,
      );
    }),
  );
  return { verdict, rules: matchingRules(document, named), subjects, problems };
}

async function rulingOf(
  { repository, tag, manifest }: RecordedImage,
  rulebook: Rulebook,
  { digest }: Descriptor,
): Promise<Ruling> {
  const ofIndex = await rulebook.rulingOf({ repository, tag, digest: manifest.descriptor.digest });
  return rulingWithin(await rulebook.rulingOf({ repository, tag, digest }), ofIndex);
}

/** What the verdict rests on. */
async function subjectsOf(
  recorded: RecordedImage,
  rulebook: Rulebook,
  platform: Platform | undefined,
): Promise<readonly Descriptor[]> {
  const { manifest } = recorded;
  if (manifest.kind !== "index") return [manifest.descriptor];
  const { platforms } = await rulingOf(recorded, rulebook, manifest.descriptor);
  const all = platform === undefined ? manifest.manifests : [choosePlatform(manifest, platform)];
  if (platforms === "each") return all;
  if (platform !== undefined) return [manifest.descriptor, ...all];
  const { repository, tag } = recorded;
  const rulings = await Promise.all(all.map(({ digest }) => rulebook.rulingOf({ repository, tag, digest })));
  return [manifest.descriptor, ...all.filter((_, at) => rulings[at] !== undefined && isForDigest(rulings[at]))];
}

function subjectOf({ repository, manifest }: RecordedImage, target: Target, descriptor: Descriptor): Subject {
  const { store } = target;
  const listed = manifest.kind === "index" ? manifest.manifests.map(({ digest }) => digest) : [];
  const isRoot = descriptor.digest === manifest.descriptor.digest;
  const alsoRuns = isRoot ? listed : [manifest.descriptor.digest];
  const name = `${store.location}@${descriptor.digest}`;
  return { name, repository, descriptor, alsoRuns, signedTag: foundTag(target) };
}

function foundAbout({ subjects }: RecordedImage, { digest }: Descriptor): Pick<Evidence, "candidates" | "obstacles"> {
  const found = subjects.find((subject) => subject.digest === digest);
  return found ?? { candidates: [], obstacles: [notRecorded(digest)] };
}

function notRecorded(digest: string): Finding {
  return { code: "not-found", message: "what is stored about this was not recorded", found: digest };
}
