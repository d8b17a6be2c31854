import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { copyFile, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ed25519ph } from "@noble/curves/ed25519.js";
import { verifySignature } from "../../../../src/core/crypto/signature.ts";
import type { CountersignError } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { type KeySurroundings, loadPublicKey, loadSigner } from "../../../../src/io/keys/load.ts";
import { rejectedBy } from "../../../support/codes.ts";

const VECTORS = fileURLToPath(new URL("../../../vectors/keys/", import.meta.url));
const DATA = Buffer.from("what is signed");

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "countersign-load-"));
});
after(async () => {
  await rm(folder, { recursive: true });
});

function surroundings(
  env: Readonly<Record<string, string>> = { COSIGN_PASSWORD: "vectors" },
  warn?: (line: string) => void,
): KeySurroundings {
  return {
    env,
    workingDirectory: VECTORS,
    stdin: Readable.from([]),
    stderr: { stream: new PassThrough() },
    signal: new AbortController().signal,
    warn,
  };
}

async function keyFile(name: string, content: string | Uint8Array, mode = 0o600): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content, { mode });
  return path;
}

describe("loading a signer", () => {
  it("from a file relative to the working directory", async () => {
    const signer = await loadSigner("cosign-p256/cosign.key", surroundings());
    assert.equal(signer.publicKey.label, "cosign-p256/cosign.key");
    const publicKey = await loadPublicKey("cosign-p256/cosign.pub", surroundings());
    assert.equal(signer.publicKey.fingerprint, publicKey.fingerprint);
    assert.equal(verifySignature(publicKey, DATA, await signer.sign(DATA)).verified, true);
  });

  it("from a variable", async () => {
    const text = await readFile(join(VECTORS, "cosign-p256/cosign.key"), "utf8");
    const signer = await loadSigner("env://KEY", surroundings({ KEY: text, COSIGN_PASSWORD: "vectors" }));
    assert.equal(signer.publicKey.label, "env://KEY");
  });

  it("through a symbolic link, as secrets are mounted", async () => {
    const path = join(folder, "link.key");
    await symlink(join(VECTORS, "openssl-sec1/key.pem"), path);
    assert.equal((await loadSigner(path, surroundings())).publicKey.algorithm, "ecdsa-p256");
  });

  it("asks for no password where the file is not encrypted", async () => {
    const refusing = { ...surroundings({}), stdin: new Readable({ read: () => assert.fail("was read") }) };
    await loadSigner("openssl-pkcs1/key.pem", refusing);
  });

  it("opens with a password that came from echo, line break and all", async () => {
    for (const password of ["vectors\n", "vectors\r\n"]) {
      const piped = { ...surroundings({}), stdin: Readable.from([Buffer.from(password)]) };
      await loadSigner("cosign-p256/cosign.key", piped);
    }
  });

  it("warns of a key file that others can read, and of no other", { skip: process.platform === "win32" }, async () => {
    const text = await readFile(join(VECTORS, "openssl-sec1/key.pem"));
    const warnings: string[] = [];
    const here = surroundings({}, (line) => void warnings.push(line));
    await loadSigner(await keyFile("tight.key", text, 0o600), here);
    assert.deepEqual(warnings, []);
    await loadSigner(await keyFile("open.key", text, 0o644), here);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /open\.key can be read by other users \(mode 0644\); chmod 600/);
  });

  it("does not warn of an example key, which has nothing to hide", async () => {
    const path = join(folder, "demo.key");
    await copyFile(new URL("../../../../keys-example/demo.key", import.meta.url), path);
    const warnings: string[] = [];
    await loadSigner(
      path,
      surroundings({ COSIGN_PASSWORD: "countersign" }, (line) => void warnings.push(line)),
    );
    assert.deepEqual(warnings, []);
  });

  it("refuses to sign with two halves that do not belong together", async () => {
    const [mine, other] = [0, 1].map(() => generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey);
    const der = mine?.export({ type: "sec1", format: "der" }) ?? Buffer.alloc(0);
    const point = (other?.export({ type: "sec1", format: "der" }) ?? Buffer.alloc(0)).subarray(-65);
    const mixed = Buffer.concat([der.subarray(0, -65), point]);
    const pem = createPrivateKey({ key: mixed, format: "der", type: "sec1" }).export({ type: "pkcs8", format: "pem" });
    const signer = await loadSigner("env://MIXED", surroundings({ MIXED: pem.toString() }));
    await rejectedBy(() => signer.sign(DATA), "key-invalid");
  });

  it("refuses another password without showing it", async () => {
    const error = await rejectedBy(
      () => loadSigner("cosign-p256/cosign.key", surroundings({ COSIGN_PASSWORD: "hunter2" })),
      "key-password",
    );
    assert.doesNotMatch(JSON.stringify({ ...error, message: error.message }), /hunter2/);
  });
});

describe("loading a public key", () => {
  it("prepares Ed25519 keys for what cosign signs with them", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    const key = await loadPublicKey("env://KEY", surroundings({ KEY: pem }));
    const seed = Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url");
    assert.deepEqual(verifySignature(key, DATA, ed25519ph.sign(DATA, seed)), { verified: true, variant: "ed25519ph" });
  });

  it("refuses a private key and says how to get the public one", async () => {
    const error = await rejectedBy(() => loadPublicKey("cosign-p256/cosign.key", surroundings()), "key-invalid");
    assert.match(error.next, /countersign key public/);
  });
});

function wordsOf({ message, found, wanted, next }: CountersignError): string {
  return [message, found, wanted, next].join(" ");
}

for (const [what, load] of [
  ["a signer", (reference: string, here: KeySurroundings) => loadSigner(reference, here)],
  ["a public key", (reference: string, here: KeySurroundings) => loadPublicKey(reference, here)],
] as const) {
  describe(`what cannot be loaded as ${what}`, () => {
    for (const scheme of ["http", "https", "HTTP", "file"]) {
      it(`${scheme}:// is not supported, and what follows it is not shown`, async () => {
        const error = await rejectedBy(() => load(`${scheme}://user:secret@x/y`, surroundings()), "unsupported");
        assert.doesNotMatch(wordsOf(error), /secret/);
        assert.match(error.found ?? "", new RegExp(scheme, "i"));
      });
    }

    for (const scheme of ["awskms", "gcpkms", "azurekms", "hashivault", "openbao", "k8s", "gitlab"]) {
      it(`${scheme}:// without its plug-in, which is named, and what follows is not shown`, async () => {
        const error = await rejectedBy(() => load(`${scheme}://user:secret@x/y`, surroundings()), "key-invalid");
        assert.match(error.message, new RegExp(`^sigstore-kms-${scheme} is not installed$`));
        assert.doesNotMatch(wordsOf(error), /secret/);
      });
    }

    it("pkcs11: without a module, and its PIN is not shown", async () => {
      const reference = "pkcs11:token=x;object=y?pin-value=1234";
      const error = await rejectedBy(() => load(reference, surroundings()), "key-invalid");
      assert.match(error.next, /COSIGN_PKCS11_MODULE_PATH/);
      assert.doesNotMatch(wordsOf(error), /1234/);
    });

    const bad: readonly (readonly [string, () => Promise<string> | string, RegExp])[] = [
      ["a variable that is not set", () => "env://MISSING", /not set/],
      ["a variable that is empty", () => "env://EMPTY", /empty/],
      ["a variable without a name", () => "env://", /name/],
      ["a file that is not there", () => "missing.key", /no such file/],
      ["a file below a file", () => "cosign-p256/cosign.pub/x", /no such file/],
      ["a folder", () => "cosign-p256", /folder/],
      ["an empty file", () => keyFile("empty", ""), /nothing/],
      ["a file of zeros", () => keyFile("zeros", new Uint8Array(100)), /no PEM block/],
      ["a file that is too large", () => keyFile("large", new Uint8Array(LIMITS.keyFileBytes + 1)), /more than/],
      ["a key of another kind", () => keyFile("x", "-----BEGIN X-----\nAAAA\n-----END X-----\n"), /labelled X/],
    ];
    for (const [which, make, found] of bad) {
      it(which, async () => {
        const reference = await make();
        const error = await rejectedBy(() => load(reference, surroundings({ EMPTY: "" })), "key-invalid");
        assert.match(error.found ?? "", found);
      });
    }

    it("an endless file, of which no more than the limit is read", { skip: process.platform === "win32" }, async () => {
      const error = await rejectedBy(() => load("/dev/zero", surroundings()), "key-invalid");
      assert.match(error.found ?? "", /more than/);
    });
  });
}
