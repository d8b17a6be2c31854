import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import description from "../../../package.json" with { type: "json" };

const CHECKOUT = fileURLToPath(new URL("../../..", import.meta.url));
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder that looks like a checkout or an installed package, with a `main` of the test's own. */
function installation(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "countersign bin "));
  folders.push(folder);
  cpSync(join(CHECKOUT, "bin"), join(folder, "bin"), { recursive: true });
  cpSync(join(CHECKOUT, "package.json"), join(folder, "package.json"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** The checkout's own runtime: another file than the Node that runs this, which is then the one that is too old. */
function withRuntime(folder: string, mode = 0o755): string {
  const path = join(folder, "node_modules/node/bin/node");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\nexec "${process.execPath}" "$@"\n`);
  chmodSync(path, mode);
  return folder;
}

/** Makes the starting Node believe that it is of another version; what it hands over to does not. */
function pretending(version: string): readonly string[] {
  const code = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } });`;
  return ["--import", `data:text/javascript,${encodeURIComponent(code)}`];
}

const OLD = pretending("20.20.2");

function commandLine(folder: string, nodeOptions: readonly string[], args: readonly string[]): readonly string[] {
  return [...nodeOptions, join(folder, "bin/countersign.js"), ...args];
}

function run(folder: string, args: readonly string[], nodeOptions: readonly string[] = [], input = "") {
  const options = {
    encoding: "utf8" as const,
    input,
    env: { ...process.env, NODE_COMPILE_CACHE: undefined, XDG_CACHE_HOME: join(folder, "cache") },
  };
  const { status, stdout, stderr } = spawnSync(process.execPath, commandLine(folder, nodeOptions, args), options);
  return { status, stdout, stderr };
}

const ECHO = `export async function main() {
  let input = "";
  for await (const chunk of process.stdin) input += chunk;
  console.log(JSON.stringify({ args: process.argv.slice(2), input, node: process.versions.node }));
  process.exitCode = 3;
}`;
const BROKEN = "throw new Error('this was loaded');";

/** A script as the build writes it. The functions of `body` are those of the module. */
function script(body: string, build = "a build"): string {
  return `//${build}\n(function (module, require, __dirname) {\n${body}\n})`;
}

const BUILT_ECHO = script(`module.exports.main = ${ECHO.replace("export ", "")}`);

describe("countersign --version", () => {
  it("prints the version of package.json and loads nothing", () => {
    const folder = installation({ "src/cli/main.ts": BROKEN });
    for (const flag of ["--version", "-V"]) {
      assert.deepEqual(run(folder, [flag]), { status: 0, stdout: `${description.version}\n`, stderr: "" });
    }
  });

  it("answers on a Node that is too old as well", () => {
    assert.equal(run(installation({}), ["--version"], OLD).stdout, `${description.version}\n`);
  });

  it("is left to the command line where anything stands beside it", () => {
    const folder = installation({ "src/cli/main.ts": ECHO });
    assert.deepEqual(JSON.parse(run(folder, ["verify", "--version"]).stdout).args, ["verify", "--version"]);
  });
});

describe("what is started", () => {
  it("is src where there is one, even beside a build", () => {
    const folder = installation({ "src/cli/main.ts": ECHO, "dist/cli.cjs": script(BROKEN) });
    assert.equal(run(folder, ["a"]).status, 3);
  });

  it("is dist in the published package", () => {
    const { status, stdout } = run(installation({ "dist/cli.cjs": BUILT_ECHO }), ["a"]);
    assert.equal(status, 3);
    assert.deepEqual(JSON.parse(stdout).args, ["a"]);
  });

  it("may load Node's modules and the scripts beside it, each once", () => {
    const main = `
      const { sep } = require("node:path");
      module.exports.main = async () => console.log(require("./lib/a.cjs") === require("./lib/a.cjs"), sep.length);`;
    const folder = installation({ "dist/cli.cjs": script(main), "dist/lib/a.cjs": script("module.exports = {};") });
    assert.deepEqual(run(folder, ["a"]), { status: 0, stdout: "true 1\n", stderr: "" });
  });

  it("keeps the source's compiled code in the user's own cache folder", () => {
    const folder = installation({ "src/cli/main.ts": ECHO });
    run(folder, []);
    assert.ok(existsSync(join(folder, "cache/countersign/compile")));
  });

  it("works where nothing can be cached", () => {
    const folder = installation({ "src/cli/main.ts": ECHO, cache: "a file in the way" });
    const { status, stderr } = run(folder, []);
    assert.deepEqual([status, stderr], [3, ""]);
  });
});

/** Prints a word, then what it is made with. */
const SAY = (word: string): string => script(`module.exports.main = async () => console.log("${word}");`, word);

/** An installation that has run `words` once, and the files of code that it has left. */
function afterRun(files: Readonly<Record<string, string>>, ...words: readonly string[]) {
  const folder = installation(files);
  run(folder, words);
  const cache = join(folder, `cache/countersign/compile/${process.version}-${process.arch}`);
  return { folder, cache, kept: existsSync(cache) ? readdirSync(cache) : [] };
}

describe("the code that V8 made of the build", () => {
  it("is kept for each command and script, for the user alone", () => {
    const main = script('require("./lib/a.cjs"); module.exports.main = async () => undefined;');
    const files = { "dist/cli.cjs": main, "dist/lib/a.cjs": script("module.exports = {};") };
    const { cache, kept } = afterRun(files, "-q", "verify", "registry.example/a");
    assert.deepEqual(kept.sort(), ["verify-a.cjs.v8", "verify-cli.cjs.v8"]);
    assert.equal(statSync(cache).mode & 0o777, 0o700);
    for (const name of kept) assert.equal(statSync(join(cache, name)).mode & 0o777, 0o600);
  });

  it("holds the functions that ran, not those that did not, and is taken by the next run", () => {
    const body = 'const used = () => "used"; const unused = () => "never"; module.exports.main = async () => used();';
    const { folder, cache } = afterRun({ "dist/cli.cjs": script(body) }, "verify");
    const path = join(cache, "verify-cli.cjs.v8");
    const code = readFileSync(path, "latin1");
    assert.deepEqual([code.includes("used"), code.includes("never")], [true, false]);
    const before = statSync(path).ino;
    run(folder, ["verify"]);
    assert.equal(statSync(path).ino, before, "written once more: it was not taken");
  });

  it("grows by what a run calls that takes a script for the first time", () => {
    const body = `
      const first = () => "first thing";
      const second = () => require("./lib/a.cjs");
      module.exports.main = async () => (process.argv.includes("more") ? second() : first());`;
    const files = { "dist/cli.cjs": script(body), "dist/lib/a.cjs": script("module.exports = {};") };
    const { folder, cache } = afterRun(files, "verify");
    const path = join(cache, "verify-cli.cjs.v8");
    assert.equal(readFileSync(path, "latin1").includes("./lib/a.cjs"), false);
    run(folder, ["verify", "more"]);
    const code = readFileSync(path, "latin1");
    assert.deepEqual([code.includes("first thing"), code.includes("./lib/a.cjs")], [true, true]);
  });

  it("is left alone where another build made it, and replaced", () => {
    const { folder, cache } = afterRun({ "dist/cli.cjs": SAY("one") }, "verify");
    // The same length: V8 itself compares no more than that.
    writeFileSync(join(folder, "dist/cli.cjs"), SAY("two"));
    assert.equal(run(folder, ["verify"]).stdout, "two\n");
    assert.match(readFileSync(join(cache, "verify-cli.cjs.v8"), "latin1"), /^\/\/two\n/);
  });

  for (const [what, spoil] of [
    ["cut short", (code: Buffer) => code.subarray(0, code.length >> 1)],
    ["emptied", () => Buffer.alloc(0)],
    ["something else", () => Buffer.from("//one\nconsole.log('mine')")],
    ["made by another V8", (code: Buffer) => Buffer.concat([code.subarray(0, 10), Buffer.alloc(8), code.subarray(18)])],
  ] as const) {
    it(`is refused and replaced where it is ${what}`, () => {
      const { folder, cache } = afterRun({ "dist/cli.cjs": SAY("one") }, "verify");
      const path = join(cache, "verify-cli.cjs.v8");
      const good = readFileSync(path);
      writeFileSync(path, spoil(good));
      assert.deepEqual(run(folder, ["verify"]), { status: 0, stdout: "one\n", stderr: "" });
      assert.equal(statSync(path).size, good.length);
    });
  }

  it("is not taken from a file that others can write to", () => {
    const { folder, cache } = afterRun({ "dist/cli.cjs": SAY("one") }, "verify");
    const path = join(cache, "verify-cli.cjs.v8");
    chmodSync(path, 0o622);
    run(folder, ["verify"]);
    assert.equal(statSync(path).mode & 0o777, 0o600, "taken, and not replaced");
  });

  it("is not taken from a file of somebody else", () => {
    const { folder, cache } = afterRun({ "dist/cli.cjs": SAY("one") }, "verify");
    const path = join(cache, "verify-cli.cjs.v8");
    const before = statSync(path).ino;
    run(folder, ["verify"], ["--import", "data:text/javascript,process.geteuid = () => 12345;"]);
    assert.notEqual(statSync(path).ino, before, "taken, and not replaced");
  });

  it("is not waited for where a pipe lies in its place", () => {
    const { folder, cache } = afterRun({ "dist/cli.cjs": SAY("one") }, "verify");
    const path = join(cache, "verify-cli.cjs.v8");
    rmSync(path);
    execFileSync("mkfifo", [path]);
    assert.equal(run(folder, ["verify"]).stdout, "one\n");
  });

  it("is not kept of a run that failed: it has not called what the command calls", () => {
    const body = "module.exports.main = async () => { process.exitCode = 2; };";
    assert.deepEqual(afterRun({ "dist/cli.cjs": script(body) }, "verify").kept, []);
  });

  it("is not kept of a long run, in which V8 has thrown away what ran once", () => {
    const body = "module.exports.main = async () => { process.cpuUsage = () => ({ user: 2e6, system: 0 }); };";
    assert.deepEqual(afterRun({ "dist/cli.cjs": script(body) }, "verify").kept, []);
  });

  it("is neither written nor read where Node's own cache is switched off", () => {
    const folder = installation({ "dist/cli.cjs": SAY("one") });
    const env = { ...process.env, XDG_CACHE_HOME: join(folder, "cache"), NODE_DISABLE_COMPILE_CACHE: "1" };
    const { status } = spawnSync(process.execPath, commandLine(folder, [], ["verify"]), { env });
    assert.deepEqual([status, existsSync(join(folder, "cache"))], [0, false]);
  });

  it("is done without where nothing can be written", () => {
    const folder = installation({ "dist/cli.cjs": SAY("one"), cache: "a file in the way" });
    assert.deepEqual(run(folder, ["verify"]), { status: 0, stdout: "one\n", stderr: "" });
  });

  it("has a file name of no argument's choosing", () => {
    for (const word of ["../../up", "a/b", "..", "-x", "A", ""]) {
      assert.deepEqual(afterRun({ "dist/cli.cjs": SAY("one") }, word).kept, ["none-cli.cjs.v8"], word);
    }
  });
});

describe("which Node is new enough", () => {
  it("is what package.json says", () => {
    assert.equal(description.engines.node, "^22.22.2 || ^24.15.0 || >=26");
  });

  let folder = "";
  before(() => {
    folder = installation({ "src/cli/main.ts": ECHO });
  });
  const supported = ["22.22.2", "22.23.0", "24.15.0", "24.99.1", "26.0.0", "27.1.0", "100.0.0"];
  for (const version of supported) {
    it(`${version} is`, () => assert.equal(run(folder, [], pretending(version)).status, 3));
  }
  for (const version of ["18.19.0", "20.20.2", "22.22.1", "22.9.9", "23.11.0", "24.14.9", "25.9.0"]) {
    it(`${version} is not, and is told so in one line`, () => {
      const { status, stdout, stderr } = run(folder, ["verify", "a"], pretending(version));
      assert.deepEqual([status, stdout], [2, ""]);
      assert.equal(stderr, `countersign needs Node ${description.engines.node}; this is ${version}\n`);
    });
  }
});

describe("handing over to the checkout's own runtime", () => {
  it("passes arguments, standard input and the exit code on", () => {
    const folder = withRuntime(installation({ "src/cli/main.ts": ECHO }));
    const { status, stdout, stderr } = run(folder, ["verify", "a b", "--key=$HOME"], OLD, "a secret");
    assert.deepEqual([status, stderr], [3, ""]);
    const wanted = { args: ["verify", "a b", "--key=$HOME"], input: "a secret", node: process.versions.node };
    assert.deepEqual(JSON.parse(stdout), wanted);
  });

  it("says in one line that the runtime cannot be started", () => {
    const folder = withRuntime(installation({ "src/cli/main.ts": ECHO }), 0o644);
    const { status, stderr } = run(folder, [], OLD);
    assert.equal(status, 2);
    assert.match(stderr, /^countersign needs Node .+\n$/);
  });

  it("ends where the runtime is the same Node again", () => {
    const folder = installation({ "src/cli/main.ts": ECHO, "node_modules/node/bin/other": "" });
    symlinkSync(process.execPath, join(folder, "node_modules/node/bin/node"));
    const { status, stderr } = run(folder, [], OLD);
    assert.equal(status, 2);
    assert.match(stderr, /^countersign needs Node /);
  });
});

const COUNTING = `export async function main() {
  let count = 0;
  const stop = () => {
    count++;
    setTimeout(() => { console.log(count); process.exit(130); }, 300);
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  console.log("ready");
  setInterval(() => {}, 1000);
}`;

/** Starts the program, waits until it says that it is ready, sends a signal to the process that was started. */
async function signalled(folder: string, signal: NodeJS.Signals): Promise<{ status: number | null; output: string }> {
  const child: ChildProcess = spawn(process.execPath, commandLine(folder, OLD, []), {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_COMPILE_CACHE: undefined, XDG_CACHE_HOME: join(folder, "cache") },
  });
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    if (output === "") child.kill(signal);
    output += text;
  });
  const [status] = await once(child, "close");
  return { status, output };
}

describe("signals while another runtime works", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`${signal} arrives once, and the exit code comes back`, async () => {
      const folder = withRuntime(installation({ "src/cli/main.ts": COUNTING }));
      assert.deepEqual(await signalled(folder, signal), { status: 130, output: "ready\n1\n" });
    });
  }

  it("a runtime that is killed gives 128 and the signal's number", () => {
    const main = 'export async function main() { process.kill(process.pid, "SIGKILL"); }';
    assert.equal(run(withRuntime(installation({ "src/cli/main.ts": main })), [], OLD).status, 137);
  });
});
