import { REPO_ADMIN_ROLE } from "../../core/dct/inspection.ts";
import type { DctReleased } from "../../core/dct/released.ts";
import { repoAdmin, type SuccessorSigner } from "../../core/dct/successor.ts";
import { DCT_RELEASES } from "../../core/dct/verify.ts";
import type { InitResult } from "../../core/tags/admin-results.ts";
import type { Binding } from "../../core/tags/binding.ts";
import type { RoleKeyring } from "../../core/tags/ports.ts";
import { keyIdOf, tufKeyOf } from "../../core/tags/tuf-key.ts";
import type { RoleSigner } from "../../core/tags/write.ts";
import type { Instant } from "../../core/time.ts";
import type { FirstContent, FirstSigner } from "./first-content.ts";
import { type InitWish, initTrust, type RoleKeysWish } from "./init.ts";
import type { MigrationPlan, PlannedTag } from "./migration-plan.ts";

/** What is to be set up, by what was there. */
export interface MigrationWish extends Omit<InitWish, "gun" | "content"> {
  readonly plan: MigrationPlan;
  /** Has the keys of signers that are here. */
  readonly ring: RoleKeyring;
}

/** A tag that was taken over, and who binds it. */
export interface MigratedTag extends PlannedTag {
  readonly roles: readonly string[];
}

export interface MigrationResult {
  readonly init: InitResult;
  readonly tags: readonly MigratedTag[];
}

/**
 * Sets up signed tags that say what the old trust data said: root 1, signed by the old root's key as well where `vouchers` has
 * it, signers with the keys that they had, and every tag that can be pulled. It is one publish: all of it is there, or nothing.
 *
 * @throws CountersignError as `initTrust`, and what the ring throws.
 */
export async function migrateTrust({ plan, ring, ...wish }: MigrationWish): Promise<MigrationResult> {
  const tags = plan.tags.filter(({ state }) => state !== "gone");
  const signers = await signersHere(plan, wish.roles.targets, ring);
  const migrated = tags.map((tag) => ({ ...tag, roles: rolesFor(tag, signers) }));
  const init = await initTrust({ ...wish, gun: plan.gun, content: contentOf(migrated, signers, wish.now) });
  return { init, tags: migrated };
}

interface SignerHere {
  readonly signer: SuccessorSigner;
  readonly keys: readonly RoleSigner[];
}

/** One after the other: each key may ask for its passphrase. */
async function signersHere(
  { signers }: MigrationPlan,
  targets: RoleKeysWish,
  ring: RoleKeyring,
): Promise<readonly SignerHere[]> {
  if (signers.length === 0) return [];
  const here: SignerHere[] = [];
  for (const signer of signers) here.push({ signer, keys: await keysHere(signer, ring) });
  const admins = targets.signers.map((signer) => ({ keyId: keyIdOf(tufKeyOf(signer.publicKey)), signer }));
  return [...here, { signer: repoAdmin(targets.signers.map(({ publicKey }) => publicKey)), keys: admins }];
}

async function keysHere({ keys }: SuccessorSigner, ring: RoleKeyring): Promise<readonly RoleSigner[]> {
  const found: RoleSigner[] = [];
  for (const key of keys) {
    const keyId = keyIdOf(tufKeyOf(key));
    const signer = await ring.signer(keyId);
    if (signer !== undefined) found.push({ keyId, signer });
  }
  return found;
}

/** Those who signed the tag before, as far as their keys are here; else who holds the repository's own key. */
function rolesFor({ signers, role }: DctReleased, all: readonly SignerHere[]): readonly string[] {
  if (all.length === 0) return ["targets"];
  const own = all.filter(({ signer, keys }) => keys.length > 0 && hadSigned(signer, signers, role));
  return own.length > 0 ? own.map(({ signer }) => signer.name) : [REPO_ADMIN_ROLE];
}

function hadSigned({ name, formerly }: SuccessorSigner, signers: readonly string[], role: string): boolean {
  if (name === REPO_ADMIN_ROLE) return false;
  return signers.includes(formerly) || (role === DCT_RELEASES && formerly === "releases");
}

function contentOf(tags: readonly MigratedTag[], all: readonly SignerHere[], now: Instant): FirstContent {
  const boundBy = (role: string): readonly Binding[] => {
    return bindingsOf(
      tags.filter(({ roles }) => roles.includes(role)),
      now,
    );
  };
  const signers = all.map(({ signer, keys }): FirstSigner => {
    const { name, tags: patterns } = signer;
    return { wish: { name, keys: signer.keys, tags: patterns }, bindings: boundBy(name), keys };
  });
  return { signers, bindings: boundBy("targets") };
}

/** A binding of each tag, and one of each digest. When the old ones were signed, nobody can tell: this is when they are confirmed. */
function bindingsOf(tags: readonly PlannedTag[], now: Instant): readonly Binding[] {
  const bound = tags.map(({ tag, digest, length, mediaType }): Binding => {
    return { tag, digest, length, mediaType, signedAt: now, note: "from Docker Content Trust", requires: [] };
  });
  const released = new Map(bound.map((binding) => [binding.digest, { ...binding, tag: undefined }]));
  return [...bound, ...released.values()];
}
