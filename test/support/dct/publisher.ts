import { constants, createHash, sign } from "node:crypto";
import type { UntrustedDct, UntrustedListings } from "../../../src/core/dct/verify.ts";
import type { JsonObject, JsonValue } from "../../../src/core/json.ts";
import { canonicalJson } from "../../../src/core/tags/canonical.ts";
import { certificatePem } from "../sigstore/authority.ts";
import { basicConstraints, certificate, extendedKeyUsage, keyUsage, USAGES } from "../sigstore/certificates.ts";
import { type FakeKey, fakeKey, type KeyKind } from "../sigstore/keys.ts";
import { DAY, FROM, NOW, UNTIL, type Window } from "../sigstore/times.ts";

/** A publisher of Docker Content Trust: makes what Docker and Notary make, and whatever a test wants to be wrong in it. */

export const GUN = "registry.example/acme/app";

/** A key as metadata lists it. */
export interface DctTestKey {
  readonly key: FakeKey;
  readonly id: string;
  /** The key object. */
  readonly json: JsonObject;
  /** Of the plain key: what its file is called. */
  readonly plainId: string;
}

export function plainDctKey(kind: KeyKind = "p256", key: FakeKey = fakeKey(kind)): DctTestKey {
  const type = kind === "rsa2048" ? "rsa" : kind === "ed25519" ? "ed25519" : "ecdsa";
  const content = kind === "ed25519" ? key.spki.subarray(-32) : key.spki;
  const json = keyObject(type, content);
  return { key, json, id: idOf(json), plainId: idOf(json) };
}

/** A root key: in a certificate that has the repository's name. */
export function rootDctKey(
  commonName: string = GUN,
  kind: KeyKind = "p256",
  window: Window = { notBefore: FROM, notAfter: UNTIL },
  key: FakeKey = fakeKey(kind),
): DctTestKey {
  const der = certificate({
    serial: 7n,
    subject: { commonName },
    issuer: { commonName },
    spki: key.spki,
    signer: key,
    extensions: [keyUsage("digitalSignature"), extendedKeyUsage([USAGES.codeSigning]), basicConstraints(false)],
    ...window,
  });
  const type = kind === "rsa2048" ? "rsa" : "ecdsa";
  const json = keyObject(`${type}-x509`, Buffer.from(certificatePem(der)));
  return { key, json, id: idOf(json), plainId: idOf(keyObject(type, key.spki)) };
}

function keyObject(keytype: string, content: Uint8Array): JsonObject {
  return { keytype, keyval: { private: null, public: Buffer.from(content).toString("base64") } };
}

function idOf(json: JsonObject): string {
  return createHash("sha256").update(canonicalJson(json)).digest("hex");
}

/** A file as Notary writes it: canonical JSON of the signed part, signatures beside it. */
export function dctFile(signed: JsonObject, ...signers: readonly DctTestKey[]): Uint8Array {
  const data = canonicalJson(signed);
  const signatures = signers.map(({ key, id }) => ({ keyid: id, ...signature(key, data) }));
  return Buffer.from(JSON.stringify({ signed, signatures }));
}

/** Salt as long as the hash. */
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };

function signature({ kind, privateKey }: FakeKey, data: Uint8Array): JsonObject {
  const [method, bytes] =
    kind === "rsa2048"
      ? (["rsapss", sign("sha256", data, { key: privateKey, ...PSS })] as const)
      : kind === "ed25519"
        ? (["eddsa", sign(null, data, privateKey)] as const)
        : (["ecdsa", sign("sha256", data, { key: privateKey, dsaEncoding: "ieee-p1363" })] as const);
  return { method, sig: bytes.toString("base64") };
}

export function listedIn(files: Readonly<Record<string, Uint8Array>>): JsonObject {
  const entry = (bytes: Uint8Array) => ({ hashes: hashesOf(bytes), length: bytes.byteLength });
  return Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, entry(bytes)]));
}

function hashesOf(bytes: Uint8Array): JsonObject {
  const hash = (name: string) => createHash(name).update(bytes).digest("base64");
  return { sha256: hash("sha256"), sha512: hash("sha512") };
}

/** What a tag is signed for: SHA-256 in hexadecimal, of a manifest of 523 bytes where nothing else is said. */
export type SignedFor = string | { readonly hex: string; readonly length: number };
export type SignedTags = Readonly<Record<string, SignedFor>>;

export function dctTargets(tags: SignedTags): JsonObject {
  const entry = (hex: string, length: number) => {
    return { hashes: { sha256: Buffer.from(hex, "hex").toString("base64") }, length };
  };
  const made = Object.entries(tags).map(([tag, target]) => {
    return [tag, typeof target === "string" ? entry(target, 523) : entry(target.hex, target.length)] as const;
  });
  return Object.fromEntries(made);
}

export interface DctSignerWish {
  readonly name: string;
  readonly keys: readonly DctTestKey[];
  readonly paths?: readonly string[];
  /** undefined: the role was set up and never published. */
  readonly tags?: SignedTags | undefined;
}

export interface DctWish {
  readonly gun?: string;
  readonly tags?: SignedTags;
  readonly signers?: readonly DctSignerWish[];
  readonly root?: DctTestKey;
  readonly targetsKey?: DctTestKey;
  /** Instants of expiry, by role. */
  readonly expires?: Readonly<Partial<Record<string, number>>>;
  readonly version?: number;
  /** Changes a signed part before it is signed, by role. */
  readonly edit?: Readonly<Partial<Record<string, (signed: JsonObject) => JsonObject>>>;
  /** Signs a role instead of its own keys. */
  readonly signedBy?: Readonly<Partial<Record<string, readonly DctTestKey[]>>>;
}

export interface DctMade extends UntrustedDct {
  readonly listings: UntrustedListings;
  readonly root: DctTestKey;
  readonly targetsKey: DctTestKey;
  readonly online: { readonly snapshot: DctTestKey; readonly timestamp: DctTestKey };
}

const LIFETIMES: Readonly<Record<string, number>> = { root: 3650, targets: 1095, snapshot: 1095, timestamp: 14 };

/** All the files of one repository, as a first publish leaves them. */
export function dctRepository(wish: DctWish = {}): DctMade {
  const { gun = GUN, version = 1, signers = [] } = wish;
  const root = wish.root ?? rootDctKey(gun);
  const targetsKey = wish.targetsKey ?? plainDctKey();
  const online = { snapshot: plainDctKey(), timestamp: plainDctKey() };
  const made = (role: string, type: string, parts: JsonObject, ...keys: readonly DctTestKey[]): Uint8Array => {
    const days = LIFETIMES[role] ?? LIFETIMES["targets"] ?? 0;
    const expires = new Date(wish.expires?.[role] ?? NOW + days * DAY).toISOString().replace("Z", "123456Z");
    const signed = { _type: type, expires, version, ...parts };
    return dctFile(wish.edit?.[role]?.(signed) ?? signed, ...(wish.signedBy?.[role] ?? keys));
  };
  const rootFile = made("root", "Root", rootParts({ root, targets: targetsKey, ...online }), root);
  const files = new Map<string, Uint8Array>();
  for (const { name, tags, keys } of signers) {
    if (tags === undefined) continue;
    const parts = { delegations: { keys: {}, roles: [] }, targets: dctTargets(tags) };
    files.set(name, made(name, "Targets", parts, ...keys.slice(0, 1)));
  }
  const delegations = delegationsOf(signers);
  files.set("targets", made("targets", "Targets", { delegations, targets: dctTargets(wish.tags ?? {}) }, targetsKey));
  const meta = listedIn({ root: rootFile, ...Object.fromEntries(files) });
  const snapshot = made("snapshot", "Snapshot", { meta }, online.snapshot);
  const timestamp = made("timestamp", "Timestamp", { meta: listedIn({ snapshot }) }, online.timestamp);
  return { gun, roots: [rootFile], listings: { timestamp, snapshot }, targets: files, root, targetsKey, online };
}

/** The members of a root with one key for each role. */
export function rootParts(
  keys: Readonly<Record<"root" | "targets" | "snapshot" | "timestamp", DctTestKey>>,
): JsonObject {
  const all = Object.values(keys);
  const role = ({ id }: DctTestKey): JsonValue => ({ keyids: [id], threshold: 1 });
  return {
    consistent_snapshot: false,
    keys: Object.fromEntries(all.map(({ id, json }) => [id, json])),
    roles: Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, role(key)])),
  };
}

function delegationsOf(signers: readonly DctSignerWish[]): JsonObject {
  const keys = signers.flatMap((signer) => signer.keys);
  return {
    keys: Object.fromEntries(keys.map(({ id, json }) => [id, json])),
    roles: signers.map((signer) => ({
      name: signer.name,
      keyids: signer.keys.map(({ id }) => id),
      paths: signer.paths ?? [""],
      threshold: 1,
    })),
  };
}
