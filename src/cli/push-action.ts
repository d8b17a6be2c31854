import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CountersignError } from "../core/errors.ts";
import type { Digest } from "../core/oci/digest.ts";
import { formatLocation, type Location, parseLocation } from "../core/oci/location.ts";
import { formatReference, repositoryName } from "../core/oci/reference.ts";
import type { Acceptance, ContentStore } from "../core/ports.ts";
import type { SignedImage } from "../core/results.ts";
import type { Rulebook } from "../core/verify/criterion.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import { layerDigesters } from "../io/disk/decompress.ts";
import { docker } from "../io/engine/docker.ts";
import { taggedDestination } from "../ops/destination.ts";
import type { TagJudging } from "../ops/judging.ts";
import { type PushStage, pushImage } from "../ops/push.ts";
import { remembering, type SignOptions, signImage, withoutLogs } from "../ops/sign.ts";
import { resolveTarget, type Target, type VerifiedImage, verifyImage } from "../ops/verify.ts";
import type { MovedImage } from "../report/transfer.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { requireTag } from "./copy-action.ts";
import { prepareFor, warnOfRefusals } from "./for-peers.ts";
import { createdAt, narrowTarget, openWiring } from "./images.ts";
import { nameFor, readJudging } from "./judging.ts";
import { concludeMove } from "./moves.ts";
import { type RawOptions, type RegistryOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { openProgress } from "./progress.ts";
import { readPublishedOptions } from "./published-options.ts";
import { finishCommand, refuseTwoReaders, warnOfPostponed } from "./sign-action.ts";
import { readSigningOptions, type SigningOptions } from "./sign-options.ts";
import { openSignatory } from "./signatory.ts";
import { openSignedTags, readTagFlags } from "./signed-tags.ts";
import { openTagStatement, readTagStatements, type StateTag } from "./tag-statement.ts";
import { refuseRegistriesOffline } from "./trust-options.ts";
import type { VerifyOptions } from "./verify-options.ts";

/** How an image comes to be accepted where it is published. */
interface Course {
  /** Absent where it has to be signed already. */
  readonly sign?: ((target: Target) => Promise<void>) | undefined;
  /** Whether no signature could make it accepted: then none is made, and no log hears of one. */
  readonly isPointless?: ((digest: Digest) => Promise<boolean>) | undefined;
  /** As its consumers will. */
  readonly verify: (target: Target, tags: TagJudging) => Promise<VerifiedImage>;
}

interface Surroundings {
  readonly context: Context;
  readonly output: Output;
  readonly wiring: Wiring;
  readonly image: string;
}

/** Opens keys, services and trust roots: what the flags name, once they have been understood. */
type OpenCourse = (surroundings: Surroundings) => Promise<Course>;

/** `countersign push SRC IMAGE`: by digest, signed, verified as its consumers will, and the tag moved last. */
export async function push(
  context: Context,
  output: Output,
  source: string,
  image: string,
  raw: RawOptions,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const { isSigned, judged } = readPublishedOptions(raw);
  const openJudging = judged && readVerifying(registry, judged);
  const openCourse = isSigned && openJudging !== undefined ? openJudging : readSigning(context, raw, openJudging);
  const place = registryPlace(image);
  const statesTag = readTagStatements(raw, [image]);
  const wiring = await openWiring(context, output, registry, [source, image]);
  try {
    const course = await openCourse({ context, output, wiring, image });
    const tags = await openSignedTags({ context, output, wiring }, readTagFlags(raw));
    const stateTag = statesTag ? await openTagStatement({ context, output, wiring, raw }) : undefined;
    await withSource(context, wiring, source, async (opened) => {
      const target = await narrowTarget(opened, registry.platform);
      const progress = openProgress(context, output);
      const pushing = { wiring, place, course, registry, tags, stateTag, onTransfer: progress.onTransfer };
      const moved = await pushOne(target, pushing).finally(() => progress.finish());
      await concludeMove(context, output, "push", [moved], "countersign");
    });
  } finally {
    await wiring.close();
  }
}

type RegistryLocation = Extract<Location, { readonly kind: "registry" }>;

function registryPlace(image: string): RegistryLocation {
  const place = parseLocation(image);
  if (place.kind === "registry") {
    requireTag(place.reference, image);
    return place;
  }
  throw new CountersignError("usage", "not an image in a registry", {
    found: image,
    wanted: "[registry/]repository:tag; countersign copy writes to folders and archives",
  });
}

/** The image to publish. What only a Docker daemon holds is saved to an archive of ours first. */
async function withSource(
  context: Context,
  wiring: Wiring,
  source: string,
  use: (target: Target) => Promise<void>,
): Promise<void> {
  const location = parseLocation(source);
  if (location.kind !== "docker-daemon") return await use(await wiring.target(source));
  const folder = await mkdtemp(join(tmpdir(), "countersign-"));
  try {
    const path = join(folder, "image.tar");
    await docker(context).save(location.name, path);
    await use({ image: source, store: await wiring.open({ kind: "docker-archive", path }) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Everything that a push of one image needs beside the image. */
interface Pushing {
  readonly wiring: Wiring;
  readonly place: RegistryLocation;
  readonly course: Course;
  readonly registry: RegistryOptions;
  readonly tags: TagJudging;
  readonly stateTag: StateTag | undefined;
  readonly onTransfer: ReturnType<typeof openProgress>["onTransfer"];
}

async function pushOne(target: Target, pushing: Pushing): Promise<MovedImage> {
  const { wiring, place, course, registry, tags, stateTag, onTransfer } = pushing;
  const { sign, isPointless, verify } = course;
  const root = await resolveTarget(target);
  const destination = taggedDestination(await wiring.registry(place.reference), place.reference.tag);
  const image = formatReference(place.reference);
  const published = (store: ContentStore, stage: PushStage): Target => ({
    image,
    store,
    tag: place.reference.tag,
    digest: root.descriptor.digest,
    ruledAs: { repository: repositoryName(place.reference), tag: place.reference.tag },
    ...(stage !== "published" && { bound: NOT_REACHED_BY_TAG }),
  });
  const signs = sign !== undefined && (await isPointless?.(root.descriptor.digest)) !== true;
  const { verdicts, copied, isNamed } = await pushImage({
    source: target.store,
    root,
    destination,
    openLayerDigester: layerDigesters(),
    onTransfer,
    maxWorkers: registry.maxWorkers,
    // What is signed are the bytes that were sent; whether they are kept, the verification shows.
    sign: signs ? async (store) => await sign({ ...published(store, "unbound"), resolved: root }) : undefined,
    bind: stateTag && (async (store, { descriptor }) => void (await stateTag(image, store, descriptor.digest))),
    verify: async (store, _, stage) => (await verify(published(store, stage), tags)).verdicts,
  });
  return {
    verdicts: verdicts.map(pointToTagStatement),
    ...(isNamed ? { destination: formatLocation(place), summary: copied } : {}),
  };
}

/** Where an image comes from, and before its tag is signed, nobody could reach it by that tag. */
const NOT_REACHED_BY_TAG = { signedTag: undefined, requires: [], isExempt: true } as const;

/** The tag still means to consumers what it meant before. */
function pointToTagStatement(verdict: Verdict): Verdict {
  const [first, ...others] = verdict.reasons;
  if (first === undefined || !(first.code === "tag-unlisted" || first.code === "binding-mismatch")) return verdict;
  const next = "sign what the tag means in the same step: --tag-statement; until then it keeps what it names";
  return { ...verdict, reasons: [{ ...first, next }, ...others] };
}

// --- signed here ------------------------------------------------------------------------------------------------------

/** `openJudging` where something else than the signature itself says whether it will do. */
function readSigning(context: Context, raw: RawOptions, openJudging: OpenCourse | undefined): OpenCourse {
  const flags = readSigningOptions(raw);
  refuseTwoReaders(readRegistryOptions(raw).passwordFromStdin, flags.signatory, context);
  return async (surroundings) => {
    refuseRegistriesOffline(flags.signatory.trust, [surroundings.image]);
    const judging = await openJudging?.(surroundings);
    return { ...(await signingCourse(surroundings, flags)), ...judging };
  };
}

async function signingCourse({ context, output, wiring, image }: Surroundings, flags: SigningOptions): Promise<Course> {
  const { formats, annotations, recursive, signAs, choice } = flags;
  const signatory = await openSignatory(context, output, wiring, { ...flags.signatory, formats }, [image]);
  if (choice !== undefined) await prepareFor(output, choice, signatory, flags);
  const signing: SignOptions = {
    signatory,
    formats,
    annotations,
    recursive,
    signAs,
    logLater: flags.signatory.logLater,
    createdAt: createdAt(context),
    now: context.referenceTime,
  };
  let consumer: Acceptance | undefined;
  return {
    sign: async (target) => {
      consumer = await signPublished(target, signing, (signed) =>
        warnOfPostponed(output, signed, finishCommand(flags.signatory)),
      );
      const seen = { acceptance: consumer, cache: wiring.cache, now: context.referenceTime };
      if (choice !== undefined) await warnOfRefusals(output, choice.peers, [target], seen);
    },
    verify: async (target, tags) => await verifyImage(target, { ...verification(signing, consumer), tags }),
  };
}

/** Signs, and says what a consumer will ask for: the signer's key or identity, and what vouches for it. */
async function signPublished(
  target: Target,
  signing: SignOptions,
  warn: (signed: SignedImage) => void,
): Promise<Acceptance | undefined> {
  const signatory = remembering(signing.signatory);
  const signed = await signImage(target, { ...signing, signatory });
  const { finding, outcomes } = signed;
  if (finding !== undefined) throw new CountersignError(finding.code, finding.message, finding);
  warn(signed);
  const accepted = signatory.accepted();
  const isPostponed = outcomes.some(({ postponed }) => postponed !== undefined);
  return accepted !== undefined && isPostponed ? withoutLogs(accepted) : accepted;
}

function verification(
  { annotations, recursive, signAs, now }: SignOptions,
  consumer: Acceptance = { keys: [], identities: [] },
): Parameters<typeof verifyImage>[1] {
  const signedAs = signAs === undefined ? [] : [signAs];
  const requirement = { ...consumer, threshold: 1, annotations, signedAs, now };
  return { requirement, recursive, contentFollows: true };
}

// --- by a policy, or signed before ------------------------------------------------------------------------------------

function readVerifying(registry: RegistryOptions, flags: VerifyOptions): OpenCourse {
  return async ({ context, output, wiring, image }) => {
    const judging = await readJudging({ context, output, wiring, images: [image] }, { ...registry, ...flags });
    return {
      isPointless: async (digest) =>
        judging.policy !== undefined && (await isHopeless(judging.policy.rulebook, image, digest)),
      verify: async (target, tags) => await verifyImage(target, { ...judging, tags, contentFollows: true }),
    };
  };
}

/** No rule, one that nothing meets, or taken back. */
async function isHopeless(rulebook: Rulebook, image: string, digest: Digest): Promise<boolean> {
  const { criterion, withdrawn, policy } = await rulebook.rulingOf({ ...nameFor(image), digest });
  return policy?.rule === undefined || criterion.kind === "never" || withdrawn.has(digest);
}
