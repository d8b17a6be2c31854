import { stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeBase64, encodeBase64, encodeUtf8 } from "../../core/bytes.ts";
import { formatPem } from "../../core/crypto/pem.ts";
import { withPrehash } from "../../core/crypto/prehash.ts";
import { type PublicKey, parsePublicKey } from "../../core/crypto/public-key.ts";
import { verifySignature } from "../../core/crypto/signature.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Signer } from "../../core/ports.ts";
import { REASONS, type ReasonCode } from "../../core/reasons.ts";
import { errnoOf } from "../disk/errors.ts";
import { readSmallFile, warnOfReaders } from "./content.ts";
import { passwordAsker } from "./passphrase.ts";
import type { TokenRequest } from "./pkcs11-token.ts";
import { namesPowers, type Pkcs11Uri } from "./pkcs11-uri.ts";
import { callProgram } from "./program.ts";
import type { TokenReference } from "./reference.ts";
import type { KeySurroundings, PublicKeySurroundings } from "./surroundings.ts";

/** Keys in hardware tokens, through the PKCS #11 module that the user names and a process that loads it (pkcs11-host.ts). */

/**
 * The public half of a key in a token. Nobody logs in where the token shows it to everybody.
 *
 * @param host The program that loads the module; ours where absent.
 * @throws CountersignError `key-invalid`, `key-weak`, `key-password`, `key-unavailable` or `interrupted`.
 */
export async function tokenPublicKey(
  reference: TokenReference,
  surroundings: PublicKeySurroundings,
  host?: string,
): Promise<PublicKey> {
  return (await Token.open(reference, surroundings, host)).publicKey("public");
}

/** The same, and what it signs: the PIN is tried here, once. Every signature is verified before it is given on. */
export async function tokenSigner(
  reference: TokenReference,
  surroundings: KeySurroundings,
  host?: string,
): Promise<Signer> {
  const token = await Token.open(reference, surroundings, host);
  const publicKey = await token.publicKey("private");
  // One after the other: a smart card serves one at a time, and others have few sessions.
  let turn: Promise<unknown> = Promise.resolve();
  return {
    publicKey,
    sign(data) {
      const signed = turn.then(() => token.sign(publicKey, data));
      turn = signed.catch(() => undefined);
      return signed;
    },
  };
}

class Token {
  readonly #uri: Pkcs11Uri;
  readonly #module: string;
  readonly #host: string;
  readonly #surroundings: PublicKeySurroundings;
  /** Kept for as long as the signer: every signature is a login of its own. */
  #pin: string | undefined;
  /** What the token said to a wrong PIN. The images that follow must not try it again: tokens lock. */
  #refusal: CountersignError | undefined;

  private constructor(uri: Pkcs11Uri, module: string, host: string, surroundings: PublicKeySurroundings) {
    this.#uri = uri;
    this.#module = module;
    this.#host = host;
    this.#surroundings = surroundings;
  }

  static async open(
    { uri }: TokenReference,
    surroundings: PublicKeySurroundings,
    host: string | undefined,
  ): Promise<Token> {
    if (surroundings.isFromFile === true) requireNoPowers(uri);
    const module = await modulePath(uri, surroundings.env);
    return new Token(uri, module, host ?? (await import("./pkcs11-host.ts")).HOST, surroundings);
  }

  async publicKey(half: "public" | "private"): Promise<PublicKey> {
    if (half === "private") this.#pin = await givenPin(this.#uri, this.#surroundings);
    let answer = await this.#ask({ half });
    if (answer["wantsPin"] === true) {
      this.#pin = (await givenPin(this.#uri, this.#surroundings)) ?? (await askPin(this.#uri, this.#surroundings));
      answer = await this.#ask({ half });
    }
    return await withPrehash(this.#readPublicKey(answer));
  }

  async sign(publicKey: PublicKey, data: Uint8Array): Promise<Uint8Array> {
    const answer = await this.#ask({ half: "private", data: encodeBase64(data) });
    const signature = bytesOf(answer["signature"]);
    const { verified, variant } = verifySignature(publicKey, data, signature);
    if (verified && variant === undefined) return signature;
    throw new CountersignError("key-invalid", "the token gave a signature that cannot be used", {
      found: "one that the public key in the token does not verify",
      next: "check that the private and the public key with this id or label belong together",
    });
  }

  #readPublicKey(answer: JsonObject): PublicKey {
    const content = bytesOf(answer["publicKey"]);
    return parsePublicKey(formatPem({ label: "PUBLIC KEY", content }), this.#uri.label);
  }

  async #ask(question: Pick<TokenRequest, "half" | "data">): Promise<JsonObject> {
    if (this.#refusal !== undefined) throw this.#refusal;
    const { token, object } = this.#uri;
    const request: TokenRequest = { module: this.#module, token, object, pin: this.#pin, ...question };
    const { bytes } = await callProgram({
      name: "pkcs11",
      program: process.execPath,
      args: [this.#host],
      input: encodeUtf8(JSON.stringify(request)),
      answersOn: 3,
      surroundings: this.#surroundings,
    });
    try {
      return readAnswer(bytes, this.#module);
    } catch (thrown) {
      if (thrown instanceof CountersignError && thrown.code === "key-password") this.#refusal = thrown;
      throw thrown;
    }
  }
}

function readAnswer(bytes: Uint8Array, module: string): JsonObject {
  if (bytes.byteLength === 0) {
    throw new CountersignError("key-unavailable", "the PKCS #11 module ended the process that loaded it", {
      found: module,
      next: "report it to the module's maker",
    });
  }
  const what = "the token's answer";
  const answer = parseJsonObject(bytes, { what, code: "key-unavailable", maxBytes: LIMITS.keyServiceBytes });
  const { failure } = answer;
  if (isObject(failure)) throw failed(failure);
  return answer;
}

/** The finding of the other process, as the error that it was there. */
function failed(failure: JsonObject): CountersignError {
  const text = (name: string): string | undefined => {
    const value = failure[name];
    return typeof value === "string" ? value : undefined;
  };
  const code = text("code") ?? "internal";
  const particulars = { found: text("found"), wanted: text("wanted"), next: text("next") };
  return new CountersignError(isReason(code) ? code : "internal", text("message") ?? "the token failed", particulars);
}

function isReason(code: string): code is ReasonCode {
  return Object.hasOwn(REASONS, code);
}

function bytesOf(value: JsonValue | undefined): Uint8Array {
  const bytes = typeof value === "string" ? decodeBase64(value) : undefined;
  if (bytes !== undefined) return bytes;
  throw new CountersignError("key-unavailable", "the token's answer is not one");
}

// --- what is loaded, and what opens it ---------------------------------------------------------------------------------------

/** A policy or a configuration may come with a stranger's checkout: it must not run code or open a token. */
function requireNoPowers(uri: Pkcs11Uri): void {
  if (!namesPowers(uri)) return;
  throw new CountersignError("key-invalid", "a pkcs11: URI in a file may say which key, and nothing else", {
    found: "module-path, pin-value or pin-source",
    wanted: "the module in COSIGN_PKCS11_MODULE_PATH and the PIN in COSIGN_PKCS11_PIN",
  });
}

/** To load a module is to run its maker's native code, so it is named in full, and by nobody but the user. */
async function modulePath(uri: Pkcs11Uri, env: PublicKeySurroundings["env"]): Promise<string> {
  const path = uri.modulePath ?? env["COSIGN_PKCS11_MODULE_PATH"] ?? "";
  const problem = path === "" ? "no module is named" : await problemWith(path);
  if (problem === undefined) return path;
  throw new CountersignError("key-invalid", "the PKCS #11 module cannot be used", {
    found: problem,
    wanted: "the whole path of the token maker's library",
    next: "name it in COSIGN_PKCS11_MODULE_PATH, or as module-path= in the URI; see docs/kms-and-hsm.md",
  });
}

async function problemWith(path: string): Promise<string | undefined> {
  if (!isAbsolute(path)) return `a path that depends on the current folder: ${path}`;
  try {
    return (await stat(path)).isFile() ? undefined : `no regular file: ${path}`;
  } catch (thrown) {
    return `${errnoOf(thrown)}: ${path}`;
  }
}

/** The PIN that was given without a question: in the URI, in a file that it names, in a variable. */
async function givenPin(uri: Pkcs11Uri, surroundings: PublicKeySurroundings): Promise<string | undefined> {
  if (uri.pinValue !== undefined) return uri.pinValue;
  if (uri.pinSource !== undefined) return await readPin(uri.pinSource, surroundings);
  const pin = surroundings.env["COSIGN_PKCS11_PIN"];
  return pin === "" ? undefined : pin;
}

/** RFC 7512, section 2.4: a file's URL or its path. A command is not run. */
async function readPin(source: string, { signal, timeoutMs, warn }: PublicKeySurroundings): Promise<string> {
  const path = pathOf(source);
  if (path === undefined) {
    throw new CountersignError("key-invalid", "the pin-source of a pkcs11: URI cannot be used", {
      found: source.startsWith("|") ? "a command" : "something that is no file's whole path",
      wanted: "file:/PATH",
    });
  }
  const options = { label: path, maxBytes: LIMITS.passwordBytes, signal, timeoutMs };
  const { content, mode } = await readSmallFile(path, options);
  warnOfReaders({ label: path, mode }, warn);
  return requirePin(Buffer.from(content).toString("utf8"));
}

function pathOf(source: string): string | undefined {
  if (isAbsolute(source)) return source;
  try {
    return source.startsWith("file:") ? fileURLToPath(source) : undefined;
  } catch {
    return undefined;
  }
}

async function askPin(uri: Pkcs11Uri, { stdin, stderr, signal }: PublicKeySurroundings): Promise<string> {
  if (stdin === undefined || stderr === undefined || signal === undefined) throw noPin();
  // COSIGN_PASSWORD is a key file's password: a token would count it as a wrong PIN.
  const ask = passwordAsker({ env: {}, stdin, stderr, signal });
  const pin = await ask({ what: uri.token.label ?? uri.label, isNew: false, kind: "PIN" });
  return requirePin(Buffer.from(pin).toString("utf8"));
}

/** A line break comes from `echo` or an editor, and no PIN has one: with it, a token would count a wrong try. */
function requirePin(text: string): string {
  const pin = text.replace(/\r?\n$/, "");
  if (pin !== "") return pin;
  throw noPin();
}

function noPin(): CountersignError {
  return new CountersignError("key-password", "the token wants a PIN and none was given", {
    wanted: "the user's PIN",
    next: "give the PIN in COSIGN_PKCS11_PIN, in the file of pin-source=, at the prompt or on standard input",
  });
}
