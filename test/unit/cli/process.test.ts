import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../../../bin/countersign.js", import.meta.url));
const SOURCE = new URL("../../../src/", import.meta.url);
let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "process-"));
});
after(() => rmSync(directory, { recursive: true }));

interface Ending {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a program of ours; `meet` sees it while it runs. */
async function start(
  argv: readonly string[],
  meet: (child: ReturnType<typeof spawn>) => void = () => undefined,
  program = process.execPath,
): Promise<Ending> {
  const child = spawn(program, [...argv], { stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  meet(child);
  const code = await new Promise<number | null>((done) => child.on("close", (status) => done(status)));
  return { code, stdout, stderr };
}

/** A program around `openProcess` that runs `body`, with `door` at hand. */
function around(name: string, body: string): string {
  const path = join(directory, `${name}.mjs`);
  writeFileSync(
    path,
    `import { openProcess } from ${JSON.stringify(new URL("cli/process.ts", SOURCE).href)};
const door = openProcess();
console.log("ready");
${body}
door.close();
`,
  );
  return path;
}

const WAIT = 'await new Promise((done) => door.context.signal.addEventListener("abort", done));';

describe("the process", () => {
  it("asks the command to stop at the first SIGINT and at SIGTERM", async () => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const program = around(
        "stop",
        `const alive = setInterval(() => {}, 1000);
${WAIT}
clearInterval(alive);
console.log("stopped: " + door.context.signal.reason.code);`,
      );
      const ending = await start([program], (child) => child.stdout?.once("data", () => child.kill(signal)));
      assert.deepEqual(ending, { code: 3, stdout: "ready\nstopped: interrupted\n", stderr: "" });
    }
  });

  it("ends at once at the second, with 130", async () => {
    const program = around(
      "stuck",
      `setInterval(() => {}, 1000);
${WAIT}
console.log("stopping");
await new Promise(() => {});`,
    );
    const ending = await start([program], (child) => child.stdout?.on("data", () => child.kill("SIGINT")));
    assert.equal(ending.code, 130);
    assert.equal(ending.stdout, "ready\nstopping\n");
  });

  it("lets go of its lock at the second, too", async () => {
    const root = join(directory, "registry");
    const argv = [BIN, "registry", "serve", "--listen", "127.0.0.1:0", "--root", root];
    const ending = await start(argv, (child) =>
      child.stderr?.once("data", () => {
        child.kill("SIGINT");
        child.kill("SIGTERM");
      }),
    );
    assert.equal(ending.code, 130);
    assert.ok(!readdirSync(root).includes("lock"), readdirSync(root).join(" "));
  });

  it("says what nobody caught, and never leaves without a word", async () => {
    const hook = join(directory, "defect.mjs");
    writeFileSync(hook, 'setImmediate(() => Promise.reject(new Error("nobody caught this")));');
    const ending = await start(["--import", hook, BIN, "registry", "serve", "--listen", "127.0.0.1:0"]);
    assert.equal(ending.code, 1);
    assert.match(ending.stderr, /nobody caught this/);
  });

  it("says that its folder is gone, and goes on where none is wanted", async () => {
    const gone = join(directory, "gone");
    const inNoFolder = `mkdir '${gone}' && cd '${gone}' && rmdir '${gone}' && exec "$@"`;
    const run = (...argv: readonly string[]) =>
      start(["-c", inNoFolder, "sh", process.execPath, BIN, ...argv], undefined, "/bin/sh");
    const ending = await run("verify", "--key", "k.pub", "127.0.0.1:1/a:1");
    assert.equal(ending.code, 2, ending.stderr);
    assert.match(ending.stderr, /^countersign: the working directory cannot be told.*\[configuration-invalid\]/);
    assert.equal((await run("help")).code, 0);
  });

  it("never ends as if all were well where a command comes to no end", async () => {
    const hook = join(directory, "stuck-hook.mjs");
    const commander = JSON.stringify(import.meta.resolve("commander"));
    writeFileSync(
      hook,
      `import { Command } from ${commander};
Command.prototype.parseAsync = () => new Promise(() => {});`,
    );
    const ending = await start(["--import", hook, BIN, "verify", "--key", "k.pub", "127.0.0.1:1/a:1"]);
    assert.equal(ending.code, 3);
  });

  it("is quiet when the reader of its output goes away", async () => {
    const ending = await start([BIN, "help", "reasons"], (child) => child.stdout?.destroy());
    assert.deepEqual([ending.code, ending.stderr], [0, ""]);
  });

  it("exits with the code of the command, and prints no stack trace", async () => {
    const ending = await start([BIN, "no-such-command"]);
    assert.equal(ending.code, 2);
    assert.doesNotMatch(ending.stderr, /^\s+at /m);
  });
});

/** The modules a command line loads, seen by a hook of Node's. */
async function modulesOf(...argv: readonly string[]): Promise<readonly string[]> {
  const hook = join(directory, "hook.mjs");
  writeFileSync(
    hook,
    `import { registerHooks } from "node:module";
registerHooks({ load(url, context, next) { console.error("LOAD " + url); return next(url, context); } });
`,
  );
  const { stderr } = await start(["--import", hook, BIN, ...argv]);
  return [...stderr.matchAll(/^LOAD (.*)$/gm)].map(([, url = ""]) => url);
}

describe("start-up", () => {
  it("loads no parser and no command for --version", async () => {
    const modules = await modulesOf("--version");
    assert.deepEqual(
      modules.filter((url) => /commander|undici|cli\/(?:program|options|commands)/.test(url)),
      [],
    );
    assert.ok(modules.length <= 6, modules.join("\n"));
  });

  it("loads no registry client, no keys and no implementation for a page of help", async () => {
    for (const argv of [
      ["--help"],
      ["help", "exit-codes"],
      ["key", "--help"],
      ["verify", "--help"],
      ["pull", "--help"],
    ]) {
      const modules = await modulesOf(...argv);
      assert.ok(modules.some((url) => url.includes("commander")));
      assert.deepEqual(
        modules.filter((url) => /undici|noble|tar-stream|src\/(?:io|ops|testbed)\/|-actions?\.ts/.test(url)),
        [],
      );
    }
  });

  it("loads only the command that is named", async () => {
    const modules = await modulesOf("key", "--help");
    const commands = modules.filter((url) => url.includes("/cli/commands/"));
    assert.equal(commands.length, 1, commands.join("\n"));
  });
});
