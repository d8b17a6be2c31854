import { refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError, type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import { explainFinding } from "../core/explain.ts";
import type { SignatureFormat } from "../core/formats/envelope.ts";
import type { Annotations, Descriptor } from "../core/oci/descriptor.ts";
import type { ContentCache, ContentStore, Signatory, Signer } from "../core/ports.ts";
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
  readonly signatory: Signatory;
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
  /** The reference time, by which what is made is judged before it is stored. */
  readonly now: Instant;
  readonly cache?: ContentCache | undefined;
  readonly maxWorkers?: number | undefined;
}

const DEFAULT_WORKERS = 8;

/** Signs with one key, and with no witness. */
export function keySignatory(signer: Signer): Signatory {
  return { signer: async () => signer, accepts: () => ({ keys: [signer.publicKey], identities: [] }) };
}

/** Signs many images, each whatever becomes of the others, in the order they were given. */
export async function signImages(targets: readonly Target[], options: SignOptions): Promise<SignedImage[]> {
  return mapConcurrently(targets, options.maxWorkers ?? DEFAULT_WORKERS, (target) => signImage(target, options));
}

/**
 * Signs one image: the tag is resolved once, and what is signed is the digest of the bytes that came.
 *
 * @throws CountersignError only `interrupted` and `key-published`.
 */
export async function signImage(target: Target, options: SignOptions): Promise<SignedImage> {
  const outcomes: SignOutcome[] = [];
  const named = { image: target.image, name: target.image, outcomes };
  try {
    const root = await resolveTarget(target);
    const { digest } = root.descriptor;
    const tag = target.tag === undefined ? "" : `:${target.tag}`;
    const resolved = { ...named, name: `${target.store.location}${tag}@${digest}`, digest };
    const children = options.recursive === true && root.kind === "index" ? root.manifests : [];
    const finding = await signAll(target, [root.descriptor, ...children], outcomes, options);
    return { ...resolved, ...(finding === undefined ? {} : { finding }) };
  } catch (error) {
    return { ...named, finding: findingUnlessInterrupted(error) };
  }
}

async function signAll(
  target: Target,
  descriptors: readonly Descriptor[],
  outcomes: SignOutcome[],
  options: SignOptions,
): Promise<Finding | undefined> {
  try {
    const signed = await mapConcurrently(descriptors, DEFAULT_WORKERS, (descriptor) =>
      signManifest(target, descriptor, options),
    );
    outcomes.push(...signed.flat());
    return undefined;
  } catch (error) {
    return findingUnlessInterrupted(error);
  }
}

/** Signs one manifest in every format that was asked for. @throws CountersignError what went wrong. */
async function signManifest(
  target: Target,
  descriptor: Descriptor,
  options: SignOptions,
): Promise<readonly SignOutcome[]> {
  const { store } = target;
  const signer = await options.signatory.signer();
  refusePublishedKeys([signer.publicKey], [placeOf(target)]);
  const subject: Subject = {
    name: `${store.location}@${descriptor.digest}`,
    repository: options.signAs ?? store.repository,
    descriptor,
  };
  const outcomes: SignOutcome[] = [];
  for (const format of options.formats) outcomes.push(await signSubject(store, subject, format, signer, options));
  return outcomes;
}

async function signSubject(
  store: ContentStore,
  subject: Subject,
  format: SignatureFormat,
  signer: Signer,
  options: SignOptions,
): Promise<SignOutcome> {
  const { digest } = subject.descriptor;
  const requirement = ownRequirement(signer, options);
  const own = await findOwnSignature(store, subject, format, requirement, options);
  if (own !== undefined) return { digest, format, state: "unchanged", manifest: own.origin.manifest };
  const isDry = options.dryRun === true;
  const signing = { signer, witness: isDry ? undefined : options.signatory.witness };
  const prepare = format === "bundle" ? prepareBundle : prepareLegacy;
  const prepared = await prepare(subject, signing, options.annotations, options.createdAt);
  if (isDry) return { digest, format, state: "would-sign" };
  checkPrepared(prepared, subject, requirement);
  const { postponed } = prepared;
  return { digest, format, state: "signed", ...(await prepared.store(store)), ...(postponed && { postponed }) };
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
  requirement: Requirement,
  options: SignOptions,
): Promise<SignatureReport | undefined> {
  for await (const part of gather(store, subject.descriptor.digest, { cache: options.cache, formats: [format] })) {
    const unseen = part.obstacles.find((obstacle) => COULD_NOT_LOOK.has(obstacle.code));
    if (unseen !== undefined) throw new CountersignError(unseen.code, unseen.message, unseen);
    const reports = part.candidates.map((candidate) => examine(candidate, subject, requirement));
    const own = reports.find((report) => report.accepted && sameAnnotations(report.annotations, options.annotations));
    if (own !== undefined) return own;
  }
  return undefined;
}

function ownRequirement(signer: Signer, { signatory, annotations, now }: SignOptions): Requirement {
  return { ...signatory.accepts(signer), threshold: 1, annotations, signedAs: [], now };
}

/** All that was asked for is there (the requirement saw to that), and nothing more. */
function sameAnnotations(found: Annotations | undefined, wanted: Annotations): boolean {
  return Object.keys(found ?? {}).length === Object.keys(wanted).length;
}

/** Nothing is stored that the judge would not accept: a broken key or plug-in shows here, not at the consumer's. */
export function checkPrepared(prepared: PreparedSignature, subject: Subject, requirement: Requirement): void {
  const wanted = prepared.postponed === undefined ? requirement : withoutLogs(requirement);
  const judgement = judge({ subject, candidates: [prepared.candidate], obstacles: [] }, wanted);
  if (judgement.status === "accepted") return;
  const [reason] = judgement.reasons;
  throw new CountersignError("internal", "the signature that was made does not verify; nothing was stored", {
    found: reason === undefined ? undefined : explainFinding(reason),
  });
}

/** What is judged before its log entry was added. */
function withoutLogs(requirement: Requirement): Requirement {
  const { keyProof } = requirement;
  return {
    ...requirement,
    ...(keyProof && { keyProof: { ...keyProof, demands: { ...keyProof.demands, logs: 0 } } }),
    identities: requirement.identities.map((one) => ({ ...one, demands: { ...one.demands, logs: 0 } })),
  };
}
