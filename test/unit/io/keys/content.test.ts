import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readKey, readSmallFile } from "../../../../src/io/keys/content.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const OPTIONS = { label: "the key", maxBytes: 1000, timeoutMs: 10_000 };
const POSIX = { skip: process.platform === "win32" };

async function pipe(t: TestContext): Promise<string> {
  const path = join(await temporaryFolder(t), "pipe");
  execFileSync("mkfifo", [path]);
  return path;
}

describe("reading a small file", () => {
  it("gives a file's content and its permissions", async (t) => {
    const path = join(await temporaryFolder(t), "key");
    await writeFile(path, "content", { mode: 0o600 });
    const { content, mode = 0 } = await readSmallFile(path, OPTIONS);
    assert.equal(Buffer.from(content).toString(), "content");
    if (process.platform !== "win32") assert.equal(mode & 0o777, 0o600);
  });

  it("gives what comes through a pipe, in pieces and late, and no permissions", POSIX, async (t) => {
    const path = await pipe(t);
    const reading = readSmallFile(path, OPTIONS);
    await sleep(50);
    const writer = await open(path, "w");
    await writer.write("first ");
    await sleep(50);
    await writer.write("second");
    await writer.close();
    const { content, mode } = await reading;
    assert.equal(Buffer.from(content).toString(), "first second");
    assert.equal(mode, undefined);
  });

  it("reads a shell's process substitution", POSIX, async () => {
    const module = fileURLToPath(new URL("../../../../src/io/keys/content.ts", import.meta.url));
    const code = `import { readSmallFile } from ${JSON.stringify(module)};
      const { content } = await readSmallFile(process.argv[1], ${JSON.stringify(OPTIONS)});
      process.stdout.write(content);`;
    const script = `"$0" --input-type=module --eval "$1" <(sleep 0.1; printf key)`;
    assert.equal(execFileSync("bash", ["-c", script, process.execPath, code], { encoding: "utf8" }), "key");
  });

  it("takes a pipe that ends without a byte for an empty file", POSIX, async (t) => {
    const path = await pipe(t);
    const reading = readSmallFile(path, OPTIONS);
    await sleep(50);
    await (await open(path, "w")).close();
    assert.equal((await reading).content.byteLength, 0);
  });
});

describe("reading a small file that has no end", POSIX, () => {
  it("a pipe that nobody writes to ends at the time limit", async (t) => {
    const path = await pipe(t);
    const error = await rejectedBy(() => readSmallFile(path, { ...OPTIONS, timeoutMs: 50 }), "key-invalid");
    assert.match(error.found ?? "", /not ended after 0\.05 s/);
  });

  it("a pipe that is never closed ends at the time limit", async (t) => {
    const path = await pipe(t);
    const reading = rejectedBy(() => readSmallFile(path, { ...OPTIONS, timeoutMs: 200 }), "key-invalid");
    await sleep(20);
    const writer = await open(path, "w");
    await writer.write("key");
    await reading;
    await writer.close();
  });

  it("a pipe ends at an interruption", async (t) => {
    const path = await pipe(t);
    const abort = new AbortController();
    const reading = rejectedBy(() => readSmallFile(path, { ...OPTIONS, signal: abort.signal }), "interrupted");
    await sleep(20);
    abort.abort();
    await reading;
  });

  it("nothing is opened after an interruption", async () => {
    await rejectedBy(() => readSmallFile("/dev/zero", { ...OPTIONS, signal: AbortSignal.abort() }), "interrupted");
  });

  it("a pipe with more than the limit is not read to its end", async (t) => {
    const path = await pipe(t);
    const writer = spawn("sh", ["-c", `exec cat /dev/zero > '${path}'`], { stdio: "ignore" });
    const ended = new Promise((done) => writer.once("exit", done));
    const error = await rejectedBy(() => readSmallFile(path, OPTIONS), "key-invalid");
    assert.match(error.found ?? "", /more than 1000 bytes/);
    await ended;
  });

  it("a device with more than the limit", async () => {
    await rejectedBy(() => readSmallFile("/dev/zero", OPTIONS), "key-invalid");
  });

  it("a command that waits for a pipe ends at SIGINT, at once and in order", async (t) => {
    const path = await pipe(t);
    const program = fileURLToPath(new URL("../../../../bin/countersign.js", import.meta.url));
    const child = spawn(process.execPath, [program, "key", "public", path], { stdio: ["ignore", "pipe", "pipe"] });
    const exit = new Promise((done) => child.once("exit", (code, signal) => done(code ?? signal)));
    // The command waits where the pipe is opened, which is when its writer can open it too without waiting.
    const writer = await open(path, "w");
    child.kill("SIGINT");
    assert.equal(await exit, 130);
    await writer.close();
  });
});

describe("keys that are no content", () => {
  for (const reference of ["awskms://key", "pkcs11:token=a;object=b"]) {
    it(`${reference} is not read`, async () => {
      await rejectedBy(() => readKey(reference, { env: {}, workingDirectory: "." }), "unsupported");
    });
  }
});
