import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { acquireLock, withLock } from "../../../../src/io/disk/lock.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const execute = promisify(execFile);
const HOLDER = fileURLToPath(new URL("lock-holder.ts", import.meta.url));

async function holder(path: string, then: "live" | "exit" | "exit-later" | "be-killed") {
  const child = spawn(process.execPath, [HOLDER, path, then], { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

describe("a lock across processes", () => {
  it("lets one in at a time", async (t) => {
    const path = join(await temporaryFolder(t), "lock");
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
    };
    await Promise.all(Array.from({ length: 8 }, () => withLock(path, {}, work)));
    assert.equal(most, 1);
    assert.equal(existsSync(path), false);
  });

  it("is released when the work fails", async (t) => {
    const path = join(await temporaryFolder(t), "lock");
    await assert.rejects(
      withLock(path, {}, () => Promise.reject(new Error("no"))),
      /no/,
    );
    await (await acquireLock(path, { waitMs: 0 })).release();
  });

  it("gives write-conflict, naming the holder, when the wait is over", async (t) => {
    const path = join(await temporaryFolder(t), "lock");
    const lock = await acquireLock(path);
    const error = await rejectedBy(() => acquireLock(path, { waitMs: 50 }), "write-conflict");
    assert.match(error.found ?? "", new RegExp(`process ${process.pid}\\b`));
    await lock.release();
  });

  it("stops waiting when the command is stopped", async (t) => {
    const path = join(await temporaryFolder(t), "lock");
    const lock = await acquireLock(path);
    await rejectedBy(() => acquireLock(path, { signal: AbortSignal.timeout(30) }), "interrupted");
    await lock.release();
  });

  it("is kept from others while another process lives, and taken over once it was killed", async (t) => {
    const path = join(await temporaryFolder(t), "lock");
    const child = await holder(path, "live");
    await rejectedBy(() => acquireLock(path, { waitMs: 50 }), "write-conflict");
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.equal(existsSync(path), true);
    await (await acquireLock(path, { waitMs: 0 })).release();
  });

  it("is taken over by one of many, never by two", async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, "lock");
    const child = await holder(path, "be-killed");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    let inside = 0;
    const work = async () => {
      assert.equal(++inside, 1);
      await new Promise((resolve) => setTimeout(resolve, 2));
      inside--;
    };
    await Promise.all(Array.from({ length: 10 }, () => withLock(path, {}, work)));
    assert.deepEqual(await readdir(folder), []);
  });

  it("is removed when the process that holds it exits by itself", async (t) => {
    const path = join(await temporaryFolder(t), "lock");
    const child = await holder(path, "exit");
    if (child.exitCode === null) await once(child, "exit");
    assert.equal(existsSync(path), false);
  });

  it("is stale where the process id is in use again by a process that was started later", async (t) => {
    const path = join(await temporaryFolder(t), "lock");
    const lock = await acquireLock(path);
    const mine = JSON.parse(await readFile(path, "utf8")) as { started: string };
    await lock.release();
    if (mine.started === "") return;
    await writeFile(path, JSON.stringify({ ...mine, started: "1", nonce: "x" }));
    await (await acquireLock(path, { waitMs: 0 })).release();
  });

  it("of another machine is respected until it has shown no life for long", async (t) => {
    const path = join(await temporaryFolder(t), "lock");
    await writeFile(path, JSON.stringify({ host: `not-${hostname()}`, pid: 1, started: "1", nonce: "x" }));
    await rejectedBy(() => acquireLock(path, { waitMs: 30 }), "write-conflict");
    await utimes(path, new Date(0), new Date(0));
    await (await acquireLock(path, { waitMs: 0 })).release();
  });

  it("of another container that has the same host name is respected as that of another machine is", async (t) => {
    const path = join(await temporaryFolder(t), "lock");
    const theirs = { host: hostname(), space: "pid:[1]", pid: 2 ** 22 + 1, started: "1", nonce: "x" };
    await writeFile(path, JSON.stringify(theirs));
    await rejectedBy(() => acquireLock(path, { waitMs: 30 }), "write-conflict");
    await utimes(path, new Date(0), new Date(0));
    await (await acquireLock(path, { waitMs: 0 })).release();
  });

  for (const content of ["", "{", "null", '{"pid":"1"}']) {
    it(`that says ${JSON.stringify(content)} belongs to somebody who is still writing it, for a while`, async (t) => {
      const path = join(await temporaryFolder(t), "lock");
      await writeFile(path, content);
      await rejectedBy(() => acquireLock(path, { waitMs: 30 }), "write-conflict");
      await utimes(path, new Date(0), new Date(0));
      await (await acquireLock(path, { waitMs: 0 })).release();
    });
  }

  it("is not waited for where a pipe, a device, a folder or a link is in its place", { timeout: 30_000 }, async (t) => {
    const folder = await temporaryFolder(t);
    await execute("mkfifo", [join(folder, "pipe")]);
    await symlink("/dev/zero", join(folder, "device"));
    await mkdir(join(folder, "folder"));
    await symlink("nowhere", join(folder, "link"));
    for (const name of await readdir(folder)) await rejectedBy(() => acquireLock(join(folder, name)), "disk-error");
  });

  it("that is endless is read no further than a lock file goes", async (t) => {
    const path = join(await temporaryFolder(t), "lock");
    await writeFile(path, "");
    await truncate(path, 2 ** 40);
    await rejectedBy(() => acquireLock(path, { waitMs: 30 }), "write-conflict");
  });

  it("is not released by someone who lost it", async (t) => {
    const path = join(await temporaryFolder(t), "lock");
    const lock = await acquireLock(path);
    await writeFile(path, JSON.stringify({ host: "elsewhere", pid: 1, started: "1", nonce: "theirs" }));
    await lock.release();
    assert.equal(existsSync(path), true);
  });

  it("is not removed at the end of a process that lost it", async (t) => {
    const path = join(await temporaryFolder(t), "lock");
    const child = await holder(path, "exit-later");
    await writeFile(path, JSON.stringify({ host: "elsewhere", pid: 1, started: "1", nonce: "theirs" }));
    child.stdin?.end();
    await once(child, "exit");
    assert.equal(existsSync(path), true);
  });

  it("gives disk-error where it cannot be made", async (t) => {
    const folder = await temporaryFolder(t);
    const error = await rejectedBy(() => acquireLock(join(folder, "missing", "lock"), { waitMs: 0 }), "disk-error");
    assert.equal(error.next, "make the folder that it is to be in, or name another place");
  });
});
