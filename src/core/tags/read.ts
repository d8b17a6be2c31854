import { describeJson, type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { Instant } from "../time.ts";
import { MAX_METADATA_BYTES } from "./files.ts";
import { checkVersion, parseSpan } from "./lifetimes.ts";
import { Members } from "./members.ts";
import type {
  ListedFile,
  Role,
  RootProfile,
  RootRole,
  SignedRole,
  SnapshotRole,
  TargetsRole,
  TimestampRole,
} from "./metadata.ts";
import { readKeys, readRoleKeys } from "./read-keys.ts";
import { readTargets } from "./read-targets.ts";

/** Signers' roles and bins are of the kind `targets`. */
export type RoleKind = Role["kind"];
export type RoleOfKind<Kind extends RoleKind> = Extract<Role, { readonly kind: Kind }>;

/**
 * Reads a file of trust metadata strictly, in the one profile that publishers write: nobody has looked at its signatures. `what`
 * names it in messages ("the timestamp of registry.example/app"); with `now`, versions of the future are refused.
 *
 * @throws CountersignError `metadata-malformed`, `keyid-mismatch`, `duplicate-key`, `pattern-unsupported`,
 * `version-implausible`, `limit-reached`.
 */
export function readRole<Kind extends RoleKind>(
  bytes: Uint8Array,
  kind: Kind,
  what: string,
  now?: Instant,
): SignedRole<RoleOfKind<Kind>> {
  const json = parseJsonObject(bytes, { what, code: "metadata-malformed", maxBytes: MAX_METADATA_BYTES[kind] });
  const members = new Members(what);
  members.exactly(json, "its outermost object", ["signatures", "signed"]);
  const signatures = readSignatures(json["signatures"], members);
  const signed = members.object(json["signed"], "its signed part");
  if (signed["_type"] !== kind) members.refuse("it is of another type", describeJson(signed["_type"]), kind);
  readSpecVersion(signed["spec_version"], members);
  const version = members.count(signed["version"], "its version");
  if (now !== undefined && kind !== "root") checkVersion(version, now, what);
  const common = { kind, version, expires: members.time(signed["expires"], "its expiry") };
  const body = { ...common, ...BODIES[kind](signed, members) } as unknown as RoleOfKind<Kind>;
  return { body, signed, signatures, bytes };
}

type Rest<Body extends Role> = Omit<Body, "kind" | "version" | "expires">;
type ReadBody<Body extends Role> = (signed: JsonObject, members: Members) => Rest<Body>;

const BODIES: {
  readonly root: ReadBody<RootRole>;
  readonly targets: ReadBody<TargetsRole>;
  readonly snapshot: ReadBody<SnapshotRole>;
  readonly timestamp: ReadBody<TimestampRole>;
} = { root: readRoot, targets: readTargets, snapshot: readSnapshot, timestamp: readTimestamp };

/** One signature a key: "the keyid MUST be unique in the signatures array" (TUF 1.0.34, 4.2.1). */
function readSignatures(value: JsonValue | undefined, members: Members): SignedRole["signatures"] {
  const signatures = members.list(value, "its signatures", LIMITS.tufSignatures).map((item) => {
    const { keyid, sig } = members.exactly(item, "a signature", ["keyid", "sig"]);
    return { keyid: hex(keyid, "a signature's key id", members), sig: hex(sig, "a signature", members) };
  });
  const ids = signatures.map(({ keyid }) => keyid);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) members.refuse("one key signed twice", twice, "one signature for each key", "duplicate-key");
  return signatures;
}

/** An empty signature is one that a tool left for somebody to fill in: it verifies nothing. */
function hex(value: JsonValue | undefined, where: string, members: Members): string {
  const text = members.text(value, where);
  return /^(?:[0-9a-f]{2})*$/.test(text) ? text : members.refuse(where, text, "lower-case hexadecimal digits");
}

function readSpecVersion(value: JsonValue | undefined, members: Members): void {
  const version = members.text(value, "its spec_version");
  if (!/^1\.0(?:\.[0-9]{1,9})?$/.test(version)) members.refuse("it follows another version of TUF", version, "1.0");
}

function readRoot(signed: JsonObject, members: Members): Rest<RootRole> {
  if (signed["consistent_snapshot"] !== true) {
    members.refuse("its consistent_snapshot", describeJson(signed["consistent_snapshot"]), "true");
  }
  const keys = readKeys(signed["keys"], members);
  const roles = members.exactly(signed["roles"], "its roles", ["root", "targets", "snapshot", "timestamp"]);
  const keysOf = (name: string) => {
    return readRoleKeys(members.exactly(roles[name], name, ["keyids", "threshold"]), name, keys, members);
  };
  return {
    keys,
    roles: {
      root: keysOf("root"),
      targets: keysOf("targets"),
      snapshot: keysOf("snapshot"),
      timestamp: keysOf("timestamp"),
    },
    profile: readProfile(signed["x-countersign"], members),
  };
}

function readProfile(value: JsonValue | undefined, members: Members): RootProfile {
  const json = members.exactly(value, "x-countersign", ["profile", "gun", "aliases", "ceilings", "store"]);
  if (json["profile"] !== 1) members.refuse("its profile", describeJson(json["profile"]), "1");
  const ceilings = members.exactly(json["ceilings"], "its ceilings", ["timestamp", "snapshot", "targets"]);
  const { store } = json;
  if (store !== "tag") return members.refuse("its store", describeJson(store), "tag");
  return {
    profile: 1,
    gun: readRepository(json["gun"], members),
    aliases: members
      .list(json["aliases"], "its aliases", LIMITS.tagAliases)
      .map((name) => readRepository(name, members)),
    ceilings: {
      timestamp: readSpan(ceilings["timestamp"], members),
      snapshot: readSpan(ceilings["snapshot"], members),
      targets: readSpan(ceilings["targets"], members),
    },
    store,
  };
}

/** A name of a repository that is printed and compared, and nothing else: visible characters without white space. */
function readRepository(value: JsonValue | undefined, members: Members): string {
  const name = members.text(value, "the name of its repository", LIMITS.tagRepositoryCharacters);
  return /^[!-~]+$/.test(name)
    ? name
    : members.refuse("the name of its repository", name, "registry.example/repository");
}

function readSpan(value: JsonValue | undefined, members: Members): number {
  const text = members.text(value, "a ceiling");
  return parseSpan(text) ?? members.refuse("a ceiling", text, "a span such as 31d or 36h");
}

function readSnapshot(signed: JsonObject, members: Members): Rest<SnapshotRole> {
  const files = members.entries(signed["meta"], "its files", LIMITS.tagRoleFiles).map(([name, item]) => {
    const [, role] = /^([a-z][a-z0-9._-]{0,127})\.json$/.exec(name) ?? [];
    if (role === undefined) return members.refuse("a name of a file", name, "ROLE.json");
    return [role, readListed(item, name, members)] as const;
  });
  return { roles: new Map(files) };
}

function readTimestamp(signed: JsonObject, members: Members): Rest<TimestampRole> {
  const meta = members.exactly(signed["meta"], "its files", ["snapshot.json"]);
  return { snapshot: readListed(meta["snapshot.json"], "snapshot.json", members) };
}

function readListed(value: JsonValue | undefined, name: string, members: Members): ListedFile {
  const json = members.exactly(value, name, ["version", "length", "hashes"]);
  return {
    version: members.count(json["version"], `the version of ${name}`),
    length: members.count(json["length"], `the length of ${name}`),
    sha256: members.sha256(json["hashes"], `the hashes of ${name}`),
  };
}
