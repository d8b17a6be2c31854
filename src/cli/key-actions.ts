import { resolve } from "node:path";
import { type PublicKey, parsePublicKey, publicKeyFrom, publicKeyPem } from "../core/crypto/public-key.ts";
import { isPublishedKey } from "../core/crypto/published.ts";
import { CountersignError } from "../core/errors.ts";
import { readKey, warnOfReaders } from "../io/keys/content.ts";
import {
  formatKeyFile,
  GENERATED_ALGORITHMS,
  type GeneratedAlgorithm,
  generateKey,
  type KeyFileKind,
  openKey,
  readKeyFile,
} from "../io/keys/keyfile.ts";
import { loadPublicKey, openSigner } from "../io/keys/load.ts";
import { requireNoPair, writeKeyPair } from "../io/keys/pair.ts";
import { type AskPassword, passwordAsker } from "../io/keys/passphrase.ts";
import { parseKeyReference } from "../io/keys/reference.ts";
import { formatDocument } from "../report/json.ts";
import type { Context } from "./context.ts";
import type { Output, Result } from "./output.ts";

/** What the `key` commands do. Results say where keys are and which they are; never what is in a private one. */

export interface PairOptions {
  readonly outputKeyPrefix: string;
  readonly force: boolean;
}

/** `key generate`. */
export async function generatePair(
  context: Context,
  output: Output,
  options: PairOptions & { readonly algorithm: GeneratedAlgorithm },
): Promise<void> {
  const prefix = prefixPath(context, options);
  if (!options.force) await requireNoPair(prefix);
  const ask = passwordAsker(context);
  const password = await askNew(ask, `the new key ${options.outputKeyPrefix}.key`, output);
  const privateKey = await generateKey(options.algorithm);
  const caveat = CAVEATS[options.algorithm];
  if (caveat !== undefined) output.warn(caveat);
  const pair = await store(context, publicKeyFrom(privateKey, `${options.outputKeyPrefix}.pub`), options, () =>
    formatKeyFile(privateKey, password),
  );
  await output.result(pairResult("key generate", pair));
}

/** What does not go round with cosign 3.1, each found by signing and verifying in both directions. */
const CAVEATS: Partial<Readonly<Record<GeneratedAlgorithm, string>>> = {
  "ecdsa-p384":
    "cosign verifies signatures by a P-384 key only with --signature-digest-algorithm sha384; ecdsa-p256 has no such catch",
  ed25519:
    "cosign signs with an Ed25519 key in a form that cosign verify refuses; both verify what countersign signs with it," +
    " but where cosign signs too, ecdsa-p256 is the better choice",
};

/** `key import`. */
export async function importPair(
  context: Context,
  output: Output,
  options: PairOptions & { readonly file: string },
): Promise<void> {
  const prefix = prefixPath(context, options);
  if (!options.force) await requireNoPair(prefix);
  const ask = passwordAsker(context);
  const content = await readKey(options.file, context);
  const file = readKeyFile(content.content, content.label);
  const privateKey = await openKey(file, content.label, () => ask({ what: content.label, isNew: false }));
  warnOfReaders(content, output.warn);
  const password = await askNew(ask, `the new key ${options.outputKeyPrefix}.key`, output);
  const pair = await store(context, publicKeyFrom(privateKey, `${options.outputKeyPrefix}.pub`), options, () =>
    formatKeyFile(privateKey, password),
  );
  await output.result(pairResult("key import", pair));
}

/** `key public`: the PEM text alone, so that it can be redirected to a file. */
export async function printPublicKey(context: Context, output: Output, reference: string): Promise<void> {
  const { publicKey } = await identify(context, output, reference);
  const pem = publicKeyPem(publicKey);
  await output.result({
    text: () => pem,
    json: () => formatDocument("key public", { ...keyMember(publicKey), publicKey: pem }),
  });
}

/** `key inspect`. */
export async function inspectKey(context: Context, output: Output, reference: string): Promise<void> {
  const found = await identify(context, output, reference);
  const { publicKey } = found;
  const published = isPublishedKey(publicKey);
  if (published) output.warn("this key is published as an example: anyone can sign with it");
  const form = found.kind === undefined ? "public key" : `private key, ${KIND_NAMES[found.kind]}`;
  await output.result({
    text: () => table([["form", form], ...keyRows(publicKey)]),
    json: () =>
      formatDocument("key inspect", {
        key: reference,
        type: found.kind === undefined ? "public" : "private",
        format: found.kind ?? "spki",
        encrypted: found.encrypted,
        ...keyMember(publicKey),
        published,
      }),
  });
}

const KIND_NAMES: Readonly<Record<PrivateKind, string>> = {
  cosign: "encrypted as cosign does",
  "encrypted-pkcs8": "encrypted PKCS#8",
  "notary-traditional": "encrypted as Docker did until 2017",
  pkcs8: "PKCS#8, not encrypted",
  sec1: "SEC1, not encrypted",
  pkcs1: "PKCS#1, not encrypted",
  kms: "in a key management service",
  pkcs11: "in a token",
};

type PrivateKind = KeyFileKind | "kms" | "pkcs11";

interface Identified {
  readonly publicKey: PublicKey;
  /** undefined for a public key. */
  readonly kind: PrivateKind | undefined;
  /** Whether a password opens the file. */
  readonly encrypted: boolean;
}

/** Either half of a pair: a private key in a file is opened for its public half, a KMS or a token is asked for it. */
async function identify(context: Context, output: Output, reference: string): Promise<Identified> {
  const { kind } = parseKeyReference(reference);
  if (kind === "plugin" || kind === "pkcs11") {
    const publicKey = await loadPublicKey(reference, { ...context, warn: output.warn });
    return { publicKey, kind: kind === "plugin" ? "kms" : kind, encrypted: false };
  }
  const found = await readKey(reference, context);
  const { content, label } = found;
  if (!isPrivate(content)) return { publicKey: parsePublicKey(content, label), kind: undefined, encrypted: false };
  const file = readKeyFile(content, label);
  const { publicKey } = await openSigner(file, label, passwordAsker(context));
  if (!isPublishedKey(publicKey)) warnOfReaders(found, output.warn);
  return { publicKey, kind: file.kind, encrypted: file.encrypted };
}

function isPrivate(content: Uint8Array): boolean {
  return /^-----BEGIN [A-Z0-9 ]*(?:PRIVATE KEY|EC PARAMETERS)-----/m.test(Buffer.from(content).toString("latin1"));
}

/** cosign keeps the line break of a piped password as a part of it; so must we, and say so. */
async function askNew(ask: AskPassword, what: string, output: Output): Promise<Uint8Array> {
  const password = await ask({ what, isNew: true });
  if (password.byteLength === 0) output.warn("the password is empty: whoever reads the key file can sign with it");
  if (password.at(-1) === 0x0a) {
    output.warn("the password ends in a line break, which is part of it (as in cosign); printf '%s' writes none");
  }
  return password;
}

interface StoredPair {
  readonly privateFile: string;
  readonly publicFile: string;
  readonly publicKey: PublicKey;
}

/** Where the pair goes, without its endings. @throws CountersignError `usage` for a prefix that names no file. */
function prefixPath(context: Context, { outputKeyPrefix }: PairOptions): string {
  if (!/(?:^|[/\\])\.{0,2}$/.test(outputKeyPrefix)) return resolve(context.workingDirectory, outputKeyPrefix);
  throw new CountersignError("usage", "not a prefix of file names", {
    found: outputKeyPrefix === "" ? "nothing" : outputKeyPrefix,
    wanted: "a name, or a folder and a name: release, keys/release",
  });
}

async function store(
  context: Context,
  publicKey: PublicKey,
  options: PairOptions,
  privateKey: () => Promise<string>,
): Promise<StoredPair> {
  if (context.signal.aborted) throw new CountersignError("interrupted", "stopped before the keys were written");
  const files = { privateKey: await privateKey(), publicKey: publicKeyPem(publicKey) };
  await writeKeyPair(prefixPath(context, options), files, options.force);
  return {
    privateFile: `${options.outputKeyPrefix}.key`,
    publicFile: `${options.outputKeyPrefix}.pub`,
    publicKey,
  };
}

function pairResult(command: string, { privateFile, publicFile, publicKey }: StoredPair): Result {
  return {
    text: () => table([["private key", privateFile], ["public key", publicFile], ...keyRows(publicKey)]),
    json: () =>
      formatDocument(command, { privateKeyFile: privateFile, publicKeyFile: publicFile, ...keyMember(publicKey) }),
  };
}

function keyRows(key: PublicKey): readonly Row[] {
  return [
    ["algorithm", key.algorithm],
    ["fingerprint", key.fingerprint],
    ["hint", key.hint],
  ];
}

function keyMember(key: PublicKey): Readonly<Record<string, unknown>> {
  return { algorithm: key.algorithm, fingerprint: key.fingerprint, hint: key.hint };
}

type Row = readonly [label: string, value: string];

function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${value}\n`).join("");
}

/** @throws CountersignError `usage`. */
export function readAlgorithm(name: string): GeneratedAlgorithm {
  const known = GENERATED_ALGORITHMS.find((algorithm) => algorithm === name);
  if (known !== undefined) return known;
  throw new CountersignError("usage", "not an algorithm that keys are made for", {
    found: name,
    wanted: GENERATED_ALGORITHMS.join(", "),
  });
}

/** A key that can be given as an argument or, as in cosign, with --key. @throws CountersignError `usage`. */
export function oneKey(argument: string | undefined, option: string | undefined): string {
  const [only, ...others] = [argument, option].filter((value) => value !== undefined);
  if (only !== undefined && others.length === 0) return only;
  throw new CountersignError("usage", "exactly one key is wanted", {
    found: only === undefined ? "none" : "one as argument and one with --key",
    wanted: "KEY",
  });
}
