import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { requireNoPair, writeKeyPair } from "../../../../src/io/keys/pair.ts";
import { rejectedBy } from "../../../support/codes.ts";

const FILES = { privateKey: "new private\n", publicKey: "new public\n" };

describe("writing a key pair", () => {
  let folder = "";
  let prefix = "";

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "countersign-pair-"));
    prefix = join(folder, "cosign");
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  async function contents(): Promise<Record<string, string>> {
    const names = (await readdir(folder)).toSorted();
    const texts = await Promise.all(
      names.map((name) => readFile(join(folder, name), "utf8").catch(() => "(a folder)")),
    );
    return Object.fromEntries(names.map((name, at) => [name, texts[at] ?? ""]));
  }

  it("makes the private key readable by its owner alone and the public one by all", async () => {
    const written = await writeKeyPair(prefix, FILES, false);
    assert.deepEqual(written, { privateFile: `${prefix}.key`, publicFile: `${prefix}.pub` });
    assert.deepEqual(await contents(), { "cosign.key": "new private\n", "cosign.pub": "new public\n" });
    if (process.platform === "win32") return;
    assert.equal((await stat(`${prefix}.key`)).mode & 0o777, 0o600);
    assert.equal((await stat(`${prefix}.pub`)).mode & 0o777, 0o644 & ~process.umask());
  });

  for (const name of ["cosign.key", "cosign.pub"]) {
    it(`overwrites nothing: ${name} is there`, async () => {
      await writeFile(join(folder, name), "old");
      const error = await rejectedBy(() => writeKeyPair(prefix, FILES, false), "destination-exists");
      assert.equal(error.found, join(folder, name));
      await rejectedBy(() => requireNoPair(prefix), "destination-exists");
      assert.deepEqual(await contents(), { [name]: "old" });
    });
  }

  it("takes a dangling link for something that is there", async () => {
    await symlink("nowhere", `${prefix}.key`);
    await rejectedBy(() => writeKeyPair(prefix, FILES, false), "destination-exists");
  });

  it("leaves the two halves of one of several pairs that are written there at once, and no other file", async () => {
    for (let round = 0; round < 5; round++) {
      const names = ["a", "b", "c", "d"];
      const pairs = names.map((name) => ({ privateKey: `private ${name}`, publicKey: `public ${name}` }));
      await Promise.all(pairs.map((files) => writeKeyPair(prefix, files, true)));
      const { "cosign.key": privateKey = "", "cosign.pub": publicKey, ...others } = await contents();
      assert.equal(publicKey, privateKey.replace("private", "public"));
      assert.deepEqual(others, {});
    }
  });

  it("replaces both with force, and tightens the mode of the private key", async () => {
    await writeFile(`${prefix}.key`, "old", { mode: 0o644 });
    await writeFile(`${prefix}.pub`, "old");
    await writeKeyPair(prefix, FILES, true);
    assert.deepEqual(await contents(), { "cosign.key": "new private\n", "cosign.pub": "new public\n" });
    if (process.platform !== "win32") assert.equal((await stat(`${prefix}.key`)).mode & 0o777, 0o600);
  });

  it("writes neither where the public key cannot be written", async () => {
    await mkdir(`${prefix}.pub`);
    await rejectedBy(() => writeKeyPair(prefix, FILES, true), "disk-error");
    assert.deepEqual(await contents(), { "cosign.pub": "(a folder)" });
  });

  it("puts the old private key back where the public key cannot be replaced", async () => {
    await writeFile(`${prefix}.key`, "old private");
    await mkdir(`${prefix}.pub`);
    await rejectedBy(() => writeKeyPair(prefix, FILES, true), "disk-error");
    assert.deepEqual(await contents(), { "cosign.key": "old private", "cosign.pub": "(a folder)" });
  });

  it("leaves nothing behind where the private key cannot be written", async () => {
    await mkdir(`${prefix}.key`);
    await rejectedBy(() => writeKeyPair(prefix, FILES, true), "disk-error");
    assert.deepEqual(await contents(), { "cosign.key": "(a folder)" });
  });

  it("says so where the folder is missing", async () => {
    await rejectedBy(() => writeKeyPair(join(folder, "missing", "cosign"), FILES, false), "disk-error");
    await chmod(folder, 0o700);
    assert.deepEqual(await contents(), {});
  });
});
