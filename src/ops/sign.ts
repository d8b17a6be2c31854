import { refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError, type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import { explainFinding } from "../core/explain.ts";
import type { EvidenceFormat, SignatureFormat } from "../core/formats/envelope.ts";
import type { Annotations, Descriptor } from "../core/oci/descriptor.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import type { Acceptance, ContentCache, Signatory, Signer, Witness } from "../core/ports.ts";
import type { ReasonCode } from "../core/reasons.ts";
import type { SignedImage, SignOutcome } from "../core/results.ts";
import type { Instant } from "../core/time.ts";
import type { Subject } from "../core/verify/evidence.ts";
import { examine } from "../core/verify/examine.ts";
import type { AttestationRequirement, Requirement } from "../core/verify/requirement.ts";
import type { SignatureReport } from "../core/verify/verdict.ts";
import { judge } from "../core/verify/verify.ts";
import { mapConcurrently } from "./concurrency.ts";
import { gather } from "./gather.ts";
import { type PreparedSignature, prepareBundle, prepareLegacy, type Signing } from "./prepare-signature.ts";
import { nameOf, placeOf, resolveTarget, type Target } from "./verify.ts";

/** How images are signed, whatever it is that is said of them. */
export interface SigningOptions {
  readonly signatory: Signatory;
  readonly annotations: Annotations;
  /** The repository name that legacy payloads and attestations carry, where it is not the store's own. */
  readonly signAs?: string | undefined;
  /** Sign an index and every manifest in it. */
  readonly recursive?: boolean | undefined;
  /** Do everything but write, and ask no service for anything. */
  readonly dryRun?: boolean | undefined;
  /** A signature whose log entry is still to be added counts as one that is there. */
  readonly logLater?: boolean | undefined;
  /** What the signature's manifest says of its time; unsigned. */
  readonly createdAt: Instant;
  /** The reference time, by which what is made is judged before it is stored. */
  readonly now: Instant;
  readonly cache?: ContentCache | undefined;
  readonly maxWorkers?: number | undefined;
}

export interface SignOptions extends SigningOptions {
  /** At least one; each is looked for and written on its own. */
  readonly formats: readonly SignatureFormat[];
}

/** What is signed of each manifest. */
export interface SigningWork {
  /** How it is stored; each is looked for and written on its own. */
  readonly formats: readonly EvidenceFormat[];
  /** What the judge has to ask for to find it; the image's own signature where absent. */
  readonly attestation?: AttestationRequirement | undefined;
  /** Whether what was found, by this signer and with these annotations, says the same. */
  isSame(found: SignatureReport): boolean;
  /** Signs; stores nothing yet. */
  prepare(format: EvidenceFormat, subject: Subject, signing: Signing): Promise<PreparedSignature>;
}

export const DEFAULT_WORKERS = 8;

/** What vouches for what a key signs: services, and the trust root that proves that they did. */
export interface KeyServices {
  readonly witness: Witness;
  readonly proof: NonNullable<Acceptance["keyProof"]>;
}

/** Signs with one key; with no witness where no services are given. */
export function keySignatory(signer: Signer, services?: KeyServices): Signatory {
  const acceptance: Acceptance = { keys: [signer.publicKey], identities: [], keyProof: services?.proof };
  return { signer: async () => signer, witness: services?.witness, accepts: () => acceptance };
}

/** A signatory, and what a verifier has to ask for to accept what it signed or found signed already. */
export interface RememberingSignatory extends Signatory {
  accepted(): Acceptance | undefined;
}

export function remembering(signatory: Signatory): RememberingSignatory {
  const { foresees } = signatory;
  let made: Acceptance | undefined;
  let foreseen: Acceptance | undefined;
  return {
    ...signatory,
    async signer() {
      const signer = await signatory.signer();
      made = signatory.accepts(signer);
      return signer;
    },
    foresees:
      foresees &&
      (async () => {
        foreseen = await foresees();
        return foreseen;
      }),
    accepted: () => made ?? foreseen,
  };
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
  const { formats, annotations, createdAt } = options;
  return await signTarget(target, options, {
    formats,
    isSame: () => true,
    prepare: async (format, subject, signing) =>
      format === "bundle"
        ? await prepareBundle(subject, signing, annotations, createdAt)
        : await prepareLegacy(subject, signing, annotations),
  });
}

/** The same with anything that is to be signed of it. @throws as `signImage`. */
export async function signTarget(target: Target, options: SigningOptions, work: SigningWork): Promise<SignedImage> {
  const outcomes: SignOutcome[] = [];
  const named = { image: target.image, name: target.image, outcomes };
  try {
    const root = await resolveTarget(target);
    const { digest } = root.descriptor;
    const resolved = { ...named, name: nameOf(target, root.descriptor), digest };
    const children = options.recursive === true && root.kind === "index" ? root.manifests : [];
    const finding = await signAll(
      { target, options, work, tagged: new Map() },
      [root.descriptor, ...children],
      outcomes,
    );
    return { ...resolved, ...(finding === undefined ? {} : { finding }) };
  } catch (error) {
    return { ...named, finding: findingUnlessInterrupted(error) };
  }
}

/** One image of the call. */
interface Task {
  readonly target: Target;
  readonly options: SigningOptions;
  readonly work: SigningWork;
  /** What was under cosign's tags when the same signature was looked for. */
  readonly tagged: Map<string, Manifest | undefined>;
}

async function signAll(
  task: Task,
  descriptors: readonly Descriptor[],
  outcomes: SignOutcome[],
): Promise<Finding | undefined> {
  try {
    const signed = await mapConcurrently(descriptors, DEFAULT_WORKERS, (descriptor) => signManifest(task, descriptor));
    outcomes.push(...signed.flat());
    return undefined;
  } catch (error) {
    return findingUnlessInterrupted(error);
  }
}

/**
 * Signs one manifest in every format that was asked for. Where a signer costs something to make, signatures that are there
 * already are looked for first.
 *
 * @throws CountersignError what went wrong.
 */
async function signManifest(task: Task, descriptor: Descriptor): Promise<readonly SignOutcome[]> {
  const { target, options } = task;
  const { signatory } = options;
  const { formats } = task.work;
  const subject = subjectOf(target, descriptor, options);
  const foreseen = await signatory.foresees?.();
  const early = foreseen === undefined ? [] : await lookForOwn(task, subject, formats, foreseen);
  const missing = formats.filter((format) => !early.some((outcome) => outcome.format === format));
  if (missing.length === 0) return early;
  if (options.dryRun === true && signatory.foresees !== undefined) {
    return [...early, ...missing.map((format) => wouldSign(subject, format))];
  }
  const signer = await signatory.signer();
  refusePublishedKeys([signer.publicKey], [placeOf(target)]);
  const acceptance = signatory.accepts(signer);
  const isKnown = foreseen !== undefined && isForeseen(acceptance, foreseen);
  const late = isKnown ? [] : await lookForOwn(task, subject, missing, acceptance);
  const outcomes: SignOutcome[] = [...early, ...late];
  for (const format of missing) {
    if (late.some((outcome) => outcome.format === format)) continue;
    outcomes.push(await signSubject(task, subject, format, signer));
  }
  return outcomes.toSorted((a, b) => formats.indexOf(a.format) - formats.indexOf(b.format));
}

function subjectOf({ store }: Target, descriptor: Descriptor, { signAs }: SigningOptions): Subject {
  const name = `${store.location}@${descriptor.digest}`;
  return { name, repository: signAs ?? store.repository, descriptor };
}

function wouldSign({ descriptor }: Subject, format: EvidenceFormat): SignOutcome {
  return { digest: descriptor.digest, format, state: "would-sign" };
}

/** What was looked for before was this identity's. */
function isForeseen(acceptance: Acceptance, foreseen: Acceptance): boolean {
  return acceptance.identities.every(({ condition: { subject, issuer } }) =>
    foreseen.identities.some(
      ({ condition }) => condition.subject.text === subject.text && condition.issuer.text === issuer.text,
    ),
  );
}

async function signSubject(task: Task, subject: Subject, format: EvidenceFormat, signer: Signer): Promise<SignOutcome> {
  const { signatory, dryRun } = task.options;
  const isDry = dryRun === true;
  const signing = { signer, witness: isDry ? undefined : signatory.witness };
  const prepared = await task.work.prepare(format, subject, signing);
  if (isDry) return wouldSign(subject, format);
  const report = checkPrepared(prepared, subject, requirementOf(signatory.accepts(signer), task));
  const stored = await prepared.store(task.target.store, task.tagged);
  const { signedBy, proof } = report;
  const { postponed } = prepared;
  return { digest: subject.descriptor.digest, format, state: "signed", signedBy, proof, ...stored, postponed };
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

export function couldNotLook({ code }: Finding): boolean {
  return COULD_NOT_LOOK.has(code);
}

/** The same image, signer and annotations: a second signature would say nothing new. */
async function lookForOwn(
  task: Task,
  subject: Subject,
  formats: readonly EvidenceFormat[],
  acceptance: Acceptance,
): Promise<readonly SignOutcome[]> {
  const { digest } = subject.descriptor;
  const requirement = requirementOf(acceptance, task);
  const outcomes: SignOutcome[] = [];
  for (const format of formats) {
    const own = await findOwnSignature(task, subject, format, requirement);
    if (own === undefined) continue;
    const { signedBy, proof, origin, postponed } = own;
    outcomes.push({ digest, format, state: "unchanged", manifest: origin.manifest, signedBy, proof, postponed });
  }
  return outcomes;
}

type OwnSignature = SignatureReport & { readonly postponed?: Finding | undefined };

async function findOwnSignature(
  { target, options, work, tagged }: Task,
  subject: Subject,
  format: EvidenceFormat,
  requirement: Requirement,
): Promise<OwnSignature | undefined> {
  const { cache, annotations } = options;
  const types = work.attestation?.predicateTypes;
  const isOwn = (report: SignatureReport): boolean =>
    report.accepted && sameAnnotations(report.annotations, annotations) && work.isSame(report);
  const looked = { cache, types, formats: [format], isSparing: true, tagged };
  let unfinished: OwnSignature | undefined;
  for await (const part of gather(target.store, subject.descriptor.digest, looked)) {
    const unseen = part.obstacles.find(couldNotLook);
    if (unseen !== undefined) throw new CountersignError(unseen.code, unseen.message, unseen);
    const own = part.candidates.map((candidate) => examine(candidate, subject, requirement)).find(isOwn);
    if (own !== undefined) return own;
    if (options.logLater !== true) continue;
    const later = part.candidates.map((candidate) => examine(candidate, subject, withoutLogs(requirement))).find(isOwn);
    unfinished ??= later === undefined ? undefined : { ...later, postponed: NOT_LOGGED };
  }
  return unfinished;
}

const NOT_LOGGED: Finding = {
  code: "log-entry-missing",
  message: "its log entry is still to be added",
  next: "countersign sign --finish",
};

function requirementOf(acceptance: Acceptance, { options, work }: Task): Requirement {
  const { annotations, now } = options;
  return { ...acceptance, threshold: 1, annotations, signedAs: [], attestation: work.attestation, now };
}

/** All that was asked for is there (the requirement saw to that), and nothing more. */
function sameAnnotations(found: Annotations | undefined, wanted: Annotations): boolean {
  return Object.keys(found ?? {}).length === Object.keys(wanted).length;
}

/**
 * Nothing is stored that the judge would not accept: a broken key, plug-in or service, or a trust root that lacks what was
 * signed with, shows here and not at the consumer's.
 *
 * @throws CountersignError what is wrong with the proof, or `internal`.
 */
export function checkPrepared(
  prepared: PreparedSignature,
  subject: Subject,
  requirement: Requirement,
): SignatureReport {
  const wanted = prepared.postponed === undefined ? requirement : withoutLogs(requirement);
  const judgement = judge({ subject, candidates: [prepared.candidate], obstacles: [] }, wanted);
  const [report] = judgement.signatures;
  if (judgement.status === "accepted" && report !== undefined) return report;
  const [reason] = judgement.reasons;
  const isProof = reason !== undefined && OF_PROOFS.has(reason.code);
  throw new CountersignError(
    isProof ? reason.code : "internal",
    "the signature that was made does not verify; nothing was stored",
    {
      found: reason === undefined ? undefined : explainFinding(reason),
      wanted: isProof ? `one that is proven by ${trustLabel(requirement)}` : undefined,
      next: isProof ? "give the trust root of the services that were signed with: --trusted-root FILE" : undefined,
    },
  );
}

/** What a trust root and services that do not belong together come to. */
const OF_PROOFS: ReadonlySet<ReasonCode> = new Set([
  "certificate-untrusted",
  "log-entry-missing",
  "log-entry-invalid",
  "timestamp-missing",
  "timestamp-invalid",
]);

function trustLabel({ identities, keyProof }: Requirement): string {
  return identities[0]?.trust.label ?? keyProof?.trust.label ?? "the key alone";
}

/** What is judged before its log entry was added. */
export function withoutLogs<Asked extends Acceptance>(asked: Asked): Asked {
  const { keyProof } = asked;
  return {
    ...asked,
    ...(keyProof && { keyProof: { ...keyProof, demands: { ...keyProof.demands, logs: 0 } } }),
    identities: asked.identities.map((one) => ({ ...one, demands: { ...one.demands, logs: 0 } })),
  };
}
