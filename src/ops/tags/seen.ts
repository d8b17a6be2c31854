import { CountersignError } from "../../core/errors.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { formatInstant } from "../../core/time.ts";
import type { Minted } from "./assemble.ts";
import type { Look } from "./look.ts";
import type { Publisher } from "./publisher.ts";

/**
 * How far a repository was seen: by this machine before, and when this run began. Who builds on roles that were rolled back would
 * sign away what came after. A timestamp or a snapshot that went back is mended: a head that was written long ago may have landed
 * only now. What is written while we publish may be overwritten by others whose clocks are behind, and proves no rollback.
 */
export class Seen {
  readonly #versions: ReadonlyMap<string, number>;

  private constructor(versions: ReadonlyMap<string, number>) {
    this.#versions = versions;
  }

  /** @throws CountersignError `rollback`, `frozen` where nothing is known and the head has expired. */
  static async before(publisher: Publisher, look: Look): Promise<Seen> {
    const { memory, gun, allowsExpired } = publisher;
    const seen = (await memory?.recall(gun)) ?? new Map<string, number>();
    if (!look.isCurrent && seen.size === 0 && allowsExpired !== true) throw expiredHead(look.view, publisher);
    const remembered = new Seen(seen);
    remembered.requireNoOlder(look.view);
    // What the head has of these is in every look; under a new root it counts no more, however far ahead somebody counted.
    const minted = [...seen].filter(([role]) => isMinted(role));
    const roles = [...versionsIn(look.view)].filter(([role]) => !isMinted(role));
    return new Seen(new Map([...roles, ...minted]));
  }

  /** What a new timestamp and a new snapshot have to exceed. */
  get minted(): Minted {
    return { timestamp: this.#versions.get("timestamp") ?? 0, snapshot: this.#versions.get("snapshot") ?? 0 };
  }

  /**
   * Under a new root versions may begin again, which is how a repository recovers from a thief who counted far ahead.
   *
   * @throws CountersignError `rollback` where a role is older than it was seen.
   */
  requireNoOlder(view: TrustView): void {
    const versions = versionsIn(view);
    const isNewRoot = (versions.get("root") ?? 0) > (this.#versions.get("root") ?? 0);
    for (const [role, version] of isNewRoot ? [] : versions) {
      const least = this.#versions.get(role) ?? 0;
      if (version >= least || isMinted(role)) continue;
      throw new CountersignError("rollback", `a rollback: ${role} was newer when it was seen here last`, {
        found: `version ${version}`,
        wanted: `version ${least} or a later one`,
      });
    }
  }
}

function isMinted(role: string): boolean {
  return role === "timestamp" || role === "snapshot";
}

/**
 * What has expired may be as old as the registry likes, and signed anew it would count again: with what was taken back since. Who
 * has published before knows how far it was.
 */
function expiredHead({ timestamp }: TrustView, { gun }: Publisher): CountersignError {
  return new CountersignError(
    "frozen",
    `what the registry shows of ${gun} has expired, and nothing is known here of what was last`,
    {
      found:
        timestamp === undefined ? "no timestamp that counts" : `expired at ${formatInstant(timestamp.body.expires)}`,
      wanted: "a timestamp that has not expired, or a machine that has published here before",
      next: "publish from there; if there is none, make sure that it is the newest state (countersign trust inspect), then --allow-expired",
    },
  );
}

/** Of the root, the timestamp, the snapshot and all that it lists, and of what was read: that may be newer. */
export function versionsIn({ roots, targets, roles, snapshot, timestamp }: TrustView): ReadonlyMap<string, number> {
  const listed = [...(snapshot?.body.roles ?? [])].map(([role, { version }]) => [role, version] as const);
  const read = [
    ["root", roots.at(-1)],
    ["timestamp", timestamp],
    ["snapshot", snapshot],
    ["targets", targets],
    ...roles,
  ] as const;
  return new Map([
    ...listed,
    ...read.flatMap(([name, role]) => (role === undefined ? [] : [[name, role.body.version] as const])),
  ]);
}
