import assert from "node:assert/strict";
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { verifySignature } from "../../../../src/core/crypto/signature.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { type KeySurroundings, loadPublicKey, loadSigner } from "../../../../src/io/keys/load.ts";
import { rejectedBy } from "../../../support/codes.ts";
import {
  installKms,
  installProgram,
  installScript,
  newKey,
  waitForEnd,
  waitForFile,
  writePrivateKey,
} from "../../../support/programs.ts";

const DATA = Buffer.from("what is signed\n");
const ALGORITHMS = ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "rsa"] as const;

let folder = "";
let bin = "";
/** Paths of private keys, by algorithm. */
const keys: Record<string, string> = {};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "countersign-plugin-"));
  bin = join(folder, "bin");
  await mkdir(bin);
  await installKms(bin, "test");
  for (const name of ALGORITHMS) keys[name] = await writePrivateKey(join(folder, name), newKey(name));
});
after(() => rm(folder, { recursive: true, force: true }));

interface Scene {
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly said?: PassThrough;
  readonly workingDirectory?: string;
}

function surroundings({ env, said, ...rest }: Scene = {}): KeySurroundings {
  return {
    env: { PATH: [bin, process.env["PATH"]].join(":"), ...env },
    workingDirectory: folder,
    stdin: Readable.from([]),
    stderr: { stream: said ?? new PassThrough() },
    signal: new AbortController().signal,
    ...rest,
  };
}

/** `test://` and the path of the private key with this algorithm. */
function named(algorithm: string): string {
  return `test://${keys[algorithm]}`;
}

/** A public key as a plug-in answers it. */
function publicKeyAnswer(key: KeyObject = newKey("ecdsa-p256"), more: object = {}): string {
  const pem = createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
  return JSON.stringify({ publicKey: { publicKeyPEM: Buffer.from(pem).toString("base64") }, ...more });
}

/** Installs a plug-in for this test and gives the name of a key in it. */
async function pluginThat(name: string, ...lines: readonly string[]): Promise<string> {
  await installScript(bin, `sigstore-kms-${name}`, ...lines);
  return `${name}://key`;
}

async function prints(name: string, answer: string, ...more: readonly string[]): Promise<string> {
  return await pluginThat(name, "cat <<'END_OF_ANSWER'", answer, "END_OF_ANSWER", ...more);
}

interface Asked {
  readonly version: string;
  readonly request: Record<string, Record<string, unknown>>;
  readonly input: string;
  readonly env: Record<string, string>;
}

async function asked(log: string): Promise<readonly Asked[]> {
  const lines = (await readFile(log, "utf8")).trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Asked);
}

/** Most of their time goes to starting Node. */
const TOGETHER = { concurrency: 3 };

describe("a key in a KMS, through its plug-in (sigstore-kms-NAME, protocol v1)", TOGETHER, () => {
  for (const [algorithm, hash, hashFunc] of [
    ["ecdsa-p256", "sha256", 5],
    ["ecdsa-p384", "sha384", 6],
    ["ecdsa-p521", "sha512", 7],
    ["rsa", "sha256", 5],
  ] as const) {
    it(`signs with ${algorithm} and the hash that goes with it`, async () => {
      const log = join(folder, `log-${algorithm}`);
      const signer = await loadSigner(named(algorithm), surroundings({ env: { PLUGIN_LOG: log } }));
      assert.equal(signer.publicKey.algorithm, algorithm);
      const signature = await signer.sign(DATA);
      assert.deepEqual(verifySignature(signer.publicKey, DATA, signature), { verified: true });
      const [first, second] = await asked(log);
      assert.equal(first?.request["methodName"], "publicKey");
      assert.equal(second?.request["initOptions"]?.["hashFunc"], hashFunc);
      const { messageOptions } = (second?.request["signMessage"]?.["signOptions"] ?? {}) as Record<string, object>;
      const digest = createHash(hash).update(DATA).digest("base64");
      assert.deepEqual(messageOptions, { digest, hashFunc });
    });
  }

  it("signs with Ed25519 over the message itself", async () => {
    const signer = await loadSigner(named("ed25519"), surroundings());
    assert.deepEqual(verifySignature(signer.publicKey, DATA, await signer.sign(DATA)), { verified: true });
  });

  it("is asked as the protocol has it: the key's name after ://, a deadline, the message on standard input", async () => {
    const log = join(folder, "log-shape");
    const signer = await loadSigner(named("ecdsa-p256"), surroundings({ env: { PLUGIN_LOG: log } }));
    await signer.sign(DATA);
    const [, last] = await asked(log);
    assert.ok(last !== undefined);
    const { version, request, input } = last;
    const { ctxDeadline, ...init } = request["initOptions"] ?? {};
    assert.equal(version, "v1");
    assert.deepEqual(init, { protocolVersion: "v1", keyResourceID: keys["ecdsa-p256"], hashFunc: 5, rpcOptions: {} });
    assert.equal(Buffer.from(input, "base64").toString(), DATA.toString());
    const left = Date.parse(String(ctxDeadline)) - Date.now();
    assert.ok(left > 0 && left <= LIMITS.keyServiceMs, String(ctxDeadline));
  });

  it("gives its public key, called as the user wrote it", async () => {
    const key = await loadPublicKey(named("rsa"), surroundings());
    assert.equal(key.label, named("rsa"));
    assert.equal(key.algorithm, "rsa");
  });

  it("needs nothing but variables and a folder to give its public key", async () => {
    const { env, workingDirectory } = surroundings();
    await loadPublicKey(await prints("plain", publicKeyAnswer()), { env, workingDirectory });
  });

  it("gets its cloud's variables and none of our secrets", async () => {
    const log = join(folder, "log-env");
    const secrets = {
      COSIGN_PASSWORD: "s1",
      COUNTERSIGN_REGISTRY_PASSWORD: "s2",
      SIGSTORE_ID_TOKEN: "s3",
      COSIGN_PKCS11_PIN: "s4",
      DOCKER_AUTH_CONFIG: "s5",
      countersign_token: "s6",
    };
    const env = { ...secrets, AWS_PROFILE: "release", HTTPS_PROXY: "http://proxy.example:3128", PLUGIN_LOG: log };
    await loadPublicKey(named("ecdsa-p256"), surroundings({ env }));
    const [{ env: seen } = { env: {} as Record<string, string> }] = await asked(log);
    assert.deepEqual([seen["AWS_PROFILE"], seen["HTTPS_PROXY"]], ["release", "http://proxy.example:3128"]);
    assert.deepEqual(
      Object.keys(secrets).filter((name) => name in seen),
      [],
    );
  });

  it("is given no shell to interpret the key's name", async () => {
    const error = await rejectedBy(
      () => loadPublicKey(`test://$(touch ${folder}/ran);\`touch ${folder}/ran\``, surroundings()),
      "key-unavailable",
    );
    assert.match(error.found ?? "", /exit status/);
    await assert.rejects(readFile(join(folder, "ran")), { code: "ENOENT" });
  });

  it("says to people what it says, its name before each line and control characters escaped", async () => {
    const said = new PassThrough();
    const talks = "printf 'touch the key\\r\\n\\033[2Jnow \\342\\200\\256x' >&2";
    await loadPublicKey(await prints("talks", publicKeyAnswer(), talks), surroundings({ said }));
    assert.equal(
      await text(said.end()),
      "sigstore-kms-talks: touch the key\nsigstore-kms-talks: \\x1b[2Jnow \\u{202e}x\n",
    );
  });

  it("may add members that are not known here", async () => {
    const signer = await loadSigner(named("ecdsa-p256"), surroundings({ env: { PLUGIN_MODE: "grease" } }));
    await signer.sign(DATA);
  });

  it("may end with any exit status: the answer decides", async () => {
    const signer = await loadSigner(named("ecdsa-p256"), surroundings({ env: { PLUGIN_MODE: "status" } }));
    await signer.sign(DATA);
  });

  for (const errorMessage of ["", null]) {
    it(`may say that its errorMessage is ${JSON.stringify(errorMessage)}`, async () => {
      const answer = publicKeyAnswer(undefined, { errorMessage });
      await loadPublicKey(await prints(`error-${errorMessage}`.replace(/-$/, "-empty"), answer), surroundings());
    });
  }

  it("may close its input unread, whatever the size of the message", async () => {
    const key = newKey("ecdsa-p256");
    const answers = [publicKeyAnswer(key), JSON.stringify({ errorMessage: "done" })];
    const plugin = await pluginThat(
      "deaf",
      "exec <&-",
      'case "$2" in *signMessage*)',
      `printf '%s' '${answers[1]}';; *) printf '%s' '${answers[0]}';; esac`,
    );
    const signer = await loadSigner(plugin, surroundings());
    const error = await rejectedBy(() => signer.sign(Buffer.alloc(4 * 1024 * 1024)), "key-unavailable");
    assert.equal(error.found, "done");
  });

  it("is not waited for once it has ended, though a child of it holds its pipes; the child is killed", async () => {
    const pids = join(folder, "left-behind");
    const plugin = await prints("leaves", publicKeyAnswer(), "sleep 300 &", `echo $! > "${pids}"`);
    await loadPublicKey(plugin, surroundings());
    await waitForEnd(Number(await waitForFile(pids)));
  });

  it("runs where relative key names are relative to", async () => {
    const key = newKey("ecdsa-p256");
    await writePrivateKey(join(folder, "here.pem"), key);
    await loadSigner("test://here.pem", surroundings());
  });
});

describe("a plug-in that is not there", () => {
  it("is named, with how to get it", async () => {
    const error = await rejectedBy(() => loadSigner("absent://key", surroundings()), "key-invalid");
    assert.equal(error.message, "sigstore-kms-absent is not installed");
    assert.match(error.next, /install sigstore-kms-absent/);
  });

  const hidden: readonly (readonly [string, (where: string) => Promise<{ PATH: string; workingDirectory: string }>])[] =
    [
      ["in the current folder", async (where) => ({ PATH: "/nowhere", workingDirectory: where })],
      ["in the current folder, with an empty entry in PATH", async (where) => ({ PATH: ":", workingDirectory: where })],
      ["in the current folder, with a dot in PATH", async (where) => ({ PATH: ".", workingDirectory: where })],
      [
        "below the current folder, with a relative entry in PATH",
        async (where) => ({ PATH: "found", workingDirectory: join(where, "..") }),
      ],
      [
        "without permission to run it",
        async (where) => {
          await chmod(join(where, "sigstore-kms-found"), 0o644);
          return { PATH: where, workingDirectory: folder };
        },
      ],
      [
        "as a folder",
        async (where) => {
          await rm(join(where, "sigstore-kms-found"));
          await mkdir(join(where, "sigstore-kms-found"));
          return { PATH: where, workingDirectory: folder };
        },
      ],
    ];
  for (const [how, arrange] of hidden) {
    it(`is one that is there only ${how}`, async () => {
      const where = join(await mkdtemp(join(folder, "hidden-")), "found");
      await mkdir(where);
      await installScript(where, "sigstore-kms-found", `touch ${folder}/found-ran`);
      const { PATH, workingDirectory } = await arrange(where);
      const scene = surroundings({ env: { PATH }, workingDirectory });
      const error = await rejectedBy(() => loadPublicKey("found://key", scene), "key-invalid");
      assert.match(error.message, /not installed/);
      await assert.rejects(readFile(join(folder, "found-ran")), { code: "ENOENT" });
    });
  }

  it("is any, without PATH", async () => {
    const scene = { ...surroundings(), env: {} };
    await rejectedBy(() => loadPublicKey(named("rsa"), scene), "key-invalid");
  });
});

describe("a plug-in that cannot be run", () => {
  const broken: readonly (readonly [string, string | Uint8Array])[] = [
    ["whose interpreter is not there", "#!/no/such/interpreter\n"],
    ["that is no program", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0, 0, 0, 0)],
  ];
  for (const [which, content] of broken) {
    it(which, async () => {
      await installProgram(bin, "sigstore-kms-broken", content);
      await rejectedBy(() => loadPublicKey("broken://key", surroundings()), "key-unavailable");
    });
  }
});

describe("a plug-in's answer that is none", () => {
  const pem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();
  const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString("base64");
  const withPem = (publicKeyPEM: unknown): string => JSON.stringify({ publicKey: { publicKeyPEM } });
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
  const good = publicKeyAnswer();

  const answers: readonly (readonly [string, string, "key-unavailable" | "key-invalid" | "key-weak"])[] = [
    ["nothing", "", "key-unavailable"],
    ["text", "the key is ready", "key-unavailable"],
    ["half an object", good.slice(0, -1), "key-unavailable"],
    ["two objects", `${good}${good}`, "key-unavailable"],
    ["a message before the object", `connecting…\n${good}`, "key-unavailable"],
    ["a byte order mark", `\ufeff${good}`, "key-unavailable"],
    ["a list", "[]", "key-unavailable"],
    ["null", "null", "key-unavailable"],
    ["an empty object", "{}", "key-unavailable"],
    ["a member twice", `{"publicKey":{},"publicKey":{}}`, "key-unavailable"],
    ["the answer to another question", '{"signMessage":{"signature":"AAAA"}}', "key-unavailable"],
    ["a key that is a list", '{"publicKey":[]}', "key-unavailable"],
    ["a key that is null", '{"publicKey":null}', "key-unavailable"],
    ["no key", '{"publicKey":{}}', "key-unavailable"],
    ["a key that is a number", withPem(5), "key-unavailable"],
    ["an empty key", withPem(""), "key-unavailable"],
    ["a key in plain PEM", withPem("-----BEGIN PUBLIC KEY-----"), "key-unavailable"],
    ["a key in the alphabet of URLs", withPem("__-_"), "key-unavailable"],
    ["a member of another case", good.replace("publicKeyPEM", "publickeypem"), "key-unavailable"],
    ["an errorMessage that is a number", publicKeyAnswer(undefined, { errorMessage: 1 }), "key-unavailable"],
    ["an errorMessage that is an object", publicKeyAnswer(undefined, { errorMessage: {} }), "key-unavailable"],
    ["an error beside a key", publicKeyAnswer(undefined, { errorMessage: "denied" }), "key-unavailable"],
    ["a key that is none", withPem(base64("no PEM")), "key-invalid"],
    ["a private key", withPem(base64(pem(newKey("ecdsa-p256")))), "key-invalid"],
    ["a key that is too weak", publicKeyAnswer(weak), "key-weak"],
  ];
  for (const [which, answer, code] of answers) {
    it(`is ${which}`, async () => {
      const plugin = await prints("answers", answer);
      await rejectedBy(() => loadPublicKey(plugin, surroundings()), code);
    });
  }

  it("is bytes that are no UTF-8", async () => {
    const plugin = await pluginThat("bytes", 'printf \'{"publicKey":"\\377\\376"}\'');
    await rejectedBy(() => loadPublicKey(plugin, surroundings()), "key-unavailable");
  });

  it("is deeper than any answer", async () => {
    const plugin = await pluginThat("deep", `printf '{"a":'`, "yes '[' | head -n 1000 | tr -d '\\n'");
    await rejectedBy(() => loadPublicKey(plugin, surroundings()), "limit-reached");
  });

  it("is an error, whose words are shown and shortened", async () => {
    const long = "x".repeat(5000);
    const plugin = await prints("refuses", JSON.stringify({ errorMessage: `AccessDenied \u001b[2J ${long}` }));
    const error = await rejectedBy(() => loadPublicKey(plugin, surroundings()), "key-unavailable");
    assert.match(error.found ?? "", /^AccessDenied/);
    assert.ok((error.found ?? "").length < 2 * LIMITS.messageCharacters);
  });

  it("is nothing, and the exit status is told", async () => {
    const plugin = await pluginThat("silent", "exit 7");
    const error = await rejectedBy(() => loadPublicKey(plugin, surroundings()), "key-unavailable");
    assert.match(error.found ?? "", /exit status 7/);
  });
});

describe("a plug-in's signature that is not used", TOGETHER, () => {
  const cases: readonly (readonly [which: string, mode: string, algorithm: string])[] = [
    ["by another key", "other-key", "ecdsa-p256"],
    ["by another kind of key", "other-key", "rsa"],
    ["over another message", "other-message", "ecdsa-p256"],
    ["over another message, RSA", "other-message", "rsa"],
    ["over another message, Ed25519", "other-message", "ed25519"],
    ["with a shorter hash than the key's", "weaker-hash", "ecdsa-p384"],
    ["with a shorter hash than the key's, P-521", "weaker-hash", "ecdsa-p521"],
    ["in Ed25519's other form", "prehashed", "ed25519"],
    ["over the digest of the digest", "digest-as-message", "ecdsa-p256"],
    ["over the digest, Ed25519", "digest-as-message", "ed25519"],
  ];
  for (const [which, mode, algorithm] of cases) {
    it(`is one ${which}`, async () => {
      const signer = await loadSigner(named(algorithm), surroundings({ env: { PLUGIN_MODE: mode } }));
      await rejectedBy(() => signer.sign(DATA), "key-invalid");
    });
  }

  const answers: readonly (readonly [string, string, "key-unavailable" | "key-invalid"])[] = [
    ["missing", '{"signMessage":{}}', "key-unavailable"],
    ["empty", '{"signMessage":{"signature":""}}', "key-unavailable"],
    ["null", '{"signMessage":{"signature":null}}', "key-unavailable"],
    ["hexadecimal", '{"signMessage":{"signature":"30450221"}}', "key-invalid"],
    ["lax base64", '{"signMessage":{"signature":"MEUC\\n"}}', "key-unavailable"],
    ["an error", '{"errorMessage":"the key is disabled"}', "key-unavailable"],
    ["the public key once more", publicKeyAnswer(), "key-unavailable"],
  ];
  for (const [which, answer, code] of answers) {
    it(`is one that is ${which}`, async () => {
      const plugin = await pluginThat(
        `signs-${which.replaceAll(" ", "-")}`,
        'case "$2" in *signMessage*)',
        `printf '%s' '${answer}';; *) printf '%s' '${publicKeyAnswer()}';; esac`,
      );
      const signer = await loadSigner(plugin, surroundings());
      await rejectedBy(() => signer.sign(DATA), code);
    });
  }
});

describe("a plug-in without end", () => {
  const SHORT = { timeoutMs: 2_000 };

  it("that prints an answer without end is killed", async () => {
    const plugin = await pluginThat("endless", "exec yes '{\"publicKey\":'");
    const error = await rejectedBy(() => loadPublicKey(plugin, surroundings()), "key-unavailable");
    assert.match(error.message, /prints without end/);
  });

  it("that talks without end is killed, and not all of it is passed on", async () => {
    const said = new PassThrough();
    let size = 0;
    said.on("data", (chunk: Buffer) => (size += chunk.byteLength));
    const plugin = await prints("talkative", publicKeyAnswer(), "exec yes >&2");
    const error = await rejectedBy(() => loadPublicKey(plugin, surroundings({ said })), "key-unavailable");
    assert.match(error.message, /prints without end/);
    assert.ok(size < 64 * LIMITS.keyServiceBytes, `${size}`);
  });

  it("that prints one line more than an answer needs is refused", async () => {
    const plugin = await pluginThat("large", `head -c ${LIMITS.keyServiceBytes + 1} /dev/zero`);
    await rejectedBy(() => loadPublicKey(plugin, surroundings()), "key-unavailable");
  });

  it("that hangs is killed with its children at the time limit", async () => {
    const pids = join(folder, "hanging");
    const plugin = await pluginThat("hangs", `sleep 300 & echo $$ $! > "${pids}"`, "wait");
    const error = await rejectedBy(() => loadPublicKey(plugin, surroundings(SHORT)), "key-unavailable");
    assert.match(error.found ?? "", /still running after 2 s/);
    for (const pid of (await waitForFile(pids)).split(" ")) await waitForEnd(Number(pid));
  });

  it("that ignores requests to end is killed all the same", async () => {
    const plugin = await pluginThat("stubborn", "trap '' TERM INT HUP", "while :; do sleep 1; done");
    await rejectedBy(() => loadPublicKey(plugin, surroundings(SHORT)), "key-unavailable");
  });

  it("that gave its answer and then hangs is not believed", async () => {
    const plugin = await prints("lingers", publicKeyAnswer(), "exec sleep 300");
    await rejectedBy(() => loadPublicKey(plugin, surroundings(SHORT)), "key-unavailable");
  });

  it("is killed with its children at an interruption", async () => {
    const pids = join(folder, "interrupted");
    const plugin = await pluginThat("long", `sleep 300 & echo $$ $! > "${pids}"`, "wait");
    const abort = new AbortController();
    const loading = rejectedBy(() => loadPublicKey(plugin, surroundings({ signal: abort.signal })), "interrupted");
    const running = await waitForFile(pids);
    abort.abort();
    await loading;
    for (const pid of running.split(" ")) await waitForEnd(Number(pid));
  });

  it("is not started after an interruption", async () => {
    const plugin = await pluginThat("never", `touch ${folder}/never-ran`);
    const signal = AbortSignal.abort();
    await rejectedBy(() => loadPublicKey(plugin, surroundings({ signal })), "interrupted");
    await assert.rejects(readFile(join(folder, "never-ran")), { code: "ENOENT" });
  });

  it("that dies with a good answer is not believed (as in cosign)", async () => {
    const plugin = await prints("dies", publicKeyAnswer(), "kill -SEGV $$");
    const error = await rejectedBy(() => loadPublicKey(plugin, surroundings()), "key-unavailable");
    assert.equal(error.found, "SIGSEGV");
  });

  it("that dies at once is told", async () => {
    const plugin = await pluginThat("dead", "kill -KILL $$");
    const error = await rejectedBy(() => loadPublicKey(plugin, surroundings()), "key-unavailable");
    assert.match(error.message, /sigstore-kms-dead died/);
  });
});
