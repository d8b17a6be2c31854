import { createPrivateKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { equalBytes } from "../../core/bytes.ts";
import { keyAlgorithmOf } from "../../core/crypto/algorithms.ts";
import { formatPem, type PemBlock, parsePem } from "../../core/crypto/pem.ts";
import { parseDctKeyFile } from "../../core/dct/key-file.ts";
import { CountersignError } from "../../core/errors.ts";
import { requireAffordable } from "./pkcs8-cost.ts";
import { sealKey, unsealKey } from "./sealed-key.ts";

/** What a private key file is, seen without its password. */
export type KeyFileKind = "cosign" | "encrypted-pkcs8" | "pkcs8" | "sec1" | "pkcs1" | "notary-traditional";

const KINDS: Readonly<Record<string, KeyFileKind>> = {
  "ENCRYPTED SIGSTORE PRIVATE KEY": "cosign",
  "ENCRYPTED COSIGN PRIVATE KEY": "cosign",
  "ENCRYPTED PRIVATE KEY": "encrypted-pkcs8",
  "PRIVATE KEY": "pkcs8",
  "EC PRIVATE KEY": "sec1",
  "RSA PRIVATE KEY": "pkcs1",
};

export interface KeyFile {
  readonly kind: KeyFileKind;
  readonly encrypted: boolean;
  readonly block: PemBlock;
}

/** What Docker wrote until 2017: its encryption stands in the text, not in the block. */
interface TraditionalKeyFile extends KeyFile {
  readonly kind: "notary-traditional";
  readonly pem: string;
}

/** `openssl ecparam -genkey` writes the curve's name as a block of its own before the key, which names it again. */
const EC_PARAMETERS = /^-----BEGIN EC PARAMETERS-----\r?\n[A-Za-z0-9+/=\r\n]{1,512}-----END EC PARAMETERS-----\r?\n/;

/**
 * Recognises a private key file without opening it. Those of Docker Content Trust have headers before their content that other
 * tools do not read. Traditional encryption (RFC 1421) is opened for them alone, so that their keys can be taken over.
 *
 * @throws CountersignError `key-invalid`.
 */
export function readKeyFile(content: Uint8Array, label: string): KeyFile | TraditionalKeyFile {
  const notary = parseDctKeyFile(content);
  if (notary?.isTraditional === true && notary.role !== undefined) return traditionalFile(notary.pem, label);
  const text = notary?.pem ?? new TextDecoder("utf-8", { ignoreBOM: true }).decode(content);
  const block = parsePem(text.replace(EC_PARAMETERS, ""), label);
  const kind = KINDS[block.label];
  if (kind !== undefined) return { kind, encrypted: kind === "cosign" || kind === "encrypted-pkcs8", block };
  throw new CountersignError("key-invalid", `${label} is not a private key`, {
    found: `a PEM block labelled ${block.label}`,
    wanted: Object.keys(KINDS).join(", "),
  });
}

function traditionalFile(pem: string, label: string): TraditionalKeyFile {
  const block = parsePem(pem.replace(/\n(?:[A-Za-z-]+: [^\n]*\n)+\n/, "\n"), label);
  return { kind: "notary-traditional", encrypted: true, block, pem };
}

/**
 * Opens a private key. `password` is asked for only where the file is encrypted; a password that ends in a line break
 * is tried without it as well: that is how it comes from `echo`.
 *
 * @throws CountersignError `key-invalid`, `key-weak` or `key-password`.
 */
export async function openKey(
  file: KeyFile | TraditionalKeyFile,
  label: string,
  password: () => Promise<Uint8Array>,
): Promise<KeyObject> {
  const key = file.encrypted ? await decrypt(file, label, await password()) : decode(file, label);
  if (key === undefined) {
    throw new CountersignError("key-password", `the password does not open ${label}`, {
      found: "another password, or a damaged file",
    });
  }
  keyAlgorithmOf(key, label);
  return key;
}

async function decrypt(
  file: KeyFile | TraditionalKeyFile,
  label: string,
  password: Uint8Array,
): Promise<KeyObject | undefined> {
  if (file.kind === "encrypted-pkcs8") requireAffordable(file.block.content, label);
  for (const candidate of spellings(password)) {
    const key = file.kind === "cosign" ? await openSealed(file, label, candidate) : openEncrypted(file, candidate);
    if (key !== undefined) return key;
  }
  return undefined;
}

function spellings(password: Uint8Array): readonly Uint8Array[] {
  const trimmed = password.at(-1) === 0x0a ? password.slice(0, password.at(-2) === 0x0d ? -2 : -1) : password;
  return equalBytes(trimmed, password) ? [password] : [password, trimmed];
}

async function openSealed(file: KeyFile, label: string, password: Uint8Array): Promise<KeyObject | undefined> {
  const pkcs8 = await unsealKey(file.block.content, password, label);
  return pkcs8 === undefined
    ? undefined
    : decode({ ...file, kind: "pkcs8", block: { ...file.block, content: pkcs8 } }, label);
}

/** OpenSSL tells a wrong password from a damaged file only by luck of the padding, so both are one answer. */
function openEncrypted(file: KeyFile | TraditionalKeyFile, password: Uint8Array): KeyObject | undefined {
  const passphrase = Buffer.from(password);
  try {
    if ("pem" in file) return createPrivateKey({ key: file.pem, format: "pem", passphrase });
    return createPrivateKey({ key: Buffer.from(file.block.content), format: "der", type: "pkcs8", passphrase });
  } catch {
    return undefined;
  }
}

function decode({ kind, block }: KeyFile, label: string): KeyObject {
  const type = kind === "sec1" || kind === "pkcs1" ? kind : "pkcs8";
  try {
    return createPrivateKey({ key: Buffer.from(block.content), format: "der", type });
  } catch (cause) {
    throw new CountersignError("key-invalid", `${label} is not a private key`, {
      found: `a PEM block labelled ${block.label} that holds no key of a known kind`,
      cause,
    });
  }
}

/** The key as a cosign key file, encrypted with the password (which may be empty). */
export async function formatKeyFile(key: KeyObject, password: Uint8Array): Promise<string> {
  const pkcs8 = new Uint8Array(key.export({ type: "pkcs8", format: "der" }));
  const content = await sealKey(pkcs8, password);
  pkcs8.fill(0);
  return formatPem({ label: "ENCRYPTED SIGSTORE PRIVATE KEY", content });
}

/** What `key generate --algorithm` takes; the first is the default. */
export const GENERATED_ALGORITHMS = ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-3072"] as const;
export type GeneratedAlgorithm = (typeof GENERATED_ALGORITHMS)[number];

export async function generateKey(algorithm: GeneratedAlgorithm): Promise<KeyObject> {
  const generate = promisify(generateKeyPair);
  switch (algorithm) {
    case "ecdsa-p256":
      return (await generate("ec", { namedCurve: "prime256v1" })).privateKey;
    case "ecdsa-p384":
      return (await generate("ec", { namedCurve: "secp384r1" })).privateKey;
    case "ed25519":
      return (await generate("ed25519", {})).privateKey;
    case "rsa-3072":
      return (await generate("rsa", { modulusLength: 3072, publicExponent: 65_537 })).privateKey;
  }
}
