import type { ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import { runPeer, startPeer, without } from "./peers.ts";

export interface Server {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  stop(): Promise<void>;
}

/** A registry that every suite is run against. */
export interface RegistryKind {
  readonly name: string;
  readonly hasReferrersApi: boolean;
  /** The reason to skip; false where it can be started. */
  readonly missing: string | false;
  /** Starts it with its content in `folder`. */
  readonly start: (folder: string) => Promise<Server>;
}

export const REGISTRIES: readonly RegistryKind[] = [
  {
    name: "CNCF distribution 2 (tag schema)",
    hasReferrersApi: false,
    missing: without("docker-registry"),
    start: (folder) => startDistribution(folder),
  },
  { name: "embedded registry (referrers API)", hasReferrersApi: true, missing: false, start: startEmbedded },
];

/** Starts CNCF distribution on a folder, with more settings where a test wants them (YAML, at top level). */
export async function startDistribution(folder: string, settings = ""): Promise<Server> {
  const address = `127.0.0.1:${await freePort()}`;
  mkdirSync(folder, { recursive: true });
  const config = join(folder, "config.yml");
  const storage = `storage: {filesystem: {rootdirectory: ${JSON.stringify(folder)}}, delete: {enabled: true}}`;
  writeFileSync(config, `version: 0.1\n${storage}\nhttp: {addr: "${address}"}\nlog: {level: error}\n${settings}`);
  const child = startPeer("docker-registry", ["serve", config], { env: { OTEL_TRACES_EXPORTER: "none" } });
  return whenAnswering(child, address);
}

/** Starts `countersign registry serve` on a folder, in a process of its own. */
export async function startEmbedded(folder: string): Promise<Server> {
  const address = `127.0.0.1:${await freePort()}`;
  const child = startPeer("countersign", ["registry", "serve", "--listen", address, "--root", folder]);
  return whenAnswering(child, address);
}

/** Starts a Docker daemon that touches nothing of the machine but `folder`; the address is its socket. */
export async function startDockerd(folder: string): Promise<Server> {
  mkdirSync(folder, { recursive: true });
  const socket = `unix://${join(folder, "s")}`;
  const child = startPeer("dockerd", [
    ...["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec"), "--pidfile", join(folder, "pid")],
    ...["-H", socket, "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"],
  ]);
  const ready = async () => (await runPeer("docker", ["-H", socket, "version"])).code === 0;
  return whenReady(child, socket, ready);
}

async function whenAnswering(child: ChildProcess, address: string): Promise<Server> {
  return whenReady(child, address, async () => {
    const response = await fetch(`http://${address}/v2/`, { redirect: "manual" }).catch(() => undefined);
    await response?.body?.cancel();
    return response !== undefined;
  });
}

/** As long as any program here takes to start on a busy machine. */
const READY_TIMEOUT_MS = 180_000;
const READY_WAIT_MS = 20;

/** Waits until a server is ready. One that ends first, or never gets there, is an error that names its program. */
export async function whenReady(child: ChildProcess, address: string, ready: () => Promise<boolean>): Promise<Server> {
  try {
    await until(`${child.spawnargs.join(" ")} to become ready`, async () => {
      if (hasEnded(child)) throw new Error(`${child.spawnargs.join(" ")} ended before it was ready`);
      return await ready();
    });
  } catch (error) {
    await stopChild(child);
    throw error;
  }
  return { address, stop: () => stopChild(child) };
}

/** Waits for what a server comes to by itself. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, READY_WAIT_MS));
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** What ends by force leaves its own children behind: longer than any program here takes to end on a busy machine. */
const STOP_TIMEOUT_MS = 60_000;

/** Ends a child by its own id: asked first, forced if it does not. */
export async function stopChild(child: ChildProcess): Promise<void> {
  const force = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await endChild(child, "SIGTERM");
  clearTimeout(force);
}

/** Ends a child that has nothing to keep. */
export async function killChild(child: ChildProcess): Promise<void> {
  await endChild(child, "SIGKILL");
}

async function endChild(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}
