import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where released peers are kept that the machine does not have, or has without the part that is tested here. */
const CACHE = process.env["COUNTERSIGN_PEERS"] ?? fileURLToPath(new URL("../../.cache/peers/bin", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../../bin/countersign.js", import.meta.url));

/** Longer than any command here takes on a busy machine; a peer that hangs ends the test, not the suite. */
const PEER_TIMEOUT_MS = 300_000;

/** The path of a peer's executable; undefined where it is not installed. */
export function findPeer(name: string): string | undefined {
  const folders = [CACHE, ...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The reason to skip a test that needs these peers; false where all are there. Node's runner prints and counts it. */
export function without(...names: readonly string[]): string | false {
  const missing = names.filter((name) => findPeer(name) === undefined);
  return missing.length === 0 ? false : `not installed: ${missing.join(", ")}`;
}

export interface Finished {
  /** null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Added to the environment of this process; undefined takes a variable out of it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
}

/** Runs a peer to its end. Asynchronous, so that servers inside the test's own process can answer it. */
export async function runPeer(name: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const path = findPeer(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return runToEnd(path, args, options);
}

/** Runs countersign as a user does, in a process of its own. */
export async function runCountersign(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return runToEnd(process.execPath, [PROGRAM, ...args], options);
}

/** Starts a server: a peer, or `countersign` itself. Its output is dropped. */
export function startPeer(name: string, args: readonly string[], options: RunOptions = {}): ChildProcess {
  const path = name === "countersign" ? process.execPath : findPeer(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  const all = name === "countersign" ? [PROGRAM, ...args] : [...args];
  return spawn(path, all, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: "ignore" });
}

function runToEnd(path: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: "pipe",
      timeout: PEER_TIMEOUT_MS,
    });
    const output = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
    child.stdin.on("error", () => undefined).end(options.input ?? "");
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...output }));
  });
}
