/**
 * `npm run build [-- FOLDER] [--standalone]`: builds the command and the library into `dist` or the folder named, with
 * their types and the licences of what is inside; with `--standalone`, also `countersign`, an executable for machines like
 * this one that needs no Node.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Metafile } from "esbuild";
import { bundleCommand, bundleLibrary, ROOT } from "./bundle.ts";

const { values: flags, positionals } = parseArgs({
  options: { standalone: { type: "boolean" } },
  allowPositionals: true,
});
const DIST = resolve(positionals[0] ?? join(ROOT, "dist"));

const RULE = `\n${"-".repeat(80)}\n\n`;

/** Its text is long, and not where npm puts Node. */
const NODE_LICENCE = `The executable contains Node.js ${process.version}, under the licences of
https://github.com/nodejs/node/blob/${process.version}/LICENSE
`;

/** The folders of the packages that ended up in the bundle. */
function bundledPackages(metafile: Metafile): readonly string[] {
  return Object.values(metafile.outputs)
    .flatMap((output) => Object.entries(output.inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0])
    .filter((folder) => folder !== undefined);
}

/** @throws Error where a package has no licence text: it could not be shipped. */
function licenceOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8"));
  const file = readdirSync(join(ROOT, folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  // A package that names this licence and leaves out its text: the text is ours, which is the licence's own.
  const own = license === "Apache-2.0" ? join(ROOT, "LICENSE") : undefined;
  const path = file === undefined ? own : join(ROOT, folder, file);
  if (path === undefined) throw new Error(`${name} has no licence file`);
  return `${name} ${version} (${license})\n\n${readFileSync(path, "utf8").trim()}\n`;
}

function thirdParty(metafiles: readonly Metafile[]): string {
  const texts = [...new Set(metafiles.flatMap(bundledPackages))].sort().map(licenceOf);
  return ["Countersign is bundled with the packages below, each under its own licence.\n", ...texts].join(RULE);
}

function types(): void {
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const project = join(ROOT, ".ci/tsconfig.types.json");
  execFileSync(process.execPath, [compiler, "-p", project, "--outDir", DIST], { stdio: "inherit" });
}

function report(metafiles: readonly Metafile[]): void {
  const sizes = metafiles.flatMap(({ outputs }) =>
    Object.entries(outputs).map(([path, { bytes }]) => ({ path, bytes })),
  );
  for (const { path, bytes } of sizes.sort((a, b) => b.bytes - a.bytes)) {
    console.log(`${(bytes / 1024).toFixed(1).padStart(8)} KiB  ${path}`);
  }
}

rmSync(DIST, { recursive: true, force: true });
const metafiles = [...(await bundleCommand(DIST)), await bundleLibrary(DIST)];
writeFileSync(join(DIST, "THIRD-PARTY.txt"), thirdParty(metafiles));
types();
if (!existsSync(join(DIST, "index.d.ts"))) throw new Error("the types of the library were not written");
report(metafiles);
if (flags.standalone === true) {
  appendFileSync(join(DIST, "THIRD-PARTY.txt"), RULE + NODE_LICENCE);
  const { buildStandalone } = await import("./standalone.ts");
  console.log(buildStandalone(DIST));
}
