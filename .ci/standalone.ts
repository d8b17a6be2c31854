import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./bundle.ts";
import { COMMANDS } from "./warm-up.ts";

/**
 * The command as one executable, from Node's single-executable support: this Node, the scripts of the build, and V8's code
 * for them. It is for machines like this one. It needs no Node, and takes nothing from NODE_OPTIONS.
 */
export function buildStandalone(build: string): string {
  const output = join(build, process.platform === "win32" ? "countersign.exe" : "countersign");
  const work = mkdtempSync(join(tmpdir(), "countersign-standalone-"));
  try {
    const warmUp = join(ROOT, ".ci/warm-up.ts");
    for (const command of Object.keys(COMMANDS)) run(warmUp, build, work, command);
    const scripts = globSync(["cli.cjs", "lib/*.cjs"], { cwd: build });
    const assets = [
      ["package.json", join(ROOT, "package.json")],
      ...scripts.map((name) => [`./${name}`, join(build, name)]),
      ...readdirSync(work).map((name) => [name, join(work, name)]),
    ];
    const config = join(work, "config.json");
    writeFileSync(config, JSON.stringify({ ...SETTINGS, output, assets: Object.fromEntries(assets) }));
    run("--build-sea", config);
    return output;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What it prints is in the error where it fails. */
function run(...args: readonly string[]): void {
  execFileSync(process.execPath, args, { cwd: ROOT, stdio: "pipe" });
}

const SETTINGS = {
  // Relative: it stays in the executable.
  main: ".ci/standalone-start.cjs",
  disableExperimentalSEAWarning: true,
  execArgvExtension: "none",
  // A short command's garbage fits: to look through it four times, on all processors, takes 5 of its 70 ms.
  execArgv: ["--min-semi-space-size=4", "--single-threaded-gc"],
};
