import { refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError, type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import type { SignatureFormat } from "../core/formats/envelope.ts";
import type { Annotations, Descriptor } from "../core/oci/descriptor.ts";
import type { ContentCache, ContentStore, Signer } from "../core/ports.ts";
import type { ReasonCode } from "../core/reasons.ts";
import type { SignedImage, SignOutcome } from "../core/results.ts";
import type { Instant } from "../core/time.ts";
import type { Subject } from "../core/verify/evidence.ts";
import { examine } from "../core/verify/examine.ts";
import type { Requirement } from "../core/verify/requirement.ts";
import type { SignatureReport } from "../core/verify/verdict.ts";
import { judge } from "../core/verify/verify.ts";
import { mapConcurrently } from "./concurrency.ts";
import { gather } from "./gather.ts";
import { type PreparedSignature, prepareBundle, prepareLegacy } from "./prepare-signature.ts";
import { placeOf, resolveTarget, type Target } from "./verify.ts";

export interface SignOptions {
  readonly signer: Signer;
  /** At least one; each is looked for and written on its own. */
  readonly formats: readonly SignatureFormat[];
  readonly annotations: Annotations;
  /** The repository name that legacy payloads carry, where it is not the store's own. */
  readonly signAs?: string | undefined;
  /** Sign an index and every manifest in it. */
  readonly recursive?: boolean | undefined;
  /** Do everything but write. */
  readonly dryRun?: boolean | undefined;
  /** What the signature's manifest says of its time; unsigned. */
  readonly createdAt: Instant;
  readonly cache?: ContentCache | undefined;
  readonly maxWorkers?: number | undefined;
}

const DEFAULT_WORKERS = 8;

/** Signs many images, each whatever becomes of the others, in the order they were given. */
export async function signImages(targets: readonly Target[], options: SignOptions): Promise<SignedImage[]> {
  refusePublishedKeys([options.signer.publicKey], targets.map(placeOf));
  return mapConcurrently(targets, options.maxWorkers ?? DEFAULT_WORKERS, (target) => signImage(target, options));
}

/**
 * Signs one image: the tag is resolved once, and what is signed is the digest of the bytes that came.
 *
 * @throws CountersignError only `interrupted` and `key-published`.
 */
export async function signImage(target: Target, options: SignOptions): Promise<SignedImage> {
  refusePublishedKeys([options.signer.publicKey], [placeOf(target)]);
  const outcomes: SignOutcome[] = [];
  const named = { image: target.image, name: target.image, outcomes };
  try {
    const root = await resolveTarget(target);
    const { digest } = root.descriptor;
    const tag = target.tag === undefined ? "" : `:${target.tag}`;
    const resolved = { ...named, name: `${target.store.location}${tag}@${digest}`, digest };
    const children = options.recursive === true && root.kind === "index" ? root.manifests : [];
    const finding = await signAll(target.store, [root.descriptor, ...children], outcomes, options);
    return { ...resolved, ...(finding === undefined ? {} : { finding }) };
  } catch (error) {
    return { ...named, finding: findingUnlessInterrupted(error) };
  }
}

async function signAll(
  store: ContentStore,
  descriptors: readonly Descriptor[],
  outcomes: SignOutcome[],
  options: SignOptions,
): Promise<Finding | undefined> {
  try {
    const signed = await mapConcurrently(descriptors, DEFAULT_WORKERS, (descriptor) =>
      signManifest(store, descriptor, options),
    );
    outcomes.push(...signed.flat());
    return undefined;
  } catch (error) {
    return findingUnlessInterrupted(error);
  }
}

/** Signs one manifest in every format that was asked for. */
export async function signManifest(
  store: ContentStore,
  descriptor: Descriptor,
  options: SignOptions,
): Promise<readonly SignOutcome[]> {
  const subject: Subject = {
    name: `${store.location}@${descriptor.digest}`,
    repository: options.signAs ?? store.repository,
    descriptor,
  };
  const outcomes: SignOutcome[] = [];
  for (const format of options.formats) outcomes.push(await signSubject(store, subject, format, options));
  return outcomes;
}

async function signSubject(
  store: ContentStore,
  subject: Subject,
  format: SignatureFormat,
  options: SignOptions,
): Promise<SignOutcome> {
  const { digest } = subject.descriptor;
  const own = await findOwnSignature(store, subject, format, options);
  if (own !== undefined) return { digest, format, state: "unchanged", manifest: own.origin.manifest };
  const prepare = format === "bundle" ? prepareBundle : prepareLegacy;
  const prepared = await prepare(subject, options.signer, options.annotations, options.createdAt);
  checkPrepared(prepared, subject, options);
  if (options.dryRun === true) return { digest, format, state: "would-sign" };
  return { digest, format, state: "signed", ...(await prepared.store(store)) };
}

/** With these, it is not known what is there already. Junk beside the signatures is no reason not to sign. */
const COULD_NOT_LOOK: ReadonlySet<ReasonCode> = new Set([
  "throttled",
  "server-error",
  "timeout",
  "unreachable",
  "denied",
  "credentials-missing",
  "not-a-registry",
  "protocol-error",
  "redirect-refused",
  "disk-error",
]);

/** The same image, key and annotations: a second signature would say nothing new. */
async function findOwnSignature(
  store: ContentStore,
  subject: Subject,
  format: SignatureFormat,
  options: SignOptions,
): Promise<SignatureReport | undefined> {
  const requirement = ownRequirement(options);
  for await (const part of gather(store, subject.descriptor.digest, { cache: options.cache, formats: [format] })) {
    const unseen = part.obstacles.find((obstacle) => COULD_NOT_LOOK.has(obstacle.code));
    if (unseen !== undefined) throw new CountersignError(unseen.code, unseen.message, unseen);
    const reports = part.candidates.map((candidate) => examine(candidate, subject, requirement));
    const own = reports.find((report) => report.accepted && sameAnnotations(report.annotations, options.annotations));
    if (own !== undefined) return own;
  }
  return undefined;
}

function ownRequirement(options: SignOptions): Requirement {
  return { keys: [options.signer.publicKey], threshold: 1, annotations: options.annotations, signedAs: [] };
}

/** All that was asked for is there (the requirement saw to that), and nothing more. */
function sameAnnotations(found: Annotations | undefined, wanted: Annotations): boolean {
  return Object.keys(found ?? {}).length === Object.keys(wanted).length;
}

/** Nothing is stored that the judge would not accept: a broken key or plug-in shows here, not at the consumer's. */
function checkPrepared(prepared: PreparedSignature, subject: Subject, options: SignOptions): void {
  const judgement = judge({ subject, candidates: [prepared.candidate], obstacles: [] }, ownRequirement(options));
  if (judgement.status === "accepted") return;
  throw new CountersignError("internal", "the signature that was made does not verify; nothing was stored", {
    found: judgement.reasons[0]?.message,
  });
}
