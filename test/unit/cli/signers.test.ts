import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { Command } from "commander";
import { openOutput } from "../../../src/cli/output.ts";
import { addSignerOptions, readSignerOptions } from "../../../src/cli/signer-options.ts";
import { demandsOf, readSigners, type Signers } from "../../../src/cli/signers.ts";
import { publicKeyPem } from "../../../src/core/crypto/public-key.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { type Demands, PUBLIC_DEMANDS } from "../../../src/core/trust/material.ts";
import { rejectedBy } from "../../support/codes.ts";
import { captureContext } from "../../support/session.ts";
import { testSigner } from "../../support/signatures.ts";
import { fakeSigstore } from "../../support/sigstore/sign.ts";

const folder = mkdtempSync(join(tmpdir(), "signers-"));
after(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, "root.json"), fakeSigstore().trustedRoot);
writeFileSync(join(folder, "a.pub"), publicKeyPem(testSigner().publicKey));

/** Whatever is asked over the network here is a mistake. */
const NO_NETWORK = {
  services: {
    ask: async () => {
      throw new CountersignError("unreachable", "there is no network in this test");
    },
  },
};

async function read(...argv: readonly string[]): Promise<Signers> {
  const command = addSignerOptions(new Command("x")).exitOverride();
  command.parse([...argv], { from: "user" });
  const { context } = captureContext({ workingDirectory: folder, homeDirectory: folder });
  const output = openOutput(context, {
    format: "text",
    outputFile: undefined,
    quiet: true,
    debug: false,
    progress: false,
  });
  return await readSigners(context, output, readSignerOptions(command.opts()), NO_NETWORK);
}

const ROOT = ["--trusted-root", "root.json"] as const;
const WHO = ["--certificate-identity", "dev@example.com", "--certificate-oidc-issuer", "https://i.example"] as const;

async function demands(...argv: readonly string[]): Promise<Demands | undefined> {
  const { identities } = await read(...WHO, ...ROOT, ...argv);
  assert.equal(identities.length, 1);
  return identities[0]?.demands;
}

describe("what a keyless signature has to bring", () => {
  it("is a log entry, an SCT and a time, unless told", async () => {
    assert.deepEqual(await demands(), PUBLIC_DEMANDS);
  });

  it("is a timestamp too where that is asked for", async () => {
    assert.deepEqual(await demands("--use-signed-timestamps"), { ...PUBLIC_DEMANDS, timestamps: 1 });
  });

  it("is less only by flags that say so, each of them one thing", async () => {
    assert.deepEqual(await demands("--insecure-ignore-tlog"), { ...PUBLIC_DEMANDS, logs: 0 });
    assert.deepEqual(await demands("--insecure-ignore-sct"), { ...PUBLIC_DEMANDS, certificateLogs: 0 });
    assert.deepEqual(await demands("--insecure-use-current-time"), { ...PUBLIC_DEMANDS, times: 0, currentTime: true });
  });

  it("is never less than a time, the present where nothing else is allowed", async () => {
    const least = await demands("--insecure-ignore-tlog", "--insecure-ignore-sct");
    assert.deepEqual([least?.times, least?.currentTime], [1, false]);
  });

  it("is more where an instance asks for more, and flags do not take that away", () => {
    const strict: Demands = { logs: 2, certificateLogs: 2, timestamps: 2, times: 2, currentTime: false };
    const none = { ignoreLog: false, ignoreCertificateLog: false, signedTimestamps: true, currentTime: false };
    assert.deepEqual(demandsOf(strict, none), strict);
  });
});

describe("what a key's signature has to bring", () => {
  it("is nothing where no trust root is named", async () => {
    assert.equal((await read("--key", "a.pub")).keyProof, undefined);
  });

  it("is a log entry where one is: a root that is named is used (acceptance.md, 1)", async () => {
    const { keyProof } = await read("--key", "a.pub", ...ROOT);
    assert.deepEqual(keyProof?.demands, { logs: 1, timestamps: 0, certificateLogs: 0, times: 0, currentTime: false });
  });

  it("is a timestamp where that is asked for", async () => {
    const { keyProof } = await read("--key", "a.pub", ...ROOT, "--use-signed-timestamps", "--insecure-ignore-tlog");
    assert.deepEqual([keyProof?.demands.logs, keyProof?.demands.timestamps], [0, 1]);
  });

  it("is nothing again where the log is ignored", async () => {
    assert.equal((await read("--key", "a.pub", ...ROOT, "--insecure-ignore-tlog")).keyProof, undefined);
  });

  it("stays asked for beside an identity", async () => {
    const { keys, keyProof, identities } = await read("--key", "a.pub", ...ROOT, ...WHO);
    assert.deepEqual([keys.length, keyProof?.demands.logs, identities.length], [1, 1, 1]);
  });
});

describe("whose word is taken", () => {
  it("is GitHub's and the public instance's for gh's flags, each with what it usually proves", async () => {
    const { identities } = await read("--repo", "acme/app", "--offline");
    assert.deepEqual(
      identities.map(({ trust, demands: { logs, certificateLogs, timestamps } }) => [
        trust.label.split(" ", 1)[0],
        logs,
        certificateLogs,
        timestamps,
      ]),
      [
        ["sigstore", 1, 1, 0],
        ["github", 0, 0, 1],
      ],
    );
  });

  it("is one file's alone where one is named, with all that is usual", async () => {
    const { identities } = await read("--repo", "acme/app", ...ROOT);
    assert.deepEqual(
      identities.map((each) => [each.trust.label, each.demands]),
      [["root.json", PUBLIC_DEMANDS]],
    );
  });

  it("is one instance's alone where one is named", async () => {
    const { identities } = await read("--repo", "acme/app", "--trust", "github", "--offline");
    assert.deepEqual(
      identities.map(({ demands: { logs, timestamps } }) => [logs, timestamps]),
      [[0, 1]],
    );
  });

  it("is the public instance's where nothing is named", async () => {
    const { identities, keyProof } = await read(...WHO, "--offline");
    assert.equal(identities.length, 1);
    assert.match(identities[0]?.trust.label ?? "", /^sigstore /);
    assert.equal(keyProof, undefined);
  });

  const wrong: readonly (readonly [string, readonly string[], Parameters<typeof rejectedBy>[1]])[] = [
    ["a root that is not there", [...WHO, "--trusted-root", "missing.json"], "trust-invalid"],
    ["a root that is none", [...WHO, "--trusted-root", "a.pub"], "trust-invalid"],
    [
      "a root that is none, though only a key is wanted",
      ["--key", "a.pub", "--trusted-root", "a.pub"],
      "trust-invalid",
    ],
    ["a file and a name", [...WHO, ...ROOT, "--trust", "sigstore"], "usage"],
    ["an unknown name", [...WHO, "--trust", "nobody"], "usage"],
    ["what cannot be reached", [...WHO], "unreachable"],
    ["a broken pattern, before anything is asked", ["--certificate-identity-regexp", "(", ...WHO.slice(2)], "usage"],
    ["a key that is none", ["--key", "root.json", ...ROOT], "key-invalid"],
  ];
  for (const [what, argv, code] of wrong) {
    it(`is nobody's with ${what}`, async () => void (await rejectedBy(() => read(...argv), code)));
  }
});
