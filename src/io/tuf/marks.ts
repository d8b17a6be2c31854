import { compareTexts } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonValue } from "../../core/json.ts";
import type { FaultTable } from "./faults.ts";
import { hashOf } from "./hashes.ts";
import { nameRole } from "./refusal.ts";
import { MARKED_ROLES, type Mark, type MarkedRole, type Marks } from "./state.ts";
import type { UntrustedMetadata } from "./untrusted.ts";

/** How far trusted metadata goes. */
export function marksOf(trusted: (role: string) => UntrustedMetadata | undefined): Marks {
  const roles = MARKED_ROLES.flatMap((role): [MarkedRole, Mark][] => {
    const metadata = trusted(role);
    return metadata === undefined ? [] : [[role, { version: metadata.version, content: contentOf(metadata) }]];
  });
  return { roles: new Map(roles), freshnessKeys: freshnessKeysOf(trusted("root")) };
}

/** How a repository is called, and what is wrong with it. */
export interface Called {
  readonly name: string;
  readonly faults: FaultTable;
}

/**
 * Nothing may be older than what was seen before, or differ under the same version.
 *
 * @throws CountersignError for the faults `older` and `forked`.
 */
export function refuseOlder(now: Marks, seen: Marks | undefined, called: Called): void {
  for (const [role, mark] of expected(now, seen)) {
    const found = now.roles.get(role);
    if (found === undefined || found.version > mark.version) continue;
    if (found.version < mark.version) throw rolledBack(role, found, mark, called);
    if (found.content !== mark.content) throw forked(role, mark, called);
  }
}

/** Both together: the furthest that was seen of every role. */
export function furthest(now: Marks, seen: Marks | undefined): Marks {
  const roles = new Map(expected(now, seen));
  for (const [role, mark] of now.roles) {
    if (mark.version >= (roles.get(role)?.version ?? 0)) roles.set(role, mark);
  }
  return { ...now, roles };
}

/** What was seen and still counts: with new keys for timestamp or snapshot, the root alone. */
function expected(now: Marks, seen: Marks | undefined): readonly (readonly [MarkedRole, Mark])[] {
  if (seen === undefined) return [];
  const isNewer = (now.roles.get("root")?.version ?? 0) > (seen.roles.get("root")?.version ?? 0);
  const hasNewKeys = isNewer && now.freshnessKeys !== seen.freshnessKeys;
  return [...seen.roles].filter(([role]) => role === "root" || !hasNewKeys);
}

/** The key ids of timestamp and snapshot, in no particular order. */
export function freshnessKeysOf(root: UntrustedMetadata | undefined): string {
  const roles = root?.signed["roles"];
  const ids = ["timestamp", "snapshot"].map((role) => {
    const entry = isObject(roles) ? roles[role] : undefined;
    const keys = isObject(entry) ? entry["keyids"] : undefined;
    return Array.isArray(keys) ? keys.map(String).sort() : [];
  });
  return hashOf(Buffer.from(JSON.stringify(ids)), "sha256");
}

function contentOf({ signed }: UntrustedMetadata): string {
  return hashOf(Buffer.from(JSON.stringify(sorted(signed))), "sha256");
}

/** Members in one order, whatever the order of writing: the same content has the same text. */
function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const members = Object.entries(value).sort(([a], [b]) => compareTexts(a, b));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}

function rolledBack(role: string, found: Mark, seen: Mark, { name, faults }: Called): CountersignError {
  const message = `${nameRole(role)} of ${name} is older than one that was seen here before`;
  return new CountersignError(faults.codes.older, message, {
    found: `version ${found.version}`,
    wanted: `version ${seen.version} or later`,
  });
}

function forked(role: string, seen: Mark, { name, faults }: Called): CountersignError {
  const message = `${name} has two different versions ${seen.version} of ${nameRole(role)}`;
  return new CountersignError(faults.codes.forked, message, {
    found: "another content than was seen here before under this version",
    wanted: "a new version for a new content",
  });
}
