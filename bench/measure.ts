import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** A program as it is started: everything that is measured runs in a process of its own. */
export interface Command {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Run {
  /** From the start of the process to its end, in milliseconds. */
  readonly ms: number;
  /** Highest resident memory of the process and its children, in MiB; 0 where it was not watched. */
  readonly peakMiB: number;
}

const WATCH_MS = 20;
const MIB_IN_KIB = 1024;

/** Runs a command to its end. @throws Error where it fails: a failure has no speed. */
export function measure(command: Command, options: { readonly watchMemory?: boolean } = {}): Promise<Run> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command.path, command.args, {
      env: { ...process.env, ...command.env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    const memory = options.watchMemory === true && child.pid !== undefined ? watchMemory(child.pid) : undefined;
    child.on("error", reject);
    child.on("close", (code) => {
      const ms = performance.now() - started;
      const peakMiB = memory?.() ?? 0;
      if (code === 0) resolve({ ms, peakMiB });
      else reject(new Error(`${command.path} ${command.args.join(" ")}: exit ${code}\n${errors}`));
    });
  });
}

/** Reads the high-water mark of a process and its children until asked. @returns what ends it and gives their sum. */
function watchMemory(pid: number): () => number {
  const marks = new Map<number, number>();
  const look = () => {
    for (const one of familyOf(pid)) marks.set(one, Math.max(marks.get(one) ?? 0, highWaterKib(one)));
  };
  look();
  const timer = setInterval(look, WATCH_MS);
  return () => {
    clearInterval(timer);
    return [...marks.values()].reduce((sum, kib) => sum + kib, 0) / MIB_IN_KIB;
  };
}

function familyOf(pid: number): readonly number[] {
  const children = readProc(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
  return [pid, ...children.flatMap(familyOf)];
}

/** `VmHWM` of proc(5). */
function highWaterKib(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readProc(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** A process may be gone between two looks. */
function readProc(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** What is compared, by name; the first one is ours. */
export type Contestants<R extends Run = Run> = Readonly<Record<string, () => Promise<R>>>;
export type Results<R extends Run = Run> = Readonly<Record<string, readonly R[]>>;

/**
 * Runs the contestants in turn, `rounds` times, each round starting with another one, so that drift of the machine meets
 * all of them alike. One round before that is not counted: it fills the page cache and Node's compile cache.
 */
export async function alternate<R extends Run>(contestants: Contestants<R>, rounds: number): Promise<Results<R>> {
  const names = Object.keys(contestants);
  const results: Record<string, R[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + Math.max(round, 0)) % names.length] ?? "";
      const run = await contestants[name]?.();
      if (round >= 0 && run !== undefined) results[name]?.push(run);
    }
  }
  return results;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function medianMs(runs: readonly Run[] = []): number {
  return median(runs.map((run) => run.ms));
}

/** The median of the ratios within each round: what was measured side by side is compared side by side. */
export function pairedRatio(ours: readonly Run[] = [], theirs: readonly Run[] = []): number {
  return median(ours.map((run, round) => run.ms / (theirs[round]?.ms ?? Number.NaN)));
}
