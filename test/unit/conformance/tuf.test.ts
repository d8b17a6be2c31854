import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { httpServer } from "../../support/http-server.ts";
import { temporaryFolder } from "../../support/temp.ts";
import { TestRepository } from "../../support/tuf-repository.ts";

const CLIENT = fileURLToPath(new URL("../../conformance/tuf", import.meta.url));

interface Scene {
  readonly tuf: TestRepository;
  readonly folder: string;
  refresh(): Promise<Finished>;
  download(...names: readonly string[]): Promise<Finished>;
}

interface Finished {
  readonly status: number | null;
  readonly stderr: string;
}

function runClient(...args: readonly string[]): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(CLIENT, args, { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stderr }));
  });
}

async function scene(t: TestContext): Promise<Scene> {
  const folder = await temporaryFolder(t);
  const tuf = new TestRepository({ now: Date.now() }).addTarget("a/file.txt", "content").publishTargets();
  const server = await httpServer(tuf.handler());
  t.after(() => server.close());
  await mkdir(join(folder, "metadata"));
  await writeFile(join(folder, "start.json"), tuf.startRoot);
  const metadata = ["--metadata-dir", join(folder, "metadata")];
  assert.deepEqual(await runClient(...metadata, "init", join(folder, "start.json")), { status: 0, stderr: "" });
  const url = ["--metadata-url", `http://${server.host}`];
  return {
    tuf,
    folder,
    refresh: () => runClient(...metadata, ...url, "refresh"),
    download: (...names) => {
      const targets = names.flatMap((name) => ["--target-name", name]);
      const places = ["--target-dir", join(folder, "targets"), "--target-base-url", `http://${server.host}/targets`];
      return runClient(...url, ...metadata, ...targets, ...places, "download");
    },
  };
}

describe("the client that tuf-conformance drives", () => {
  it("keeps metadata under plain names, byte for byte", async (t) => {
    const { tuf, folder, refresh } = await scene(t);
    assert.deepEqual(await refresh(), { status: 0, stderr: "" });
    const names = ["root.json", "snapshot.json", "targets.json", "timestamp.json"];
    assert.deepEqual((await readdir(join(folder, "metadata"))).sort(), names);
    const served = ["1.root.json", "2.snapshot.json", "2.targets.json", "timestamp.json"];
    for (const [at, name] of names.entries()) {
      assert.deepEqual(await readFile(join(folder, "metadata", name)), tuf.file(`metadata/${served[at]}`));
    }
  });

  it("downloads targets in their order, once each, under names of its own", async (t) => {
    const { tuf, folder, download } = await scene(t);
    tuf.addTarget("..hidden/a b?#%2e", "x").publishTargets();
    assert.deepEqual(await download("a/file.txt", "..hidden/a b?#%2e", "a/file.txt"), { status: 0, stderr: "" });
    assert.equal((await download("a/file.txt")).status, 0);
    const names = await readdir(join(folder, "targets"));
    assert.ok(names.length === 2 && names.every((name) => /^[0-9a-f]{64}$/.test(name)));
    assert.equal(tuf.requests.filter((path) => path.endsWith("file.txt")).length, 1);
    assert.deepEqual((await readdir(folder)).sort(), ["metadata", "start.json", "targets"]);
  });

  it("does not ask for a target whose name leads out of the repository", async (t) => {
    const { tuf, folder, download } = await scene(t);
    tuf.addTarget("../../escape", "x").publishTargets();
    assert.equal((await download("../../escape")).status, 1);
    assert.deepEqual(await readdir(join(folder, "targets")), []);
  });

  it("ends with 1 and one line at the first target that fails", async (t) => {
    const { folder, download } = await scene(t);
    const { status, stderr } = await download("missing.txt", "a/file.txt");
    assert.deepEqual([status, stderr.split("\n").length], [1, 2]);
    assert.deepEqual(await readdir(join(folder, "targets")), []);
  });

  it("keeps what was verified where a later step fails", async (t) => {
    const { tuf, folder, refresh } = await scene(t);
    await refresh();
    tuf.publish("timestamp").rotate("snapshot").publish("snapshot", "timestamp");
    assert.equal((await refresh()).status, 1);
    assert.deepEqual(await readFile(join(folder, "metadata/timestamp.json")), tuf.file("metadata/timestamp.json"));
  });

  it("ends with 1 for a start root that is none, and asks nobody", async (t) => {
    const { tuf, folder, refresh } = await scene(t);
    await writeFile(join(folder, "metadata/root.json"), "{}");
    assert.equal((await refresh()).status, 1);
    assert.deepEqual(tuf.requests, []);
  });

  it("ends with 1 for a command that there is not", async () => {
    assert.equal((await runClient("--metadata-dir", ".", "--metadata-url", "http://127.0.0.1:1", "destroy")).status, 1);
  });
});
