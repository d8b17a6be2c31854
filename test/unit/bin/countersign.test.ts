import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
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
  const options = { encoding: "utf8" as const, input, env: { ...process.env, XDG_CACHE_HOME: join(folder, "cache") } };
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
    const folder = installation({ "src/cli/main.ts": ECHO, "dist/cli.js": BROKEN });
    assert.equal(run(folder, ["a"]).status, 3);
  });

  it("is dist in the published package", () => {
    assert.equal(run(installation({ "dist/cli.js": ECHO }), ["a"]).status, 3);
  });

  it("keeps compiled code in the user's own cache folder", () => {
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
    env: { ...process.env, XDG_CACHE_HOME: join(folder, "cache") },
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
