import { createHash } from "node:crypto";
import { encodeHex } from "../bytes.ts";
import { CountersignError, type Finding, toFinding } from "../errors.ts";
import { canonicalJson } from "../tags/canonical.ts";
import { formatInstant, type Instant } from "../time.ts";
import { commonNameOf, type DctKey, isDctSignature } from "./keys.ts";
import {
  type DctDelegation,
  type DctFile,
  type DctListing,
  type DctRoleKeys,
  type DctRoot,
  type DctTargets,
  readDctRoot,
  readDctSnapshot,
  readDctTargets,
  readDctTimestamp,
} from "./roles.ts";

/** Files of one repository as a Notary server or Docker's cache has them; nothing in them is believed yet. */
export interface UntrustedDct {
  readonly gun: string;
  /** Oldest first. The first one is where trust begins: the caller vouches for it. */
  readonly roots: readonly Uint8Array[];
  readonly timestamp: Uint8Array;
  readonly snapshot: Uint8Array;
  /** `targets` and the roles below it, by name. */
  readonly targets: ReadonlyMap<string, Uint8Array>;
}

/** A repository whose files were all verified from its first root on. Expiry is told, and judged by the caller. */
export interface DctRepository {
  readonly gun: string;
  readonly roots: readonly DctFile<DctRoot>[];
  /** The last of them. */
  readonly root: DctFile<DctRoot>;
  readonly timestamp: DctFile<DctListing>;
  readonly snapshot: DctFile<DctListing>;
  readonly targets: DctFile<DctTargets>;
  /** The roles right below `targets`, `targets/releases` included, in the order of priority. */
  readonly delegations: readonly DctDelegated[];
  /** What has expired, in the order in which it is looked at. */
  readonly lapses: readonly DctLapse[];
  /** Roles that could not be believed, or that nothing in Docker ever looked into. */
  readonly passedOver: readonly Finding[];
}

export interface DctDelegated extends DctDelegation {
  readonly keys: readonly DctKey[];
  /** undefined: never published, or not to be believed. */
  readonly file: DctFile<DctTargets> | undefined;
}

export interface DctLapse {
  /** `timestamp`, `the certificate of the root key`. */
  readonly what: string;
  readonly at: Instant;
}

/** Where Docker looks for a tag first, and the one role below `targets` that is no signer's. */
export const DCT_RELEASES = "targets/releases";

/**
 * Verifies a repository as Notary's client does (client/tufclient.go, trustpinning/certs.go), from its first root on.
 *
 * @throws CountersignError `root-of-another`, `root-chain-broken`, `root-version-gap`, `signature-threshold`, `mix-and-match`,
 * `role-vanished`, `metadata-malformed`, `keyid-mismatch`, `duplicate-key`, `key-weak`, `limit-reached`.
 */
export function verifyDct(untrusted: UntrustedDct, now: Instant): DctRepository {
  const roots = verifyRoots(untrusted);
  const root = roots[roots.length - 1] ?? notThere("root");
  const timestamp = readDctTimestamp(untrusted.timestamp);
  requireSignatures(timestamp, root.body.roles.timestamp, root.body.keys, "timestamp");
  const snapshot = readDctSnapshot(untrusted.snapshot);
  requireListed("snapshot", untrusted.snapshot, timestamp.body, "timestamp");
  requireSignatures(snapshot, root.body.roles.snapshot, root.body.keys, "snapshot");
  requireListed("root", root.bytes, snapshot.body, "snapshot");
  const bytes = untrusted.targets.get("targets") ?? notThere("targets");
  requireListed("targets", bytes, snapshot.body, "snapshot");
  const targets = readDctTargets(bytes, "targets");
  requireSignatures(targets, root.body.roles.targets, root.body.keys, "targets");
  const below = verifyDelegations(untrusted, targets, snapshot.body);
  return {
    gun: untrusted.gun,
    ...{ roots, root, timestamp, snapshot, targets },
    ...below,
    lapses: lapsesOf({ root, targets, snapshot, timestamp, delegations: below.delegations }, untrusted.gun, now),
  };
}

function notThere(role: string): never {
  throw new CountersignError("role-vanished", `the data of Docker Content Trust has no ${role}`, {
    found: "none",
    wanted: `${role}.json`,
  });
}

/** The first root has to be sound in itself; each later one is signed by the one before it and by itself. */
function verifyRoots({ gun, roots }: UntrustedDct): readonly DctFile<DctRoot>[] {
  const verified: DctFile<DctRoot>[] = [];
  for (const bytes of roots) verified.push(verifyNextDctRoot(verified.at(-1), bytes, gun));
  return verified;
}

/**
 * A root after the one before it, or the first one.
 *
 * @throws CountersignError as `verifyDct`.
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
    wanted: `${signers.roles.root.threshold}, by ${[...keys.keys()].map(short).join(", ")}`,
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

/** @throws CountersignError `signature-threshold`, `duplicate-key`. */
function requireSignatures(
  file: DctFile<unknown>,
  { keyIds, threshold }: DctRoleKeys,
  keys: ReadonlyMap<string, DctKey>,
  role: string,
): void {
  const valid = validSigners(file, keyIds, keys);
  if (valid.length >= threshold) return;
  throw new CountersignError("signature-threshold", `${role} of Docker Content Trust is not signed as it has to be`, {
    found: `${valid.length} valid signatures`,
    wanted: `${threshold}, by ${keyIds.map(short).join(", ")}`,
    next: "treat the Notary server or the cache as tampered with",
  });
}

/** Keys that signed, each counted once however often and under whatever id it stands there. */
function validSigners(
  { signed, signatures }: DctFile<unknown>,
  keyIds: readonly string[],
  keys: ReadonlyMap<string, DctKey>,
): readonly DctKey[] {
  const data = canonicalJson(signed);
  const valid = new Map<string, DctKey>();
  for (const signature of signatures) {
    const key = keyIds.includes(signature.keyId) ? keys.get(signature.keyId) : undefined;
    if (key !== undefined && isDctSignature(key, signature, data)) valid.set(key.key.fingerprint, key);
  }
  return [...valid.values()];
}

function requireListed(role: string, bytes: Uint8Array, listing: DctListing, lister: string): void {
  const listed = listing.get(role);
  if (listed === undefined) notThere(role);
  const sha256 = encodeHex(createHash("sha256").update(bytes).digest());
  if (listed.length === bytes.byteLength && listed.sha256 === sha256) return;
  throw new CountersignError("mix-and-match", `${role}.json is not the file that the ${lister} lists`, {
    found: `sha256 ${sha256}, ${bytes.byteLength} bytes`,
    wanted: `sha256 ${listed.sha256}, ${listed.length} bytes`,
    next: "a cache that was written while it was read can be torn: take the data again, or from the Notary server",
  });
}

/** As Notary does, what is wrong with one role costs that role and nothing else. */
function verifyDelegations(
  untrusted: UntrustedDct,
  targets: DctFile<DctTargets>,
  snapshot: DctListing,
): Pick<DctRepository, "delegations" | "passedOver"> {
  const passedOver: Finding[] = [];
  const delegations = targets.body.delegations.filter(isDirect).map((delegation): DctDelegated => {
    const keys = delegation.keyIds.flatMap((id) => targets.body.keys.get(id) ?? []);
    try {
      return { ...delegation, keys, file: verifyDelegation(untrusted, delegation, targets.body.keys, snapshot) };
    } catch (error) {
      passedOver.push(toFinding(error));
      return { ...delegation, keys, file: undefined };
    }
  });
  const deeper = delegations.flatMap(({ file }) => file?.body.delegations ?? []);
  return { delegations, passedOver: [...passedOver, ...deeper.map(neverLookedInto)] };
}

function isDirect({ name }: DctDelegation): boolean {
  return name.split("/").length === 2;
}

function neverLookedInto({ name }: DctDelegation): Finding {
  return {
    code: "tag-unlisted",
    message: `${name} lies deeper than Docker ever looked`,
    next: "add its signers to the new signed tags: countersign trust signer add",
  };
}

/** undefined for a role that was set up and never published. */
function verifyDelegation(
  { targets }: UntrustedDct,
  delegation: DctDelegation,
  keys: ReadonlyMap<string, DctKey>,
  snapshot: DctListing,
): DctFile<DctTargets> | undefined {
  if (!snapshot.has(delegation.name)) return undefined;
  const bytes = targets.get(delegation.name) ?? notThere(delegation.name);
  requireListed(delegation.name, bytes, snapshot, "snapshot");
  const file = readDctTargets(bytes, delegation.name);
  requireSignatures(file, delegation, keys, delegation.name);
  return file;
}

type Expiring = Pick<DctRepository, "root" | "targets" | "snapshot" | "timestamp" | "delegations">;

function lapsesOf(files: Expiring, gun: string, now: Instant): readonly DctLapse[] {
  const { root, targets, snapshot, timestamp } = files;
  const certificates = [...rootKeysFor(root.body, gun).values()].flatMap(({ certificate }) => certificate ?? []);
  const lastEnd = Math.max(...certificates.map(({ notAfter }) => notAfter)) as Instant;
  const ends: readonly DctLapse[] = [
    { what: "the certificate of the root key", at: lastEnd },
    { what: "root", at: root.expires },
    { what: "targets", at: targets.expires },
    { what: "snapshot", at: snapshot.expires },
    { what: "timestamp", at: timestamp.expires },
    ...files.delegations.flatMap(({ name, file }) => (file === undefined ? [] : [{ what: name, at: file.expires }])),
  ];
  return ends.filter(({ at }) => at <= now);
}

/** `timestamp expired at 2026-12-07T07:34:26Z` */
export function describeLapse({ what, at }: DctLapse): string {
  return `${what} expired at ${formatInstant(at)}`;
}

/** The beginning of a key's id, as Docker prints it. */
function short(id: string): string {
  return id.slice(0, 12);
}
