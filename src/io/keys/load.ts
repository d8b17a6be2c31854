import type { KeyObject } from "node:crypto";
import { withPrehash } from "../../core/crypto/prehash.ts";
import { type PublicKey, parsePublicKey, publicKeyFrom } from "../../core/crypto/public-key.ts";
import { isPublishedKey } from "../../core/crypto/published.ts";
import { signData, verifySignature } from "../../core/crypto/signature.ts";
import { CountersignError } from "../../core/errors.ts";
import type { Signer } from "../../core/ports.ts";
import { readKey, warnOfReaders } from "./content.ts";
import { type KeyFile, openKey, readKeyFile } from "./keyfile.ts";
import { type AskPassword, passwordAsker } from "./passphrase.ts";
import { parseKeyReference } from "./reference.ts";
import type { KeySurroundings, PublicKeySurroundings } from "./surroundings.ts";

export type { KeySurroundings, PublicKeySurroundings } from "./surroundings.ts";

/**
 * The private key that a `KEY` names: a file or `env://NAME`, encrypted as cosign does or as PKCS#8, or plain PEM; a key
 * in a hardware token (`pkcs11:…`); a key in a KMS (`NAME://…`, through the program `sigstore-kms-NAME`).
 *
 * The last two run programs and load native code that the reference and the environment name: a reference that does not
 * come from the user's own hand is given with `isFromFile`.
 *
 * @throws CountersignError `key-invalid`, `key-weak`, `key-password`, `key-unavailable`, `unsupported` or `interrupted`.
 */
export async function loadSigner(reference: string, surroundings: KeySurroundings): Promise<Signer> {
  const parsed = parseKeyReference(reference);
  if (parsed.kind === "plugin") return await (await import("./plugin.ts")).pluginSigner(parsed, surroundings);
  if (parsed.kind === "pkcs11") return await (await import("./pkcs11.ts")).tokenSigner(parsed, surroundings);
  const content = await readKey(reference, surroundings);
  const signer = await openSigner(
    readKeyFile(content.content, content.label),
    content.label,
    passwordAsker(surroundings),
  );
  // A published key has nothing to hide, and is refused or warned about elsewhere.
  if (!isPublishedKey(signer.publicKey)) warnOfReaders(content, surroundings.warn);
  return signer;
}

/** @throws CountersignError `key-invalid`, `key-weak` or `key-password`. */
export async function openSigner(file: KeyFile, label: string, ask: AskPassword): Promise<Signer> {
  return await signerOf(await openKey(file, label, () => ask({ what: label, isNew: false })), label);
}

/** A signer with a private key that is open. @throws CountersignError `key-weak`. */
export async function signerOf(privateKey: KeyObject, label: string): Promise<Signer> {
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
 * The public key that a `KEY` names: a PEM file or `env://NAME`, or that of a key in a token or a KMS. A private key in a
 * file is refused: who verifies should not hold one.
 *
 * @throws CountersignError as `loadSigner`.
 */
export async function loadPublicKey(reference: string, surroundings: PublicKeySurroundings): Promise<PublicKey> {
  const parsed = parseKeyReference(reference);
  if (parsed.kind === "plugin") return await (await import("./plugin.ts")).pluginPublicKey(parsed, surroundings);
  if (parsed.kind === "pkcs11") return await (await import("./pkcs11.ts")).tokenPublicKey(parsed, surroundings);
  const { content, label } = await readKey(reference, surroundings);
  return await withPrehash(parsePublicKey(content, label));
}
