import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findPeer } from "../test/interop/peers.ts";
import type { KeyPair, Workplace } from "../test/interop/workplace.ts";
import type { Command } from "./measure.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What a subject is measured with. */
export interface Bench {
  readonly work: Workplace;
  /** Fewer rounds and smaller sizes: shows that the harness works, its figures mean little. */
  readonly quick: boolean;
  /** One key for both tools. */
  readonly key: KeyPair;
  /** `bin/countersign.js` of the package as npm installs it. */
  readonly packaged: string;
  /** The executable that needs no Node. */
  readonly standalone: string;
  /** `bin/countersign.js` of the checkout. */
  readonly source: string;
}

/** Builds the package and lays it out as npm does, and the executable that needs no Node. */
export function buildPrograms(work: Workplace): Pick<Bench, "packaged" | "standalone"> {
  const folder = work.makeFolder("node_modules/countersign");
  for (const part of ["bin", "package.json"]) cpSync(`${ROOT}/${part}`, `${folder}/${part}`, { recursive: true });
  const build = [`${ROOT}/.ci/build.ts`, "--standalone", `${folder}/dist`];
  execFileSync(process.execPath, build, { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
  const standalone = work.path("countersign");
  renameSync(`${folder}/dist/countersign`, standalone);
  return { packaged: `${folder}/bin/countersign.js`, standalone };
}

export const SOURCE = `${ROOT}bin/countersign.js`;

/** countersign as a user runs it: the installed package. */
export function ours(bench: Bench, args: readonly string[]): Command {
  return { path: process.execPath, args: [bench.packaged, ...args], env: bench.work.environment };
}

/** The same as one executable. */
export function standalone(bench: Bench, args: readonly string[]): Command {
  return { path: bench.standalone, args, env: bench.work.environment };
}

export function theirs(bench: Bench, peer: string, args: readonly string[]): Command {
  const path = findPeer(peer);
  if (path === undefined) throw new Error(`${peer} is not installed`);
  return { path, args, env: bench.work.environment };
}

export function ourVerify(bench: Bench, ...images: readonly string[]): Command {
  return ours(bench, verifyWords(bench, images));
}

export function standaloneVerify(bench: Bench, ...images: readonly string[]): Command {
  return standalone(bench, verifyWords(bench, images));
}

function verifyWords(bench: Bench, images: readonly string[]): readonly string[] {
  return ["verify", "--key", bench.key.public, ...images];
}

export function ourSign(bench: Bench, ...images: readonly string[]): Command {
  return ours(bench, ["sign", "--key", bench.key.secret, "-y", ...images]);
}

export function cosignVerify(bench: Bench, ...images: readonly string[]): Command {
  const flags = ["--key", bench.key.public, "--insecure-ignore-tlog=true"];
  return theirs(bench, "cosign", ["verify", ...flags, ...images]);
}

/** cosign with a key and without any service, as ours. */
export function cosignSign(bench: Bench, image: string): Command {
  const file = bench.work.path("no-services.json");
  if (!existsSync(file)) {
    const command = theirs(bench, "cosign", ["signing-config", "create", "--out", file]);
    execFileSync(command.path, command.args, { stdio: "ignore" });
  }
  return theirs(bench, "cosign", ["sign", "--key", bench.key.secret, "--signing-config", file, "-y", image]);
}

/**
 * Forgets what countersign has remembered of registries and images: its next run is a first one. V8's code is kept, which
 * depends on nothing but the program.
 */
export function forget(bench: Bench): void {
  const cache = bench.work.path("home/.cache/countersign");
  const names = existsSync(cache) ? readdirSync(cache) : [];
  for (const name of names.filter((one) => one !== "compile"))
    rmSync(join(cache, name), { recursive: true, force: true });
}
