import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import description from "../../package.json" with { type: "json" };
import { readPage, replay } from "../support/session.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = mkdtempSync(join(tmpdir(), "countersign-executable-"));
const BUILD = join(FOLDER, "build");
const PROGRAM = join(FOLDER, "countersign");
/** A machine without Node, or anything else: no PATH. */
const ENV = { HOME: FOLDER, TMPDIR: FOLDER };

/** `npm run build -- --standalone`, and the executable alone where nothing of the build is beside it. */
before(() => {
  execFileSync(process.execPath, [join(ROOT, ".ci/build.ts"), "--standalone", BUILD], { stdio: "pipe" });
  execFileSync("mv", [join(BUILD, "countersign"), PROGRAM]);
});

after(() => rmSync(FOLDER, { recursive: true, force: true }));

function countersign(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const options = { encoding: "utf8", env: { ...ENV, ...env }, cwd: FOLDER } as const;
  const { status, stdout, stderr } = spawnSync(PROGRAM, args, options);
  return { status, stdout, stderr };
}

describe("the standalone executable", () => {
  it("says which version it is", () => {
    assert.deepEqual(countersign(["--version"]), { status: 0, stdout: `${description.version}\n`, stderr: "" });
  });

  it("has the help pages of the checkout", () => {
    for (const args of [["--help"], ["verify", "--help"], ["help", "reasons"]]) {
      const inCheckout = spawnSync(process.execPath, [join(ROOT, "bin/countersign.js"), ...args], {
        encoding: "utf8",
        env: ENV,
      });
      assert.deepEqual(countersign(args), { status: 0, stdout: inCheckout.stdout, stderr: "" });
    }
  });

  it("refuses a wrong call with status 2 and no stack trace", () => {
    const { status, stdout, stderr } = countersign(["no-such-command"]);
    assert.deepEqual([status, stdout], [2, ""]);
    assert.doesNotMatch(stderr, /\n {4}at /);
  });

  it("plays the demo, every refusal of it", () => {
    const { status, stdout, stderr } = countersign(["demo"]);
    assert.equal(status, 0, `${stdout}${stderr}`);
  });

  it("takes no code and no settings of Node's from the environment", () => {
    for (const value of ["--require=/nonexistent.cjs", "--import=data:text/javascript,process.exit(7)", "--bogus"]) {
      const { status, stdout } = countersign(["--version"], { NODE_OPTIONS: value });
      assert.deepEqual([status, stdout], [0, `${description.version}\n`], value);
    }
  });

  it("is not Node: what would be Node's options and scripts are words of the command line", () => {
    for (const args of [
      ["-e", "console.log(1)"],
      [join(ROOT, "bin/countersign.js")],
      ["--eval=1"],
      ["--node-options=-v"],
    ]) {
      assert.equal(countersign(args).status, 2, args.join(" "));
    }
  });

  it("writes no compiled code: it brings its own", () => {
    const cache = join(FOLDER, "cache");
    countersign(["demo"], { XDG_CACHE_HOME: cache });
    assert.equal(existsSync(join(cache, "countersign/compile")), false);
  });

  it("says that it loads no PKCS #11 modules", () => {
    const key = `pkcs11:token=a;object=b?module-path=${PROGRAM}`;
    const { status, stderr } = countersign(["verify", "--key", key, "127.0.0.1:1/a"], { COSIGN_PKCS11_PIN: "1" });
    assert.equal(status, 2);
    assert.match(stderr, /the standalone executable loads no PKCS #11 modules/);
  });

  it("carries no path of the machine that built it", () => {
    const content = readFileSync(PROGRAM);
    for (const path of [ROOT, FOLDER, "countersign-warm-up-"]) assert.equal(content.includes(path), false, path);
  });

  it("loads what few commands use: the clients of a queue", () => {
    const env = { COUNTERSIGN_QUEUE_SECRET: "a secret of more than thirty-two bytes" };
    writeFileSync(join(FOLDER, "images.txt"), "127.0.0.1:1/acme/app:1\n");
    assert.equal(countersign(["key", "generate"], { COSIGN_PASSWORD: "" }).status, 0);
    const args = ["audit", "--key", "cosign.pub", "--queue", "redis://127.0.0.1:1", "images.txt"];
    const { status, stderr } = countersign(args, env);
    assert.match(stderr, /the queue's server cannot be reached.*\[unreachable\]/);
    assert.equal(status, 3);
  });

  // Conditions in CEL, YAML, TUF: each is a script of its own.
  for (const name of ["sign-and-verify", "pull-and-refuse", "keyless-verify", "policy-explain", "trust-sign"]) {
    it(`prints what the session ${name} says`, async (t) => {
      const before = process.env["COUNTERSIGN_BIN"];
      t.after(() => Object.assign(process.env, { COUNTERSIGN_BIN: before }));
      process.env["COUNTERSIGN_BIN"] = PROGRAM;
      const { expected, actual } = await replay(await readPage(join(ROOT, `test/scripts/${name}.txt`)));
      assert.equal(actual, expected);
    });
  }
});

/** How much V8 has of a script that it only read. */
const MEASURE = `
  const text = require("node:fs").readFileSync(process.argv[1], "latin1");
  process.stdout.write(String(new (require("node:vm").Script)(text).createCachedData().length));
`;

describe("V8's code in it", () => {
  it("is taken by V8, and holds the functions that a verification runs", () => {
    const out = join(FOLDER, "code");
    mkdirSync(out);
    execFileSync(process.execPath, [join(ROOT, ".ci/warm-up.ts"), BUILD, out, "verify"], { stdio: "pipe" });
    assert.deepEqual(readdirSync(out), ["verify-cli.cjs.v8", "verify-sigstore.cjs.v8"]);
    const text = readFileSync(join(BUILD, "cli.cjs"), "latin1");
    const cachedData = readFileSync(join(out, "verify-cli.cjs.v8"));
    assert.equal(new Script(text, { cachedData }).cachedDataRejected, false);
    const alone = execFileSync(process.execPath, ["-e", MEASURE, join(BUILD, "cli.cjs")], { encoding: "utf8" });
    assert.ok(cachedData.length > Number(alone) * 2, `${alone} bytes before anything ran, ${cachedData.length} after`);
  });

  it("is made under the flags that it is taken under", () => {
    const lists = ["bin/countersign.js", ".ci/standalone-start.cjs", ".ci/warm-up.ts"].map(
      (file) => /^const MOVES_IMAGES = (.*);$/m.exec(readFileSync(join(ROOT, file), "utf8"))?.[1],
    );
    assert.deepEqual(lists, Array(3).fill('["pull", "copy", "push"]'));
  });

  it("makes little of the executable", () => {
    const node = statSync(process.execPath).size;
    assert.ok(statSync(PROGRAM).size < node + 20 * 1024 * 1024);
  });
});
