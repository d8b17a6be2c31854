import { digest, type FakeKey } from "./keys.ts";

/** Who signs a note (C2SP signed-note): the name on the line, and the key. */
export interface NoteSigner {
  readonly name: string;
  readonly key: FakeKey;
  /** The four bytes in front of the signature, where they are a lie. */
  readonly keyId?: Uint8Array | undefined;
}

export interface CheckpointParts {
  readonly origin: string;
  readonly size: bigint | number;
  readonly root: Uint8Array;
  /** Lines behind the root hash. */
  readonly extensions?: readonly string[] | undefined;
}

/** What is signed: C2SP tlog-checkpoint. */
export function checkpointText({ origin, size, root, extensions = [] }: CheckpointParts): string {
  return [origin, String(size), Buffer.from(root).toString("base64"), ...extensions, ""].join("\n");
}

/** The text, an empty line, and a line for each signer. */
export function signedNote(text: string, lines: readonly string[]): string {
  return `${text}\n${lines.join("")}`;
}

export function signatureLine(
  text: string,
  { name, key, keyId = noteKeyId(name, key).subarray(0, 4) }: NoteSigner,
): string {
  return line(name, keyId, key.sign(Buffer.from(text)));
}

/** A witness's line (C2SP tlog-cosignature, Ed25519): its time stands before its signature. */
export function witnessLine(text: string, { name, key }: NoteSigner, at: number): string {
  const seconds = Math.floor(at / 1000);
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(seconds));
  const signature = key.sign(Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`));
  return line(name, ed25519KeyId(name, key, 4), Buffer.concat([time, signature]));
}

function line(name: string, keyId: Uint8Array, signature: Uint8Array): string {
  return `\u2014 ${name} ${Buffer.concat([keyId.subarray(0, 4), signature]).toString("base64")}\n`;
}

/** The whole hash; its first four bytes stand on the line. ECDSA keys are named by their SPKI alone, as Rekor does. */
export function noteKeyId(name: string, key: FakeKey): Buffer {
  switch (key.kind) {
    case "ed25519":
    case "ed25519ph":
      return ed25519KeyId(name, key, 1);
    case "rsa2048":
      return digest(Buffer.concat([Buffer.from(`${name}\n\u00ffPKIX-RSA-PKCS#1v1.5`, "latin1"), key.spki]));
    default:
      return digest(key.spki);
  }
}

function ed25519KeyId(name: string, key: FakeKey, type: number): Buffer {
  return digest(Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(type), key.spki.subarray(-32)]));
}
