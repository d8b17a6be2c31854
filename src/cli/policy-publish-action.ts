import { dirname, resolve } from "node:path";
import { decodeUtf8, encodeUtf8 } from "../core/bytes.ts";
import { type PublicKey, parsePublicKey, publicKeyPem } from "../core/crypto/public-key.ts";
import { CountersignError } from "../core/errors.ts";
import { makePolicyArtifact } from "../core/formats/policy-artifact.ts";
import { repositoryName } from "../core/oci/reference.ts";
import { findUncompilable } from "../core/policy/compile.ts";
import { type PolicyDocument, placeName } from "../core/policy/document.ts";
import { lintPolicy } from "../core/policy/lint.ts";
import { parsePolicy } from "../core/policy/parse.ts";
import { keyFilesOf, requireSelfContained, withKeysInside } from "../core/policy/travel.ts";
import type { Signatory } from "../core/ports.ts";
import type { Requirement } from "../core/verify/requirement.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import { publishPolicy } from "../ops/policy-artifact.ts";
import { remembering, signImage } from "../ops/sign.ts";
import type { Target } from "../ops/verify.ts";
import { type PublishedPolicy, publishedDocument, publishedText } from "../report/policy-publish.ts";
import { noteBound } from "./bound-notes.ts";
import type { Context } from "./context.ts";
import { createdAt, openWiring } from "./images.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { taggedReference } from "./policy-fetch.ts";
import { readPolicyFile } from "./policy-file.ts";
import { refuseTwoReaders } from "./sign-action.ts";
import { openSignatory } from "./signatory.ts";
import { readSignatoryOptions, type SignatoryOptions } from "./signatory-options.ts";

/** `policy publish FILE oci://…`: the policy with its keys inside, stored and signed in a registry, and named last. */
export async function publish(
  context: Context,
  output: Output,
  file: string,
  place: string,
  raw: RawOptions,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const wish = readSignatoryOptions(raw);
  refuseTwoReaders(registry.passwordFromStdin, wish, context);
  refuseHalf(wish);
  const reference = taggedReference(place);
  const { bytes, document, inside } = await readTravelling(context, output, file);
  const name = repositoryName(reference);
  const wiring = await openWiring(context, output, registry, [`${name}:${reference.tag}`]);
  try {
    const signatory = await openSignatory(context, output, wiring, wish, [`${name}:${reference.tag}`]);
    const store = await wiring.open({ kind: "registry", reference }, "write");
    const published = await publishPolicy({
      target: { image: place, store, tag: reference.tag },
      artifact: makePolicyArtifact(bytes, name, context.referenceTime),
      sign: async (target) => await signPolicy(context, target, signatory),
      now: context.referenceTime,
    });
    const result: PublishedPolicy = { ...published, place, repository: name, document, inside };
    await output.result({ text: (style) => publishedText(result, style), json: () => publishedDocument(result) });
    const target = { image: place, store, tag: reference.tag };
    await noteBound({ context, output, wiring }, raw, [{ target, digest: published.digest }]);
  } finally {
    await wiring.close();
  }
}

function refuseHalf({ logLater }: SignatoryOptions): void {
  if (!logLater) return;
  throw new CountersignError("usage", "a policy is signed completely or not at all", {
    found: "--log-later",
    wanted: "the log to be reachable, or services without one",
  });
}

// --- what is published ------------------------------------------------------------------------------------------------

interface Travelling {
  readonly bytes: Uint8Array;
  readonly document: PolicyDocument;
  /** Key files whose content is in it now. */
  readonly inside: readonly string[];
}

/** @throws CountersignError `policy-invalid`: one that nobody could use, or that names what its users do not have. */
async function readTravelling(context: Context, output: Output, file: string): Promise<Travelling> {
  const written = await readPolicyFile(context, file);
  const keyFiles = keyFilesOf(parsePolicy(written, file));
  const folder = dirname(resolve(context.workingDirectory, file));
  const pems = new Map<string, string>();
  for (const { source, place } of keyFiles)
    pems.set(source.path, await readPem(context, folder, source.path, placeName(place)));
  const bytes = keyFiles.length === 0 ? written : encodeUtf8(withKeysInside(decodeUtf8(written), keyFiles, pems));
  const document = parsePolicy(bytes, file);
  requireSelfContained(document);
  const [problem] = await findUncompilable(document, context.referenceTime);
  if (problem !== undefined) throw problem;
  refuseLint(output, document, context);
  return { bytes, document, inside: [...pems.keys()] };
}

async function readPem(context: Context, workingDirectory: string, path: string, place: string): Promise<string> {
  try {
    return publicKeyPem(await loadPublicKey(path, { ...context, workingDirectory, isFromFile: true }));
  } catch (error) {
    if (!(error instanceof CountersignError) || error.class === "interrupted") throw error;
    const { message, found, wanted } = error;
    const where = found === undefined ? place : `${place}: ${found}`;
    throw new CountersignError("policy-invalid", message, { found: where, wanted, next: error.next, cause: error });
  }
}

/** What `policy check` fails for stays at home; the rest is told. */
function refuseLint(output: Output, document: PolicyDocument, { referenceTime: now }: Context): void {
  const findings = lintPolicy(document, { now, keys: keysIn(document) });
  const error = findings.find(({ severity }) => severity === "error");
  for (const { message, place } of findings.filter(({ severity }) => severity === "warning")) {
    output.warn(`${placeName(place)}: ${message}`);
  }
  if (error === undefined) return;
  const { message, place, next } = error;
  throw new CountersignError("policy-invalid", message, { found: placeName(place), next });
}

function keysIn({ identities }: PolicyDocument): ReadonlyMap<string, readonly PublicKey[]> {
  return new Map(
    [...identities.values()].flatMap((identity) => {
      if (identity.kind !== "keys") return [];
      const pems = identity.keys.flatMap(({ source }) => (source.kind === "pem" ? [source.pem] : []));
      return [[identity.name, pems.map((pem) => parsePublicKey(pem, identity.name))] as const];
    }),
  );
}

// --- its signature ----------------------------------------------------------------------------------------------------

/** As any image is signed. @returns what a consumer has to ask for. */
async function signPolicy(context: Context, target: Target, signatory: Signatory): Promise<Requirement> {
  const own = remembering(signatory);
  const now = context.referenceTime;
  const { finding } = await signImage(target, {
    signatory: own,
    formats: ["bundle"],
    annotations: {},
    createdAt: createdAt(context),
    now,
  });
  if (finding !== undefined) throw new CountersignError(finding.code, finding.message, finding);
  const accepted = own.accepted() ?? { keys: [], identities: [] };
  return { ...accepted, threshold: 1, annotations: {}, signedAs: [], now };
}
