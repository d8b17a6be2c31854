import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { describe, it, type TestContext } from "node:test";
import { verifySignature } from "../../../../src/core/crypto/signature.ts";
import { keyIdOf, tufKeyOf } from "../../../../src/core/tags/tuf-key.ts";
import { instant } from "../../../../src/core/time.ts";
import { KeyRing, type Passphrases, ringFolder } from "../../../../src/io/tags/key-ring.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { installKms, newKey, writePrivateKey } from "../../../support/programs.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const NOW = instant(Date.UTC(2026, 0, 2, 3, 4, 5));
const DATA = Buffer.from("what is signed");
const ROOT = { name: "root", gun: "registry.example/acme/app" };

interface RingOptions {
  readonly passphrase?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly asked?: string[];
}

function openRing(folder: string, { passphrase = "pw", env = {}, asked = [] }: RingOptions = {}): KeyRing {
  const passphrases: Passphrases = {
    of: (name) => async (request) => {
      asked.push(`${name}${request.isNew ? ", new" : ""}`);
      return Buffer.from(passphrase);
    },
    environmentOf: () => env,
  };
  const streams = { stdin: Readable.from([]), stderr: { stream: new PassThrough() } };
  return new KeyRing(
    join(folder, "trust", "keys"),
    { env, workingDirectory: folder, ...streams, signal: new AbortController().signal },
    passphrases,
  );
}

async function filesOf(ring: KeyRing): Promise<readonly string[]> {
  return (await readdir(ring.folder).catch(() => [])).toSorted();
}

function pemKey(type: "ed25519" | "rsa" | "p521"): string {
  const { privateKey } =
    type === "ed25519"
      ? generateKeyPairSync("ed25519")
      : type === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("ec", { namedCurve: "secp521r1" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

async function keptRoot(t: TestContext): Promise<{ folder: string; ring: KeyRing; keyId: string }> {
  const folder = await temporaryFolder(t);
  const made = await openRing(folder).generate(ROOT, NOW);
  await made.keep();
  return { folder, ring: openRing(folder), keyId: made.keyId };
}

describe("a ring of role keys", () => {
  it("has nothing on disk of a key that was made and not kept", async (t) => {
    const ring = openRing(await temporaryFolder(t));
    const { signer, keyId } = await ring.generate(ROOT, NOW);
    assert.equal(keyIdOf(tufKeyOf(signer.publicKey)), keyId);
    assert.deepEqual(await filesOf(ring), []);
    assert.deepEqual(await ring.list(), []);
  });

  it("keeps a key encrypted, for its owner's eyes alone, beside what it is", async (t) => {
    const { ring, keyId } = await keptRoot(t);
    assert.deepEqual(await filesOf(ring), [`${keyId}.json`, `${keyId}.key`]);
    const path = join(ring.folder, `${keyId}.key`);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(ring.folder)).mode & 0o777, 0o700);
    assert.match(await readFile(path, "utf8"), /^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----/);
    const [key, ...others] = await ring.list();
    assert.deepEqual(others, []);
    assert.deepEqual(
      { ...key, publicKey: key?.publicKey.algorithm },
      {
        keyId,
        name: "root",
        gun: ROOT.gun,
        publicKey: "ed25519",
        reference: undefined,
        createdAt: NOW,
      },
    );
  });

  it("signs with a kept key, and asks for its passphrase by its name, once", async (t) => {
    const { folder, keyId } = await keptRoot(t);
    const asked: string[] = [];
    const ring = openRing(folder, { asked });
    const [signer] = await Promise.all([ring.signer(keyId), ring.signer(keyId)]);
    assert.ok(signer !== undefined);
    assert.equal(verifySignature(signer.publicKey, DATA, await signer.sign(DATA)).verified, true);
    assert.deepEqual(asked, ["root"]);
  });

  it("does not know a key that is not there, nor names that are no ids", async (t) => {
    const { ring } = await keptRoot(t);
    assert.equal(await ring.signer("0".repeat(64)), undefined);
    assert.equal(await ring.signer("../root"), undefined);
    assert.equal(await ring.signer(""), undefined);
  });

  it("refuses a wrong passphrase", async (t) => {
    const { folder, keyId } = await keptRoot(t);
    const error = await rejectedBy(() => openRing(folder, { passphrase: "no" }).signer(keyId), "key-password");
    assert.match(error.message, /the key root/);
  });

  it("opens its own keys with their own passphrases, whatever COSIGN_PASSWORD says", async (t) => {
    const { folder, keyId } = await keptRoot(t);
    assert.ok(await openRing(folder, { env: { COSIGN_PASSWORD: "of another key" } }).signer(keyId));
  });

  it("refuses a key file that another key was put into", async (t) => {
    const { folder, ring, keyId } = await keptRoot(t);
    const other = await openRing(folder).generate(ROOT, NOW);
    await other.keep();
    await rename(join(ring.folder, `${other.keyId}.key`), join(ring.folder, `${keyId}.key`));
    await rejectedBy(() => ring.signer(keyId), "key-invalid");
  });

  it("refuses a record that is renamed, of another version, damaged, too large or of another public key", async (t) => {
    const { folder, ring, keyId } = await keptRoot(t);
    const record = join(ring.folder, `${keyId}.json`);
    const text = await readFile(record, "utf8");
    const other = await openRing(folder).generate(ROOT, NOW);
    await other.keep();
    for (const spoilt of [
      await readFile(join(ring.folder, `${other.keyId}.json`), "utf8"),
      text.replace('"schemaVersion": 1', '"schemaVersion": 2'),
      text.replace(keyId, other.keyId),
      text.replace(/"createdAt": "[^"]*"/, '"createdAt": "yesterday"'),
      text.replace('"name": "root"', '"name": 1'),
      text.slice(0, -5),
      "[]",
    ]) {
      await writeFile(record, spoilt);
      await rejectedBy(() => ring.signer(keyId), "key-invalid");
      await rejectedBy(() => ring.list(), "key-invalid");
    }
    await writeFile(record, " ".repeat(2 ** 20));
    await rejectedBy(() => ring.find(keyId), "key-invalid");
  });

  it("says which key is missing where the record is there and the key is not", async (t) => {
    const { ring, keyId } = await keptRoot(t);
    await rm(join(ring.folder, `${keyId}.key`));
    await rejectedBy(() => ring.signer(keyId), "key-invalid");
  });

  it("follows links: mounted secrets are links", async (t) => {
    const { folder, ring, keyId } = await keptRoot(t);
    for (const name of await filesOf(ring)) {
      await rename(join(ring.folder, name), join(folder, name));
      await symlink(join(folder, name), join(ring.folder, name));
    }
    assert.ok(await ring.signer(keyId));
    assert.equal((await ring.list()).length, 1);
  });

  it("looks at files that are called as its own are, and at no others", async (t) => {
    const { ring } = await keptRoot(t);
    await writeFile(join(ring.folder, "notes.json"), "{}");
    await writeFile(join(ring.folder, `${"A".repeat(64)}.json`), "{}");
    assert.equal((await ring.list()).length, 1);
  });
});

describe("keys of the command line", () => {
  it("count while the command runs", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "root.pem"), pemKey("ed25519"), { mode: 0o600 });
    const ring = openRing(folder);
    const { keyId } = await ring.use("root.pem", ROOT);
    assert.ok(await ring.signer(keyId));
    assert.equal(await openRing(folder).signer(keyId), undefined);
    assert.deepEqual(await filesOf(ring), []);
  });

  it("may not be of kinds that TUF's clients cannot verify", async (t) => {
    const folder = await temporaryFolder(t);
    for (const kind of ["rsa", "p521"] as const) {
      await writeFile(join(folder, `${kind}.pem`), pemKey(kind), { mode: 0o600 });
      await rejectedBy(() => openRing(folder).use(`${kind}.pem`, ROOT), "key-weak");
      await rejectedBy(() => openRing(folder).load(`${kind}.pem`, ROOT, NOW), "key-weak");
      assert.deepEqual(await filesOf(openRing(folder)), []);
    }
  });

  it("are opened with COSIGN_PASSWORD where that is set: cosign made them", async (t) => {
    const { folder, ring, keyId } = await keptRoot(t);
    await rename(join(ring.folder, `${keyId}.key`), join(folder, "cosign.key"));
    const env = { COSIGN_PASSWORD: "pw" };
    assert.equal((await openRing(folder, { env, passphrase: "no" }).use("cosign.key", ROOT)).keyId, keyId);
    await rejectedBy(() => openRing(folder, { passphrase: "no" }).use("cosign.key", ROOT), "key-password");
  });
});

describe("loading keys into the ring", () => {
  it("copies one that is a file, encrypted anew", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "ci.pem"), pemKey("ed25519"), { mode: 0o600 });
    const asked: string[] = [];
    const key = await openRing(folder, { asked }).load("ci.pem", { name: "ci" }, NOW);
    await rm(join(folder, "ci.pem"));
    assert.deepEqual(asked, ["ci, new"]);
    assert.equal(key.gun, undefined);
    assert.ok(await openRing(folder).signer(key.keyId));
    assert.match(await openRing(folder).exportPrivate(key.keyId), /^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----/);
    assert.match(await openRing(folder).exportPublic(key.keyId), /^-----BEGIN PUBLIC KEY-----/);
  });

  it("remembers where one is that stays there; away, it is not here, which is no fault", async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, "drawer.pem");
    await writeFile(path, pemKey("ed25519"), { mode: 0o600 });
    const key = await openRing(folder).remember("drawer.pem", ROOT, NOW);
    assert.equal(key.reference, path);
    assert.ok(await openRing(folder).signer(key.keyId));
    await rejectedBy(() => openRing(folder).exportPrivate(key.keyId), "unsupported");
    await rename(path, join(folder, "elsewhere.pem"));
    assert.equal(await openRing(folder).signer(key.keyId), undefined);
    await writeFile(path, pemKey("ed25519"), { mode: 0o600 });
    await rejectedBy(() => openRing(folder).signer(key.keyId), "key-invalid");
  });

  it("remembers a variable, which only the pipeline may have", async (t) => {
    const folder = await temporaryFolder(t);
    const env = { ROOT_KEY: pemKey("ed25519") };
    const key = await openRing(folder, { env }).remember("env://ROOT_KEY", ROOT, NOW);
    assert.ok(await openRing(folder, { env }).signer(key.keyId));
    assert.equal(await openRing(folder).signer(key.keyId), undefined);
  });

  it("keeps no PIN and no module's path: native code is named by the user alone", async (t) => {
    const ring = openRing(await temporaryFolder(t));
    const uri = "pkcs11:token=a;object=b?module-path=/lib/module.so&pin-value=1234";
    await rejectedBy(() => ring.load(uri, ROOT, NOW), "key-invalid");
    assert.deepEqual(await filesOf(ring), []);
  });

  it("says so of keys that are not there to be exported", async (t) => {
    const ring = openRing(await temporaryFolder(t));
    await rejectedBy(() => ring.exportPublic("0".repeat(64)), "role-key-missing");
    await rejectedBy(() => ring.exportPrivate("0".repeat(64)), "role-key-missing");
  });
});

describe("keys that the command line names for a role", () => {
  const ONLINE = { name: "online", gun: "registry.example/acme/app" };

  async function kms(t: TestContext) {
    const folder = await temporaryFolder(t);
    const key = newKey("ecdsa-p256");
    await writePrivateKey(join(folder, "online.pem"), key);
    await installKms(folder, "test");
    const env = { PATH: [folder, process.env["PATH"]].join(":") };
    return { folder, env };
  }

  it("are noted when they are kept, and found the next time, where they are in a KMS", async (t) => {
    const { folder, env } = await kms(t);
    const ring = openRing(folder, { env });
    const named = await ring.name("test://online.pem", ONLINE, NOW);
    assert.deepEqual(await filesOf(ring), []);
    await named.keep();
    const next = openRing(folder, { env });
    const found = await next.find(named.keyId);
    assert.deepEqual([found?.name, found?.reference], ["online", "test://online.pem"]);
    const signer = await next.signer(named.keyId);
    assert.ok(signer !== undefined);
    assert.ok(verifySignature(signer.publicKey, DATA, await signer.sign(DATA)));
    assert.deepEqual(await filesOf(ring), [`${named.keyId}.json`]);
  });

  it("keep the name that they have in the ring", async (t) => {
    const { folder, env } = await kms(t);
    const ring = openRing(folder, { env });
    const { keyId } = await ring.load("test://online.pem", { name: "ours" }, NOW);
    await (await ring.name("test://online.pem", ONLINE, NOW)).keep();
    assert.equal((await ring.find(keyId))?.name, "ours");
  });

  it("are not noted where they are content, nor for the root, which is offline", async (t) => {
    const { folder, env } = await kms(t);
    const ring = openRing(folder, { env: { ...env, ONLINE: pemKey("ed25519") } });
    await (await ring.name("online.pem", ONLINE, NOW)).keep();
    await (await ring.name("env://ONLINE", ONLINE, NOW)).keep();
    await (await ring.name("test://online.pem", ROOT, NOW)).keep();
    assert.deepEqual(await filesOf(ring), []);
  });

  it("may not be of kinds that TUF's clients cannot verify, and nothing is noted of them", async (t) => {
    const { folder, env } = await kms(t);
    await writePrivateKey(join(folder, "p521.pem"), newKey("ecdsa-p521"));
    const ring = openRing(folder, { env });
    await rejectedBy(() => ring.name("test://p521.pem", ONLINE, NOW), "key-weak");
    assert.deepEqual(await filesOf(ring), []);
  });

  it("are not here where they are in a token and nobody says by which module: no fault", async (t) => {
    const { folder, ring, keyId } = await keptRoot(t);
    const path = join(ring.folder, `${keyId}.json`);
    const record = { ...JSON.parse(await readFile(path, "utf8")), reference: "pkcs11:token=a;object=b" };
    await writeFile(path, JSON.stringify(record));
    assert.equal(await openRing(folder).signer(keyId), undefined);
    const env = { COSIGN_PKCS11_MODULE_PATH: join(folder, "none.so") };
    await rejectedBy(() => openRing(folder, { env }).signer(keyId), "key-invalid");
  });
});

describe("where the ring is", () => {
  it("is XDG_DATA_HOME, else below the home folder", () => {
    assert.equal(ringFolder({ XDG_DATA_HOME: "/data" }, "/u"), "/data/countersign/trust/keys");
    assert.equal(ringFolder({ XDG_DATA_HOME: "relative" }, "/u"), "/u/.local/share/countersign/trust/keys");
  });
});
