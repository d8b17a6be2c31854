import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { Digest } from "../oci/digest.ts";
import { isDigest } from "../oci/digest.ts";
import type { Binding, RequiredIdentity } from "./binding.ts";
import type { Members } from "./members.ts";
import type { Bins, Delegation, TargetsRole, TufKey } from "./metadata.ts";
import { checkSignerName } from "./names.ts";
import { isSupportedPattern } from "./patterns.ts";
import { readKeys, readRoleKeys } from "./read-keys.ts";

/** The parts of a targets role that only such a role has: what it binds, and whom it delegates to. */
export function readTargets(signed: JsonObject, members: Members): Omit<TargetsRole, "kind" | "version" | "expires"> {
  const entries = members.entries(signed["targets"], "its entries", LIMITS.tufFiles);
  const bindings = entries.map(([path, item]) => readBinding(path, item, members));
  const below = readDelegations(signed["delegations"], members);
  if (below.bins !== undefined && bindings.length > 0) {
    members.refuse("it has hash bins and entries of its own", `${bindings.length} entries`, "all of them in the bins");
  }
  const bits = members.optional(signed["x-countersign"], (value) => readBinBits(value, members));
  return { bindings, ...below, ...(bits !== undefined && { binBits: bits }) };
}

const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

function readBinding(path: string, value: JsonValue, members: Members): Binding {
  const json = members.object(value, path);
  const digest: Digest = `sha256:${members.sha256(json["hashes"], `the hashes of ${path}`)}` as Digest;
  const tag = readPath(path, digest, members);
  const length = members.count(json["length"], `the length of ${path}`);
  const custom = isObject(json["custom"]) ? json["custom"] : {};
  const claims = members.object(custom["countersign"] ?? {}, `what ${path} says beside`);
  return { tag, digest, length, ...readClaims(claims, path, members) };
}

/** The tag that a path stands for; undefined for a digest, which has to be the entry's own. */
function readPath(path: string, digest: Digest, members: Members): string | undefined {
  const [folder, name = "", ...rest] = path.split("/");
  if (rest.length === 0 && folder === "tags" && TAG.test(name)) return name;
  if (path === `digests/${digest.replace(":", "-")}`) return undefined;
  return members.refuse(
    "an entry that is neither a tag nor a digest of its own",
    path,
    "tags/TAG or digests/sha256-HEX",
  );
}

type Claims = Omit<Binding, "tag" | "digest" | "length">;

function readClaims(claims: JsonObject, path: string, members: Members): Claims {
  const text = (name: string) => members.optional(claims[name], (value) => members.text(value, `${name} of ${path}`));
  return {
    mediaType: text("mediaType"),
    signedAt: members.optional(claims["signedAt"], (value) => members.time(value, `signedAt of ${path}`)),
    source: text("source"),
    supersedes: members.optional(claims["supersedes"], (value) => readDigest(value, path, members)),
    note: text("note"),
    requires: readRequired(claims["requires"], path, members),
    revoked: members.optional(claims["revoked"], (value) => {
      const json = members.object(value, `revoked of ${path}`);
      return {
        at: members.time(json["at"], `the time at which ${path} was revoked`),
        reason: members.text(json["reason"], `why ${path} was revoked`),
      };
    }),
  };
}

function readDigest(value: JsonValue, path: string, members: Members): Digest {
  const text = members.text(value, `supersedes of ${path}`);
  return isDigest(text) ? text : members.refuse(`supersedes of ${path}`, text, "a digest");
}

function readRequired(value: JsonValue | undefined, path: string, members: Members): readonly RequiredIdentity[] {
  const where = `requires of ${path}`;
  return members.list(value ?? [], where, LIMITS.bindingIdentities).map((item) => {
    const json = members.exactly(item, where, ["identity", "issuer"]);
    return { identity: members.text(json["identity"], where), issuer: members.text(json["issuer"], where) };
  });
}

function readDelegations(
  value: JsonValue | undefined,
  members: Members,
): Pick<TargetsRole, "keys" | "delegations" | "bins"> {
  if (value === undefined) return { keys: new Map(), delegations: [], bins: undefined };
  const json = members.exactly(value, "its delegations", ["keys", "roles", "succinct_roles"]);
  const keys = readKeys(json["keys"], members);
  const { roles, succinct_roles: bins } = json;
  if (roles !== undefined && bins !== undefined) {
    members.refuse("it delegates in two ways", "roles and succinct_roles", "one of them");
  }
  const delegations = members
    .list(roles ?? [], "its signers", LIMITS.tagSigners)
    .map((item) => readDelegation(item, keys, members));
  const names = delegations.map(({ name }) => name);
  if (new Set(names).size !== names.length)
    members.refuse("two signers of one name", names.join(", "), "distinct names");
  return { keys, delegations, bins: members.optional(bins, (item) => readBins(item, keys, members)) };
}

function readDelegation(value: JsonValue, keys: ReadonlyMap<string, TufKey>, members: Members): Delegation {
  const json = members.exactly(value, "a signer", ["name", "keyids", "threshold", "terminating", "paths"]);
  const name = members.text(json["name"], "the name of a signer");
  readName(name, members);
  const paths = members.texts(json["paths"], `the paths of ${name}`, LIMITS.tufPatterns);
  for (const pattern of paths) {
    if (isSupportedPattern(pattern)) continue;
    members.refuse(
      `a pattern of ${name} is read differently by clients`,
      pattern,
      "literals, * and ?",
      "pattern-unsupported",
    );
  }
  return {
    name,
    ...readRoleKeys(json, name, keys, members),
    paths,
    terminating: members.truth(json["terminating"], `terminating of ${name}`),
  };
}

function readName(name: string, members: Members): void {
  try {
    checkSignerName(name);
  } catch {
    members.refuse(
      "a signer whose name cannot be used",
      name,
      "a lower-case letter, then lower-case letters, digits and ._-",
    );
  }
}

function readBinBits(value: JsonValue, members: Members): number {
  const { bits } = members.exactly(value, "x-countersign", ["bits"]);
  return members.count(bits, "the number of bins that it is one of, in bits", 1, LIMITS.tagBinBits);
}

function readBins(value: JsonValue, keys: ReadonlyMap<string, TufKey>, members: Members): Bins {
  const json = members.exactly(value, "its hash bins", ["keyids", "threshold", "bit_length", "name_prefix"]);
  const prefix = members.text(json["name_prefix"], "the names of its hash bins");
  return {
    ...readRoleKeys(json, "its hash bins", keys, members),
    prefix,
    bitLength: members.count(json["bit_length"], "the number of its hash bins in bits", 1, LIMITS.tagBinBits),
  };
}
