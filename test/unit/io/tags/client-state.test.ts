import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { LIMITS } from "../../../../src/core/limits.ts";
import { HEAD_TAG } from "../../../../src/core/tags/names.ts";
import { instant } from "../../../../src/core/time.ts";
import { ClientStore } from "../../../../src/io/tags/client-store.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { daysLater, GUN, IMAGE, NOW, OTHER, TagStore, tagScene } from "../../../support/tag-repository.ts";
import { tagStateOf } from "../../../support/tag-state.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const PROGRAM = fileURLToPath(new URL("../../../support/tag-state-process.ts", import.meta.url));
const KILLED_AT = fileURLToPath(new URL("../../../support/killed-at.mjs", import.meta.url));

/** What the repository serves now, whatever it serves later. */
function frozen(store: TagStore): TagStore {
  const copy = new TagStore("registry", GUN);
  for (const [digest, bytes] of store.blobs) copy.blobs.set(digest, bytes);
  for (const [digest, stored] of store.manifests) copy.manifests.set(digest, stored);
  for (const [tag, digest] of store.names) copy.names.set(tag, digest);
  return copy;
}

describe("what a client remembers of signed tags", () => {
  it("does not let the clock be set back behind it (33)", async (t) => {
    const { ask } = await tagScene(t);
    await ask({ now: daysLater(3) });
    await ask({ now: instant(daysLater(3) - LIMITS.tagClockSlackMs) });
    const error = await rejectedBy(() => ask({ now: NOW }), "clock-rollback");
    assert.deepEqual(
      [error.found, error.wanted],
      ["2026-09-01T12:00:00Z by the clock", "2026-09-04T12:00:00Z or later"],
    );
    assert.equal(error.class, "undetermined");
    await rejectedBy(() => ask({ now: NOW, offline: true }), "clock-rollback");
  });

  it("was not verified where only roots were: no date is made up for what has disappeared", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.publish("root").putHead();
    await rejectedBy(() => ask({ now: daysLater(100) }), "frozen");
    repo.head = undefined;
    const error = await rejectedBy(() => ask(), "signed-tags-vanished");
    assert.match(error.wanted ?? "", /^what starts from the pinned root/);
  });

  it("is not moved by a clock that was wrong when nothing was current", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.publish("root").putHead();
    await rejectedBy(() => ask({ now: daysLater(100) }), "frozen");
    assert.equal((await ask()).signedTag?.binding.digest, IMAGE);
  });

  it("serves offline until the timestamp expires, and only what was fetched", async (t) => {
    const { repo, ask, requests } = await tagScene(t);
    repo.signer("releases").bind("2.0", OTHER, { role: "releases" }).release("releases");
    await rejectedBy(() => ask({ offline: true }), "trust-stale");
    await ask();
    requests();
    assert.equal((await ask({ offline: true })).signedTag?.binding.digest, IMAGE);
    assert.equal((await ask({ offline: true, tag: "2.0" })).signedTag?.binding.digest, OTHER, "the head carries all");
    const error = await rejectedBy(() => ask({ offline: true, now: daysLater(7) }), "trust-stale");
    assert.match(error.message, /the timestamp of registry\.example\/app has expired/);
    assert.deepEqual(requests(), []);
  });

  it("is older than what another client has seen meanwhile: the registry is asked again (47)", async (t) => {
    const { repo, ask } = await tagScene(t);
    await ask();
    repo.bind("2.0", OTHER).release();
    const lagging = frozen(repo.store);
    repo.bind("1.0", OTHER).release();
    let asked = 0;
    lagging.misbehaviour = {
      before: async (call) => {
        if (call !== `resolve ${HEAD_TAG}` || ++asked > 1) return;
        assert.equal((await ask()).signedTag?.binding.digest, OTHER);
      },
    };
    await rejectedBy(() => ask({ from: lagging }), "rollback");
    assert.equal(asked, 2);
    assert.equal((await ask()).signedTag?.binding.digest, OTHER);
  });

  it("moves on with whichever of two clients is ahead, and never goes back (47)", async (t) => {
    const { repo, ask, stateFolder } = await tagScene(t);
    const versions: number[] = [];
    for (let round = 0; round < 5; round++) {
      const before = frozen(repo.store);
      repo.bind("1.0", OTHER).release();
      const answers = await Promise.allSettled([ask({ from: before }), ask(), ask({ from: before }), ask()]);
      for (const answer of answers) {
        if (answer.status === "rejected") assert.equal((answer.reason as { code: string }).code, "rollback");
      }
      const state = await new ClientStore(GUN, join(stateFolder, "tags")).read();
      versions.push(state?.marks.roles.get("timestamp")?.version ?? 0);
    }
    assert.deepEqual(versions, [3, 4, 5, 6, 7]);
  });

  it("is of another trust where another root was pinned: that one starts anew", async (t) => {
    const { repo, pins, ask } = await tagScene(t);
    repo.publish("root").publish("root").release();
    await ask();
    const again = await tagScene(t);
    await pins.put(again.repo.pin());
    assert.equal((await ask({ from: again.store })).signedTag?.versions.root, 1);
    await pins.put(repo.pin(2));
    assert.equal((await ask()).signedTag?.versions.root, 3);
  });

  it("is of one trust whichever of its roots is pinned: two projects pinned it at different times", async (t) => {
    const { repo, pins, ask } = await tagScene(t);
    repo.publish("root").publish("root").release();
    const old = frozen(repo.store);
    for (const version of [3, 1, 2, 3, 1]) {
      await pins.put(repo.pin(version));
      repo.bind("1.0", OTHER).release();
      assert.equal((await ask()).signedTag?.binding.digest, OTHER);
      for (const other of [1, 2, 3]) {
        await pins.put(repo.pin(other));
        await rejectedBy(() => ask({ from: old }), "rollback");
      }
    }
  });

  it("goes on where it came to with more new roots than are taken at once", async (t) => {
    const { repo, ask } = await tagScene(t);
    for (let at = 0; at <= LIMITS.tufRootSteps; at++) repo.publish("root");
    repo.putHead();
    const error = await rejectedBy(() => ask(), "limit-reached");
    assert.match(error.next, /goes on from there/);
    assert.equal((await ask()).signedTag?.versions.root, LIMITS.tufRootSteps + 2);
    assert.equal((await ask()).signedTag?.versions.root, LIMITS.tufRootSteps + 2);
  });

  it("tells a kit that is older than the last one (54)", async (t) => {
    const { repo, ask } = await tagScene(t);
    const old = frozen(repo.store);
    repo.bind("1.0", OTHER).release();
    await ask({ from: frozen(repo.store) });
    await rejectedBy(() => ask({ from: old }), "rollback");
  });

  it("is written once, and not again while nothing changes but the time of the day", async (t) => {
    const { ask, stateFolder } = await tagScene(t);
    await ask();
    const [file = ""] = (await readdir(join(stateFolder, "tags"))).filter((name) => name.endsWith(".json"));
    const path = join(stateFolder, "tags", file);
    const before = await readFile(path);
    await ask({ now: instant(NOW + LIMITS.tagClockKeptMs - 1) });
    assert.deepEqual(await readFile(path), before);
    await ask({ now: instant(NOW + LIMITS.tagClockKeptMs) });
    assert.notDeepEqual(await readFile(path), before);
    assert.deepEqual(await readdir(join(stateFolder, "tags")), [file], "no lock and no temporary file is left");
  });

  it("is of no use once it is damaged: nobody would notice a rollback", async (t) => {
    const { ask, stateFolder } = await tagScene(t);
    await ask();
    const folder = join(stateFolder, "tags");
    const [file = ""] = await readdir(folder);
    for (const damage of ["", "{}", '{"format":1,"gun":"registry.example/other"}', "null"]) {
      await writeFile(join(folder, file), damage);
      const error = await rejectedBy(() => ask(), "disk-error");
      assert.match(error.found ?? "", new RegExp(file));
      assert.match(error.next, /once it is removed/);
    }
    await rm(join(folder, file));
    await mkdir(join(folder, file));
    await rejectedBy(() => ask(), "disk-error");
  });

  it("is nobody else's to read", async (t) => {
    const { ask, stateFolder } = await tagScene(t);
    await ask();
    await chmod(join(stateFolder, "tags"), 0o700);
    const store = new ClientStore(GUN, join(stateFolder, "tags"));
    assert.equal((await store.read())?.clock, NOW);
    assert.equal((await new ClientStore("registry.example/other", join(stateFolder, "tags")).read())?.clock, undefined);
  });
});

describe("a process that is killed while it writes what it remembers (48)", () => {
  async function run(t: TestContext, folder: string, version: number, dieAt: string): Promise<string> {
    const child = spawn(process.execPath, ["--import", KILLED_AT, PROGRAM, folder, String(version)], {
      env: { PATH: process.env["PATH"], COUNTERSIGN_TEST_DIE_AT: dieAt },
      stdio: ["ignore", "ignore", "pipe"],
    });
    t.after(() => void child.kill("SIGKILL"));
    const chunks: Buffer[] = [];
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    await once(child, "close");
    return Buffer.concat(chunks).toString();
  }

  it("leaves the old state or the new one, at whichever step", async (t) => {
    const steps = Number(await run(t, await temporaryFolder(t), 2, "never 0"));
    assert.ok(steps > 5, `${steps} steps`);
    const found = new Set<number | undefined>();
    const die = async (step: number) => {
      const folder = await temporaryFolder(t);
      const store = new ClientStore(GUN, folder);
      await store.update(() => tagStateOf(2, NOW), undefined);
      await run(t, folder, 3, `before ${step}`);
      const state = await store.read();
      const version = state?.marks.roles.get("timestamp")?.version;
      assert.equal(state?.kept.roots.length, version, "no root is lost");
      found.add(version);
    };
    for (let step = 1; step <= steps; step += 2) await Promise.all([die(step), die(step + 1)]);
    assert.deepEqual([...found].sort(), [2, 3]);
  });

  it("does not keep the next one waiting", async (t) => {
    const folder = await temporaryFolder(t);
    const store = new ClientStore(GUN, folder);
    const steps = Number(await run(t, folder, 2, "never 0"));
    await run(t, folder, 3, `before ${steps - 1}`);
    assert.ok((await readdir(folder)).some((name) => name.endsWith(".lock")));
    await store.update((present) => tagStateOf((present?.kept.roots.length ?? 0) + 1, NOW), undefined);
    assert.equal((await store.read())?.kept.roots.length, 4);
  });
});
