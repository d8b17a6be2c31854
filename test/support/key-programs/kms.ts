/**
 * A `sigstore-kms-…` plug-in for tests: the key's name is the path of a private key (PEM). It keeps to the protocol unless
 * PLUGIN_MODE says how not to. PLUGIN_LOG is a file for what it was asked.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";

interface Request {
  readonly initOptions: { readonly keyResourceID: string; readonly hashFunc: number };
  readonly methodName: string;
  /** cosign has its plug-ins verify; countersign does so itself. */
  readonly verifySignature?: { readonly signature: string };
}

const [, , version = "", text = ""] = process.argv;
const request = JSON.parse(text) as Request;
const mode = process.env["PLUGIN_MODE"] ?? "good";
const input = readFileSync(0);
const key = createPrivateKey(readFileSync(request.initOptions.keyResourceID));

const log = process.env["PLUGIN_LOG"];
if (log !== undefined) {
  const entry = { version, request, input: input.toString("base64"), env: process.env };
  appendFileSync(log, `${JSON.stringify(entry)}\n`);
}
async function answer(): Promise<object> {
  if (version !== "v1") return { errorMessage: `protocol ${version}` };
  if (request.methodName === "publicKey") {
    const pem = createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
    return { publicKey: { publicKeyPEM: base64(Buffer.from(pem)), ...grease() }, ...grease() };
  }
  if (request.verifySignature !== undefined) {
    const isGood = verify(
      hashName(),
      input,
      createPublicKey(key),
      Buffer.from(request.verifySignature.signature, "base64"),
    );
    return isGood ? { verifySignature: {} } : { errorMessage: "the signature does not verify" };
  }
  if (request.methodName !== "signMessage") return { errorMessage: `method ${request.methodName}` };
  return { signMessage: { signature: base64(await signature()), ...grease() }, ...grease() };
}

/** What a later version of the protocol may add. */
function grease(): object {
  return mode === "grease" ? { GREASE: [{ "": null }], later: "x".repeat(100), keyVersion: 7 } : {};
}

const HASHES: Readonly<Record<number, string>> = { 5: "sha256", 6: "sha384", 7: "sha512" };

function hashName(): string | null {
  return key.asymmetricKeyType === "ed25519" ? null : (HASHES[request.initOptions.hashFunc] ?? "sha1");
}

async function signature(): Promise<Buffer> {
  const hash = hashName();
  if (mode === "other-key") return sign(hash, input, otherKey());
  if (mode === "other-message") return sign(hash, Buffer.concat([input, Buffer.from(" ")]), key);
  if (mode === "weaker-hash") return sign("sha256", input, key);
  if (mode === "prehashed") return await prehashed();
  if (mode === "digest-as-message") return sign(hash, createHash("sha256").update(input).digest(), key);
  return sign(hash, input, key);
}

function otherKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
}

async function prehashed(): Promise<Buffer> {
  const { ed25519ph } = await import("@noble/curves/ed25519.js");
  return Buffer.from(ed25519ph.sign(input, Buffer.from(key.export({ format: "jwk" }).d ?? "", "base64url")));
}

function base64(bytes: Buffer): string {
  return bytes.toString("base64");
}

writeFileSync(1, JSON.stringify(await answer()));
process.exitCode = mode === "status" ? 3 : 0;
