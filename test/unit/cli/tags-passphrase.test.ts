import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { describe, it } from "node:test";
import { environmentOfRole, passphraseVariable, rolePassphrases } from "../../../src/cli/tags-passphrase.ts";
import { rejectedBy } from "../../support/codes.ts";

const OPENING = { what: "the online key", isNew: false };
const MAKING = { what: "the new online key", isNew: true };

function asker(env: Readonly<Record<string, string>>, stdin: Readable = Readable.from([])) {
  const stderr = new PassThrough();
  stderr.resume();
  return rolePassphrases({ env, stdin, stderr: { stream: stderr }, signal: new AbortController().signal });
}

function piped(text: string): Readable {
  return Readable.from([Buffer.from(text)]);
}

class Terminal extends PassThrough {
  readonly isTTY = true;
}

async function said(given: Promise<Uint8Array>): Promise<string> {
  return Buffer.from(await given).toString();
}

describe("the passphrase of a role's key", () => {
  it("is in a variable that is called like the role, where that is set", async () => {
    const ask = asker({ COUNTERSIGN_KEY_PASSPHRASE_ROOT: "deep", COUNTERSIGN_KEY_PASSPHRASE: "usual" });
    assert.equal(await said(ask("root")(OPENING)), "deep");
    assert.equal(await said(ask("online")(OPENING)), "usual");
    assert.equal(await said(ask("online")(MAKING)), "usual");
  });

  it("has a variable for signers with every name that there can be", () => {
    assert.equal(passphraseVariable("ci-release.eu_1"), "COUNTERSIGN_KEY_PASSPHRASE_CI_RELEASE_EU_1");
  });

  it("is not COSIGN_PASSWORD, which is for other keys", async () => {
    const ask = asker({ COSIGN_PASSWORD: "other" });
    await rejectedBy(() => ask("root")(OPENING), "key-password");
  });

  it("is on standard input, which is read once for all roles", async () => {
    const ask = asker({}, piped("pw\n"));
    assert.equal(await said(ask("root")(MAKING)), "pw");
    assert.equal(await said(ask("targets")(MAKING)), "pw");
    assert.equal(await said(ask("online")(OPENING)), "pw\n");
  });

  it("loses the line break of Windows too", async () => {
    assert.equal(await said(asker({}, piped("pw\r\n"))("root")(MAKING)), "pw");
  });

  it("is missing where a pipeline's secret is empty and nothing is piped, and it is said where to put it", async () => {
    const ask = asker({ COUNTERSIGN_KEY_PASSPHRASE: "", COUNTERSIGN_KEY_PASSPHRASE_ONLINE: "" });
    const error = await rejectedBy(() => ask("online")(OPENING), "key-password");
    assert.match(String(error.wanted), /COUNTERSIGN_KEY_PASSPHRASE_ONLINE/);
  });

  it("is never empty for a new key: not by a line break alone", async () => {
    await rejectedBy(() => asker({}, piped("\n"))("root")(MAKING), "key-password");
  });

  it("is asked twice for at a terminal where the key is new, and once where it is not", async () => {
    const terminal = new Terminal();
    terminal.write("pw\npw\nold\n");
    const ask = asker({}, terminal);
    assert.equal(await said(ask("root")(MAKING)), "pw");
    assert.equal(await said(ask("online")(OPENING)), "old");
  });

  it("is not taken from a terminal where the two differ, or are empty", async () => {
    const terminal = new Terminal();
    terminal.write("pw\npv\n\n\n");
    const ask = asker({}, terminal);
    await rejectedBy(() => ask("root")(MAKING), "key-password");
    await rejectedBy(() => ask("root")(MAKING), "key-password");
  });
});

describe("the environment for a key that is not ours", () => {
  it("has the role's passphrase as COSIGN_PASSWORD", () => {
    const env = { COSIGN_PASSWORD: "other", COUNTERSIGN_KEY_PASSPHRASE_ROOT: "deep" };
    assert.equal(environmentOfRole(env, "root")["COSIGN_PASSWORD"], "deep");
    assert.equal(environmentOfRole(env, "online")["COSIGN_PASSWORD"], "other");
  });
});
