import type { Finding } from "../../core/errors.ts";
import { CountersignError } from "../../core/errors.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { ContentStore } from "../../core/ports.ts";
import type { Binding } from "../../core/tags/binding.ts";
import { ownerOf } from "../../core/tags/bins.ts";
import { checkCeiling } from "../../core/tags/lifetimes.ts";
import type { RoleKeys, RootRole, SignedRole, TargetsRole, TufKey } from "../../core/tags/metadata.ts";
import { pathOfDigest, pathOfTag } from "../../core/tags/names.ts";
import type { RootPin } from "../../core/tags/pin.ts";
import { readRole } from "../../core/tags/read.ts";
import type { SignedTag } from "../../core/tags/signed-tag.ts";
import { validSignatures } from "../../core/tags/verify-role.ts";
import { pathOfBinding } from "../../core/tags/write.ts";
import type { Instant } from "../../core/time.ts";
import { nameRole } from "../tuf/refusal.ts";
import type { ListedTarget, TufUpdater } from "../tuf/updater.ts";
import type { HeadSource } from "./head-source.ts";

/** A binding and who says so. */
export interface Found {
  readonly binding: Binding;
  /** `targets`, or a signer's; for a bin its signer's. */
  readonly role: string;
  readonly keyIds: readonly string[];
}

/** What a session is made of, once the top-level roles are verified. */
export interface Opened {
  readonly gun: string;
  /** For messages: `registry.example/acme/app`, for a mirror with where it was read. */
  readonly name: string;
  readonly pin: RootPin;
  readonly root: SignedRole<RootRole>;
  readonly now: Instant;
  readonly updater: TufUpdater;
  readonly source: HeadSource;
  /** Why what is kept has to do. */
  readonly unheard: Finding | undefined;
  /** Keeps what was verified since the last time. */
  keep(): Promise<void>;
}

/** What of an answer is the same for all of a repository's bindings. */
export type Standing = Pick<SignedTag, "gun" | "pin" | "versions" | "freshUntil" | "unheard">;

/** One repository's signed tags in one run: verified once, and looked up one after the other. */
export class TrustSession {
  readonly #opened: Opened;
  readonly #roles = new Map<string, SignedRole<TargetsRole>>();
  readonly #signers = new WeakMap<SignedRole, readonly string[]>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(opened: Opened) {
    this.#opened = opened;
  }

  /** For messages. */
  get name(): string {
    return this.#opened.name;
  }

  /** Files that are still wanted are read from the store that the last question came with. */
  use(store: ContentStore): void {
    this.#opened.source.store = store;
  }

  /** What the first role that lists it, and may, says of a tag or a digest. */
  async find(subject: { readonly tag: string } | { readonly digest: Digest }): Promise<Found | undefined> {
    const path = "tag" in subject ? pathOfTag(subject.tag) : pathOfDigest(subject.digest);
    return await this.#inTurn(async () => {
      const target = await this.#opened.updater.find(path);
      const found = target === undefined ? undefined : this.#found(target, path);
      await this.#opened.keep();
      return found;
    });
  }

  /** A signer that binds a tag although its patterns do not cover it: worth a word, and nothing else. */
  async outsider(tag: string): Promise<string | undefined> {
    return await this.#inTurn(async () => {
      for (const { name } of this.#role("targets").body.delegations) {
        if ((await this.#glance(name)).some((binding) => binding.tag === tag)) return name;
      }
      return undefined;
    });
  }

  get standing(): Standing {
    const { gun, pin, root, updater, unheard } = this.#opened;
    const timestamp = updater.read("timestamp");
    const snapshot = updater.read("snapshot");
    if (timestamp === undefined || snapshot === undefined) {
      throw new CountersignError("internal", "signed tags were read before they were verified");
    }
    return {
      gun,
      pin: { mode: pin.mode, root: pin.root, rootVersion: pin.rootVersion },
      versions: { root: root.body.version, timestamp: timestamp.version, snapshot: snapshot.version },
      freshUntil: timestamp.expires,
      unheard,
    };
  }

  #found({ role: name, delegator }: ListedTarget, path: string): Found | undefined {
    const role = this.#role(name);
    const { root, now } = this.#opened;
    checkCeiling(role.body, root.body.profile.ceilings, now, this.#what(name));
    const binding = role.body.bindings.find((one) => pathOfBinding(one) === path);
    if (binding === undefined) return undefined;
    return { binding, role: ownerOf(name), keyIds: this.#signersOf(role, name, delegator) };
  }

  #signersOf(role: SignedRole<TargetsRole>, name: string, delegator: string): readonly string[] {
    const before = this.#signers.get(role);
    if (before !== undefined) return before;
    const { keys, roleKeys } = this.#keysOf(name, delegator);
    const keyIds = validSignatures(role, keys, roleKeys);
    this.#signers.set(role, keyIds);
    return keyIds;
  }

  /** Whose signatures a role needs, by the role that delegates to it. */
  #keysOf(name: string, delegator: string): { keys: ReadonlyMap<string, TufKey>; roleKeys: RoleKeys } {
    const { root } = this.#opened;
    if (delegator === "root") return { keys: root.body.keys, roleKeys: root.body.roles.targets };
    const { keys, delegations, bins } = this.#role(delegator).body;
    const roleKeys = delegations.find((one) => one.name === name) ?? bins;
    return { keys, roleKeys: roleKeys ?? { keyids: [], threshold: 1 } };
  }

  /** A role that was verified. */
  #role(name: string): SignedRole<TargetsRole> {
    const bytes = this.#opened.updater.metadata.get(name);
    const before = this.#roles.get(name);
    if (before !== undefined && before.bytes === bytes) return before;
    if (bytes === undefined) throw new CountersignError("internal", "a role was read before it was verified");
    const role = readRole(bytes, "targets", this.#what(name));
    this.#roles.set(name, role);
    return role;
  }

  async #glance(name: string): Promise<readonly Binding[]> {
    try {
      await this.#opened.updater.look(name, "targets");
      return this.#role(name).body.bindings;
    } catch (thrown) {
      if (thrown instanceof CountersignError && thrown.class !== "interrupted") return [];
      throw thrown;
    }
  }

  #what(role: string): string {
    return `${nameRole(role)} of ${this.#opened.name}`;
  }

  /** tuf-js looks for one target at a time. */
  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return await turn;
  }
}
