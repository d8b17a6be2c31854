import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { type Registry, startRegistry } from "../../../src/testbed/registry.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { installKms, newKey, writePrivateKey } from "../../support/programs.ts";
import { captureContext } from "../../support/session.ts";
import { pushImage } from "../../support/session-image.ts";

/** One repository, through all of its commands in the order in which they are needed. */

let registry: Registry;
let folder: string;
let repository: string;

before(async () => {
  registry = await startRegistry();
  folder = await mkdtemp(join(tmpdir(), "tags-"));
  repository = `${registry.address}/acme/app`;
  await pushImage(`${repository}:1`, "one");
  // Keys without a passphrase: opening one that has one takes half a second, which is its purpose.
  for (const name of ["root", "targets", "online"]) {
    const { privateKey } = generateKeyPairSync("ed25519");
    await writeFile(join(folder, `${name}.pem`), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    assert.equal((await countersign(`trust key load --reference --name ${name} ${name}.pem`)).code, 0);
  }
});

const KEYS = "--root-key root.pem --targets-key targets.pem --online-key online.pem";

after(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

interface Ran {
  readonly code: number;
  readonly json: Readonly<Record<string, unknown>>;
  readonly stderr: string;
}

async function countersign(line: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const { context, stdout, stderr } = captureContext({
    workingDirectory: folder,
    homeDirectory: folder,
    env: { COUNTERSIGN_KEY_PASSPHRASE: "pw", NO_COLOR: "1", ...env },
  });
  const argv = [...line.replaceAll("REPO", repository).split(" "), "-o", "json"];
  const code = await run(argv, context);
  return { code, json: JSON.parse(stdout()), stderr: stderr() };
}

async function schemaOf(name: string): Promise<Schema> {
  return JSON.parse(await readFile(new URL(`../../../docs/schemas/${name}.json`, import.meta.url), "utf8"));
}

function error(ran: Ran): unknown {
  return (ran.json["error"] as { code?: unknown } | undefined)?.code;
}

describe("documents of countersign trust, from a registry", () => {
  const lines: readonly (readonly [schema: string, code: number, line: string])[] = [
    ["trust-init", 0, `trust init -y ${KEYS} REPO`],
    ["trust-pin", 0, "trust pin"],
    ["trust-sign", 0, "trust sign REPO:1 --also latest"],
    ["trust-sign", 0, "trust sign REPO:1"],
    ["trust-inspect", 0, "trust inspect --check-tag REPO"],
    ["trust-inspect", 1, "trust inspect REPO:1 REPO:none"],
    ["trust-key", 0, "trust key generate ci"],
    ["trust-signer", 0, "trust signer add --key ci.pub --tags v* ci REPO"],
    ["trust-signer-list", 0, "trust signer list REPO"],
    ["trust-revoke", 0, "trust revoke --reason bad REPO:1"],
    ["trust-rotate", 0, "trust rotate --renew root REPO"],
    ["trust-diff", 0, "trust diff REPO"],
    ["trust-diff", 0, "trust diff --from previous REPO"],
    ["trust-refresh", 0, "trust refresh REPO"],
    ["trust-audit", 0, "trust audit REPO"],
    ["trust-gc", 0, "trust gc --keep 1 --dry-run REPO"],
    ["error", 3, "trust approve REPO"],
    ["trust-signer", 0, "trust signer remove -y ci REPO"],
  ];

  for (const [schema, code, line] of lines) {
    it(`fit docs/schemas/${schema}.json: ${line}`, async () => {
      const ran = await countersign(line);
      assert.deepEqual([ran.code, ran.stderr.includes("[internal]")], [code, false], ran.stderr);
      assert.deepEqual(violations(ran.json, await schemaOf(schema)), []);
    });
  }

  it("of trust inspect --dct are Docker's", async () => {
    const { json } = await countersign("trust inspect --dct REPO");
    const [first] = json as unknown as readonly Record<string, unknown>[];
    assert.deepEqual(Object.keys(first ?? {}), ["Name", "SignedTags", "Signers", "AdministrativeKeys"]);
  });
});

describe("an online key in a KMS", () => {
  it("is found by the next command, which does not name it", async () => {
    await installKms(folder, "test");
    await writePrivateKey(join(folder, "kms.pem"), newKey("ecdsa-p256"));
    const env = { PATH: [folder, process.env["PATH"]].join(":") };
    const other = `${registry.address}/acme/kms`;
    await pushImage(`${other}:1`, "one");
    const keys = "--root-key root.pem --targets-key targets.pem --online-key test://kms.pem";
    const made = await countersign(`trust init -y ${keys} ${other}`, env);
    assert.equal(made.code, 0, made.stderr);
    const signed = await countersign(`trust sign ${other}:1`, env);
    assert.equal(signed.code, 0, signed.stderr);
    const { json } = await countersign("trust key list", env);
    const listed = (json["keys"] as readonly { name?: string; reference?: string }[]).map((key) => key.reference);
    assert.ok(listed.includes("test://kms.pem"), listed.join());
  });
});

describe("what countersign trust refuses before it asks anybody", () => {
  const wrong: readonly (readonly [string, string])[] = [
    ["trust init -y --threshold 0 REPO", "usage"],
    ["trust init -y REPO:1", "reference-invalid"],
    ["trust init -y --alias not/a/host:tag REPO", "reference-invalid"],
    ["trust sign REPO", "usage"],
    ["trust sign REPO:countersign-trust.role.ci", "usage"],
    ["trust sign --also countersign-trust REPO:1", "usage"],
    ["trust sign --also 2 REPO:1 REPO:3", "usage"],
    ["trust sign --require-issuer https://issuer.example REPO:1", "usage"],
    ["trust sign --settle --single-writer REPO:1", "usage"],
    ["trust sign --approve REPO REPO", "usage"],
    ["trust revoke REPO:1", "usage"],
    ["trust revoke --reason x REPO", "usage"],
    ["trust refresh REPO@sha256:00", "reference-invalid"],
    ["trust pin REPO --root-checksum sha512:00", "usage"],
    ["trust pin REPO --tofu --remove", "usage"],
    ["trust pin --tofu", "usage"],
    ["trust pin REPO --root nowhere.json", "configuration-invalid"],
    ["trust pin --pins nowhere.json", "configuration-invalid"],
    ["trust signer add --key ci.pub root REPO", "usage"],
    ["trust signer add --key ci.pub --protected ops REPO", "usage"],
    ["trust signer add --key nowhere.pub ops REPO", "key-invalid"],
    ["trust rotate --renew --new-key a.key root REPO", "usage"],
    ["trust rotate -y --remove-key 00 root REPO", "usage"],
    ["trust rotate online REPO", "consent-missing"],
    ["trust signer remove ci REPO", "consent-missing"],
    ["trust inspect --dct --check-tag REPO", "usage"],
    ["trust diff --from yesterday REPO", "usage"],
    ["trust gc --older-than soon REPO", "usage"],
    ["trust gc --keep -1 REPO", "usage"],
    ["trust key export nobody", "role-key-missing"],
    ["trust key generate Root", "usage"],
    ["trust key load nowhere.key --name alice", "key-invalid"],
    ["trust key load ci.pub --name ../x", "usage"],
  ];

  for (const [line, code] of wrong) {
    it(`${line}: ${code}`, async () => {
      const asked = registry.requests.length;
      const ran = await countersign(line);
      assert.deepEqual([ran.code, error(ran)], [2, code], ran.stderr);
      assert.equal(registry.requests.length, asked);
    });
  }
});

describe("whom countersign trust believes", () => {
  it("publishes on top of no root that is not pinned", async () => {
    const ran = await countersign("trust sign REPO:1 --pins none-yet.json");
    assert.deepEqual([ran.code, error(ran)], [2, "configuration-invalid"]);
    await writeFile(join(folder, "empty.json"), '{"schemaVersion":1,"pins":[]}');
    assert.equal(error(await countersign("trust sign REPO:1 --pins empty.json")), "no-pin");
  });

  it("takes no file of pins from the current folder", async () => {
    const { json } = await countersign("trust pin REPO --tofu --pins countersign.pins.json");
    assert.equal(json["change"], "pinned");
    await countersign("trust pin REPO --remove");
    assert.equal(error(await countersign("trust sign REPO:1")), "no-pin");
  });

  it("does not replace a pin unasked, and calls one chosen once somebody has compared it", async () => {
    const other = `${repository}-other`;
    await countersign(`trust init -y ${KEYS} ${other}`);
    const { json } = await countersign("trust pin --pins countersign.pins.json");
    const [pin] = json["pins"] as readonly { root: string; mode: string }[];
    assert.equal(pin?.mode, "tofu");
    const chosen = await countersign(`trust pin REPO --root-checksum ${pin?.root} --pins countersign.pins.json`);
    assert.equal((chosen.json["pins"] as readonly { mode: string }[])[0]?.mode, "pinned");
    const again = await countersign("trust pin REPO --tofu --pins countersign.pins.json");
    assert.deepEqual(
      [again.json["change"], (again.json["pins"] as readonly { mode: string }[])[0]?.mode],
      ["unchanged", "pinned"],
    );
  });

  it("does not take another repository's root from a file", async () => {
    await writeFile(join(folder, "junk.json"), "{}");
    assert.equal(error(await countersign("trust pin REPO --root junk.json --pins p.json")), "metadata-malformed");
  });
});
