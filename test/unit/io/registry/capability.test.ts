import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { CapabilityMemory } from "../../../../src/io/registry/capability.ts";
import { TestClock } from "../../../support/registry-client.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const REGISTRY = "registry.example";

describe("the memory of a registry", () => {
  it("knows nothing to begin with, and without a folder only what this command saw", async () => {
    const clock = new TestClock();
    const memory = new CapabilityMemory(undefined, clock);
    assert.equal(await memory.holdsEmpty(REGISTRY, "acme/app"), false);
    assert.equal(await memory.lacks(REGISTRY, "referrers-api"), false);
    await memory.noteEmpty(REGISTRY, "acme/app", true);
    assert.equal(await memory.holdsEmpty(REGISTRY, "acme/app"), true);
    assert.equal(await new CapabilityMemory(undefined, clock).holdsEmpty(REGISTRY, "acme/app"), false);
  });

  it("is about one repository of one registry", async (t) => {
    const memory = new CapabilityMemory(await temporaryFolder(t), new TestClock());
    await memory.noteEmpty(REGISTRY, "acme/app", true);
    assert.equal(await memory.holdsEmpty(REGISTRY, "acme/other"), false);
    assert.equal(await memory.holdsEmpty("other.example", "acme/app"), false);
    for (const name of ["constructor", "toString", "referrers-api"]) {
      assert.equal(await memory.holdsEmpty(REGISTRY, name), false, name);
    }
    await memory.noteEmpty(REGISTRY, "acme/app", false);
    assert.equal(await memory.holdsEmpty(REGISTRY, "acme/app"), false);
  });

  it("lasts a day, for other commands too, and does not begin before it was made", async (t) => {
    const folder = await temporaryFolder(t);
    const clock = new TestClock();
    await new CapabilityMemory(folder, clock).noteEmpty(REGISTRY, "acme/app", true);
    const knows = () => new CapabilityMemory(folder, clock).holdsEmpty(REGISTRY, "acme/app");
    assert.equal(await knows(), true);
    await clock.sleep(LIMITS.capabilityMs - 1);
    assert.equal(await knows(), true);
    await clock.sleep(1);
    assert.equal(await knows(), false);
    await clock.sleep(-LIMITS.capabilityMs - 1);
    assert.equal(await knows(), false, "the clock was set back");
  });

  it("loses nothing that is noted at the same time", async (t) => {
    const folder = await temporaryFolder(t);
    const clock = new TestClock();
    const memory = new CapabilityMemory(folder, clock);
    const names = Array.from({ length: 20 }, (_, at) => `acme/app-${at}`);
    await Promise.all([
      memory.note(REGISTRY, "referrers-api", "lacking"),
      ...names.map((name) => memory.noteEmpty(REGISTRY, name, true)),
      memory.note(REGISTRY, "single-post-upload", "lacking"),
    ]);
    const later = new CapabilityMemory(folder, clock);
    assert.equal(await later.lacks(REGISTRY, "referrers-api"), true);
    assert.equal(await later.lacks(REGISTRY, "single-post-upload"), true);
    for (const name of names) assert.equal(await later.holdsEmpty(REGISTRY, name), true, name);
  });

  it("holds LIMITS.rememberedRepositories, the newest, in a file that is read again", async (t) => {
    const folder = await temporaryFolder(t);
    const clock = new TestClock();
    const memory = new CapabilityMemory(folder, clock);
    const nameOf = (at: number) => `${"long/".repeat(49)}${String(at).padStart(6, "0")}`;
    const most = LIMITS.rememberedRepositories;
    for (let at = 0; at < most + 3; at++) {
      await clock.sleep(1);
      await memory.noteEmpty(REGISTRY, nameOf(at), true);
    }
    const later = new CapabilityMemory(folder, clock);
    const known = await Promise.all(
      Array.from({ length: most + 3 }, (_, at) => later.holdsEmpty(REGISTRY, nameOf(at))),
    );
    assert.deepEqual(known, [false, false, false, ...Array.from({ length: most }, () => true)]);
    const [file = ""] = await readdir(folder);
    assert.ok((await stat(join(folder, file))).size < LIMITS.capabilityBytes);
  });

  it("believes no file that is not as it writes them", async (t) => {
    const folder = await temporaryFolder(t);
    const clock = new TestClock();
    await new CapabilityMemory(folder, clock).noteEmpty(REGISTRY, "acme/app", true);
    const [file = ""] = await readdir(folder);
    const path = join(folder, file);
    const good = await readFile(path, "utf8");
    for (const bad of [
      "",
      "{",
      good.replace('"schemaVersion":1', '"schemaVersion":2'),
      good.replace(REGISTRY, "other.example"),
      good.replace(/\d{12,}/, '"soon"'),
      good.replace(/"holdsEmpty":\{[^}]*\}/, '"holdsEmpty":[1]'),
      good.replace("acme/app", `acme/app":1,"acme/app`),
      good + " ".repeat(LIMITS.capabilityBytes),
    ]) {
      await writeFile(path, bad);
      assert.equal(await new CapabilityMemory(folder, clock).holdsEmpty(REGISTRY, "acme/app"), false, bad.slice(0, 80));
    }
    await writeFile(path, good);
    assert.equal(await new CapabilityMemory(folder, clock).holdsEmpty(REGISTRY, "acme/app"), true);
  });
});
