import { createHash } from "node:crypto";
import { decodeBase64, encodeUtf8 } from "../../core/bytes.ts";
import type { KeyAlgorithm } from "../../core/crypto/algorithms.ts";
import { withPrehash } from "../../core/crypto/prehash.ts";
import { type PublicKey, parsePublicKey } from "../../core/crypto/public-key.ts";
import { verifySignature } from "../../core/crypto/signature.ts";
import { CountersignError } from "../../core/errors.ts";
import { describeJson, isObject, type JsonObject, kindOf, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Signer } from "../../core/ports.ts";
import { findProgram } from "../process/find.ts";
import { callProgram, timeLimit } from "./program.ts";
import type { PluginReference } from "./reference.ts";
import type { KeySurroundings, PublicKeySurroundings } from "./surroundings.ts";

/**
 * Keys in a KMS, through Sigstore's plug-ins: the program `sigstore-kms-NAME` gets one JSON text as its second argument and
 * the message on standard input, and prints one JSON text (sigstore/sigstore, pkg/signature/kms/cliplugin, protocol v1).
 */

const PROTOCOL = "v1";

interface Hash {
  readonly name: string;
  /** Go's number of it (package crypto, type Hash). */
  readonly number: number;
}

const SHA256: Hash = { name: "sha256", number: 5 };
/** Ed25519 signs the message itself. */
const HASHES: Readonly<Record<KeyAlgorithm, Hash | undefined>> = {
  "ecdsa-p256": SHA256,
  "ecdsa-p384": { name: "sha384", number: 6 },
  "ecdsa-p521": { name: "sha512", number: 7 },
  ed25519: undefined,
  rsa: SHA256,
};

/**
 * The public half of a key in a KMS.
 *
 * @throws CountersignError `key-invalid` where the plug-in is not installed or gives no key, `key-unavailable` where it
 * fails, `key-weak`, `interrupted`.
 */
export async function pluginPublicKey(
  reference: PluginReference,
  surroundings: PublicKeySurroundings,
): Promise<PublicKey> {
  return await (await Plugin.find(reference, surroundings)).publicKey();
}

/** The same, and what it signs. Every signature is verified here before it is given on. */
export async function pluginSigner(reference: PluginReference, surroundings: KeySurroundings): Promise<Signer> {
  const plugin = await Plugin.find(reference, surroundings);
  const publicKey = await plugin.publicKey();
  return { publicKey, sign: (data) => plugin.sign(publicKey, data) };
}

class Plugin {
  readonly #name: string;
  readonly #program: string;
  readonly #reference: PluginReference;
  readonly #surroundings: PublicKeySurroundings;

  private constructor(program: string, reference: PluginReference, surroundings: PublicKeySurroundings) {
    this.#name = nameOf(reference);
    this.#program = program;
    this.#reference = reference;
    this.#surroundings = surroundings;
  }

  static async find(reference: PluginReference, surroundings: PublicKeySurroundings): Promise<Plugin> {
    const program = await findProgram(nameOf(reference), surroundings.env);
    if (program !== undefined) return new Plugin(program, reference, surroundings);
    throw new CountersignError("key-invalid", `${nameOf(reference)} is not installed`, {
      found: "no such program in the folders of PATH",
      wanted: `the plug-in for ${reference.plugin}:// keys`,
      next: `install ${nameOf(reference)}, and see docs/kms-and-hsm.md`,
    });
  }

  async publicKey(): Promise<PublicKey> {
    const rpcOptions = this.#rpcOptions();
    // Which hash goes with the key is known when the key is; until then the protocol's usual one stands in.
    const answer = await this.#call("publicKey", SHA256, { publicKeyOptions: { rpcOptions } });
    return await withPrehash(parsePublicKey(this.#bytes(answer, "publicKeyPEM"), this.#reference.label));
  }

  async sign(publicKey: PublicKey, data: Uint8Array): Promise<Uint8Array> {
    const hash = HASHES[publicKey.algorithm];
    // As cosign does: plug-ins take the digest where they find one, and the message otherwise.
    const messageOptions = hash === undefined ? {} : { digest: digestOf(data, hash), hashFunc: hash.number };
    const signOptions = { rpcOptions: this.#rpcOptions(), messageOptions };
    const answer = await this.#call("signMessage", hash ?? SHA256, { signOptions }, data);
    const signature = this.#bytes(answer, "signature");
    const { verified, variant } = verifySignature(publicKey, data, signature);
    if (verified && variant === undefined) return signature;
    throw new CountersignError("key-invalid", `${this.#name} gave a signature that cannot be used`, {
      found: variant === undefined ? "one that its own public key does not verify" : `one made with ${variant}`,
      wanted: `a signature by this ${publicKey.algorithm} key over what it was given`,
      next: `check which key and which algorithm ${this.#reference.label} is set to`,
    });
  }

  async #call(method: string, hash: Hash, args: object, input: Uint8Array = encodeUtf8("")): Promise<JsonObject> {
    const { ctxDeadline } = this.#rpcOptions();
    const keyResourceID = this.#reference.id;
    const initOptions = {
      ctxDeadline,
      protocolVersion: PROTOCOL,
      keyResourceID,
      hashFunc: hash.number,
      rpcOptions: {},
    };
    const request = JSON.stringify({ initOptions, methodName: method, [method]: args });
    const { bytes, status } = await callProgram({
      name: this.#name,
      program: this.#program,
      args: [PROTOCOL, request],
      input,
      answersOn: 1,
      surroundings: this.#surroundings,
    });
    if (bytes.byteLength === 0) throw this.#failed("no answer", `exit status ${status} and nothing on standard output`);
    return this.#result(bytes, method);
  }

  /** The exit status is not decisive: the answer is. */
  #result(bytes: Uint8Array, method: string): JsonObject {
    const json = parseJsonObject(bytes, {
      what: `the answer of ${this.#name}`,
      code: "key-unavailable",
      maxBytes: LIMITS.keyServiceBytes,
    });
    const { errorMessage = null, [method]: result } = json;
    if (typeof errorMessage === "string" && errorMessage !== "") throw this.#failed("an error", errorMessage);
    if (errorMessage !== null && errorMessage !== "") {
      throw this.#failed("no answer of its protocol", `an errorMessage that is ${kindOf(errorMessage)}`);
    }
    if (isObject(result)) return result;
    throw this.#failed("no answer of its protocol", `${kindOf(result)} as "${method}"`);
  }

  #bytes(result: JsonObject, member: string): Uint8Array {
    const value = result[member];
    const bytes = typeof value === "string" ? decodeBase64(value) : undefined;
    if (bytes !== undefined && bytes.byteLength > 0) return bytes;
    throw this.#failed("no answer of its protocol", `${describeJson(value)} as "${member}", which is base64`);
  }

  /** RFC 3339: when it will be killed. A plug-in that heeds it can say why it was late. */
  #rpcOptions(): { readonly ctxDeadline: string } {
    return { ctxDeadline: new Date(Date.now() + timeLimit(this.#surroundings)).toISOString() };
  }

  #failed(what: string, found: string): CountersignError {
    return new CountersignError("key-unavailable", `${this.#name} gave ${what}`, {
      found,
      next: `check the key's name, the login to the service and what ${this.#name} says; then try again`,
    });
  }
}

function nameOf({ plugin }: PluginReference): string {
  return `sigstore-kms-${plugin}`;
}

function digestOf(data: Uint8Array, { name }: Hash): string {
  return createHash(name).update(data).digest("base64");
}
