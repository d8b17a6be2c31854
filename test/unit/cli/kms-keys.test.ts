import assert from "node:assert/strict";
import { createPublicKey, type KeyObject } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { installKms, installScript, newKey, writePrivateKey } from "../../support/programs.ts";
import { captureContext } from "../../support/session.ts";

let folder = "";
let key: KeyObject;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "countersign-kms-"));
  key = newKey("ecdsa-p256");
  await writePrivateKey(join(folder, "key.pem"), key);
  await installKms(folder, "test");
  await installScript(folder, "sigstore-kms-denies", `echo '{"errorMessage":"denied \\u001b[2J"}'`);
});
after(() => rm(folder, { recursive: true, force: true }));

async function countersign(...argv: readonly string[]) {
  const env = { PATH: [folder, process.env["PATH"]].join(":"), NO_COLOR: "1", COSIGN_PKCS11_PIN: "314159" };
  const { context, stdout, stderr } = captureContext({ workingDirectory: folder, homeDirectory: folder, env });
  const code = await run(argv, context);
  return { code, stdout: stdout(), stderr: stderr() };
}

describe("keys in a KMS on the command line", () => {
  it("key public prints the public half", async () => {
    const { code, stdout } = await countersign("key", "public", "test://key.pem");
    assert.equal(code, 0);
    assert.equal(stdout, createPublicKey(key).export({ type: "spki", format: "pem" }).toString());
  });

  it("key inspect says where the key is, and its document fits the schema", async () => {
    assert.match((await countersign("key", "inspect", "test://key.pem")).stdout, /in a key management service/);
    const { stdout } = await countersign("key", "inspect", "test://key.pem", "-o", "json");
    const schema = await readFile(new URL("../../../docs/schemas/key.json", import.meta.url), "utf8");
    const document = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(violations(document, JSON.parse(schema) as Schema), []);
    assert.deepEqual([document["type"], document["format"], document["encrypted"]], ["private", "kms", false]);
  });

  for (const command of [
    ["key", "public", "KEY"],
    ["key", "inspect", "KEY"],
    ["verify", "--key", "KEY", "localhost:1/app:1"],
    ["sign", "--key", "KEY", "-y", "localhost:1/app:1"],
  ]) {
    const withKey = (named: string) => countersign(...command.map((word) => (word === "KEY" ? named : word)));

    it(`${command[0]} ${command[1]} ends with 2 where the plug-in is not installed, and names it`, async () => {
      const { code, stdout, stderr } = await withKey("absent://key");
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, /sigstore-kms-absent is not installed.*\[key-invalid\]/);
    });

    it(`${command[0]} ${command[1]} ends with 3 where the service fails, control characters escaped`, async () => {
      const { code, stdout, stderr } = await withKey("denies://key");
      assert.deepEqual([code, stdout], [3, ""]);
      assert.match(stderr, /denied \\x1b\[2J.*\[key-unavailable\]/);
    });

    it(`${command[0]} ${command[1]} ends with 2 where a token's module is not named, and shows no PIN`, async () => {
      const { code, stdout, stderr } = await withKey("pkcs11:token=a;object=b?pin-value=271828");
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, /no module is named.*\[key-invalid\]/);
      assert.doesNotMatch(stderr, /271828|314159/);
    });
  }

  it("key import takes no key that cannot be taken out", async () => {
    const { code, stderr } = await countersign("key", "import", "test://key.pem");
    assert.equal(code, 2);
    assert.match(stderr, /\[unsupported\]/);
  });
});
