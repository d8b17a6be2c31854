import { CountersignError } from "../errors.ts";
import { commonNameOf, type DctKey } from "./keys.ts";
import { type DctFile, type DctRoot, readDctRoot } from "./roles.ts";
import { shortDctId, validSigners } from "./signers.ts";

/**
 * Roots, oldest first: the first one has to be sound in itself, each later one is signed by the one before it and by itself.
 *
 * @throws CountersignError as `verifyNextDctRoot`.
 */
export function verifyDctRoots(gun: string, roots: readonly Uint8Array[]): readonly DctFile<DctRoot>[] {
  const verified: DctFile<DctRoot>[] = [];
  for (const bytes of roots) verified.push(verifyNextDctRoot(verified.at(-1), bytes, gun));
  return verified;
}

/**
 * A root after the one before it, or the first one.
 *
 * @throws CountersignError `root-of-another`, `root-chain-broken`, `root-version-gap`, `signature-threshold`, and as
 * `readDctRoot`.
 */
export function verifyNextDctRoot(
  previous: DctFile<DctRoot> | undefined,
  bytes: Uint8Array,
  gun: string,
): DctFile<DctRoot> {
  const root = readDctRoot(bytes, previous === undefined ? "root.json" : `root ${previous.version + 1}`);
  if (previous !== undefined) {
    if (root.version !== previous.version + 1) throw versionGap(previous.version, root.version);
    requireRootSignatures(root, previous.body, gun, "root-chain-broken");
  }
  requireRootSignatures(root, root.body, gun, previous === undefined ? "signature-threshold" : "root-chain-broken");
  return root;
}

function versionGap(previous: number, found: number): CountersignError {
  return new CountersignError("root-version-gap", "a root of Docker Content Trust is missing between two others", {
    found: `version ${found} after version ${previous}`,
    wanted: `version ${previous + 1}`,
    next: "take the data from the Notary server, which keeps every version",
  });
}

function requireRootSignatures(
  root: DctFile<DctRoot>,
  signers: DctRoot,
  gun: string,
  code: "signature-threshold" | "root-chain-broken",
): void {
  const keys = rootKeysFor(signers, gun);
  const valid = validSigners(root, signers.roles.root.keyIds, keys);
  if (valid.length >= signers.roles.root.threshold) return;
  throw new CountersignError(code, `root ${root.version} of Docker Content Trust is not signed as it has to be`, {
    found: `${valid.length} valid signatures`,
    wanted: `${signers.roles.root.threshold}, by ${[...keys.keys()].map(shortDctId).join(", ")}`,
    next: "treat the Notary server or the cache as tampered with",
  });
}

/**
 * The root's own keys: those whose certificate carries the repository's name, or the beginning of it before `*`. That is what
 * bound a root to one repository.
 *
 * @throws CountersignError `root-of-another`.
 */
export function rootKeysFor({ keys, roles }: DctRoot, gun: string): ReadonlyMap<string, DctKey> {
  const own = roles.root.keyIds.flatMap((id) => keys.get(id) ?? []);
  const names = own.map((key) => nameIn(key));
  const fitting = own.filter((_key, at) => coversGun(names[at] ?? "", gun));
  if (fitting.length > 0) return new Map(fitting.map((key) => [key.id, key]));
  throw new CountersignError("root-of-another", "the root of Docker Content Trust is for another repository", {
    found: names.filter((name) => name !== undefined).join(", ") || "a key without a certificate",
    wanted: gun,
    next: "name the repository as Docker did, its registry before it",
  });
}

function nameIn({ certificate }: DctKey): string | undefined {
  return certificate === undefined ? undefined : commonNameOf(certificate);
}

function coversGun(commonName: string, gun: string): boolean {
  return commonName.endsWith("*") ? gun.startsWith(commonName.replace(/\*+$/, "")) : commonName === gun;
}
