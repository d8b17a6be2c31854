import { randomBytes } from "node:crypto";
import { lstatSync, readFileSync, unlinkSync } from "node:fs";
import { open, readFile, readlink, unlink, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeHex } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { errnoOf, ifPresent, onDisk, throwIfAborted } from "./errors.ts";
import { gather, openRegular, readRange } from "./files.ts";

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for another holder, in milliseconds. */
  readonly waitMs?: number | undefined;
}

/** A held lock. */
export interface Lock {
  release(): Promise<void>;
}

/** What a lock file says about its holder. */
interface Holder {
  readonly host: string;
  /** The namespace in which the process id means something, where there are any: containers may share a host's name. */
  readonly space?: string | undefined;
  readonly pid: number;
  /** When that process was started, in the system's own unit: tells it from a later process with the same id. */
  readonly started: string;
  /** Tells two locks of one process apart. */
  readonly nonce: string;
}

const POLL_MS = 20;
const POLL_CAP_MS = 200;

/** Far more than any holder writes. */
const MAX_BYTES = 4096;

/**
 * Waits until no other process (and nobody else in this one) holds the lock file, and takes it. The lock of a process
 * that is gone is taken over. Released by `release`, and when this process exits.
 *
 * @throws CountersignError `write-conflict` when the wait is over, `disk-error`, `interrupted`.
 */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<Lock> {
  const deadline = performance.now() + (options.waitMs ?? LIMITS.lockWaitMs);
  const me = await thisProcess();
  for (let pause = POLL_MS; ; pause = Math.min(pause * 2, POLL_CAP_MS)) {
    throwIfAborted(options.signal);
    if (await create(path, me)) return held(path, me);
    if (await takeAwayIfStale(path)) continue;
    if (performance.now() >= deadline) throw await conflict(path);
    await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal: options.signal }).catch(() => undefined);
  }
}

/** Runs `work` while holding the lock. */
export async function withLock<Result>(
  path: string,
  options: LockOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  const lock = await acquireLock(path, options);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** True if the file is ours now, false if there is one already. */
async function create(path: string, holder: Holder): Promise<boolean> {
  try {
    const handle = await open(path, "wx", 0o600);
    try {
      await handle.writeFile(JSON.stringify(holder));
    } catch (thrown) {
      await unlink(path).catch(() => undefined);
      throw thrown;
    } finally {
      await handle.close();
    }
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === "EEXIST") return false;
    return onDisk(`lock ${path}`, () => Promise.reject(thrown));
  }
}

/** What is held, and removed when the process ends without releasing it, or before that has come to its end. */
const allHeld = new Set<{ readonly path: string; readonly nonce: string }>();
let exitHookSet = false;

/** What was lost is somebody else's by now: a folder that is moved away takes its lock along. */
function removeHeld(): void {
  for (const { path, nonce } of allHeld) {
    try {
      const found = lstatSync(path);
      if (!found.isFile() || found.size > MAX_BYTES) continue;
      if (parseHolder(readFileSync(path, "utf8"))?.nonce === nonce) unlinkSync(path);
    } catch {
      // Gone already.
    }
  }
}

function held(path: string, me: Holder): Lock {
  if (!exitHookSet) process.once("exit", removeHeld);
  exitHookSet = true;
  const mine = { path, nonce: me.nonce };
  allHeld.add(mine);
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, LIMITS.lockHeartbeatMs);
  heartbeat.unref();
  return {
    async release() {
      clearInterval(heartbeat);
      if (!allHeld.has(mine)) return;
      const now = await read(path).catch(() => undefined);
      if (now?.holder?.nonce === me.nonce) await unlink(path).catch(() => undefined);
      allHeld.delete(mine);
    },
  };
}

interface LockState {
  /** undefined while the holder is still writing, or for good if it died doing so. */
  readonly holder: Holder | undefined;
  /** Since the last sign of life, in milliseconds. */
  readonly ageMs: number;
}

async function read(path: string): Promise<LockState | undefined> {
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  if (typeof file === "string") throw notALock(path, file);
  try {
    const { mtimeMs } = await onDisk(`read ${path}`, () => file.handle.stat());
    const bytes = await gather(readRange(file.handle, 0, Math.min(file.size, MAX_BYTES)));
    return { holder: parseHolder(Buffer.from(bytes).toString("utf8")), ageMs: Date.now() - mtimeMs };
  } finally {
    await file.handle.close();
  }
}

/** A pipe, a device or a link in the lock's place is nobody's lock, and reading it might never end. */
function notALock(path: string, found: string): CountersignError {
  return new CountersignError("disk-error", "something else is in the place of a lock file", {
    found: `${path}: ${found}`,
    next: "remove it, then try again",
  });
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isHolder(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isHolder(value: unknown): value is Holder {
  if (typeof value !== "object" || value === null) return false;
  const { host, space, pid, started, nonce } = value as Record<string, unknown>;
  const texts = [host, started, nonce, space ?? ""];
  return texts.every((text) => typeof text === "string") && Number.isSafeInteger(pid);
}

/**
 * Only the process that holds the take-over file may remove another's lock, and it looks once more before it does:
 * two waiters that both saw a dead holder would otherwise remove each other's fresh locks.
 */
async function takeAwayIfStale(path: string): Promise<boolean> {
  if (!(await isStale(await read(path)))) return false;
  const takeover = `${path}.takeover`;
  const me = await thisProcess();
  if (!(await create(takeover, me))) {
    const other = await read(takeover);
    if (other !== undefined && other.ageMs > LIMITS.lockStaleMs) await unlink(takeover).catch(() => undefined);
    return false;
  }
  try {
    if (!(await isStale(await read(path)))) return false;
    await onDisk(`unlock ${path}`, () => ifPresent(() => unlink(path)));
    return true;
  } finally {
    await unlink(takeover).catch(() => undefined);
  }
}

/**
 * The holder is a process of this machine that is gone; elsewhere (a shared folder, another container) it has shown no life
 * for long.
 */
async function isStale(lock: LockState | undefined): Promise<boolean> {
  if (lock === undefined) return false;
  const { holder } = lock;
  if (holder === undefined) return lock.ageMs > LIMITS.lockHeartbeatMs;
  const isElsewhere = holder.host !== hostname() || (holder.space ?? "") !== (await processSpace());
  if (isElsewhere) return lock.ageMs > LIMITS.lockStaleMs;
  if (!isAlive(holder.pid)) return true;
  const started = await startOf(holder.pid);
  return started !== "" && holder.started !== "" && started !== holder.started;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    // EPERM: it is there and belongs to somebody else.
    return errnoOf(thrown) !== "ESRCH";
  }
}

/** proc(5), `/proc/pid/stat` field 22; empty on systems without it. The name in field 2 may hold spaces and brackets. */
async function startOf(pid: number): Promise<string> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

/** pid_namespaces(7); empty on systems without them. */
async function processSpace(): Promise<string> {
  return await readlink("/proc/self/ns/pid").catch(() => "");
}

async function thisProcess(): Promise<Holder> {
  const { pid } = process;
  const [started, space] = await Promise.all([startOf(pid), processSpace()]);
  return { host: hostname(), space, pid, started, nonce: encodeHex(randomBytes(8)) };
}

async function conflict(path: string): Promise<CountersignError> {
  const holder = (await read(path))?.holder;
  return new CountersignError("write-conflict", "another process is writing there", {
    found: holder === undefined ? path : `${path}, held by process ${holder.pid} on ${holder.host}`,
  });
}
