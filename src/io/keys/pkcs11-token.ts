import { createHash, type KeyObject } from "node:crypto";
import { decodeBase64, encodeBase64 } from "../../core/bytes.ts";
import { type KeyAlgorithm, keyAlgorithmOf } from "../../core/crypto/algorithms.ts";
import { CountersignError } from "../../core/errors.ts";
import {
  ATTRIBUTE_REFUSALS,
  CKA_ALWAYS_AUTHENTICATE,
  CKA_CLASS,
  CKA_ID,
  CKA_LABEL,
  CKF_LOGIN_REQUIRED,
  CKF_PROTECTED_AUTHENTICATION_PATH,
  CKF_SERIAL_SESSION,
  CKF_TOKEN_INITIALIZED,
  CKF_USER_PIN_FINAL_TRY,
  CKF_USER_PIN_LOCKED,
  CKM_ECDSA,
  CKM_EDDSA,
  CKM_RSA_PKCS,
  CKM_SHA256_RSA_PKCS,
  CKO_CERTIFICATE,
  CKO_PRIVATE_KEY,
  CKO_PUBLIC_KEY,
  CKU_CONTEXT_SPECIFIC,
  CKU_USER,
  type Cryptoki,
  type Handle,
  PIN_REFUSALS,
} from "./cryptoki.ts";
import { ecdsaToDer } from "./ecdsa-der.ts";
import { publicKeyOfCertificate, publicKeyOfObject, type ReadAttribute, readNumber } from "./pkcs11-public.ts";
import type { ObjectQuery, TokenQuery } from "./pkcs11-uri.ts";

/** A question for a token; it is sent as JSON. */
export interface TokenRequest {
  /** The module's file. */
  readonly module: string;
  readonly token: TokenQuery;
  readonly object: ObjectQuery;
  /** Whether the private key must be there and usable, or only the public half shown. */
  readonly half: "public" | "private";
  readonly pin?: string | undefined;
  /** Base64: what to sign, with the private half. */
  readonly data?: string | undefined;
}

export type TokenAnswer =
  /** Base64: DER SubjectPublicKeyInfo, and the signature in the form that verifiers take. */
  | { readonly publicKey: string; readonly signature?: string | undefined }
  /** The token wants a PIN and none was sent. */
  | { readonly wantsPin: true };

/**
 * Opens the one token, finds the one key, and signs where something is to be signed. Whatever happens, the session is
 * closed and the module is finished with.
 *
 * @throws CountersignError `key-invalid`, `key-weak`, `key-password` or `key-unavailable`.
 */
export function askToken(cryptoki: Cryptoki, request: TokenRequest, say: (line: string) => void): TokenAnswer {
  return calling(() => {
    cryptoki.C_Initialize();
    try {
      const { slot, flags } = findToken(cryptoki, request.token);
      const session = cryptoki.C_OpenSession(slot, CKF_SERIAL_SESSION);
      try {
        return new TokenSession(cryptoki, { slot, flags, session }, request, say).answer();
      } finally {
        // The last session's end is the login's end too.
        quietly(() => cryptoki.C_CloseSession(session));
      }
    } finally {
      quietly(() => cryptoki.C_Finalize());
    }
  });
}

/** What fails while cleaning up must not hide what failed before. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {}
}

interface OpenToken {
  readonly slot: Handle;
  readonly flags: number;
  readonly session: Handle;
}

// --- which token ---------------------------------------------------------------------------------------------------------

function findToken(cryptoki: Cryptoki, query: TokenQuery): Omit<OpenToken, "session"> {
  const tokens = cryptoki
    .C_GetSlotList(true)
    .map((slot) => ({ slot, ...describeToken(cryptoki, slot) }))
    .filter(({ flags }) => (flags & CKF_TOKEN_INITIALIZED) !== 0);
  const [only, ...others] = tokens.filter((token) => isMeant(token, query));
  if (only !== undefined && others.length === 0) return only;
  throw new CountersignError("key-invalid", "the pkcs11: URI does not name one token", {
    found: nameAll(only === undefined ? tokens : [only, ...others]),
    wanted: only === undefined ? "a token that agrees with the URI" : "serial= or slot-id= to tell them apart",
    next: "compare with what pkcs11-tool --list-token-slots shows",
  });
}

interface TokenDescription {
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly slotId: number;
  readonly flags: number;
}

function describeToken(cryptoki: Cryptoki, slot: Handle): TokenDescription {
  const { label, manufacturerID, model, serialNumber, flags } = cryptoki.C_GetTokenInfo(slot);
  return {
    label: unpadded(label),
    manufacturer: unpadded(manufacturerID),
    model: unpadded(model),
    serial: unpadded(serialNumber),
    slotId: readNumber(slot),
    flags,
  };
}

/** Blanks by the standard; some modules pad with zeros. */
function unpadded(text: string): string {
  return text.replace(/[ \0]+$/, "");
}

function isMeant(token: TokenDescription, query: TokenQuery): boolean {
  const names = ["label", "manufacturer", "model", "serial", "slotId"] as const;
  return names.every((name) => query[name] === undefined || query[name] === token[name]);
}

function nameAll(tokens: readonly TokenDescription[]): string {
  const names = tokens.map(({ label, serial, slotId }) => `"${label}" (serial ${serial}, slot-id ${slotId})`);
  return names.length === 0 ? "no token" : names.join(", ");
}

// --- which key, and what it signs ------------------------------------------------------------------------------------------

/** More objects than anybody has under one name. */
const MOST_OBJECTS = 16;
/** RSA of 8192 bits; everything else is shorter. */
const SIGNATURE_BYTES = 1024;

class TokenSession {
  readonly #cryptoki: Cryptoki;
  readonly #token: OpenToken;
  readonly #request: TokenRequest;
  readonly #say: (line: string) => void;

  constructor(cryptoki: Cryptoki, token: OpenToken, request: TokenRequest, say: (line: string) => void) {
    this.#cryptoki = cryptoki;
    this.#token = token;
    this.#request = request;
    this.#say = say;
  }

  answer(): TokenAnswer {
    return this.#request.half === "public" ? this.#showPublicKey() : this.#usePrivateKey();
  }

  /** Tokens usually show public keys to everybody: logging in is left for those that do not. */
  #showPublicKey(): TokenAnswer {
    const shown = this.#publicKey(this.#request.object);
    if (shown !== undefined) return answerWith(shown);
    const login = this.#login();
    if (login !== undefined) return login;
    return answerWith(this.#publicKey(this.#request.object) ?? this.#publicHalf(this.#privateKey()));
  }

  #usePrivateKey(): TokenAnswer {
    const login = this.#login();
    if (login !== undefined) return login;
    const key = this.#privateKey();
    const publicKey = this.#publicHalf(key);
    const data = this.#request.data === undefined ? undefined : decodeBase64(this.#request.data);
    return answerWith(publicKey, data === undefined ? undefined : this.#sign(key, publicKey, data));
  }

  /** Once, never again: a token counts wrong PINs. Returns the answer where a PIN has to be asked for first. */
  #login(): TokenAnswer | undefined {
    const { flags, session } = this.#token;
    if ((flags & CKF_LOGIN_REQUIRED) === 0) return undefined;
    const hasOwnKeypad = (flags & CKF_PROTECTED_AUTHENTICATION_PATH) !== 0;
    if ((flags & CKF_USER_PIN_LOCKED) !== 0) throw pinRefused("a token that is locked after too many wrong PINs");
    if (hasOwnKeypad) this.#say("the token asks for its PIN itself");
    else if (this.#request.pin === undefined) return { wantsPin: true };
    else if ((flags & CKF_USER_PIN_FINAL_TRY) !== 0) this.#say("the token locks after one more wrong PIN");
    this.#cryptoki.C_Login(session, CKU_USER, ...(hasOwnKeypad ? [] : this.#pin()));
    return undefined;
  }

  #pin(): readonly [string?] {
    return this.#request.pin === undefined ? [] : [this.#request.pin];
  }

  #privateKey(): Handle {
    const [only, ...others] = this.#find(CKO_PRIVATE_KEY, this.#request.object);
    if (only !== undefined && others.length === 0) return only;
    throw new CountersignError("key-invalid", "the pkcs11: URI does not name one key", {
      found: only === undefined ? "no private key that agrees" : `${1 + others.length} private keys that agree`,
      wanted: only === undefined ? "object= or id= of a private key in the token" : "id= to tell them apart",
      next: "compare with what pkcs11-tool --list-objects --login shows",
    });
  }

  /** The public key beside a private one has its id; where there is none, its label. */
  #publicHalf(key: Handle): KeyObject {
    const id = this.#read(key)(CKA_ID);
    const query = id === undefined || id.byteLength === 0 ? this.#request.object : { id: id.toString("hex") };
    const found = this.#publicKey(query) ?? publicKeyOfObject(this.#read(key));
    if (found !== undefined) return found;
    throw new CountersignError("key-invalid", "the token shows no public key for this private key", {
      found: "neither a public key nor a certificate with its id",
      next: "store the public key or the certificate in the token, under the private key's id",
    });
  }

  #publicKey(query: ObjectQuery): KeyObject | undefined {
    const keys = this.#find(CKO_PUBLIC_KEY, query).map((object) => publicKeyOfObject(this.#read(object)));
    const certified = (): typeof keys =>
      this.#find(CKO_CERTIFICATE, query).map((object) => publicKeyOfCertificate(this.#read(object)));
    const found = (keys.length > 0 ? keys : certified()).filter((key) => key !== undefined);
    const [first] = found;
    if (found.every((key) => first?.equals(key))) return first;
    throw new CountersignError("key-invalid", "the pkcs11: URI does not name one key", {
      found: `${found.length} different public keys that agree`,
      wanted: "id= to tell them apart",
      next: "compare with what pkcs11-tool --list-objects shows",
    });
  }

  #find(objectClass: number, { label, id }: ObjectQuery): readonly Handle[] {
    const { session } = this.#token;
    this.#cryptoki.C_FindObjectsInit(session, [
      { type: CKA_CLASS, value: objectClass },
      ...(label === undefined ? [] : [{ type: CKA_LABEL, value: label }]),
      ...(id === undefined ? [] : [{ type: CKA_ID, value: Buffer.from(id, "hex") }]),
    ]);
    try {
      return this.#cryptoki.C_FindObjects(session, MOST_OBJECTS);
    } finally {
      this.#cryptoki.C_FindObjectsFinal(session);
    }
  }

  #read(object: Handle): ReadAttribute {
    return (type) => {
      try {
        return this.#cryptoki.C_GetAttributeValue(this.#token.session, object, [{ type }])[0]?.value;
      } catch (thrown) {
        if (ATTRIBUTE_REFUSALS.has(codeOf(thrown) ?? 0)) return undefined;
        throw thrown;
      }
    };
  }

  #sign(key: Handle, publicKey: KeyObject, data: Uint8Array): Uint8Array {
    const { session } = this.#token;
    const algorithm = keyAlgorithmOf(publicKey, "the key in the token");
    const { mechanism, input } = this.#mechanism(algorithm, data);
    this.#cryptoki.C_SignInit(session, { mechanism }, key);
    // PKCS #11: such a key wants the PIN for every signature (PIV's slot for signing has one).
    if (this.#read(key)(CKA_ALWAYS_AUTHENTICATE)?.[0] === 1) {
      const hasOwnKeypad = (this.#token.flags & CKF_PROTECTED_AUTHENTICATION_PATH) !== 0;
      this.#cryptoki.C_Login(session, CKU_CONTEXT_SPECIFIC, ...(hasOwnKeypad ? [] : this.#pin()));
    }
    const signature = this.#cryptoki.C_Sign(session, input, Buffer.alloc(SIGNATURE_BYTES));
    return algorithm.startsWith("ecdsa") ? ecdsaToDer(signature) : signature;
  }

  #mechanism(algorithm: KeyAlgorithm, data: Uint8Array): { readonly mechanism: number; readonly input: Buffer } {
    switch (algorithm) {
      case "ecdsa-p256":
        return { mechanism: CKM_ECDSA, input: digest("sha256", data) };
      case "ecdsa-p384":
        return { mechanism: CKM_ECDSA, input: digest("sha384", data) };
      case "ecdsa-p521":
        return { mechanism: CKM_ECDSA, input: digest("sha512", data) };
      case "ed25519":
        return { mechanism: CKM_EDDSA, input: Buffer.from(data) };
      case "rsa":
        // Most tokens have the first, which takes a hash; some are set up to hash for themselves.
        return this.#cryptoki.C_GetMechanismList(this.#token.slot).includes(CKM_RSA_PKCS)
          ? { mechanism: CKM_RSA_PKCS, input: Buffer.concat([SHA256_DIGEST_INFO, digest("sha256", data)]) }
          : { mechanism: CKM_SHA256_RSA_PKCS, input: Buffer.from(data) };
    }
  }
}

/** RFC 8017, section 9.2, note 1: what stands before a SHA-256 hash in an RSA signature. */
const SHA256_DIGEST_INFO = Buffer.from("3031300d060960864801650304020105000420", "hex");

function digest(algorithm: string, data: Uint8Array): Buffer {
  return createHash(algorithm).update(data).digest();
}

function answerWith(publicKey: KeyObject, signature?: Uint8Array): TokenAnswer {
  return {
    publicKey: encodeBase64(publicKey.export({ type: "spki", format: "der" })),
    ...(signature === undefined ? {} : { signature: encodeBase64(signature) }),
  };
}

// --- failures --------------------------------------------------------------------------------------------------------------

/** The number of a CKR_… answer; where the package did not take it out of its message, it stands there. */
function codeOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error)) return undefined;
  if ("code" in thrown && typeof thrown.code === "number") return thrown.code;
  const [, number] = /\bCKR_\w+:(\d+)/.exec(thrown.message) ?? [];
  return number === undefined ? undefined : Number(number);
}

function calling<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (thrown) {
    throw thrown instanceof CountersignError ? thrown : asCountersignError(thrown);
  }
}

function asCountersignError(thrown: unknown): CountersignError {
  const refusal = PIN_REFUSALS.get(codeOf(thrown) ?? 0);
  if (refusal !== undefined) return pinRefused(refusal);
  const message = thrown instanceof Error ? thrown.message : "an unknown failure";
  const method = thrown instanceof Error && "method" in thrown ? ` from ${thrown.method}` : "";
  return new CountersignError("key-unavailable", "the token failed", { found: `${message}${method}`, cause: thrown });
}

function pinRefused(found: string): CountersignError {
  return new CountersignError("key-password", "the token does not accept the PIN", {
    found,
    wanted: "the user's PIN",
    next: "find out the right PIN before trying again: nothing was tried twice, and tokens lock after a few wrong ones",
  });
}
