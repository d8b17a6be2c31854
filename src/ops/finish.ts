import { encodeBase64 } from "../core/bytes.ts";
import type { PublicKey } from "../core/crypto/public-key.ts";
import { verifySignature } from "../core/crypto/signature.ts";
import { CountersignError, findingUnlessInterrupted } from "../core/errors.ts";
import type { UntrustedEnvelope, UntrustedLogEntry } from "../core/formats/envelope.ts";
import { readClaim } from "../core/formats/format.ts";
import type { LoggedSignature } from "../core/formats/log-record.ts";
import { makeBundle, POSTPONED_ANNOTATION, parseBundleSignature } from "../core/formats/sigstore-bundle.ts";
import type { Descriptor } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { ContentCache, ContentStore, RecordSignature } from "../core/ports.ts";
import type { FinishedImage, FinishOutcome } from "../core/results.ts";
import type { Instant } from "../core/time.ts";
import type { Demands, SignatureProof, TrustMaterial } from "../core/trust/material.ts";
import type { UntrustedCandidate } from "../core/verify/evidence.ts";
import type { SignedBy } from "../core/verify/verdict.ts";
import { mapConcurrently } from "./concurrency.ts";
import { gather } from "./gather.ts";
import { storeBundle } from "./prepare-signature.ts";
import { couldNotLook, DEFAULT_WORKERS } from "./sign.ts";
import { nameOf, resolveTarget, type Target } from "./verify.ts";

export interface FinishOptions {
  /** Writes to as many logs as the signing configuration wants. */
  readonly record: RecordSignature;
  readonly trust: TrustMaterial;
  /** What a finished signature has to bring. */
  readonly demands: Demands;
  /** A bundle does not hold the key of its signer: these are looked through. */
  readonly keys: readonly PublicKey[];
  /** The index and every manifest in it. */
  readonly recursive?: boolean | undefined;
  /** Show what would be done; ask no log and write nothing. */
  readonly dryRun?: boolean | undefined;
  readonly createdAt: Instant;
  readonly now: Instant;
  readonly cache?: ContentCache | undefined;
  readonly maxWorkers?: number | undefined;
}

/**
 * Adds the log entries that `sign --log-later` left out. The note that something is to be done is the manifest that it
 * stored: nothing else has to survive until then, and anybody who may write there can do it, with no key and no token.
 *
 * The finished bundle is stored beside the unfinished one, which it replaces for everybody who asks for a log entry;
 * registries seldom let anybody delete. Doing it again finds the finished one and changes nothing.
 */
export async function finishImages(targets: readonly Target[], options: FinishOptions): Promise<FinishedImage[]> {
  return await mapConcurrently(targets, options.maxWorkers ?? DEFAULT_WORKERS, (target) =>
    finishImage(target, options),
  );
}

async function finishImage(target: Target, options: FinishOptions): Promise<FinishedImage> {
  const outcomes: FinishOutcome[] = [];
  const named = { image: target.image, name: target.image, outcomes };
  try {
    const root = await resolveTarget(target);
    const { digest } = root.descriptor;
    const children = options.recursive === true && root.kind === "index" ? root.manifests : [];
    for (const descriptor of [root.descriptor, ...children]) {
      outcomes.push(...(await finishManifest(target.store, descriptor, options)));
    }
    return { ...named, name: nameOf(target, root.descriptor), digest };
  } catch (error) {
    return { ...named, finding: findingUnlessInterrupted(error) };
  }
}

/** A signature as it was found, and the manifest that holds it. */
interface FoundBundle {
  readonly envelope: UntrustedEnvelope;
  readonly manifest: Digest;
}

async function finishManifest(
  store: ContentStore,
  subject: Descriptor,
  options: FinishOptions,
): Promise<readonly FinishOutcome[]> {
  const bundles = await allBundles(store, subject.digest, options.cache);
  const finished = new Map(bundles.filter(hasEntry).map((bundle) => [signatureOf(bundle), bundle.manifest]));
  const outcomes: FinishOutcome[] = [];
  for (const bundle of bundles.filter((one) => !hasEntry(one))) {
    if (!(await isPostponed(store, bundle.manifest))) continue;
    const outcome = { digest: subject.digest, postponed: bundle.manifest };
    const done = finished.get(signatureOf(bundle));
    if (done !== undefined) outcomes.push({ ...outcome, state: "finished-before", manifest: done });
    else outcomes.push({ ...outcome, ...(await finishOrSayWhyNot(store, subject, bundle.envelope, options)) });
  }
  return outcomes;
}

function hasEntry({ envelope }: FoundBundle): boolean {
  return envelope.logEntries.length > 0;
}

function signatureOf({ envelope }: FoundBundle): string {
  return encodeBase64(envelope.signature);
}

/** @throws CountersignError where something that is stored there could not be looked at. */
async function allBundles(
  store: ContentStore,
  subject: Digest,
  cache: ContentCache | undefined,
): Promise<readonly FoundBundle[]> {
  const bundles: FoundBundle[] = [];
  for await (const part of gather(store, subject, { cache, formats: ["bundle"] })) {
    const unseen = part.obstacles.find(couldNotLook);
    if (unseen !== undefined) throw new CountersignError(unseen.code, unseen.message, unseen);
    bundles.push(...part.candidates.flatMap(readOrPassOver));
  }
  return bundles;
}

/** Junk beside the signatures is no reason not to finish one. */
function readOrPassOver(candidate: UntrustedCandidate): readonly FoundBundle[] {
  const { manifest } = candidate.origin;
  if (candidate.format !== "bundle" || manifest === undefined) return [];
  try {
    return [{ envelope: parseBundleSignature(candidate.bytes, candidate.origin), manifest }];
  } catch {
    return [];
  }
}

/**
 * Many bundles have no log entry and are not to have one (a private instance's, GitHub's for private repositories): only
 * those that say so are taken up. It says nothing of who signed; that is proven before a log is shown anything.
 */
async function isPostponed(store: ContentStore, manifest: Digest): Promise<boolean> {
  const found = await store.resolve(manifest);
  return found?.annotations?.[POSTPONED_ANNOTATION] === "postponed";
}

type Finished = Omit<FinishOutcome, "digest" | "postponed">;

async function finishOrSayWhyNot(
  store: ContentStore,
  subject: Descriptor,
  envelope: UntrustedEnvelope,
  options: FinishOptions,
): Promise<Finished> {
  try {
    return await finish(store, subject, envelope, options);
  } catch (error) {
    return { state: "failed", finding: findingUnlessInterrupted(error) };
  }
}

/** Proven before it is shown to a log, and with its entry again before it is stored. */
async function finish(
  store: ContentStore,
  subject: Descriptor,
  envelope: UntrustedEnvelope,
  options: FinishOptions,
): Promise<Finished> {
  const { demands, record, dryRun, createdAt } = options;
  const { signedBy, publicKey } = prove(envelope, { ...demands, logs: 0 }, options);
  const { predicateType, subjects } = readClaim(envelope);
  if (!subjects.includes(subject.digest)) throw aboutAnother(subjects, subject.digest);
  if (dryRun === true) return { state: "would-finish", signedBy };
  const [certificate] = envelope.certificates;
  const { signature, timestamps } = envelope;
  const { payloadType, payload, signed } = envelope;
  const content = { payloadType, payload };
  const shown: LoggedSignature = { signedBytes: signed.bytes, envelope: content, signature, publicKey, certificate };
  const logEntries = (await record(shown)).map(withoutTime);
  const { proof } = prove({ ...envelope, logEntries }, demands, options);
  const signer = certificate === undefined ? { hint: publicKey.hint } : { certificate };
  const bundle = makeBundle({ statement: envelope.payload, signature, signer, logEntries, timestamps });
  const stored = await storeBundle(store, { bundle, subject, created: createdAt, predicateType });
  return { state: "finished", signedBy, proof, ...stored };
}

/**
 * A Rekor 1 log promises the entry for the time at which it came, when the certificate has long expired. That it holds the
 * entry is what counts, and its proof says so; the time of signing is the timestamp's.
 */
function withoutTime({ promise: _, integratedTime: __, ...entry }: UntrustedLogEntry): UntrustedLogEntry {
  return entry;
}

interface Proven {
  readonly signedBy: SignedBy;
  readonly publicKey: PublicKey;
  readonly proof: SignatureProof;
}

function prove(envelope: UntrustedEnvelope, demands: Demands, { trust, keys, now }: FinishOptions): Proven {
  if (envelope.certificates.length > 0) {
    const { identity, publicKey, ...proof } = trust.proveCertificate(envelope, demands, now);
    return { signedBy: { kind: "identity", identity }, publicKey, proof };
  }
  const key = keys.find((one) => verifySignature(one, envelope.signed.bytes, envelope.signature).verified);
  if (key === undefined) throw unknownKey(keys);
  const signedBy: SignedBy = { kind: "key", label: key.label, fingerprint: key.fingerprint };
  return {
    signedBy,
    publicKey: key,
    proof: trust.proveKey(envelope, key, { ...demands, certificateLogs: 0, times: 0 }, now),
  };
}

function unknownKey(keys: readonly PublicKey[]): CountersignError {
  return new CountersignError("wrong-key", "a postponed signature is by a key that was not given", {
    found: "a bundle that names its key by a hash only",
    wanted: keys.length === 0 ? "--key, with the signer's public key" : keys.map(({ label }) => label).join(" or "),
    next: "give the signer's public key with --key",
  });
}

function aboutAnother(found: readonly Digest[], wanted: Digest): CountersignError {
  const message = "a postponed signature is about another image";
  return new CountersignError("wrong-digest", message, { found: found.join(", ") || "no digest", wanted });
}
