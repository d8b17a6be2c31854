import { spawn } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../src/cli/main.ts";
import { instant } from "../../src/core/time.ts";
import { startRegistry } from "../../src/testbed/registry.ts";
import { httpServer } from "./http-server.ts";
import { captureContext } from "./session.ts";
import { pushImage } from "./session-image.ts";
import { SessionSigstore } from "./session-sigstore.ts";
import { TestRepository } from "./tuf-repository.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/countersign.js", import.meta.url));
const GUARD = new URL("no-connections.mjs", import.meta.url);

/** The exit code of a process that tried to open a connection. */
export const CONNECTED = 99;

export const SIGNER = [
  "--certificate-identity",
  "dev@example.com",
  "--certificate-oidc-issuer",
  "https://issuer.example.com",
];

/**
 * A folder that is also a home: `oci:app:1` is an image with a keyless signature, `trusted_root.json` its trust root, and
 * the trust instance `acme`, which lists that root, was fetched just now. Nothing listens any more.
 */
export async function offlineHome(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "countersign-offline-"));
  const sigstore = new SessionSigstore();
  const trustedRoot = sigstore.create("acme");
  await writeFile(join(folder, "trusted_root.json"), trustedRoot);
  const registry = await startRegistry();
  try {
    const image = `${registry.address}/app:1`;
    await pushImage(image, "hello");
    await sigstore.sign("acme", image, ["email:dev@example.com", "issuer:https://issuer.example.com"]);
    await must(folder, "copy", image, "oci:app:1", "--trusted-root", "trusted_root.json", ...SIGNER);
  } finally {
    await registry.close();
  }
  await fetchTrust(folder, trustedRoot);
  return folder;
}

async function fetchTrust(folder: string, trustedRoot: Uint8Array): Promise<void> {
  const tuf = new TestRepository({ now: Date.now() - 1000 })
    .addTarget("trusted_root.json", trustedRoot)
    .publishTargets();
  const server = await httpServer(tuf.handler());
  try {
    await writeFile(join(folder, "root.json"), tuf.startRoot);
    await must(folder, "trusted-root", "init", "acme", "--mirror", `http://${server.host}`, "--root", "root.json");
  } finally {
    await server.close();
  }
}

async function must(folder: string, ...argv: readonly string[]): Promise<void> {
  const { context, stderr } = captureContext({
    workingDirectory: folder,
    homeDirectory: folder,
    referenceTime: instant(Date.now()),
  });
  if ((await run(argv, context)) !== 0) throw new Error(`countersign ${argv.join(" ")}: ${stderr()}`);
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program in such a home, where the first attempt at a connection is its end; or within `around`. */
export function runGuarded(folder: string, argv: readonly string[], around: readonly string[] = []): Promise<Finished> {
  const guard = around.length === 0 ? ["--import", GUARD.href] : [];
  const [command = process.execPath, ...args] = [...around, process.execPath, ...guard, PROGRAM, ...argv];
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env["PATH"], HOME: folder };
    const child = spawn(command, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    const output = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ ...output, code: code ?? -1 }));
  });
}

/** For tests that change what is in the home. */
export async function copyOf(folder: string): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "countersign-offline-"));
  await cp(folder, copy, { recursive: true });
  return copy;
}

export async function removeHome(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}
