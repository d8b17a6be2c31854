import type { Binding } from "../../core/tags/binding.ts";
import { RoleBook } from "../../core/tags/entries.ts";
import { expiryOf, type LifetimeKind, type Lifetimes } from "../../core/tags/lifetimes.ts";
import type { RoleKeys, TargetsRole, TufKey } from "../../core/tags/metadata.ts";
import { type RoleSigner, sealed, signedPart } from "../../core/tags/write.ts";
import type { Instant } from "../../core/time.ts";
import { requireDelegation, type SignerWish, withSigner } from "./delegations.ts";

/** What signed tags hold from the start, where they take over from another kind of trust. */
export interface FirstContent {
  /** In the order of priority. */
  readonly signers: readonly FirstSigner[];
  /** What `targets` itself binds: where there are no signers. */
  readonly bindings: readonly Binding[];
}

export interface FirstSigner {
  readonly wish: SignerWish;
  readonly bindings: readonly Binding[];
  /** Its keys that are here. Without enough of them it binds nothing yet. */
  readonly keys: readonly RoleSigner[];
}

/** Metadata that is sealed. */
export interface FirstFile<Body> {
  readonly body: Body;
  readonly bytes: Uint8Array;
}

/** Who signs `targets`, and with what everything is made. */
export interface FirstMaking {
  readonly signers: readonly RoleSigner[];
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly roleKeys: RoleKeys;
  readonly version: number;
  readonly now: Instant;
  readonly lifetimes: Lifetimes;
}

/**
 * `targets` with its signers, and what each of them binds, in bins where there is much of it; by role, `targets` first.
 *
 * @throws CountersignError `usage`, `key-weak`, `limit-reached`, and what the keys throw.
 */
export async function firstRoles(
  { signers, bindings }: FirstContent,
  making: FirstMaking,
): Promise<ReadonlyMap<string, FirstFile<TargetsRole>>> {
  const empty = emptyTargets(making.version, expires(making, "targets"));
  const targets = signers.reduce((role, { wish }) => withSigner(role, wish), empty);
  const own = signers.length === 0 ? await rolesOf("targets", bindings, making) : new Map();
  const files = new Map<string, FirstFile<TargetsRole>>([["targets", await seal(targets, making.signers)], ...own]);
  for (const { wish, bindings: bound, keys } of signers) {
    const roleKeys = requireDelegation(targets, wish.name);
    if (bound.length === 0 || keys.length < roleKeys.threshold) continue;
    const below = await rolesOf(wish.name, bound, { ...making, signers: keys, roleKeys, keys: targets.keys });
    for (const [name, file] of below) files.set(name, file);
  }
  return files;
}

async function rolesOf(
  name: string,
  bindings: readonly Binding[],
  making: FirstMaking,
): Promise<ReadonlyMap<string, FirstFile<TargetsRole>>> {
  const book = RoleBook.open(name, undefined).withBindings(bindings);
  const roles = (book.needsBins ? book.rebinned() : book).roles({
    version: () => making.version,
    expires: expires(making, name === "targets" ? "targets" : "role"),
    signers: making.roleKeys,
    keys: making.keys,
  });
  const files = new Map<string, FirstFile<TargetsRole>>();
  // One after the other: a key may be in a token that does one thing at a time.
  for (const [file, body] of roles) files.set(file, await seal(body, making.signers));
  return files;
}

async function seal(body: TargetsRole, signers: readonly RoleSigner[]): Promise<FirstFile<TargetsRole>> {
  return { body, bytes: await sealed(signedPart(body), signers) };
}

function expires({ now, lifetimes }: FirstMaking, kind: LifetimeKind): Instant {
  return expiryOf(kind, now, lifetimes);
}

/** A role that binds nothing and delegates to nobody. */
export function emptyTargets(version: number, expires: Instant): TargetsRole {
  return { kind: "targets", version, expires, bindings: [], keys: new Map(), delegations: [], bins: undefined };
}
