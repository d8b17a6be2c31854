import type { PublicKey } from "../../core/crypto/public-key.ts";
import { CountersignError } from "../../core/errors.ts";
import type { Delegation, TargetsRole, TufKey } from "../../core/tags/metadata.ts";
import { checkSignerName, checkTagPattern, pathOfTag } from "../../core/tags/names.ts";
import { matchesPattern } from "../../core/tags/patterns.ts";
import { keyIdOf, tufKeyOf } from "../../core/tags/tuf-key.ts";

/** What a signer is to be; of one that is there already, what is not said stays. */
export interface SignerWish {
  readonly name: string;
  /** Added to those that it has. */
  readonly keys: readonly PublicKey[];
  readonly threshold?: number | undefined;
  /** Patterns of tags; all tags where nothing was ever said. */
  readonly tags?: readonly string[] | undefined;
  /** Nobody after it is asked for these tags: for those that one signer alone may bind. */
  readonly isTerminating?: boolean | undefined;
  /** Where it stands among the signers, from 0: the first that binds a tag is believed. */
  readonly place?: number | undefined;
}

/** Every signer may say of any digest that it was released: what it cannot do is to bind a tag to it. */
const DIGESTS = "digests/*";

/** The delegations with a signer that is new, or changed. @throws CountersignError `usage`, `key-weak`. */
export function withSigner(targets: TargetsRole, wish: SignerWish): TargetsRole {
  checkSignerName(wish.name);
  const before = delegationOf(targets, wish.name);
  const given = wish.keys.map((key) => tufKeyOf(key)).map((key) => [keyIdOf(key), key] as const);
  const keyids = [...new Set([...(before?.keyids ?? []), ...given.map(([id]) => id)])];
  const delegation: Delegation = {
    name: wish.name,
    keyids,
    threshold: wish.threshold ?? before?.threshold ?? 1,
    paths: wish.tags === undefined ? (before?.paths ?? pathsOf(["*"])) : pathsOf(wish.tags),
    terminating: wish.isTerminating ?? before?.terminating ?? false,
  };
  requireSigners(delegation);
  return placed(targets, delegation, wish.place, new Map(given));
}

/** The delegations with other keys for a signer. @throws CountersignError `usage`, `key-weak`. */
export function withSignerKeys(
  targets: TargetsRole,
  name: string,
  keys: ReadonlyMap<string, TufKey>,
  threshold: number,
): TargetsRole {
  const delegation = { ...requireDelegation(targets, name), keyids: [...keys.keys()], threshold };
  requireSigners(delegation);
  return placed(targets, delegation, undefined, keys);
}

export function withoutSigner(targets: TargetsRole, name: string): TargetsRole {
  requireDelegation(targets, name);
  const delegations = targets.delegations.filter((delegation) => delegation.name !== name);
  return { ...targets, delegations, keys: keysOf(delegations, targets.keys) };
}

export function delegationOf(targets: TargetsRole, name: string): Delegation | undefined {
  return targets.delegations.find((delegation) => delegation.name === name);
}

/** @throws CountersignError `usage` for a signer that there is not. */
export function requireDelegation(targets: TargetsRole, name: string): Delegation {
  const delegation = delegationOf(targets, name);
  if (delegation !== undefined) return delegation;
  throw new CountersignError("usage", "the repository has no such signer", {
    found: name,
    wanted: targets.delegations.map((each) => each.name).join(", ") || "a signer; there are none",
  });
}

/** Whether a signer may bind a tag. */
export function covers({ paths }: Pick<Delegation, "paths">, tag: string): boolean {
  return paths.some((pattern) => matchesPattern(pattern, pathOfTag(tag)));
}

function pathsOf(tags: readonly string[]): readonly string[] {
  if (tags.length === 0) throw new CountersignError("usage", "a signer without tags could sign nothing");
  for (const tag of tags) checkTagPattern(tag);
  return [...[...new Set(tags)].map(pathOfTag), DIGESTS];
}

function requireSigners({ name, keyids, threshold }: Delegation): void {
  if (keyids.length > 0 && Number.isSafeInteger(threshold) && threshold >= 1 && threshold <= keyids.length) return;
  throw new CountersignError("usage", `the signer ${name} cannot have this threshold`, {
    found: `${threshold} of ${keyids.length}`,
    wanted: keyids.length === 0 ? "at least one key" : `from 1 to ${keyids.length}, the number of its keys`,
  });
}

/** One that is terminating comes first, where nothing is said: behind others it would protect nothing. */
function placed(
  targets: TargetsRole,
  delegation: Delegation,
  place: number | undefined,
  added: ReadonlyMap<string, TufKey>,
): TargetsRole {
  const at = targets.delegations.findIndex(({ name }) => name === delegation.name);
  const others = targets.delegations.filter(({ name }) => name !== delegation.name);
  const usual = at >= 0 ? at : delegation.terminating ? 0 : others.length;
  const delegations = others.toSpliced(place ?? usual, 0, delegation);
  return { ...targets, delegations, keys: keysOf(delegations, new Map([...targets.keys, ...added])) };
}

/** Those that somebody still signs with. */
function keysOf(delegations: readonly Delegation[], keys: ReadonlyMap<string, TufKey>): ReadonlyMap<string, TufKey> {
  const used = new Set(delegations.flatMap(({ keyids }) => keyids));
  return new Map([...keys].filter(([id]) => used.has(id)));
}
