import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { verifySignature } from "../../../../src/core/crypto/signature.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { Signer } from "../../../../src/core/ports.ts";
import { loadPublicKey, loadSigner } from "../../../../src/io/keys/load.ts";
import { tokenPublicKey, tokenSigner } from "../../../../src/io/keys/pkcs11.ts";
import { parseKeyReference } from "../../../../src/io/keys/reference.ts";
import type { KeySurroundings } from "../../../../src/io/keys/surroundings.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { newKey, waitForFile, writePrivateKey } from "../../../support/programs.ts";

const HOST = fileURLToPath(new URL("../../../support/key-programs/token-host.ts", import.meta.url));
const URI = "pkcs11:token=release;object=signing";
const DATA = Buffer.from("what is signed");
const TOGETHER = { concurrency: 3 };

let folder = "";
/** What stands for a module: a private key. */
let module = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "countersign-token-"));
  module = await writePrivateKey(join(folder, "module.so"), newKey("ecdsa-p256"));
});
after(() => rm(folder, { recursive: true, force: true }));

type Scene = Partial<Omit<KeySurroundings, "env" | "stdin" | "stderr">> & {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly said?: PassThrough;
};

function surroundings({ env, input = "", said = new PassThrough(), ...rest }: Scene): KeySurroundings {
  return {
    env: { COSIGN_PKCS11_MODULE_PATH: module, ...env },
    workingDirectory: folder,
    stdin: Readable.from(input === "" ? [] : [Buffer.from(input)]),
    stderr: { stream: said },
    signal: new AbortController().signal,
    ...rest,
  };
}

function reference(uri: string) {
  const parsed = parseKeyReference(uri);
  assert.ok(parsed.kind === "pkcs11");
  return parsed;
}

const PIN = { COSIGN_PKCS11_PIN: "1234" };

async function open(uri = URI, scene: Scene = { env: PIN }): Promise<Signer> {
  return await tokenSigner(reference(uri), surroundings(scene), HOST);
}

/** With a PIN, and a host that misbehaves. */
function badly(mode: string, more: Scene = {}): Scene {
  return { ...more, env: { ...PIN, HOST_MODE: mode, ...more.env } };
}

interface Noted {
  readonly event: string;
  readonly request: { readonly pin?: string; readonly half: string; readonly data?: string };
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

let logs = 0;
function newLog(): string {
  return join(folder, `log-${++logs}`);
}

async function noted(log: string): Promise<readonly Noted[]> {
  return (await readFile(log, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Noted);
}

async function startsOf(log: string): Promise<readonly Noted["request"][]> {
  return (await noted(log)).filter(({ event }) => event === "start").map(({ request }) => request);
}

describe("a key in a token (PKCS #11)", TOGETHER, () => {
  it("signs, and its signature is verified here", async () => {
    const signer = await open();
    assert.equal(signer.publicKey.label, URI);
    assert.deepEqual(verifySignature(signer.publicKey, DATA, await signer.sign(DATA)), { verified: true });
  });

  it("shows its public key, for which no PIN leaves this process", async () => {
    const log = newLog();
    const scene = surroundings({ env: { ...PIN, HOST_LOG: log } });
    assert.equal((await tokenPublicKey(reference(URI), scene, HOST)).algorithm, "ecdsa-p256");
    assert.deepEqual(
      (await startsOf(log)).map(({ pin, half }) => [pin, half]),
      [[undefined, "public"]],
    );
  });

  it("needs nothing but variables and a folder to show it", async () => {
    const { env, workingDirectory } = surroundings({});
    await tokenPublicKey(reference(URI), { env, workingDirectory }, HOST);
  });

  it("is asked with the PIN where the token hides it", async () => {
    const scene = surroundings(badly("hides"));
    assert.equal((await tokenPublicKey(reference(URI), scene, HOST)).algorithm, "ecdsa-p256");
  });

  it("signs one after the other: a smart card serves one at a time", async () => {
    const log = newLog();
    const signer = await open(URI, { env: { ...PIN, HOST_LOG: log } });
    await Promise.all([signer.sign(DATA), signer.sign(DATA), signer.sign(DATA)]);
    const events = (await noted(log)).map(({ event }) => event);
    assert.deepEqual(events, Array(4).fill(["start", "end"]).flat());
  });

  it("signs on after a signature that failed", async () => {
    const signer = await open();
    const huge = signer.sign(Buffer.alloc(LIMITS.keyServiceBytes * 8));
    await Promise.allSettled([huge]);
    await signer.sign(DATA);
  });

  it("has its secrets neither in the host's arguments nor in its environment", async () => {
    const log = newLog();
    const secrets = { COSIGN_PKCS11_PIN: "1234", COSIGN_PASSWORD: "hunter2", SIGSTORE_ID_TOKEN: "token" };
    await open(URI, { env: { ...secrets, HOST_LOG: log, SOFTHSM2_CONF: "kept" } });
    const [{ argv, env } = { argv: [], env: {} as Record<string, string> }] = await noted(log);
    assert.ok(!argv.some((argument) => argument.includes("1234")));
    assert.ok(Object.keys(secrets).every((name) => !(name in env)));
    assert.equal(env["SOFTHSM2_CONF"], "kept");
  });

  it("may have a module that prints: that is for people, and no answer", async () => {
    const said = new PassThrough();
    await open(URI, badly("prints", { said }));
    assert.match(await text(said.end()), /^pkcs11: \{\}\npkcs11: module loaded\\x1b\[2J\n/);
  });
});

describe("the PIN", TOGETHER, () => {
  async function pinFile(name: string, content: string, mode = 0o600): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, content);
    await chmod(path, mode);
    return path;
  }

  it("is the URI's own before all others", async () => {
    await open(`${URI}?pin-value=1234`, { env: { COSIGN_PKCS11_PIN: "wrong" }, input: "wrong" });
  });

  for (const [what, content] of [
    ["a line", "1234\n"],
    ["a line of Windows", "1234\r\n"],
    ["no line break", "1234"],
  ] as const) {
    it(`is in the file of pin-source: ${what}`, async () => {
      const path = await pinFile(`pin-${content.length}`, content);
      await open(`${URI}?pin-source=file:${path}`, { env: { COSIGN_PKCS11_PIN: "wrong" } });
      await open(`${URI}?pin-source=${path}`, {});
    });
  }

  it("is in a file that others can read: which is said", async () => {
    const warnings: string[] = [];
    const path = await pinFile("pin-open", "1234", 0o644);
    await open(`${URI}?pin-source=${path}`, { warn: (line) => void warnings.push(line) });
    assert.match(warnings.join("\n"), /pin-open can be read by other users/);
  });

  it("comes from standard input where nothing else has it, its line break left away", async () => {
    await open(URI, { input: "1234\n" });
    await open(URI, { env: { COSIGN_PKCS11_PIN: "" }, input: "1234\r\n" });
  });

  it("is not a key file's password: a token would count a wrong try", async () => {
    const log = newLog();
    const env = { COSIGN_PASSWORD: "wrong", HOST_LOG: log };
    await open(URI, { env, input: "1234" });
    assert.deepEqual(
      (await startsOf(log)).map(({ pin }) => pin),
      [undefined, "1234"],
    );
  });

  it("is asked for on the terminal as a PIN, without showing it", async () => {
    const said = new PassThrough();
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
    stdin.write("1234\r");
    await tokenSigner(reference(URI), { ...surroundings({ said }), stdin }, HOST);
    assert.equal(await text(said.end()), "PIN for release: \n");
  });

  it("that is wrong is tried once, and not shown", async () => {
    const log = newLog();
    const env = { COSIGN_PKCS11_PIN: "9999", HOST_LOG: log };
    const error = await rejectedBy(() => open(URI, { env }), "key-password");
    assert.doesNotMatch([error.message, error.found, error.wanted, error.next].join(" "), /9999/);
    assert.equal((await startsOf(log)).length, 1);
  });

  it("that stopped being right is tried once, however many images follow", async () => {
    const log = newLog();
    const signer = await open(URI, badly("changed", { env: { HOST_LOG: log } }));
    const signed = await Promise.allSettled([signer.sign(DATA), signer.sign(DATA), signer.sign(DATA)]);
    assert.ok(signed.every(({ status }) => status === "rejected"));
    await rejectedBy(() => signer.sign(DATA), "key-password");
    assert.equal((await startsOf(log)).filter(({ data }) => data !== undefined).length, 1);
  });

  it("is asked for once, whatever the token says then", async () => {
    await rejectedBy(() => open(URI, { env: { HOST_MODE: "wants-pin" }, input: "1234" }), "key-unavailable");
  });

  const missing: readonly (readonly [string, string])[] = [
    ["nothing on standard input", ""],
    ["a line break and no more", "\n"],
  ];
  for (const [why, input] of missing) {
    it(`is not there: ${why}`, async () => {
      const log = newLog();
      const error = await rejectedBy(() => open(URI, { env: { HOST_LOG: log }, input }), "key-password");
      assert.match(error.next, /COSIGN_PKCS11_PIN/);
      assert.ok((await startsOf(log)).every(({ pin }) => pin === undefined));
    });
  }

  it("is not there: no way to ask for it", async () => {
    const { env, workingDirectory } = surroundings({ env: { HOST_MODE: "hides" } });
    await rejectedBy(() => tokenPublicKey(reference(URI), { env, workingDirectory }, HOST), "key-password");
  });

  const sources: readonly (readonly [string, string, "key-invalid" | "key-password"])[] = [
    ["a command", "%7Ccat%20/etc/pin", "key-invalid"],
    ["an address", "https://pins.example/release", "key-invalid"],
    ["a file on another host", "file://host.example/pin", "key-invalid"],
    ["a relative path", "pin", "key-invalid"],
    ["a file that is not there", "/no/such/file", "key-invalid"],
    ["a folder", "/", "key-invalid"],
    ["an empty file", "/dev/null", "key-password"],
    ["an endless file", "/dev/zero", "key-invalid"],
  ];
  for (const [why, source, code] of sources) {
    it(`is not taken from ${why}`, async () => {
      const log = newLog();
      await rejectedBy(() => open(`${URI}?pin-source=${source}`, { env: { HOST_LOG: log } }), code);
      await assert.rejects(noted(log), { code: "ENOENT" });
    });
  }
});

describe("the module", () => {
  it("is the URI's own before the variable's", async () => {
    const env = { ...PIN, COSIGN_PKCS11_MODULE_PATH: "/no/such/module.so" };
    await open(`${URI}?module-path=${module}`, { env });
  });

  const bad: readonly (readonly [string, string, RegExp])[] = [
    ["is not named", "", /no module is named/],
    ["is named from the current folder", "module.so", /current folder/],
    ["is named from the folder above", "../module.so", /current folder/],
    ["is not there", "/no/such/module.so", /ENOENT/],
    ["is a folder", "/", /no regular file/],
    ["is a device", "/dev/null", /no regular file/],
  ];
  for (const [why, path, found] of bad) {
    it(`is refused where it ${why}`, async () => {
      const log = newLog();
      const env = { ...PIN, COSIGN_PKCS11_MODULE_PATH: path, HOST_LOG: log };
      const error = await rejectedBy(() => open(URI, { env }), "key-invalid");
      assert.match(error.found ?? "", found);
      await assert.rejects(noted(log), { code: "ENOENT" });
    });
  }

  for (const power of ["module-path=/m.so", "pin-value=1234", "pin-source=/etc/pin"]) {
    it(`is not loaded for a URI in a file that has ${power.split("=")[0]}`, async () => {
      const scene = surroundings({ env: PIN, isFromFile: true });
      await rejectedBy(() => loadPublicKey(`${URI}?${power}`, scene), "key-invalid");
      await rejectedBy(() => loadSigner(`${URI}?${power}`, scene), "key-invalid");
    });
  }

  it("may be the variable's for a URI in a file", async () => {
    await open(URI, { env: PIN, isFromFile: true });
  });

  it("that is none cannot be loaded, or the package that loads it is missing: neither ends in a crash", async () => {
    const error = await rejectedBy(() => loadSigner(URI, surroundings({ env: PIN })), "key-invalid");
    assert.match(error.message, /module cannot be loaded|package pkcs11js, which is not ready/);
    assert.doesNotMatch([error.message, error.found, error.wanted, error.next].join(" "), /1234/);
  });
});

describe("a host or a module that misbehaves", TOGETHER, () => {
  const SHORT = { timeoutMs: 400 };
  const cases: readonly (readonly [string, string, "key-unavailable" | "key-invalid" | "internal", Scene?])[] = [
    ["crashes", "crashes", "key-unavailable"],
    ["ends without a word", "exits", "key-unavailable"],
    ["hangs", "hangs", "key-unavailable", SHORT],
    ["answers no JSON", "garbage", "key-unavailable"],
    ["answers a list", "list", "key-unavailable"],
    ["answers nothing", "empty", "key-unavailable"],
    ["answers a number as key", "number", "key-unavailable"],
    ["answers something that is no key", "no-key", "key-invalid"],
    ["reports a failure", "failure", "key-unavailable"],
    ["reports a failure that nobody knows", "unknown-failure", "internal"],
  ];
  for (const [why, mode, code, more] of cases) {
    it(`${why}`, async () => {
      await rejectedBy(() => open(URI, badly(mode, more)), code);
    });
  }

  for (const [why, mode] of [
    ["with another key", "other-key"],
    ["with another hash", "weaker-hash"],
  ] as const) {
    it(`signs ${why}: the signature is not used`, async () => {
      const signer = await open(URI, badly(mode));
      await rejectedBy(() => signer.sign(DATA), "key-invalid");
    });
  }

  it("is killed at an interruption", async () => {
    const log = newLog();
    const abort = new AbortController();
    const opening = rejectedBy(
      () => open(URI, badly("hangs", { signal: abort.signal, env: { HOST_LOG: log } })),
      "interrupted",
    );
    await waitForFile(log);
    abort.abort();
    await opening;
  });
});
