import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseListen, parseLogin, registryCommand } from "../../../src/cli/commands/registry.ts";
import type { Context } from "../../../src/cli/context.ts";
import { instant } from "../../../src/core/time.ts";
import { startRegistry } from "../../../src/testbed/registry.ts";
import { rejectedBy, thrownBy } from "../../support/codes.ts";
import { temporaryFolder } from "../../support/temp.ts";
import { call, ok } from "./client.ts";

/** `countersign registry …` under way: what it said so far, and how to end it. */
function start(args: readonly string[], workingDirectory = ".") {
  const stderr = new PassThrough();
  let said = "";
  stderr.on("data", (chunk) => {
    said += chunk;
  });
  const interruption = new AbortController();
  const context: Context = {
    env: {},
    workingDirectory,
    homeDirectory: workingDirectory,
    stdin: new PassThrough(),
    stdout: { stream: new PassThrough(), isTerminal: false },
    stderr: { stream: stderr, isTerminal: false },
    referenceTime: instant(0),
    signal: interruption.signal,
    exitCode: 0,
  };
  const ended = registryCommand(context)
    .exitOverride()
    .parseAsync([...args], { from: "user" })
    .then(() => context.exitCode);
  const address = async (): Promise<string> => {
    for (let isOver = false; !isOver; ) {
      const [, found] = /listening on http:\/\/(\S+)/.exec(said) ?? [];
      if (found !== undefined) return found;
      isOver = await Promise.race([ended.then(() => true), sleep(10, false)]);
    }
    return assert.fail(said);
  };
  return { said: () => said, ended, address, interrupt: () => interruption.abort() };
}

describe("countersign registry serve", () => {
  it("says where it listens and that it keeps nothing, and ends with 0 when it is interrupted", async () => {
    const serving = start(["serve", "--listen", "127.0.0.1:0"]);
    const address = await serving.address();
    await ok(call(address, "GET", "/v2/"), 200);
    assert.match(serving.said(), /in memory/);
    assert.doesNotMatch(serving.said(), /warning/);
    serving.interrupt();
    assert.equal(await serving.ended, 0);
    await assert.rejects(call(address, "GET", "/v2/"), { code: "ECONNREFUSED" });
  });

  it("keeps everything in a folder, found from where it was started", async (t) => {
    const folder = await temporaryFolder(t);
    for (const status of [404, 200]) {
      const serving = start(["serve", "--listen", "127.0.0.1:0", "--root", "images"], folder);
      const address = await serving.address();
      assert.ok(serving.said().includes(join(folder, "images")));
      await ok(call(address, "GET", "/v2/app/tags/list"), status);
      await ok(call(address, "POST", `/v2/app/blobs/uploads/?digest=${EMPTY}`), 201);
      serving.interrupt();
      assert.equal(await serving.ended, 0);
    }
  });

  it("warns about an address that others can reach, with and without a password", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "password"), "secret\n");
    for (const [login, warning] of [
      [[], /warning: .*without authentication/],
      [["--basic-auth", "alice:password"], /warning: .*plain HTTP/],
    ] as const) {
      const serving = start(["serve", "--listen", "0.0.0.0:0", ...login], folder);
      await serving.address();
      assert.match(serving.said(), warning);
      assert.doesNotMatch(serving.said(), /secret/);
      serving.interrupt();
      await serving.ended;
    }
  });

  it("lets in only the user with the password of the file", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "password"), "secret\nnot this line\n");
    const serving = start(["serve", "--listen", "127.0.0.1:0", "--basic-auth", "alice:password"], folder);
    const address = await serving.address();
    await ok(call(address, "GET", "/v2/"), 401);
    const authorization = `Basic ${Buffer.from("alice:secret").toString("base64")}`;
    await ok(call(address, "GET", "/v2/", { headers: { authorization } }), 200);
    serving.interrupt();
    await serving.ended;
  });

  it("stands in for a registry without the referrers API", async () => {
    const serving = start(["serve", "--listen", "127.0.0.1:0", "--no-referrers-api"]);
    await ok(call(await serving.address(), "GET", `/v2/app/referrers/${EMPTY}`), 404);
    serving.interrupt();
    await serving.ended;
  });

  it("an address in use is a usage error that names it", async () => {
    await using other = await startRegistry();
    const error = await rejectedBy(() => start(["serve", "--listen", other.address]).ended, "usage");
    assert.equal(error.found, other.address);
    assert.match(error.message, /in use/);
  });

  it("an empty or missing password file is refused before anything is served", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "empty"), "\n");
    for (const file of ["empty", "missing"]) {
      const serving = start(["serve", "--listen", "127.0.0.1:0", "--basic-auth", `alice:${file}`], folder);
      await rejectedBy(() => serving.ended, "configuration-invalid");
    }
  });
});

const EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

describe("reading the flags", () => {
  for (const [text, host, port] of [
    ["127.0.0.1:5000", "127.0.0.1", 5000],
    ["localhost:0", "localhost", 0],
    ["[::1]:80", "::1", 80],
    [":5000", "0.0.0.0", 5000],
  ] as const) {
    it(`${text} is an address`, () => assert.deepEqual(parseListen(text), { host, port }));
  }

  for (const text of [
    "",
    "5000",
    "localhost",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "a:b",
    "::1:80",
    "http://a:1",
    "a b:1",
  ]) {
    it(`${JSON.stringify(text)} is none`, () => void thrownBy(() => parseListen(text), "usage"));
  }

  for (const text of ["", "alice", ":file", "alice:", "s3cret"]) {
    it(`${JSON.stringify(text)} is no user and file, and is not repeated`, () => {
      const error = thrownBy(() => parseLogin(text), "usage");
      assert.equal(error.found, undefined);
    });
  }
});
