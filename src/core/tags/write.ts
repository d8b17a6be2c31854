import { compareTexts, encodeHex, encodeUtf8 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import { digestHex } from "../oci/digest.ts";
import type { Signer } from "../ports.ts";
import { formatInstant } from "../time.ts";
import type { Binding } from "./binding.ts";
import { canonicalJson } from "./canonical.ts";
import { formatSpan } from "./lifetimes.ts";
import type {
  Bins,
  Ceilings,
  Delegation,
  ListedFile,
  Role,
  RoleKeys,
  RootProfile,
  RootRole,
  SignedRole,
  SnapshotRole,
  TargetsRole,
  TimestampRole,
  TufKey,
} from "./metadata.ts";
import { pathOfDigest, pathOfTag } from "./names.ts";
import { type RoleKind, readRole } from "./read.ts";
import { keyIdOf, tufKeyOf } from "./tuf-key.ts";
import { isSignedBy } from "./verify-role.ts";

/** The version of TUF's specification that what is written follows. */
const SPEC_VERSION = "1.0.34";

export function rootPart(root: RootRole): JsonObject {
  const { root: own, targets, snapshot, timestamp } = root.roles;
  return {
    ...common(root),
    consistent_snapshot: true,
    keys: keysPart(root.keys),
    roles: {
      root: roleKeysPart(own),
      targets: roleKeysPart(targets),
      snapshot: roleKeysPart(snapshot),
      timestamp: roleKeysPart(timestamp),
    },
    "x-countersign": profilePart(root.profile),
  };
}

/** @throws CountersignError `usage` for a digest by another hash than SHA-256, which is what metadata lists. */
export function targetsPart(targets: TargetsRole): JsonObject {
  const entries = targets.bindings.map((binding) => [pathOfBinding(binding), bindingPart(binding)] as const);
  const { delegations, bins, binBits } = targets;
  const delegated = delegations.length > 0 || bins !== undefined;
  return {
    ...common(targets),
    targets: Object.fromEntries(sorted(entries)),
    ...(delegated && {
      delegations: {
        keys: keysPart(targets.keys),
        ...(bins === undefined ? { roles: delegations.map(delegationPart) } : { succinct_roles: binsPart(bins) }),
      },
    }),
    ...(binBits !== undefined && { "x-countersign": { bits: binBits } }),
  };
}

export function snapshotPart(snapshot: SnapshotRole): JsonObject {
  const files = [...snapshot.roles].map(([role, file]) => [`${role}.json`, listedPart(file)] as const);
  return { ...common(snapshot), meta: Object.fromEntries(sorted(files)) };
}

export function timestampPart(timestamp: TimestampRole): JsonObject {
  return { ...common(timestamp), meta: { "snapshot.json": listedPart(timestamp.snapshot) } };
}

/** The signed part of any role. */
export function signedPart(role: Role): JsonObject {
  switch (role.kind) {
    case "root":
      return rootPart(role);
    case "targets":
      return targetsPart(role);
    case "snapshot":
      return snapshotPart(role);
    case "timestamp":
      return timestampPart(role);
  }
}

/** The path among TUF's targets of what is bound. */
export function pathOfBinding({ tag, digest }: Pick<Binding, "tag" | "digest">): string {
  return tag === undefined ? pathOfDigest(digest) : pathOfTag(tag);
}

export interface RoleSigner {
  readonly keyId: string;
  readonly signer: Signer;
}

/**
 * A file of metadata: the signed part with a signature by each signer, and those of others over the same part that are `kept`.
 * The same input gives the same bytes, as far as the keys' algorithms do.
 *
 * @throws CountersignError as `readRole` for what every reader would refuse: a note that is too long, a pattern that is read
 * differently; `keyid-mismatch` where a signer is another key than it is called, `key-unavailable` where what a
 * key returned does not verify: a service that signs with another hash must not publish what nobody accepts.
 */
export async function sealed(
  signed: JsonObject,
  signers: readonly RoleSigner[],
  kept: SignedRole["signatures"] = [],
): Promise<Uint8Array> {
  const content = canonicalJson(signed);
  // Before a key is asked for, which may mean somebody's passphrase or touch.
  readRole(fileBytes(signed, []), kindOf(signed), "what would be signed");
  const signatures = new Map(kept.map(({ keyid, sig }) => [keyid, sig]));
  for (const each of signers) signatures.set(each.keyId, encodeHex(await signatureBy(each, content)));
  return fileBytes(signed, sorted([...signatures]));
}

function kindOf({ _type: kind }: JsonObject): RoleKind {
  if (kind === "root" || kind === "targets" || kind === "snapshot" || kind === "timestamp") return kind;
  throw new CountersignError("internal", "what would be signed is no role");
}

async function signatureBy({ keyId, signer }: RoleSigner, content: Uint8Array): Promise<Uint8Array> {
  const key = tufKeyOf(signer.publicKey);
  if (keyIdOf(key) !== keyId) {
    throw new CountersignError("keyid-mismatch", `${signer.publicKey.label} is another key than the role's`, {
      found: keyIdOf(key),
      wanted: keyId,
    });
  }
  const signature = await signer.sign(content);
  if (isSignedBy(signer.publicKey, content, signature)) return signature;
  throw new CountersignError("key-unavailable", `${signer.publicKey.label} made a signature that does not verify`, {
    wanted: `a signature with ${key.scheme}`,
  });
}

/** Not the canonical form, which writes the line breaks of a PEM key as they are and so is no JSON; members in its order. */
function fileBytes(signed: JsonObject, signatures: readonly (readonly [string, string])[]): Uint8Array {
  return encodeUtf8(ordered({ signatures: signatures.map(([keyid, sig]) => ({ keyid, sig })), signed }));
}

function ordered(value: JsonValue): string {
  return JSON.stringify(value, (_name, member: JsonValue) =>
    isObject(member) ? Object.fromEntries(sorted(Object.entries(member))) : member,
  );
}

function common({ kind, version, expires }: Role): JsonObject {
  return { _type: kind, spec_version: SPEC_VERSION, version, expires: formatInstant(expires) };
}

function keysPart(keys: ReadonlyMap<string, TufKey>): JsonObject {
  const parts = [...keys].map(([id, { keytype, scheme, keyval }]) => {
    return [id, { keytype, scheme, keyval: { public: keyval.public } }] as const;
  });
  return Object.fromEntries(sorted(parts));
}

function roleKeysPart({ keyids, threshold }: RoleKeys): JsonObject {
  return { keyids: [...keyids].sort(), threshold };
}

function delegationPart(delegation: Delegation): JsonObject {
  const { name, paths, terminating } = delegation;
  return { name, ...roleKeysPart(delegation), paths, terminating };
}

function binsPart(bins: Bins): JsonObject {
  return { ...roleKeysPart(bins), bit_length: bins.bitLength, name_prefix: bins.prefix };
}

function profilePart({ profile, gun, aliases, ceilings, store }: RootProfile): JsonObject {
  return { profile, gun, aliases, ceilings: ceilingsPart(ceilings), store };
}

function ceilingsPart({ timestamp, snapshot, targets }: Ceilings): JsonObject {
  return { timestamp: formatSpan(timestamp), snapshot: formatSpan(snapshot), targets: formatSpan(targets) };
}

function listedPart({ version, length, sha256 }: ListedFile): JsonObject {
  return { version, length, hashes: { sha256 } };
}

function bindingPart(binding: Binding): JsonObject {
  const { digest, length } = binding;
  if (!digest.startsWith("sha256:")) {
    throw new CountersignError("usage", "trust metadata lists digests by SHA-256", { found: digest });
  }
  return { length, hashes: { sha256: digestHex(digest) }, custom: { countersign: claimsPart(binding) } };
}

function claimsPart({ mediaType, signedAt, source, supersedes, note, requires, revoked }: Binding): JsonObject {
  const claims: Record<string, JsonValue | undefined> = {
    mediaType,
    signedAt: signedAt === undefined ? undefined : formatInstant(signedAt),
    source,
    supersedes,
    note,
    requires: requires.length === 0 ? undefined : requires.map(({ identity, issuer }) => ({ identity, issuer })),
    revoked: revoked && { at: formatInstant(revoked.at), reason: revoked.reason },
  };
  const given = Object.entries(claims).filter((claim): claim is [string, JsonValue] => claim[1] !== undefined);
  return Object.fromEntries(given);
}

function sorted<Entry extends readonly [string, unknown]>(entries: readonly Entry[]): Entry[] {
  return [...entries].sort(([a], [b]) => compareTexts(a, b));
}
