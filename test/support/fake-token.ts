import { constants, createPrivateKey, type KeyObject, privateEncrypt, sign } from "node:crypto";
import { endianness } from "node:os";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import * as ck from "../../src/io/keys/cryptoki.ts";

type Value = Buffer | number | boolean | string;

/** What a token holds: attributes by number. */
export interface FakeObject {
  readonly attributes: ReadonlyMap<number, Value>;
  /** Signs where it is a private key. */
  readonly key?: KeyObject | undefined;
  /** Not found without a login. */
  readonly isPrivate: boolean;
}

export interface FakeTokenOptions {
  readonly label?: string;
  readonly serial?: string;
  readonly slot?: number;
  readonly flags?: number;
  readonly pin?: string;
  readonly objects?: readonly FakeObject[];
  readonly mechanisms?: readonly number[];
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [0x11, "CKR_ATTRIBUTE_SENSITIVE"],
  [0x12, "CKR_ATTRIBUTE_TYPE_INVALID"],
  [0x30, "CKR_DEVICE_ERROR"],
  ...ck.PIN_REFUSALS,
]);

/** An error as the package pkcs11js throws it. */
export function refusal(code: number, method: string): Error {
  return Object.assign(new Error(NAMES.get(code) ?? "CKR_GENERAL_ERROR"), { code, method });
}

const INITIALIZED = ck.CKF_TOKEN_INITIALIZED;
export const LOGIN = INITIALIZED | ck.CKF_LOGIN_REQUIRED;

/**
 * Tokens in memory behind the functions that are used of PKCS #11. What it was asked is in `calls`; `fail` makes a
 * function fail with a number.
 */
export class FakeCryptoki implements ck.Cryptoki {
  readonly calls: string[] = [];
  readonly #tokens: readonly FakeTokenOptions[];
  readonly #failures = new Map<string, number>();
  #token: FakeTokenOptions = {};
  #isLoggedIn = false;
  #sessions = 0;
  #found: readonly FakeObject[] = [];
  #signing: { readonly object: FakeObject; readonly mechanism: number; authenticated: boolean } | undefined;

  constructor(...tokens: readonly FakeTokenOptions[]) {
    this.#tokens = tokens;
  }

  fail(method: string, code: number): this {
    this.#failures.set(method, code);
    return this;
  }

  /** Whether what was opened is closed, and the module finished with. */
  get isClosed(): boolean {
    return this.#sessions === 0 && this.calls.at(-1) === "C_Finalize";
  }

  /** How often a PIN was tried. */
  get tries(): number {
    return this.calls.filter((call) => call.startsWith("C_Login")).length;
  }

  C_Initialize(): void {
    this.#enter("C_Initialize");
  }

  C_Finalize(): void {
    this.#enter("C_Finalize");
  }

  C_GetSlotList(): Buffer[] {
    this.#enter("C_GetSlotList");
    return this.#tokens.map(({ slot = 0 }) => ulong(slot));
  }

  C_GetTokenInfo(slot: Buffer) {
    this.#enter("C_GetTokenInfo");
    const { label = "token", serial = "1", flags = INITIALIZED } = this.#at(slot);
    return {
      label: label.padEnd(32),
      manufacturerID: "Acme Inc.".padEnd(32),
      model: `v2${"\0".repeat(14)}`,
      serialNumber: serial.padEnd(16),
      flags,
    };
  }

  C_GetMechanismList(): number[] {
    this.#enter("C_GetMechanismList");
    return [...(this.#token.mechanisms ?? [ck.CKM_RSA_PKCS, ck.CKM_SHA256_RSA_PKCS, ck.CKM_ECDSA, ck.CKM_EDDSA])];
  }

  C_OpenSession(slot: Buffer): Buffer {
    this.#enter("C_OpenSession");
    this.#token = this.#at(slot);
    this.#sessions++;
    return ulong(77);
  }

  C_CloseSession(): void {
    this.#enter("C_CloseSession");
    this.#sessions--;
    this.#isLoggedIn = false;
  }

  C_Login(_session: Buffer, user: number, pin?: string): void {
    this.#enter(`C_Login ${user}${pin === undefined ? " by itself" : ""}`);
    if (pin !== undefined && pin !== this.#token.pin) throw refusal(0xa0, "C_Login");
    if (user === ck.CKU_USER) this.#isLoggedIn = true;
    else if (this.#signing !== undefined) this.#signing.authenticated = true;
  }

  C_FindObjectsInit(_session: Buffer, template: { type: number; value?: Value }[]): void {
    this.#enter("C_FindObjectsInit");
    this.#found = (this.#token.objects ?? []).filter(
      ({ attributes, isPrivate }) =>
        (this.#isLoggedIn || !isPrivate) &&
        template.every(({ type, value }) => bytesOf(attributes.get(type))?.equals(bytesOf(value) ?? Buffer.alloc(0))),
    );
  }

  C_FindObjects(_session: Buffer, most: number): Buffer[] {
    this.#enter("C_FindObjects");
    return this.#found.slice(0, most).map((object) => ulong(this.#token.objects?.indexOf(object) ?? 0));
  }

  C_FindObjectsFinal(): void {
    this.#enter("C_FindObjectsFinal");
  }

  C_GetAttributeValue(
    _session: Buffer,
    handle: Buffer,
    [asked]: { type: number }[],
  ): { type: number; value: Buffer }[] {
    this.#enter("C_GetAttributeValue");
    const value = bytesOf(this.#object(handle).attributes.get(asked?.type ?? -1));
    if (value === undefined) throw refusal(0x12, "C_GetAttributeValue");
    return [{ type: asked?.type ?? -1, value }];
  }

  C_SignInit(_session: Buffer, { mechanism }: { mechanism: number }, key: Buffer): void {
    this.#enter(`C_SignInit ${mechanism}`);
    const object = this.#object(key);
    this.#signing = { object, mechanism, authenticated: object.attributes.get(ck.CKA_ALWAYS_AUTHENTICATE) !== true };
  }

  C_Sign(_session: Buffer, data: Buffer, room: Buffer): Buffer {
    this.#enter("C_Sign");
    const { object, mechanism, authenticated } = this.#signing ?? {
      object: undefined,
      mechanism: 0,
      authenticated: false,
    };
    if (!authenticated) throw refusal(0x101, "C_Sign");
    const signature = signWith(mechanism, object?.key ?? createPrivateKey(""), data);
    signature.copy(room);
    return room.subarray(0, signature.byteLength);
  }

  #enter(call: string): void {
    this.calls.push(call);
    const method = call.split(" ")[0] ?? "";
    const code = this.#failures.get(method);
    if (code !== undefined) throw refusal(code, method);
  }

  #at(slot: Buffer): FakeTokenOptions {
    return this.#tokens.find((token) => ulong(token.slot ?? 0).equals(slot)) ?? {};
  }

  #object(handle: Buffer): FakeObject {
    const object = this.#token.objects?.find((_, at) => ulong(at).equals(handle));
    if (object === undefined) throw refusal(0x82, "C_GetAttributeValue");
    return object;
  }
}

function signWith(mechanism: number, key: KeyObject, data: Buffer): Buffer {
  switch (mechanism) {
    case ck.CKM_ECDSA:
      return signDigest(key, data);
    case ck.CKM_EDDSA:
      return sign(null, data, key);
    case ck.CKM_SHA256_RSA_PKCS:
      return sign("sha256", data, key);
    case ck.CKM_RSA_PKCS:
      return signDigestInfo(key, data);
    default:
      throw refusal(0x70, "C_Sign");
  }
}

const CURVES: Readonly<Record<string, Pick<typeof p256, "sign">>> = {
  prime256v1: p256,
  secp384r1: p384,
  secp521r1: p521,
};

/** Node hashes whatever it signs with ECDSA; a token signs the digest that it is given. */
function signDigest(key: KeyObject, digest: Buffer): Buffer {
  const curve = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? p256;
  const scalar = Buffer.from(key.export({ format: "jwk" }).d ?? "", "base64url");
  return Buffer.from(curve.sign(digest, scalar, { prehash: false, lowS: false }));
}

function signDigestInfo(key: KeyObject, info: Buffer): Buffer {
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, info);
}

/** As the machine's CK_ULONG. */
export function ulong(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  if (endianness() === "LE") bytes.writeBigUInt64LE(BigInt(value));
  else bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function bytesOf(value: Value | undefined): Buffer | undefined {
  if (value === undefined || Buffer.isBuffer(value)) return value;
  if (typeof value === "number") return ulong(value);
  return typeof value === "boolean" ? Buffer.from([value ? 1 : 0]) : Buffer.from(value);
}

// --- what is in a token ----------------------------------------------------------------------------------------------------

export interface KeyNames {
  readonly label?: string;
  readonly id?: Buffer;
}

function names({ label = "signing", id = Buffer.from([1]) }: KeyNames): [number, Value][] {
  return [
    [ck.CKA_LABEL, label],
    [ck.CKA_ID, id],
  ];
}

/** CKA_KEY_TYPE and the public parts of a key, as the standard has them. */
export function publicParts(key: KeyObject): [number, Value][] {
  const { n = "", e = "", x = "", y = "" } = key.export({ format: "jwk" });
  const part = (text: string): Buffer => Buffer.from(text, "base64url");
  if (key.asymmetricKeyType === "rsa") {
    return [
      [ck.CKA_KEY_TYPE, ck.CKK_RSA],
      [ck.CKA_MODULUS, part(n)],
      [ck.CKA_PUBLIC_EXPONENT, part(e)],
    ];
  }
  if (key.asymmetricKeyType === "ed25519") {
    return [
      [ck.CKA_KEY_TYPE, ck.CKK_EC_EDWARDS],
      [ck.CKA_EC_PARAMS, Buffer.from("06032b6570", "hex")],
      [ck.CKA_EC_POINT, Buffer.concat([Buffer.from([0x04, 0x20]), part(x)])],
    ];
  }
  const point = Buffer.concat([Buffer.from([0x04]), part(x), part(y)]);
  const header = point.byteLength < 0x80 ? [0x04, point.byteLength] : [0x04, 0x81, point.byteLength];
  return [
    [ck.CKA_KEY_TYPE, ck.CKK_EC],
    [ck.CKA_EC_PARAMS, Buffer.from(OIDS[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? "0500", "hex")],
    [ck.CKA_EC_POINT, Buffer.concat([Buffer.from(header), point])],
  ];
}

const OIDS: Readonly<Record<string, string>> = {
  prime256v1: "06082a8648ce3d030107",
  secp384r1: "06052b81040022",
  secp521r1: "06052b81040023",
  secp256k1: "06052b8104000a",
};

export function publicObject(key: KeyObject, given: KeyNames = {}, isPrivate = false): FakeObject {
  const attributes = [[ck.CKA_CLASS, ck.CKO_PUBLIC_KEY], ...names(given), ...publicParts(key)] as [number, Value][];
  return { attributes: new Map(attributes), isPrivate };
}

export function privateObject(key: KeyObject, given: KeyNames = {}, more: readonly [number, Value][] = []): FakeObject {
  const attributes = [[ck.CKA_CLASS, ck.CKO_PRIVATE_KEY], ...names(given), ...more] as [number, Value][];
  return { attributes: new Map(attributes), key, isPrivate: true };
}

export function certificateObject(der: Buffer, given: KeyNames = {}): FakeObject {
  const attributes = [[ck.CKA_CLASS, ck.CKO_CERTIFICATE], ...names(given), [ck.CKA_VALUE, der]] as [number, Value][];
  return { attributes: new Map(attributes), isPrivate: false };
}
