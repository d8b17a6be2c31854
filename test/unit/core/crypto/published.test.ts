import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parsePublicKey, publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import { isPublishedKey } from "../../../../src/core/crypto/published.ts";
import { openKey, readKeyFile } from "../../../../src/io/keys/keyfile.ts";

const EXAMPLES = new URL("../../../../keys-example/", import.meta.url);

function files(extension: string): readonly URL[] {
  return readdirSync(EXAMPLES)
    .filter((name) => name.endsWith(extension))
    .map((name) => new URL(name, EXAMPLES));
}

describe("published keys", () => {
  it("are all the keys of keys-example, public and private", async () => {
    const publicKeys = files(".pub").map((file) => parsePublicKey(readFileSync(file), "example"));
    const readme = readFileSync(new URL("README.md", EXAMPLES), "utf8");
    const password = /its password is `([^`]+)`/.exec(readme)?.[1] ?? "";
    for (const file of files(".key")) {
      const key = await openKey(readKeyFile(readFileSync(file), "example"), "example", async () =>
        Buffer.from(password),
      );
      assert.ok(publicKeys.some(({ fingerprint }) => fingerprint === publicKeyFrom(key, "example").fingerprint));
    }
    assert.ok(publicKeys.length > 0);
    for (const key of publicKeys) assert.equal(isPublishedKey(key), true);
  });

  it("are no others", () => {
    assert.equal(isPublishedKey(publicKeyFrom(generateKeyPairSync("ed25519").publicKey, "it")), false);
  });
});
