import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { join } from "node:path";
import { CountersignError } from "../../src/core/errors.ts";
import { type Instant, instant } from "../../src/core/time.ts";
import type { TufRepository } from "../../src/io/tuf/repository.ts";
import type { TufSource } from "../../src/io/tuf/source.ts";
import { TufStore } from "../../src/io/tuf/store.ts";
import type { Handler } from "./http-server.ts";
import { reply } from "./http-server.ts";

/**
 * A TUF repository in memory that says whatever a test wants. It shares no code with the client: documents are made,
 * put in canonical form and signed here.
 */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

/** The time of all tests: metadata is valid from then on for as long as its role says. */
export const NOW: Instant = instant(Date.parse("2026-09-01T12:00:00Z"));
export const DAY = 86_400_000;

export interface TestKey {
  readonly id: string;
  readonly value: JsonObject;
  sign(data: Uint8Array): Uint8Array;
}

export function makeKey(type: "ed25519" | "ecdsa" | "rsa" = "ed25519"): TestKey {
  const { publicKey, privateKey } = pairOf(type);
  const value = KEY_VALUES[type](publicKey);
  const algorithm = type === "ed25519" ? null : "sha256";
  const padding = type === "rsa" ? { padding: RSA_PSS } : {};
  return {
    id: sha256(canonical(value)),
    value,
    sign: (data) => sign(algorithm, data, { key: privateKey, ...padding }),
  };
}

const RSA_PSS = 6;

function pairOf(type: "ed25519" | "ecdsa" | "rsa"): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  if (type === "ecdsa") return generateKeyPairSync("ec", { namedCurve: "P-256" });
  return type === "rsa" ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ed25519");
}

function pemOf(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}

const KEY_VALUES: Readonly<Record<"ed25519" | "ecdsa" | "rsa", (key: KeyObject) => JsonObject>> = {
  ed25519: (key) => ({ keytype: "ed25519", scheme: "ed25519", keyval: { public: rawEd25519(key) } }),
  ecdsa: (key) => ({ keytype: "ecdsa", scheme: "ecdsa-sha2-nistp256", keyval: { public: pemOf(key) } }),
  rsa: (key) => ({ keytype: "rsa", scheme: "rsassa-pss-sha256", keyval: { public: pemOf(key) } }),
};

function rawEd25519(key: KeyObject): string {
  return Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");
}

/** OLPC canonical JSON, as TUF has it (TUF 1.0.34, 4.2). */
export function canonical(value: Json): Buffer {
  return Buffer.from(canonicalText(value));
}

function canonicalText(value: Json): string {
  if (typeof value === "string") return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${canonicalText(name)}:${canonicalText(member)}`).join(",")}}`;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export type TopLevel = "root" | "timestamp" | "snapshot" | "targets";

const LIFETIMES: Readonly<Record<TopLevel, number>> = { root: 200, timestamp: 7, snapshot: 30, targets: 100 };

function daysFrom(now: number, days: number): string {
  return new Date(now + days * DAY).toISOString().replace(".000Z", "Z");
}

interface Published {
  readonly version: number;
  readonly bytes: Uint8Array;
}

export interface TestRepositoryOptions {
  readonly now?: number;
  /** Lists hashes and lengths of metadata too. */
  readonly hashes?: boolean;
  readonly consistentSnapshot?: boolean;
}

/** What is served is in `files`: attacks put something else there. What is signed next is in `signed`. */
export class TestRepository {
  readonly now: number;
  /** By path: `metadata/1.root.json`, `targets/…`. */
  readonly files = new Map<string, Uint8Array>();
  /** What was asked for, in order. */
  readonly requests: string[] = [];
  /** The signed part of each role, the version that was published last. */
  readonly signed = new Map<string, JsonObject>();
  readonly keys = new Map<string, TestKey[]>();
  readonly #hashes: boolean;
  readonly #consistent: boolean;

  constructor(options: TestRepositoryOptions = {}) {
    this.now = options.now ?? NOW;
    this.#hashes = options.hashes ?? false;
    this.#consistent = options.consistentSnapshot ?? true;
    for (const role of ["root", "timestamp", "snapshot", "targets"] as const) this.keys.set(role, [makeKey()]);
    this.signed.set("root", this.#empty("root", { consistent_snapshot: this.#consistent, keys: {}, roles: {} }));
    this.signed.set("targets", this.#empty("targets", { targets: {} }));
    this.signed.set("snapshot", this.#empty("snapshot", { meta: {} }));
    this.signed.set("timestamp", this.#empty("timestamp", { meta: {} }));
    this.publish("root", "targets", "snapshot", "timestamp");
  }

  #empty(role: TopLevel, members: JsonObject): JsonObject {
    const expires = daysFrom(this.now, LIFETIMES[role]);
    return { _type: role, spec_version: "1.0.31", version: 0, expires, ...members };
  }

  /** The root that a client starts from. */
  get startRoot(): Uint8Array {
    return this.file("metadata/1.root.json");
  }

  file(path: string): Uint8Array {
    const bytes = this.files.get(path);
    if (bytes === undefined) throw new Error(`${path} was not published`);
    return bytes;
  }

  part(role: string): JsonObject {
    const signed = this.signed.get(role);
    if (signed === undefined) throw new Error(`there is no role ${role}`);
    return signed;
  }

  /** Counts the versions of these roles up, signs them, and lists them one level up. */
  publish(...roles: readonly string[]): this {
    for (const role of roles) {
      const signed = this.part(role);
      signed["version"] = Number(signed["version"]) + 1;
      if (role === "root") this.#listKeys(signed);
      this.put(role, this.sign(role, signed));
    }
    return this;
  }

  /** Everything that a new targets role needs to be seen. */
  publishTargets(...delegated: readonly string[]): this {
    return this.publish(...delegated, "targets", "snapshot", "timestamp");
  }

  #listKeys(root: JsonObject): void {
    const keys: JsonObject = {};
    const roles: JsonObject = {};
    const previous = root["roles"] as JsonObject;
    for (const role of ["root", "timestamp", "snapshot", "targets"]) {
      const own = this.keys.get(role) ?? [];
      for (const key of own) keys[key.id] = key.value;
      const threshold = (previous[role] as JsonObject | undefined)?.["threshold"] ?? 1;
      roles[role] = { keyids: own.map(({ id }) => id), threshold };
    }
    root["keys"] = keys;
    root["roles"] = roles;
  }

  threshold(role: TopLevel, threshold: number): this {
    const roles = this.part("root")["roles"] as JsonObject;
    (roles[role] as JsonObject)["threshold"] = threshold;
    return this;
  }

  sign(role: string, signed: JsonObject, keys: readonly TestKey[] = this.keys.get(role) ?? []): Uint8Array {
    const data = canonical(signed);
    const signatures = keys.map((key) => ({ keyid: key.id, sig: Buffer.from(key.sign(data)).toString("hex") }));
    return Buffer.from(JSON.stringify({ signatures, signed }));
  }

  /** Serves bytes as the newest version of a role, and lists them. */
  put(role: string, bytes: Uint8Array): void {
    const version = Number(this.part(role)["version"]);
    const prefix = role === "root" || (this.#consistent && role !== "timestamp") ? `${version}.` : "";
    this.files.set(`metadata/${prefix}${role}.json`, bytes);
    if (role === "root" || role === "timestamp") return;
    const list = this.part(role === "snapshot" ? "timestamp" : "snapshot")["meta"] as JsonObject;
    list[`${role}.json`] = this.#entryOf({ version, bytes });
  }

  #entryOf({ version, bytes }: Published): JsonObject {
    return this.#hashes ? { version, length: bytes.byteLength, hashes: { sha256: sha256(bytes) } } : { version };
  }

  /** New keys for a role; the old ones are forgotten. */
  rotate(role: TopLevel, count = 1): this {
    this.keys.set(
      role,
      Array.from({ length: count }, () => makeKey()),
    );
    return this;
  }

  /** Puts a target into a role; it is seen once that is published. */
  addTarget(path: string, content: string | Uint8Array, role = "targets"): this {
    const bytes = Buffer.from(content);
    const hash = sha256(bytes);
    const targets = this.part(role)["targets"] as JsonObject;
    targets[path] = { length: bytes.byteLength, hashes: { sha256: hash } };
    const parts = path.split("/");
    const place = this.#consistent ? parts.with(-1, `${hash}.${parts.at(-1)}`) : parts;
    this.files.set(`targets/${place.join("/")}`, bytes);
    return this;
  }

  /** A role that `targets` delegates paths to; it is seen once both are published. */
  delegate(name: string, members: JsonObject = { paths: ["*"] }): this {
    const key = makeKey();
    this.keys.set(name, [key]);
    this.signed.set(name, this.#empty("targets", { targets: {} }));
    const targets = this.part("targets");
    const delegations = (targets["delegations"] ?? { keys: {}, roles: [] }) as { keys: JsonObject; roles: Json[] };
    delegations.keys[key.id] = key.value;
    delegations.roles.push({ name, keyids: [key.id], threshold: 1, terminating: false, ...members });
    targets["delegations"] = delegations;
    return this;
  }

  /** When a role expires, in days from the repository's time. */
  expire(role: string, days: number): this {
    this.part(role)["expires"] = daysFrom(this.now, days);
    return this;
  }

  /** Sets a role's version back, so that the next one published is this one. */
  setNext(role: string, version: number): this {
    this.part(role)["version"] = version - 1;
    return this;
  }

  /** The repository as a client's source. */
  source(): TufSource {
    const get = (path: string, maxBytes: number): Promise<Uint8Array | undefined> => {
      this.requests.push(path);
      const bytes = this.files.get(path);
      if (bytes !== undefined && bytes.byteLength > maxBytes) throw new CountersignError("limit-reached", path);
      return Promise.resolve(bytes);
    };
    return {
      metadata: (file, maxBytes) => get(`metadata/${file}`, maxBytes),
      target: (path, maxBytes) => get(`targets/${path.join("/")}`, maxBytes),
    };
  }

  /** The same for `httpServer`, metadata at the top and targets below. */
  handler(): Handler {
    return (request, response) => {
      const path = decodeURIComponent(request.target.slice(1));
      const file = path.startsWith("targets/") ? path : `metadata/${path}`;
      this.requests.push(file);
      const bytes = this.files.get(file);
      reply(response, bytes === undefined ? 404 : 200, bytes ?? "");
    };
  }

  /** The repository as something to consult, kept below a folder. */
  asRepository(folder: string, changes: Partial<TufRepository> = {}): TufRepository {
    return {
      name: "tuf.example",
      anchor: { root: this.startRoot },
      source: this.source(),
      store: storeIn(folder),
      ...changes,
    };
  }
}

export function storeIn(folder: string): TufStore {
  return new TufStore("https://tuf.example", { cache: join(folder, "cache"), marks: join(folder, "marks") });
}

export function later(days: number): Instant {
  return instant(NOW + days * DAY);
}
