import { digestOf } from "../../src/core/oci/digest.ts";
import type { Signer } from "../../src/core/ports.ts";
import type { Binding } from "../../src/core/tags/binding.ts";
import { nextSnapshot, nextTimestamp } from "../../src/core/tags/derive.ts";
import { RoleBook } from "../../src/core/tags/entries.ts";
import { fileNameOf, listingOf } from "../../src/core/tags/files.ts";
import { buildHead, type HeadFiles } from "../../src/core/tags/head.ts";
import { expiryOf, USUAL_CEILINGS } from "../../src/core/tags/lifetimes.ts";
import type {
  Delegation,
  Role,
  RoleKeys,
  RootRole,
  SignedRole,
  TargetsRole,
  TufKey,
} from "../../src/core/tags/metadata.ts";
import { readRole } from "../../src/core/tags/read.ts";
import { readTrust, type TrustReading } from "../../src/core/tags/trust-view.ts";
import { tufKeyOf } from "../../src/core/tags/tuf-key.ts";
import { sealed, signedPart } from "../../src/core/tags/write.ts";
import { type Instant, instant, parseInstant } from "../../src/core/time.ts";
import { idOf, NOW, roleSigner } from "./tag-publisher.ts";

export const GUN = "registry.example/acme/app";

export interface WorldSigner {
  readonly name: string;
  /** Patterns of paths; tags and digests of any name where absent. */
  readonly paths?: readonly string[];
  readonly terminating?: boolean;
  readonly bindings?: readonly Binding[];
}

export interface WorldPlan {
  readonly now?: Instant;
  /** What `targets` itself binds. */
  readonly bindings?: readonly Binding[];
  readonly signers?: readonly WorldSigner[];
}

/** A binding of a tag, or of a digest alone, to what its name hashes to. */
export function bindingOf(tag: string | undefined, content = tag ?? "content", more: Partial<Binding> = {}): Binding {
  const bytes = new TextEncoder().encode(content);
  return {
    tag,
    digest: digestOf(bytes),
    length: bytes.byteLength,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    signedAt: at("2026-01-01T00:00:00Z"),
    source: undefined,
    supersedes: undefined,
    note: undefined,
    requires: [],
    revoked: undefined,
    ...more,
  };
}

export function at(text: string): Instant {
  return parseInstant(text) ?? instant(Number.NaN);
}

/** Trust metadata of one repository as files, made by core alone; a test changes what it is about. */
export class TrustWorld {
  readonly now: Instant;
  readonly keys = new Map<string, Signer>();
  /** By file name, as a head has them. */
  readonly files = new Map<string, Uint8Array>();
  root: RootRole;
  targets: TargetsRole;
  readonly roles = new Map<string, TargetsRole>();

  private constructor(plan: WorldPlan) {
    this.now = plan.now ?? NOW;
    const signers = plan.signers ?? [];
    for (const role of ["root", "targets", "online", ...signers.map(({ name }) => name)]) {
      this.keys.set(role, roleSigner(`${role}.pub`));
    }
    this.root = this.#root();
    this.targets = this.#role(plan.bindings ?? [], signers);
    for (const { name, bindings } of signers) {
      if (bindings !== undefined) this.roles.set(name, this.#role(bindings, []));
    }
  }

  static async make(plan: WorldPlan = {}): Promise<TrustWorld> {
    const world = new TrustWorld(plan);
    await world.putRoot(world.root, ["root"]);
    await world.publish();
    return world;
  }

  /** The signer of a role; `snapshot` and `timestamp` share one. */
  signer(role: string): Signer {
    const owner = role === "snapshot" || role === "timestamp" ? "online" : role.replace(/\.bin-.*/, "");
    const signer = this.keys.get(owner);
    if (signer === undefined) throw new Error(`no key of ${role}`);
    return signer;
  }

  keysOf(...roles: readonly string[]): RoleKeys {
    return { keyids: roles.map((role) => idOf(this.signer(role))), threshold: roles.length };
  }

  tufKeys(...roles: readonly string[]): ReadonlyMap<string, TufKey> {
    return new Map(roles.map((role) => [idOf(this.signer(role)), tufKeyOf(this.signer(role).publicKey)]));
  }

  #root(): RootRole {
    return {
      kind: "root",
      version: 1,
      expires: expiryOf("root", this.now),
      keys: this.tufKeys("root", "targets", "online"),
      roles: {
        root: this.keysOf("root"),
        targets: this.keysOf("targets"),
        snapshot: this.keysOf("online"),
        timestamp: this.keysOf("online"),
      },
      profile: { profile: 1, gun: GUN, aliases: ["mirror.example/app"], ceilings: USUAL_CEILINGS, store: "tag" },
    };
  }

  #role(bindings: readonly Binding[], signers: readonly WorldSigner[]): TargetsRole {
    return {
      kind: "targets",
      version: this.now,
      expires: expiryOf("targets", this.now),
      bindings,
      keys: this.tufKeys(...signers.map(({ name }) => name)),
      delegations: signers.map(({ name, paths, terminating }): Delegation => {
        const wide = ["tags/*", "digests/*"];
        return { name, ...this.keysOf(name), paths: paths ?? wide, terminating: terminating ?? false };
      }),
      bins: undefined,
    };
  }

  async seal(body: Role, by: readonly string[]): Promise<Uint8Array> {
    const signers = by.map((role) => ({ keyId: idOf(this.signer(role)), signer: this.signer(role) }));
    return await sealed(signedPart(body), signers);
  }

  async signed<Body extends Role>(body: Body, by: readonly string[]): Promise<SignedRole<Body>> {
    return readRole(await this.seal(body, by), body.kind, body.kind) as unknown as SignedRole<Body>;
  }

  async putRoot(root: RootRole, by: readonly string[]): Promise<Uint8Array> {
    this.root = root;
    const bytes = await this.seal(root, by);
    this.files.set(fileNameOf("root", root.version), bytes);
    return bytes;
  }

  /** Puts a file in place of the role's last one. */
  put(role: string, version: number, bytes: Uint8Array): void {
    for (const name of this.files.keys()) {
      if (name === "timestamp.json" ? role === "timestamp" : name.replace(/^[0-9]+\./, "") === `${role}.json`) {
        this.files.delete(name);
      }
    }
    this.files.set(fileNameOf(role, version), bytes);
  }

  async putRole(name: string, body: TargetsRole, by: readonly string[] = [name]): Promise<SignedRole<TargetsRole>> {
    if (name === "targets") this.targets = body;
    else this.roles.set(name, body);
    const role = await this.signed(body, by);
    this.put(name, body.version, role.bytes);
    return role;
  }

  /** Makes all files anew but the roots, and lists them. */
  async publish(now: Instant = this.now): Promise<void> {
    const targets = await this.putRole("targets", this.targets);
    const roles = new Map<string, SignedRole<TargetsRole>>();
    for (const [name, body] of this.roles) roles.set(name, await this.putRole(name, body));
    const snapshot = await this.signed(nextSnapshot({ targets, roles }, undefined, now, expiryOf("snapshot", now)), [
      "snapshot",
    ]);
    this.put("snapshot", snapshot.body.version, snapshot.bytes);
    const timestamp = nextTimestamp(snapshot, undefined, now, expiryOf("timestamp", now));
    this.put("timestamp", timestamp.version, await this.seal(timestamp, ["timestamp"]));
  }

  /** The timestamp for the snapshot as it stands among the files. */
  async stamp(now: Instant = this.now, lives = expiryOf("timestamp", now)): Promise<void> {
    const [name, bytes] = [...this.files].find(([each]) => each.endsWith(".snapshot.json")) ?? [];
    if (name === undefined || bytes === undefined) throw new Error("no snapshot");
    const snapshot = listingOf(Number.parseInt(name, 10), bytes);
    const timestamp = { kind: "timestamp", version: now, expires: lives, snapshot } as const;
    this.put("timestamp", now, await this.seal(timestamp, ["timestamp"]));
  }

  /** A role in as many bins as it needs; more than it needs where its bindings are many enough. */
  async putBins(name: string, bindings: readonly Binding[]): Promise<void> {
    const version = this.now;
    const book = RoleBook.open(name, undefined).withBindings(bindings).rebinned();
    const making = { signers: this.keysOf(name), keys: this.tufKeys(name), expires: this.targets.expires };
    for (const [file, body] of book.roles({ ...making, version: () => version })) await this.putRole(file, body);
  }

  head(files: HeadFiles = this.files) {
    return buildHead(files, { gun: GUN, version: this.now, expires: this.root.expires, history: [] });
  }

  read(options: { readonly now?: Instant; readonly isComplete?: boolean; readonly gun?: string } = {}): TrustReading {
    const { now = this.now, isComplete, gun = GUN } = options;
    const { manifest } = this.head();
    return readTrust(this.files, gun, { now, head: manifest, history: [], isComplete });
  }
}
