import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { type AskPassword, passwordAsker } from "../../../../src/io/keys/passphrase.ts";
import { rejectedBy } from "../../../support/codes.ts";

const OPENING = { what: "cosign.key", isNew: false };
const MAKING = { what: "cosign.key", isNew: true };

interface Scene {
  readonly ask: AskPassword;
  /** What was printed where it is asked. */
  said(): string;
  readonly abort: AbortController;
}

function scene(stdin: Readable, env: Readonly<Record<string, string>> = {}): Scene {
  const stderr = new PassThrough();
  const said: Buffer[] = [];
  stderr.on("data", (chunk: Buffer) => void said.push(chunk));
  const abort = new AbortController();
  return {
    ask: passwordAsker({ env, stdin, stderr: { stream: stderr }, signal: abort.signal }),
    said: () => Buffer.concat(said).toString(),
    abort,
  };
}

function piped(text: string | Uint8Array): Readable {
  return Readable.from([Buffer.from(text)]);
}

/** A terminal: keys are typed with `write`; `modes` is what setRawMode was told. */
class Terminal extends PassThrough {
  readonly isTTY = true;
  readonly modes: boolean[] = [];

  setRawMode(raw: boolean): this {
    this.modes.push(raw);
    return this;
  }
}

async function ask(scene: Scene, request = OPENING): Promise<string> {
  return Buffer.from(await scene.ask(request)).toString();
}

describe("a password from COSIGN_PASSWORD", () => {
  it("wins over standard input and asks nothing", async () => {
    const here = scene(piped("other"), { COSIGN_PASSWORD: "pässword" });
    assert.equal(await ask(here), "pässword");
    assert.equal(await ask(here, MAKING), "pässword");
    assert.equal(here.said(), "");
  });

  it("may be present and empty", async () => {
    const here = scene(piped("other"), { COSIGN_PASSWORD: "" });
    assert.equal(await ask(here), "");
    assert.equal(await ask(here, MAKING), "");
  });
});

describe("a password from standard input", () => {
  it("is all of it, line break included, and is read once for two questions", async () => {
    const here = scene(piped("secret\n"));
    assert.equal(await ask(here), "secret\n");
    assert.equal(await ask(here, MAKING), "secret\n");
  });

  it("may come in pieces and as bytes that are no text", async () => {
    const here = scene(Readable.from([Buffer.from([0xff]), Buffer.from([0x00, 0x61])]));
    assert.deepEqual(Buffer.from(await here.ask(OPENING)), Buffer.from([0xff, 0x00, 0x61]));
  });

  it("may be empty for a key that exists, but a new key is not made with no password by accident", async () => {
    assert.equal(await ask(scene(piped(""))), "");
    const error = await rejectedBy(() => ask(scene(piped("")), MAKING), "key-password");
    assert.match(error.wanted ?? "", /COSIGN_PASSWORD/);
  });

  it("is refused where it is longer than a password", async () => {
    const most = "x".repeat(LIMITS.passwordBytes);
    assert.equal(await ask(scene(piped(most))), most);
    await rejectedBy(() => ask(scene(piped(`${most}x`))), "key-password");
  });

  it("ends with the command when that is interrupted", async () => {
    const here = scene(new PassThrough());
    const asked = rejectedBy(() => ask(here), "interrupted");
    setImmediate(() => here.abort.abort());
    await asked;
  });
});

describe("a password from a terminal", () => {
  async function typed(
    keys: string | Buffer,
    request = OPENING,
  ): Promise<{ password: string; here: Scene; terminal: Terminal }> {
    const terminal = new Terminal();
    const here = scene(terminal);
    const answer = ask(here, request);
    setImmediate(() => terminal.write(keys));
    return { password: await answer, here, terminal };
  }

  it("is asked for on standard error and is not shown", async () => {
    const { password, here, terminal } = await typed("secret\r");
    assert.equal(password, "secret");
    assert.equal(here.said(), "Password for cosign.key: \n");
    assert.deepEqual(terminal.modes, [true, false]);
  });

  it("is asked for twice when a key is made, both typed ahead or not", async () => {
    const { password, here } = await typed("secret\nsecret\n", MAKING);
    assert.equal(password, "secret");
    assert.equal(here.said(), "Password for cosign.key: \nThe same password again: \n");
  });

  it("is refused where the second differs from the first", async () => {
    const terminal = new Terminal();
    const asked = rejectedBy(() => ask(scene(terminal), MAKING), "key-password");
    setImmediate(() => terminal.write("secret\nsecreT\n"));
    await asked;
  });

  it("can be corrected: backspace takes a character, even of several bytes, and Ctrl-U the line", async () => {
    assert.equal((await typed("sx\u007fé\u007f\becret\u007f\u007f\n")).password, "ecr");
    assert.equal((await typed("wrong\u0015right\n")).password, "right");
    assert.equal((await typed("\u007f\u007fa\n")).password, "a");
  });

  it("may come key by key", async () => {
    const terminal = new Terminal();
    const answer = ask(scene(terminal));
    for (const key of "ab\nnot this") setImmediate(() => terminal.write(key));
    assert.equal(await answer, "ab");
  });

  it("is not there where the terminal fails", async () => {
    const terminal = new Terminal();
    const answer = assert.rejects(() => ask(scene(terminal)), /EIO/);
    setImmediate(() => terminal.destroy(new Error("EIO")));
    await answer;
  });

  it("ends at Enter, Ctrl-D and the end of input", async () => {
    assert.equal((await typed("a\u0004")).password, "a");
    const terminal = new Terminal();
    const answer = ask(scene(terminal));
    setImmediate(() => terminal.end("abc"));
    assert.equal(await answer, "abc");
  });

  it("ends the command at Ctrl-C, and leaves the terminal as it was", async () => {
    const terminal = new Terminal();
    const asked = rejectedBy(() => ask(scene(terminal)), "interrupted");
    setImmediate(() => terminal.write("abc\u0003"));
    await asked;
    assert.deepEqual(terminal.modes, [true, false]);
  });

  it("ends with the command when that is interrupted, and leaves the terminal as it was", async () => {
    const terminal = new Terminal();
    const here = scene(terminal);
    const asked = rejectedBy(() => ask(here), "interrupted");
    setImmediate(() => here.abort.abort());
    await asked;
    assert.deepEqual(terminal.modes, [true, false]);
  });

  it("is not asked for at all once the command was interrupted", async () => {
    const here = scene(new Terminal());
    here.abort.abort();
    await rejectedBy(() => ask(here), "interrupted");
  });

  it("is refused where it is longer than a password", async () => {
    const terminal = new Terminal();
    const asked = rejectedBy(() => ask(scene(terminal)), "key-password");
    setImmediate(() => terminal.write("x".repeat(LIMITS.passwordBytes + 1)));
    await asked;
  });

  it("does not let a file's name write on the terminal", async () => {
    const { here } = await typed("a\n", { what: "\u001b[2Jkey", isNew: false });
    assert.equal(here.said(), "Password for \\x1b[2Jkey: \n");
  });
});
