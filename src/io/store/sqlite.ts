import { CountersignError } from "../../core/errors.ts";

/** Node's own SQLite, loaded where a store is named and nowhere else. */
export type Sqlite = typeof import("node:sqlite");

const EXPERIMENTAL = "SQLite is an experimental feature";

/**
 * Node 22 warns that its SQLite is experimental, whatever is done with it; Node 24.15 and later do not. Nobody who audits
 * images can do anything about that: this one warning is not shown, and any other that comes while it is loaded is.
 *
 * @throws CountersignError `unsupported` where Node was built without it.
 */
export async function loadSqlite(): Promise<Sqlite> {
  const { emitWarning } = process;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    if (!String(warning).startsWith(EXPERIMENTAL)) Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  try {
    return await import("node:sqlite");
  } catch (cause) {
    throw new CountersignError("unsupported", "this Node has no SQLite, which a store needs", {
      found: `Node ${process.versions.node}`,
      wanted: "a Node that was built with SQLite, as those of nodejs.org are",
      cause,
    });
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Primary result codes (sqlite.org/rescode.html) that somebody other than we brought about. */
const CODES = { busy: 5, locked: 6, corrupt: 11, notADatabase: 26 } as const;
/** The file system's: permission, read-only, input/output, full, cannot open, too big. */
const DISK: ReadonlySet<number> = new Set([3, 8, 10, 13, 14, 18]);

/** What SQLite throws as what it means for whoever named the store; anything else is a defect, and stays what it is. */
export function asStoreError(thrown: unknown, label: string): unknown {
  const code = primaryCode(thrown);
  if (code === undefined || !(thrown instanceof Error)) return thrown;
  const [found, cause] = [thrown.message, thrown];
  if (code === CODES.notADatabase) return notAStore(label, "a file that is no database", cause);
  if (code === CODES.corrupt) {
    return new CountersignError("record-invalid", `${label}: the store is damaged`, { found, cause });
  }
  if (code === CODES.busy || code === CODES.locked) {
    const next = "try again when whoever holds it is done";
    return new CountersignError("disk-error", `${label}: others kept the store locked`, { found, next, cause });
  }
  return DISK.has(code)
    ? new CountersignError("disk-error", `${label}: the store cannot be read or written`, { found, cause })
    : thrown;
}

export function notAStore(label: string, found: string, cause?: unknown): CountersignError {
  return new CountersignError("record-invalid", `${label} is no store of countersign`, {
    found,
    wanted: "a store, or a name that nothing has yet",
    next: "name another file with --store",
    cause,
  });
}

/** Of an error of node:sqlite; extended codes have the primary one in their lowest byte. */
function primaryCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !("errcode" in thrown)) return undefined;
  return typeof thrown.errcode === "number" ? thrown.errcode & 0xff : undefined;
}
