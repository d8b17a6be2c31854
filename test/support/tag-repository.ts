import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Digest, digestHex, digestOf } from "../../src/core/oci/digest.ts";
import type { Manifest } from "../../src/core/oci/manifest.ts";
import type { ContentStore } from "../../src/core/ports.ts";
import { buildHead } from "../../src/core/tags/head.ts";
import { HEAD_TAG, pathOfDigest, pathOfTag } from "../../src/core/tags/names.ts";
import type { RootPin } from "../../src/core/tags/pin.ts";
import { DEFAULT_TAG_DEMAND, type TagAnswer, type TagDemand } from "../../src/core/tags/signed-tag.ts";
import { type Instant, instant } from "../../src/core/time.ts";
import { openSignedTags, type Pins, type SignedTagsOptions } from "../../src/io/tags/client.ts";
import { MemoryStore } from "./memory-store.ts";
import { temporaryFolder } from "./temp.ts";
import { DAY, type Json, type JsonObject, sha256, type TestKey, TestRepository } from "./tuf-repository.ts";

export const GUN = "registry.example/app";
/** The time of these tests: some hours after the metadata was made. */
export const NOW: Instant = instant(Date.parse("2026-09-01T12:00:00Z"));

export function daysLater(days: number): Instant {
  return instant(NOW + days * DAY);
}

/** A registry's repository that answers conditional requests, and counts those that bring nothing. */
export class TagStore extends MemoryStore {
  async resolveChanged(tag: string, known: Digest | undefined): Promise<Manifest | "unchanged" | undefined> {
    const found = await this.resolve(tag);
    return found !== undefined && found.descriptor.digest === known ? "unchanged" : found;
  }
}

export interface Entry {
  readonly role?: string;
  readonly custom?: JsonObject;
  readonly length?: number;
}

/**
 * A repository with signed tags whose publisher, registry or thief does whatever a test wants. Its metadata is made and signed by
 * the test's own code; only the head is built by the product's.
 */
export class TagRepository extends TestRepository {
  readonly store: TagStore;
  readonly gun: string;
  /** Files of the head in place of those that were published, by their names; undefined leaves one out. */
  readonly served = new Map<string, Uint8Array | undefined>();

  constructor(options: { readonly now?: number; readonly gun?: string } = {}) {
    super({ now: options.now ?? NOW, hashes: true });
    this.gun = options.gun ?? GUN;
    this.store = new TagStore("registry", this.gun);
    this.profile({ gun: this.gun });
    this.setNext("root", 1).publish("root");
    this.setNext("snapshot", 1).setNext("timestamp", 1).setNext("targets", 1).publishTargets();
  }

  profile(changes: JsonObject): this {
    const before = (this.part("root")["x-countersign"] ?? {
      profile: 1,
      gun: GUN,
      aliases: [],
      ceilings: { timestamp: "31d", snapshot: "366d", targets: "1098d" },
      store: "tag",
    }) as JsonObject;
    this.part("root")["x-countersign"] = { ...before, ...changes };
    return this;
  }

  /** Binds a tag to what has this digest, and says that it was released. */
  bind(tag: string, digest: Digest, { role = "targets", custom = {}, length = 100 }: Entry = {}): this {
    const entry = entryOf(digest, length, { signedAt: "2026-08-31T12:00:00Z", ...custom });
    return this.entry(pathOfTag(tag), entry, role).entry(pathOfDigest(digest), entryOf(digest, length, custom), role);
  }

  entry(path: string, entry: JsonObject, role = "targets"): this {
    (this.part(role)["targets"] as JsonObject)[path] = entry;
    return this;
  }

  /** A signer below targets with a key of its own; asked in the order of these calls. */
  signer(name: string, paths: readonly string[] = ["tags/*", "digests/*"], members: JsonObject = {}): this {
    return this.delegate(name, { paths: [...paths], ...members });
  }

  /** Hash bins below a signer's role, with its key: `name.bin-00` and so on. Their names. */
  bins(name: string, bitLength: number): string[] {
    const [key] = this.keys.get(name) ?? [];
    if (key === undefined) throw new Error(`there is no role ${name}`);
    const digits = (2 ** bitLength - 1).toString(16).length;
    const names = Array.from(
      { length: 2 ** bitLength },
      (_, at) => `${name}.bin-${at.toString(16).padStart(digits, "0")}`,
    );
    for (const bin of names) {
      this.keys.set(bin, [key]);
      this.signed.set(bin, { ...structuredClone(this.part(name)), version: 0, targets: {} });
    }
    this.part(name)["delegations"] = {
      keys: { [key.id]: key.value },
      succinct_roles: { keyids: [key.id], threshold: 1, bit_length: bitLength, name_prefix: `${name}.bin` },
    };
    return names;
  }

  /** The same as `bind`, each entry in the bin that its path's hash says. */
  bindInBins(tag: string, digest: Digest, bins: readonly string[]): this {
    for (const path of [pathOfTag(tag), pathOfDigest(digest)]) {
      const bits = Number.parseInt(sha256(Buffer.from(path)).slice(0, 8), 16) >>> 0;
      this.entry(path, entryOf(digest, 100, {}), bins[Math.floor(bits / (2 ** 32 / bins.length))] ?? "");
    }
    return this;
  }

  revoke(path: string, reason: string, role = "targets"): this {
    const entry = (this.part(role)["targets"] as JsonObject)[path] as { custom: { countersign: JsonObject } };
    entry.custom.countersign["revoked"] = { at: "2026-09-01T11:00:00Z", reason };
    return this;
  }

  /** Everything from the targets role down anew, and the head. */
  release(...signers: readonly string[]): this {
    return this.publishTargets(...signers).putHead();
  }

  /** The files that the head names: every root, and what was published last of all else. */
  headFiles(): Map<string, Uint8Array> {
    const files = new Map<string, Uint8Array>();
    for (const [path, bytes] of this.files) {
      const name = path.replace("metadata/", "");
      if (/^[0-9]+\.root\.json$/.test(name)) files.set(name, bytes);
    }
    for (const [role, signed] of this.signed) {
      if (role === "root") continue;
      const name = role === "timestamp" ? "timestamp.json" : `${String(signed["version"])}.${role}.json`;
      const bytes = this.files.get(`metadata/${name}`);
      if (bytes !== undefined) files.set(name, bytes);
    }
    for (const [name, bytes] of this.served) {
      if (bytes === undefined) files.delete(name);
      else files.set(name, bytes);
    }
    return files;
  }

  /** Pushes the head by its tag. */
  putHead(): this {
    const version = Number(this.part("timestamp")["version"]);
    const built = buildHead(this.headFiles(), { gun: this.gun, version, expires: daysLater(7), history: [] });
    for (const { descriptor, bytes } of built.blobs) this.store.blobs.set(descriptor.digest, bytes);
    for (const manifest of [...built.manifests, built.manifest]) this.#putManifest(manifest);
    this.store.names.set(HEAD_TAG, built.manifest.descriptor.digest);
    return this;
  }

  #putManifest({ bytes, descriptor }: Manifest): void {
    this.store.manifests.set(descriptor.digest, { bytes, mediaType: descriptor.mediaType });
  }

  get head(): Digest | undefined {
    return this.store.names.get(HEAD_TAG);
  }

  /** What the tag names: an older head is put back by it. */
  set head(digest: Digest | undefined) {
    if (digest === undefined) this.store.names.delete(HEAD_TAG);
    else this.store.names.set(HEAD_TAG, digest);
  }

  /** The pin of a version of the root. */
  pin(version = 1, changes: Partial<RootPin> = {}): RootPin {
    return {
      gun: this.gun,
      rootVersion: version,
      root: digestOf(this.file(`metadata/${version}.root.json`)),
      rootKeyIds: this.keyIds("root"),
      threshold: 1,
      mode: "pinned",
      firstSeen: NOW,
      ...changes,
    };
  }

  keyIds(role: string): string[] {
    return (this.keys.get(role) ?? []).map(({ id }) => id);
  }

  /** Signs something else in a role's name and serves it under the version that it has. */
  replace(role: string, change: (signed: JsonObject) => Json, keys?: readonly TestKey[]): this {
    const signed = change(structuredClone(this.part(role))) as JsonObject;
    this.put(role, this.sign(role, signed, keys));
    return this;
  }
}

function entryOf(digest: Digest, length: number, countersign: JsonObject): JsonObject {
  return { length, hashes: { sha256: digestHex(digest) }, custom: { countersign } };
}

export class MemoryPins implements Pins {
  readonly pins = new Map<string, RootPin>();
  readonly mirrors = new Map<string, string>();

  async find(gun: string): Promise<RootPin | undefined> {
    return this.pins.get(gun);
  }

  async put(pin: RootPin): Promise<void> {
    this.pins.set(pin.gun, pin);
  }

  async originOf(repository: string): Promise<string> {
    return this.mirrors.get(repository) ?? repository;
  }
}

export interface Question extends Partial<SignedTagsOptions> {
  readonly tag?: string;
  readonly digest?: Digest;
  readonly demand?: Partial<TagDemand>;
  readonly from?: ContentStore;
  /** A machine that was never there. */
  readonly anew?: boolean;
}

export interface TagScene {
  readonly repo: TagRepository;
  readonly store: TagStore;
  readonly pins: MemoryPins;
  readonly stateFolder: string;
  /** A new client each time, as every command has; the tag `1.0` where nothing else is asked for. */
  ask(question?: Question): Promise<TagAnswer>;
  /** What was asked of the registry since the last time. */
  requests(): readonly string[];
}

export const IMAGE: Digest = digestOf(Buffer.from("the image"));
export const OTHER: Digest = digestOf(Buffer.from("another image"));

/** A repository whose tag `1.0` is bound by the targets role, its first root pinned, and a machine that was never there. */
export async function tagScene(t: TestContext, repo = new TagRepository()): Promise<TagScene> {
  const folder = await temporaryFolder(t);
  const stateFolder = join(folder, "state");
  let machines = 0;
  const pins = new MemoryPins();
  repo.bind("1.0", IMAGE).release();
  await pins.put(repo.pin());
  const ask = async ({ tag, digest, demand, from = repo.store, anew, ...options }: Question = {}) => {
    const place = anew === true ? join(folder, `machine ${++machines}`) : stateFolder;
    const tags = openSignedTags({ pins, stateFolder: place, now: NOW, ...options });
    const asked = tag === undefined && digest === undefined ? "1.0" : tag;
    return await tags.resolve({ store: from, tag: asked, digest, demand: { ...DEFAULT_TAG_DEMAND, ...demand } });
  };
  const requests = () => repo.store.calls.splice(0);
  return { repo, store: repo.store, pins, stateFolder, ask, requests };
}
