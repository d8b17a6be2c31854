import { compareTexts } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Instant } from "../time.ts";
import { binsBelow } from "./bins.ts";
import { listingOf } from "./files.ts";
import { nextVersion } from "./lifetimes.ts";
import type { ListedFile, SignedRole, SnapshotRole, TimestampRole } from "./metadata.ts";
import type { TrustView } from "./ports.ts";
import { rolesIn } from "./view.ts";

/** What follows from the signers' metadata: whoever holds the online key can make it, at any time, from what is there. */

/**
 * The snapshot that lists these roles. What the one before listed stays listed, removed signers and bins too: clients refuse a
 * snapshot from which a role has vanished (TUF 1.0.34, 5.5.5).
 *
 * @throws CountersignError `rollback` where a role is older than it was listed, `mix-and-match` without a bin of it, `limit-reached`.
 */
export function nextSnapshot(
  roles: Pick<TrustView, "targets" | "roles">,
  before: SnapshotRole | undefined,
  now: Instant,
  expires: Instant,
): SnapshotRole {
  const listed = new Map(before?.roles);
  for (const [name, role] of rolesIn(roles)) {
    listed.set(name, follow(name, listingOf(role.body.version, role.bytes), listed.get(name)));
  }
  requireBins(roles, listed);
  if (listed.size > LIMITS.tagRoleFiles) {
    throw new CountersignError("limit-reached", "the repository has more roles than a snapshot can list", {
      found: String(listed.size),
      wanted: `at most ${LIMITS.tagRoleFiles}`,
      next: "rotate the online key, which forgets the roles that are gone: countersign trust rotate online",
    });
  }
  const sorted = [...listed].sort(([a], [b]) => compareTexts(a, b));
  return { kind: "snapshot", version: nextVersion(before?.version, now), expires, roles: new Map(sorted) };
}

function follow(name: string, next: ListedFile, before: ListedFile | undefined): ListedFile {
  if (before === undefined || next.version > before.version || next.sha256 === before.sha256) return next;
  throw new CountersignError("rollback", `a rollback of ${name}: another version was listed before`, {
    found: `version ${next.version}`,
    wanted: `version ${before.version} or a later one`,
  });
}

/** A bin that was not read and was never listed would vanish with all that it binds. */
function requireBins(roles: Pick<TrustView, "targets" | "roles">, listed: ReadonlyMap<string, unknown>): void {
  for (const [name, { body }] of rolesIn(roles)) {
    const missing = binsBelow(name, body).find((bin) => !listed.has(bin));
    if (missing === undefined) continue;
    throw new CountersignError("mix-and-match", `${missing} is not there, and what it binds would be lost`, {
      found: `${name} without a part of it`,
      wanted: missing,
      next: "have the registry's operator bring it back, or copy the signed tags back from a mirror or a kit",
    });
  }
}

/** The timestamp over a snapshot that is sealed. */
export function nextTimestamp(
  snapshot: SignedRole<SnapshotRole>,
  before: TimestampRole | undefined,
  now: Instant,
  expires: Instant,
): TimestampRole {
  return {
    kind: "timestamp",
    version: nextVersion(before?.version, now),
    expires,
    snapshot: listingOf(snapshot.body.version, snapshot.bytes),
  };
}
