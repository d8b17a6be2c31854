/**
 * `npm run build [-- FOLDER]`: bundles the command and the library into `dist` or the folder named, with their types and
 * the licences of what is inside. Chunks are split along dynamic imports, so that what a command does not use is not even
 * read.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Metafile, type Plugin } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = resolve(process.argv[2] ?? join(ROOT, "dist"));

/** Of package.json only the version goes into the bundle. */
const onlyVersion: Plugin = {
  name: "only-version",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]package\.json$/, namespace: "file" }, ({ path }) => {
      const { version } = JSON.parse(readFileSync(path, "utf8"));
      return { contents: JSON.stringify({ version }), loader: "json" };
    });
  },
};

/** undici and commander are CommonJS: what they require at run time needs a `require`, which an ES module has not. */
const BANNER = 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);';

async function bundle(): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: { cli: "src/cli/main.ts", index: "src/index.ts" },
    outdir: DIST,
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22",
    // Short, and its stack traces still name the functions.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    banner: { js: BANNER },
    // Native code, installed by those who have a token.
    external: ["pkcs11js"],
    plugins: [onlyVersion],
    metafile: true,
    logLevel: "warning",
  });
  return metafile;
}

/** The folders of the packages that ended up in the bundle. */
function bundledPackages(metafile: Metafile): readonly string[] {
  const folders = Object.values(metafile.outputs)
    .flatMap((output) => Object.entries(output.inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  return [...new Set(folders)].filter((folder) => folder !== undefined).sort();
}

/** @throws Error where a package has no licence text: it could not be shipped. */
function licenceOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8"));
  const file = readdirSync(join(ROOT, folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  if (file === undefined) throw new Error(`${name} has no licence file`);
  const text = readFileSync(join(ROOT, folder, file), "utf8").trim();
  return `${name} ${version} (${license})\n\n${text}\n`;
}

function thirdParty(metafile: Metafile): string {
  const rule = `\n${"-".repeat(80)}\n\n`;
  const texts = bundledPackages(metafile).map(licenceOf);
  return ["Countersign is bundled with the packages below, each under its own licence.\n", ...texts].join(rule);
}

function types(): void {
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const project = join(ROOT, ".ci/tsconfig.types.json");
  execFileSync(process.execPath, [compiler, "-p", project, "--outDir", DIST], { stdio: "inherit" });
}

function report(metafile: Metafile): void {
  const sizes = Object.entries(metafile.outputs).map(([path, { bytes }]) => ({ path, bytes }));
  for (const { path, bytes } of sizes.sort((a, b) => b.bytes - a.bytes)) {
    console.log(`${(bytes / 1024).toFixed(1).padStart(8)} KiB  ${path}`);
  }
}

rmSync(DIST, { recursive: true, force: true });
const metafile = await bundle();
writeFileSync(join(DIST, "THIRD-PARTY.txt"), thirdParty(metafile));
types();
if (!existsSync(join(DIST, "index.d.ts"))) throw new Error("the types of the library were not written");
report(metafile);
