import type { PublicKey } from "../crypto/public-key.ts";
import type { Finding } from "../errors.ts";
import { checkSignerName, checkTagPattern } from "../tags/names.ts";
import { REPO_ADMIN, REPO_ADMIN_ROLE } from "./inspection.ts";
import { signerName } from "./released.ts";
import { DCT_RELEASES, type DctDelegated, type DctRepository } from "./verify.ts";

/** A signer of the new signed tags, with the keys that it had. */
export interface SuccessorSigner {
  readonly name: string;
  /** As Docker called it; `Repo Admin` for who holds the repository's own key. */
  readonly formerly: string;
  readonly keys: readonly PublicKey[];
  /** Patterns of tags. */
  readonly tags: readonly string[];
}

/** Who signs in the new signed tags, by who signed in the old ones. */
export interface Successors {
  readonly signers: readonly SuccessorSigner[];
  /** Signers that cannot be taken over as they were. */
  readonly notices: readonly Finding[];
}

/** Each signer below `targets` becomes a signer with the same keys and the same tags. */
export function successorsOf({ delegations }: Pick<DctRepository, "delegations">): Successors {
  const notices: Finding[] = [];
  const own = delegations.filter(({ name }) => name !== DCT_RELEASES);
  const signers = [...own, ...releasesAlone(delegations)].flatMap((role) => successorOf(role, notices));
  return { signers, notices };
}

/**
 * Who holds the repository's own key, as the last of the signers: where there are any, a binding of `targets` itself would count
 * before theirs, and for ever.
 */
export function repoAdmin(keys: readonly PublicKey[]): SuccessorSigner {
  return { name: REPO_ADMIN_ROLE, formerly: REPO_ADMIN, keys, tags: ["*"] };
}

/** Some publishers had `targets/releases` and no signers of their own: then it is one, if keys are in it that nobody else has. */
function releasesAlone(delegations: readonly DctDelegated[]): readonly DctDelegated[] {
  const others = delegations.filter(({ name }) => name !== DCT_RELEASES);
  const known = new Set(others.flatMap(({ keys }) => keys.map(({ key }) => key.fingerprint)));
  return delegations
    .filter(({ name }) => name === DCT_RELEASES)
    .map((role) => ({ ...role, keys: role.keys.filter(({ key }) => !known.has(key.fingerprint)) }))
    .filter(({ keys }) => keys.length > 0);
}

function successorOf(role: DctDelegated, notices: Finding[]): readonly SuccessorSigner[] {
  const keys = keysFor(role.keys.map(({ key }) => key));
  const tags = [...new Set(role.paths.map((path) => `${path}*`))].filter(isTagPattern);
  if (keys.length < role.keys.length || keys.length === 0) notices.push(weakKeys(role, keys.length));
  if (tags.length === 0) notices.push(noTags(role));
  return keys.length === 0 || tags.length === 0
    ? []
    : [{ name: newName(role), formerly: signerName(role), keys, tags }];
}

/** Kinds that sign trust metadata; each key once. */
function keysFor(keys: readonly PublicKey[]): readonly PublicKey[] {
  const usable = keys.filter(({ algorithm }) => algorithm !== "rsa" && algorithm !== "ecdsa-p521");
  return [...new Map(usable.map((key) => [key.fingerprint, key])).values()];
}

function isTagPattern(pattern: string): boolean {
  return isAccepted(() => checkTagPattern(pattern));
}

/** Docker's signers may be called `1` or `timestamp`; a signer of today begins with a letter and is no role of TUF. */
function newName(role: DctDelegated): string {
  const name = signerName(role);
  const isFree = name !== REPO_ADMIN_ROLE && isAccepted(() => checkSignerName(name));
  return isFree ? name : `signer-${name}`.slice(0, 64);
}

function isAccepted(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

function weakKeys(role: DctDelegated, left: number): Finding {
  return {
    code: "key-weak",
    message: `the signer ${signerName(role)} has keys that cannot sign trust metadata`,
    found: role.keys.map(({ key }) => key.algorithm).join(", ") || "no keys",
    wanted: "Ed25519, ECDSA P-256 or P-384",
    next: `${left === 0 ? "add the signer" : "add a further key"} later: countersign trust signer add ${newName(role)} --key NEW.pub`,
  };
}

function noTags(role: DctDelegated): Finding {
  return {
    code: "pattern-unsupported",
    message: `the signer ${signerName(role)} could sign no tag`,
    found: role.paths.join(", ") || "no paths",
    wanted: "beginnings of tags",
  };
}
