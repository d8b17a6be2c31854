import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import description from "../../package.json" with { type: "json" };
import { ROOT } from "./source-files.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "countersign-package-"));
const INSTALLED = join(FOLDER, "user/node_modules/countersign");
const ENV = { ...process.env, XDG_CACHE_HOME: join(FOLDER, "cache") };

/** Builds, packs and unpacks as a user's npm would, without the network: the bundle holds what it needs. */
before(() => {
  const source = join(FOLDER, "source");
  mkdirSync(source);
  execFileSync(process.execPath, [join(ROOT, ".ci/build.ts"), join(source, "dist")], { stdio: "pipe" });
  const shipped = [...description.files.filter((file) => file !== "dist"), "package.json", "LICENSE", "README.md"];
  for (const file of shipped.filter((name) => existsSync(join(ROOT, name)))) {
    cpSync(join(ROOT, file), join(source, file), { recursive: true });
  }
  execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", FOLDER], { cwd: source, stdio: "pipe" });
  mkdirSync(INSTALLED, { recursive: true });
  const archive = join(FOLDER, `countersign-${description.version}.tgz`);
  execFileSync("tar", ["-xzf", archive, "-C", INSTALLED, "--strip-components=1"]);
  writeFileSync(join(FOLDER, "user/package.json"), '{ "type": "module" }');
});

after(() => rmSync(FOLDER, { recursive: true, force: true }));

function countersign(...args: readonly string[]) {
  const program = join(INSTALLED, description.bin.countersign);
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8", env: ENV });
  return { status, stdout, stderr };
}

describe("the package that npm installs", () => {
  it("holds the build and no sources, tests or keys", () => {
    assert.deepEqual(
      readdirSync(INSTALLED).filter((name) => !["README.md", "CHANGELOG.md", "docs"].includes(name)),
      ["LICENSE", "bin", "deploy", "dist", "package.json"],
    );
  });

  it("answers --version", () => {
    assert.deepEqual(countersign("--version"), { status: 0, stdout: `${description.version}\n`, stderr: "" });
  });

  it("answers --help from the bundle, in the words of the checkout", () => {
    const inCheckout = spawnSync(process.execPath, [join(ROOT, "bin/countersign.js"), "--help"], {
      encoding: "utf8",
      env: ENV,
    });
    assert.deepEqual(countersign("--help"), { status: 0, stdout: inCheckout.stdout, stderr: "" });
  });

  it("refuses a wrong call with status 2 and no stack trace", () => {
    const { status, stdout, stderr } = countersign("no-such-command");
    assert.deepEqual([status, stdout], [2, ""]);
    assert.doesNotMatch(stderr, /\n {4}at /);
  });

  it("plays the demo, every refusal of it, from the bundle", () => {
    const { status, stdout } = countersign("demo");
    assert.equal(status, 0, stdout);
  });

  it("loads what a queue needs from the build alone, and nothing of it natively", () => {
    const script = join(INSTALLED, "dist/lib/queue.cjs");
    const code = `
      const load = require("node:vm").runInThisContext(require("node:fs").readFileSync(${JSON.stringify(script)}, "utf8"));
      const own = { exports: {} };
      load(own, (name) => process.getBuiltinModule(name) ?? (() => { throw new Error(name); })(), undefined);
      const { bullmq, ioredis } = own.exports;
      console.log(typeof bullmq.Worker, typeof ioredis.Redis);`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--eval", code], { encoding: "utf8", env: ENV });
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "function function\n", stderr: "" });
  });

  it("is a library", () => {
    const code = 'import { parseReference } from "countersign"; console.log(parseReference("ubuntu").repository);';
    const args = ["--input-type=module", "--eval", code];
    assert.equal(
      execFileSync(process.execPath, args, { cwd: join(FOLDER, "user"), encoding: "utf8" }),
      "library/ubuntu\n",
    );
  });

  it("has types that a strict compiler takes without skipping the library's own", () => {
    const user = join(FOLDER, "user");
    // npm installs the dependencies beside it: the types of the HTTP client name those of undici.
    symlinkSync(join(ROOT, "node_modules/undici"), join(user, "node_modules/undici"));
    writeFileSync(
      join(user, "index.ts"),
      [
        'import { CountersignError, parseReference, type Reference, type Verdict } from "countersign";',
        'export const reference: Reference = parseReference("ubuntu");',
        'export const accepted = (verdict: Verdict): boolean => verdict.status === "accepted";',
        "export const code = (error: CountersignError): string => error.code;",
      ].join("\n"),
    );
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "node"];
    const roots = ["--typeRoots", join(ROOT, "node_modules/@types")];
    const compiler = [join(ROOT, "node_modules/typescript/bin/tsc"), ...options, ...roots, "index.ts"];
    const { status, stdout } = spawnSync(process.execPath, compiler, { cwd: user, encoding: "utf8" });
    assert.deepEqual({ status, stdout }, { status: 0, stdout: "" });
  });

  it("names every bundled package with its licence, and carries no path of the machine that built it", () => {
    const notices = readFileSync(join(INSTALLED, "dist/THIRD-PARTY.txt"), "utf8");
    for (const name of ["commander", "bullmq", "ioredis", "msgpackr"]) {
      assert.match(notices, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(MIT\\)$`, "m"));
    }
    const files = readdirSync(join(INSTALLED, "dist"), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    for (const entry of files) {
      const text = readFileSync(join(entry.parentPath, entry.name), "utf8");
      assert.ok(!text.includes(ROOT) && !text.includes(FOLDER), entry.name);
    }
  });
});
