import type { PublicKey } from "../core/crypto/public-key.ts";
import { rootKeysFor } from "../core/dct/roots.ts";
import type { DctRepository } from "../core/dct/verify.ts";
import { CountersignError } from "../core/errors.ts";
import type { Signer } from "../core/ports.ts";
import type { TopLevelRole } from "../core/tags/names.ts";
import type { RoleSigner } from "../core/tags/write.ts";
import { signerOf } from "../io/keys/load.ts";
import type { KeyRing, NamedRoleKey, NewRoleKey } from "../io/tags/key-ring.ts";
import type { RoleKeysWish } from "../ops/tags/init.ts";
import type { MigrationPlan } from "../ops/tags/migration-plan.ts";
import type { Context } from "./context.ts";
import { flag, type RawOptions, text } from "./options.ts";
import { type DockerKeys, describeDctKeys } from "./tags-docker-keys.ts";

/** Which keys the new signed tags get. */
export interface MigrationKeyFlags {
  readonly rootKey: string | undefined;
  readonly targetsKey: string | undefined;
  readonly onlineKey: string | undefined;
  /** Root and targets keys are made anew; signers keep theirs. */
  readonly newKeys: boolean;
  readonly allowNoContinuity: boolean;
}

export function readMigrationKeyFlags(raw: RawOptions): MigrationKeyFlags {
  return {
    rootKey: text(raw, "rootKey"),
    targetsKey: text(raw, "targetsKey"),
    onlineKey: text(raw, "onlineKey"),
    newKeys: flag(raw, "newKeys"),
    allowNoContinuity: flag(raw, "allowNoContinuity"),
  };
}

export interface MigrationKeys {
  readonly roles: Readonly<Record<TopLevelRole, RoleKeysWish>>;
  /** Docker's root keys, older ones too, where they are not the new root's own. */
  readonly vouchers: readonly Signer[];
  /** Whether who trusts the old root can go over. */
  readonly hasContinuity: boolean;
  /** To be written down before anything is published. */
  readonly made: readonly (NewRoleKey | NamedRoleKey)[];
  /** By role: where its key is from. */
  readonly origins: ReadonlyMap<string, KeyOrigin>;
}

/** `kept`: Docker's key goes on. `new`: made now. `given`: named on the command line. */
export type KeyOrigin = "kept" | "new" | "given";

/** Opens and makes the keys, one after the other, since each may ask for its passphrase. */
export class MigrationKeyChoice {
  readonly #context: Context;
  readonly #ring: KeyRing;
  readonly #docker: DockerKeys;
  readonly #flags: MigrationKeyFlags;
  readonly #gun: string;
  readonly #made: (NewRoleKey | NamedRoleKey)[] = [];
  readonly #origins = new Map<string, KeyOrigin>();

  constructor(context: Context, ring: KeyRing, docker: DockerKeys, flags: MigrationKeyFlags, gun: string) {
    this.#context = context;
    this.#ring = ring;
    this.#docker = docker;
    this.#flags = flags;
    this.#gun = gun;
  }

  /** @throws CountersignError `role-key-missing` where the old root's key is not here; what opening keys throws. */
  async choose(repository: DctRepository, plan: MigrationPlan): Promise<MigrationKeys> {
    const { body } = repository.root;
    const { root, vouchers, hasContinuity } = await this.#root(repository);
    const targetsKeys = body.roles.targets.keyIds.flatMap((id) => body.keys.get(id)?.key ?? []);
    const targets = await this.#keyOf("targets", this.#flags.targetsKey, this.#flags.newKeys ? [] : targetsKeys);
    for (const { name, keys } of plan.signers) await this.#keepSigner(name, keys);
    const online = { signers: [(await this.#keyOf("online", this.#flags.onlineKey, [])).signer], threshold: 1 };
    return {
      roles: {
        root: { signers: [root.signer], threshold: 1 },
        targets: { signers: [targets.signer], threshold: 1 },
        snapshot: online,
        timestamp: online,
      },
      ...{ vouchers, hasContinuity },
      made: this.#made,
      origins: this.#origins,
    };
  }

  async #root(repository: DctRepository) {
    const old = [...rootKeysFor(repository.root.body, repository.gun).values()];
    const { newKeys, rootKey, allowNoContinuity } = this.#flags;
    const usable = newKeys ? [] : old.map(({ key }) => key).filter(canSign);
    const here = old.find(({ key }) => this.#docker.fileOf(key) !== undefined);
    const given = rootKey === undefined ? undefined : await this.#given("root", rootKey);
    const isOld = old.some(({ key }) => key.fingerprint === given?.signer.publicKey.fingerprint);
    if (here === undefined && !isOld && !allowNoContinuity) {
      throw new CountersignError("role-key-missing", "the root key of Docker Content Trust is not here", {
        found: `no file of ${describeDctKeys(old)}`,
        wanted: "it in private/ of the trust folder, or with --root-key",
        next: "fetch it: with it, who trusts the old root goes over by itself; --allow-no-continuity sets up without it",
      });
    }
    const root = given ?? (await this.#keyOf("root", undefined, usable));
    const known = new Set([root.signer.publicKey.fingerprint]);
    const older = await this.#docker.openOtherRoots(known);
    const vouchers = await Promise.all(older.map((key) => signerOf(key, "a root key of Docker's")));
    const vouching = new Set([...known, ...vouchers.map(({ publicKey }) => publicKey.fingerprint)]);
    const hasContinuity = old.some(({ key }) => vouching.has(key.fingerprint));
    return { root, vouchers, hasContinuity };
  }

  /** The key that is named, else the first of Docker's that is here and can sign, else a new one. */
  async #keyOf(role: string, reference: string | undefined, old: readonly PublicKey[]): Promise<RoleSigner> {
    if (reference !== undefined) return await this.#given(role, reference);
    for (const key of old.filter(canSign)) {
      const kept = await this.#keep(role, key);
      if (kept !== undefined) return kept;
    }
    const made = await this.#ring.generate({ name: role, gun: this.#gun }, this.#context.referenceTime);
    this.#made.push(made);
    this.#origins.set(role, "new");
    return made;
  }

  async #given(role: string, reference: string): Promise<RoleSigner> {
    this.#origins.set(role, "given");
    const named = await this.#ring.name(reference, { name: role, gun: this.#gun }, this.#context.referenceTime);
    this.#made.push(named);
    return named;
  }

  async #keep(role: string, key: PublicKey): Promise<NewRoleKey | undefined> {
    const opened = await this.#docker.open(key, role);
    if (opened === undefined) return undefined;
    const purpose = { name: role, gun: role === "root" ? undefined : this.#gun };
    const kept = await this.#ring.adopt(opened.privateKey, opened.passphrase, purpose, this.#context.referenceTime);
    this.#made.push(kept);
    this.#origins.set(role, "kept");
    return kept;
  }

  /** A signer's key that is here can go on signing here; the others' are with the signers. */
  async #keepSigner(name: string, keys: readonly PublicKey[]): Promise<void> {
    for (const key of keys) await this.#keep(name, key);
  }
}

function canSign({ algorithm }: PublicKey): boolean {
  return algorithm !== "rsa" && algorithm !== "ecdsa-p521";
}
