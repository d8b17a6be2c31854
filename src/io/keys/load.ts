import { type FileHandle, open } from "node:fs/promises";
import { resolve } from "node:path";
import { withPrehash } from "../../core/crypto/prehash.ts";
import { type PublicKey, parsePublicKey, publicKeyFrom } from "../../core/crypto/public-key.ts";
import { isPublishedKey } from "../../core/crypto/published.ts";
import { signData, verifySignature } from "../../core/crypto/signature.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Signer } from "../../core/ports.ts";
import { errnoOf } from "../disk/errors.ts";
import { type KeyFile, openKey, readKeyFile } from "./keyfile.ts";
import { type AskPassword, type PasswordSources, passwordAsker } from "./passphrase.ts";

/** What loading a key takes from the outside. The command line's context fits, with a `warn` beside it. */
export interface KeySurroundings extends PasswordSources {
  /** What relative paths are relative to. */
  readonly workingDirectory: string;
  /** Told about a key file that others can read. */
  readonly warn?: ((line: string) => void) | undefined;
}

/**
 * The private key that a `KEY` names: a file or `env://NAME`, encrypted as cosign does or as PKCS#8, or plain PEM.
 *
 * @throws CountersignError `key-invalid`, `key-weak`, `key-password` or `unsupported`.
 */
export async function loadSigner(reference: string, surroundings: KeySurroundings): Promise<Signer> {
  const content = await readKey(reference, surroundings.env, surroundings.workingDirectory);
  const signer = await openSigner(
    readKeyFile(content.content, content.label),
    content.label,
    passwordAsker(surroundings),
  );
  // A published key has nothing to hide, and is refused or warned about elsewhere.
  if (!isPublishedKey(signer.publicKey)) warnOfReaders(content, surroundings.warn);
  return signer;
}

/** Group and everyone. */
const OTHERS_READ = 0o044;

/** Says so where users other than the owner can read a private key's file. */
export function warnOfReaders({ label, mode }: KeyContent, warn: KeySurroundings["warn"]): void {
  if (mode === undefined || (mode & OTHERS_READ) === 0) return;
  const octal = (mode & 0o777).toString(8).padStart(4, "0");
  warn?.(`${label} can be read by other users (mode ${octal}); chmod 600 ${label}`);
}

/** @throws CountersignError `key-invalid`, `key-weak` or `key-password`. */
export async function openSigner(file: KeyFile, label: string, ask: AskPassword): Promise<Signer> {
  const privateKey = await openKey(file, label, () => ask({ what: label, isNew: false }));
  const publicKey = await withPrehash(publicKeyFrom(privateKey, label));
  return {
    publicKey,
    async sign(data) {
      const signature = signData(privateKey, data);
      // A key file holds both halves and they can disagree; a signature nobody can verify must not be stored.
      if (verifySignature(publicKey, data, signature).verified) return signature;
      throw new CountersignError("key-invalid", `the private and the public half of ${label} do not belong together`);
    },
  };
}

/**
 * The public key that a `KEY` names: a PEM file or `env://NAME`. A private key is refused: who verifies should not hold one.
 *
 * @throws CountersignError `key-invalid`, `key-weak` or `unsupported`.
 */
export async function loadPublicKey(
  reference: string,
  surroundings: Pick<KeySurroundings, "env" | "workingDirectory">,
): Promise<PublicKey> {
  const { content, label } = await readKey(reference, surroundings.env, surroundings.workingDirectory);
  return await withPrehash(parsePublicKey(content, label));
}

// --- from a reference to bytes ----------------------------------------------------------------------------------------

export interface KeyContent {
  readonly content: Uint8Array;
  /** As the user wrote the reference. */
  readonly label: string;
  /** Permission bits, for regular files on systems that have them. */
  readonly mode?: number | undefined;
}

/** @throws CountersignError `key-invalid` or `unsupported`. */
export async function readKey(
  reference: string,
  env: PasswordSources["env"],
  workingDirectory: string,
): Promise<KeyContent> {
  const variable = /^env:\/\/(.*)$/s.exec(reference)?.[1];
  if (variable !== undefined) return readVariable(reference, variable, env);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(reference)?.[1] ?? /^(pkcs11):/i.exec(reference)?.[1];
  if (scheme !== undefined) {
    throw new CountersignError("unsupported", "keys of this kind are not supported", {
      // The rest of the reference may hold a PIN or a token.
      found: `a reference that starts with ${scheme.toLowerCase()}:`,
      wanted: "a file or env://NAME",
      next: "save the public key to a file; private keys in a KMS, an HSM or a cluster cannot be used yet",
    });
  }
  return await readFile(reference, resolve(workingDirectory, reference));
}

function readVariable(label: string, name: string, env: PasswordSources["env"]): KeyContent {
  const value = env[name];
  if (value !== undefined && value !== "") return { content: Buffer.from(value), label };
  throw unusable(label, name === "" ? "no variable's name" : `${name} is ${value === undefined ? "not set" : "empty"}`);
}

/** Links are followed (mounted secrets are links) and pipes are read (`--key <(…)`), both within the limit. */
async function readFile(label: string, path: string): Promise<KeyContent> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (thrown) {
    throw unusable(label, WHY[errnoOf(thrown) ?? ""] ?? String(errnoOf(thrown)), thrown);
  }
  try {
    const status = await handle.stat();
    if (status.isDirectory()) throw unusable(label, "a folder");
    const content = await readBounded(handle, label);
    return { content, label, mode: status.isFile() && process.platform !== "win32" ? status.mode : undefined };
  } finally {
    await handle.close();
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "a folder",
  ENOTDIR: "there is no such file",
  ELOOP: "a loop of symbolic links",
};

async function readBounded(handle: FileHandle, label: string): Promise<Uint8Array> {
  const buffer = Buffer.alloc(LIMITS.keyFileBytes + 1);
  let size = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, size, buffer.byteLength - size, null);
    size += bytesRead;
    if (size > LIMITS.keyFileBytes) throw unusable(label, `more than ${LIMITS.keyFileBytes} bytes`);
    if (bytesRead === 0) return buffer.subarray(0, size);
  }
}

function unusable(label: string, found: string, cause?: unknown): CountersignError {
  return new CountersignError("key-invalid", `${label} cannot be used as a key`, {
    found,
    wanted: "a key file in PEM form",
    cause,
  });
}
