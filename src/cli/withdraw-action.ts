import { resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Digest } from "../core/oci/digest.ts";
import { repositoryName } from "../core/oci/reference.ts";
import { isName, NAME_FORM } from "../core/policy/parse-scope.ts";
import { formatWithdrawn, parseWithdrawn, type Withdrawn, withDigests } from "../core/policy/withdrawn.ts";
import type { Signatory } from "../core/ports.ts";
import type { Instant } from "../core/time.ts";
import type { Requirement } from "../core/verify/requirement.ts";
import { requireSigned } from "../core/verify/withdrawn.ts";
import { lockBeside } from "../io/disk/files.ts";
import { withLock } from "../io/disk/lock.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import { signBlob } from "../ops/blob.ts";
import { pushWithdrawn, type SignedList } from "../ops/withdrawn-artifact.ts";
import { type WithdrawResult, withdrawDocument, withdrawText } from "../report/withdraw.ts";
import type { Wiring } from "../wire.ts";
import { bundleBeside } from "./blob-files.ts";
import { noteBound } from "./bound-notes.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { type TaggedReference, taggedReference } from "./policy-fetch.ts";
import { checkingKeys } from "./sign-blob-action.ts";
import { openSignatory } from "./signatory.ts";
import { type PairPlace, readPair, writePair } from "./signed-pair.ts";
import { readWithdrawOptions, type WithdrawOptions } from "./withdraw-options.ts";

/** `countersign policy withdraw DIGEST…`: adds to a list of withdrawn digests, issues and signs it. */
export async function withdraw(
  context: Context,
  output: Output,
  digests: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const options = readWithdrawOptions(digests, raw);
  const path = resolve(context.workingDirectory, options.list);
  const place = { label: options.list, path, maxBytes: LIMITS.withdrawnBytes };
  const published = options.push === undefined ? undefined : taggedReference(options.push);
  const images = published === undefined ? [] : [`${repositoryName(published)}:${published.tag}`];
  const wiring = await openWiring(context, output, readRegistryOptions(raw), images);
  try {
    const opened = await openSignatory(context, output, wiring, options.signatory, []);
    const signatory = checkingKeys(opened, [options.list]);
    const { signal } = context;
    const push = published && (async (list: SignedList) => await pushList(wiring, published, list));
    const result = await withLock(lockBeside(path), { signal }, () =>
      rewrite(context, place, options, signatory, push),
    );
    await output.result({ text: (style) => withdrawText(result, style), json: () => withdrawDocument(result) });
    if (published !== undefined && result.pushed !== undefined) {
      const store = await wiring.open({ kind: "registry", reference: published });
      const target = { image: result.pushed.place, store, tag: published.tag };
      await noteBound({ context, output, wiring }, raw, [{ target, digest: result.pushed.digest }]);
    }
  } finally {
    await wiring.close();
  }
}

async function rewrite(
  context: Context,
  place: PairPlace,
  options: WithdrawOptions,
  signatory: Signatory,
  push: ((list: SignedList) => Promise<Digest>) | undefined,
): Promise<WithdrawResult> {
  const { referenceTime: now, signal } = context;
  const before = await readList(context, place, options, signatory);
  const { list, added, known } = withDigests(named(before, options, now), options.digests, options.reason, now);
  const bytes = formatWithdrawn(list);
  const { bundle, digest, signedBy, proof } = await signBlob(place.label, bytes, { signatory, now });
  await writePair(place, { bytes, bundle }, signal);
  const pushed = options.push && push && { place: options.push, digest: await push({ bytes, bundle }) };
  const bundleFile = bundleBeside(place.label);
  return { file: place.label, bundleFile, digest, list, added, known, signedBy, proof, ...(pushed && { pushed }) };
}

/** A list keeps its name: policies hold it to that. */
function named(
  list: Withdrawn | undefined,
  { list: label, name }: WithdrawOptions,
  now: Instant,
): Withdrawn | undefined {
  if (name === undefined) return list;
  if (!isName(name)) {
    throw new CountersignError("usage", "not a name for a list", { found: JSON.stringify(name), wanted: NAME_FORM });
  }
  if (list !== undefined) {
    if (list.name === name) return list;
    throw new CountersignError("usage", `${label} is another list`, {
      found: list.name === undefined ? "a list without a name" : `the list ${list.name}`,
      wanted: `the list ${name}, or no --name`,
    });
  }
  return { name, issued: now, digests: [] };
}

/** After the files: a registry that fails leaves a list that the next run issues again. */
async function pushList(wiring: Wiring, reference: TaggedReference, list: SignedList): Promise<Digest> {
  const store = await wiring.open({ kind: "registry", reference }, "write");
  return await pushWithdrawn(store, reference.tag, list);
}

/** What is on the list so far, once it is known to be whose it was: what anybody could have put there is not signed. */
async function readList(
  context: Context,
  place: PairPlace,
  { list: label, digests, previousKey }: WithdrawOptions,
  signatory: Signatory,
): Promise<Withdrawn | undefined> {
  const signers = await signersSoFar(context, previousKey, signatory);
  const pair = await readPair(place, ({ bytes, bundle }) =>
    requireSigned({ label, bytes, bundles: [bundle] }, signers),
  );
  if (pair !== undefined) return parseWithdrawn(pair.bytes, label);
  if (digests.length > 0) return undefined;
  throw new CountersignError("usage", "there is no list to issue again", { found: label, wanted: "a list" });
}

async function signersSoFar(
  context: Context,
  previousKey: string | undefined,
  signatory: Signatory,
): Promise<Requirement> {
  const terms = { threshold: 1, annotations: {}, signedAs: [], now: context.referenceTime };
  if (previousKey !== undefined) return { keys: [await loadPublicKey(previousKey, context)], identities: [], ...terms };
  return { ...signatory.accepts(await signatory.signer()), ...terms };
}
