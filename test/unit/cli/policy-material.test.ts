import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { openOutput } from "../../../src/cli/output.ts";
import { PolicyFiles } from "../../../src/cli/policy-material.ts";
import type { FindTrust } from "../../../src/cli/signers.ts";
import { findTrust } from "../../../src/cli/trust.ts";
import type { TrustServices } from "../../../src/cli/trust-instances.ts";
import type { TrustOptions } from "../../../src/cli/trust-options.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { type Digest, parseDigest } from "../../../src/core/oci/digest.ts";
import type { KeyIdentity, KeyReference, TrustReference, WithdrawnList } from "../../../src/core/policy/document.ts";
import { formatWithdrawn } from "../../../src/core/policy/withdrawn.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { instant } from "../../../src/core/time.ts";
import { PUBLIC_DEMANDS } from "../../../src/core/trust/material.ts";
import { signBlob } from "../../../src/ops/blob.ts";
import { keySignatory } from "../../../src/ops/sign.ts";
import { ROOT } from "../../structure/source-files.ts";
import { rejectedBy } from "../../support/codes.ts";
import { captureContext } from "../../support/session.ts";
import { requirementOf, testSigner } from "../../support/signatures.ts";
import { fakeSigstore } from "../../support/sigstore/sign.ts";
import { temporaryFolder } from "../../support/temp.ts";

const NOW = instant(Date.parse("2026-09-01T12:00:00Z"));
const DAY = 24 * 60 * 60 * 1000;
const PLACE = { label: "policy.yaml", line: 7, column: 3 };
const TRUST_ROOT = fakeSigstore().trustedRoot;
const alice = testSigner("alice.pub");
const bob = testSigner("bob.pub");

function publicPem(): string {
  return generateKeyPairSync("ec", { namedCurve: "P-256" })
    .publicKey.export({ type: "spki", format: "pem" })
    .toString();
}

const NO_NETWORK: TrustServices = {
  get services(): never {
    throw new CountersignError("internal", "a connection was wanted");
  },
};

const BY_DEFAULT: TrustOptions = { trustedRoot: undefined, instance: undefined, offline: false, config: undefined };

interface Asked {
  readonly folder: string;
  readonly flags: TrustOptions;
}

class Scene {
  readonly folder: string;
  readonly asked: Asked[] = [];

  constructor(folder: string) {
    this.folder = folder;
  }

  async write(name: string, content: string | Uint8Array): Promise<void> {
    await writeFile(join(this.folder, "policies", name), content);
  }

  /** The command runs in the folder above the policy's. */
  files(options: { trust?: TrustOptions; registry?: string; find?: FindTrust } = {}): PolicyFiles {
    const { trust = BY_DEFAULT, registry = "registry.example", find = this.#find } = options;
    const { context } = captureContext({
      workingDirectory: this.folder,
      homeDirectory: this.folder,
      referenceTime: NOW,
      env: { SECRET_KEY: publicPem() },
    });
    const output = openOutput(context, {
      format: "text",
      outputFile: undefined,
      quiet: false,
      debug: false,
      progress: false,
    });
    const places = [{ name: "image", registry }];
    return new PolicyFiles(context, output, NO_NETWORK, { folder: join(this.folder, "policies"), trust, places, find });
  }

  readonly #find: FindTrust = async ({ workingDirectory: folder }, _output, flags) => {
    this.asked.push({ folder, flags });
    const label = flags.instance ?? flags.trustedRoot ?? "the default";
    return { bytes: Buffer.from(TRUST_ROOT), label, instance: flags.instance, demands: PUBLIC_DEMANDS };
  };
}

async function scene(t: TestContext): Promise<Scene> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "policies"));
  return new Scene(folder);
}

function holder(...sources: readonly KeyReference["source"][]): KeyIdentity {
  const keys = sources.map((source) => ({ source, window: {}, place: PLACE }));
  return { kind: "keys", name: "alice", keys, proof: {}, place: PLACE };
}

function file(path: string): KeyReference["source"] {
  return { kind: "file", path };
}

describe("the keys of a policy", () => {
  it("are files beside it, wherever the command runs, or PEM in it: in their order", async (t) => {
    const place = await scene(t);
    await place.write("alice.pub", publicPem());
    const keys = await place.files().keysOf(holder({ kind: "pem", pem: publicPem() }, file("alice.pub")));
    assert.deepEqual(
      keys.map(({ label }) => label),
      ["alice", "alice.pub"],
    );
  });

  it("are read once", async (t) => {
    const place = await scene(t);
    await place.write("alice.pub", publicPem());
    const [files, identity] = [place.files(), holder(file("alice.pub"))];
    const [first] = await files.keysOf(identity);
    await place.write("alice.pub", "something else");
    assert.equal((await files.keysOf(identity))[0], first);
  });

  const broken: readonly (readonly [string, string, string | undefined, ReasonCode])[] = [
    ["a file that is not there", "missing.pub", undefined, "policy-invalid"],
    ["a file that is no key", "alice.pub", "no key", "policy-invalid"],
    ["a private key", "alice.pub", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "policy-invalid"],
    ["a file without end", "alice.pub", "A".repeat(LIMITS.keyFileBytes + 1), "policy-invalid"],
    ["a weak key", "alice.pub", weakPem(), "policy-invalid"],
    ["a variable", "env://SECRET_KEY", undefined, "policy-invalid"],
    ["a key in a KMS", "awskms://alias/release", undefined, "policy-invalid"],
    ["a token, and the code to load for it", "pkcs11:token=a?module-path=/lib/x.so", undefined, "policy-invalid"],
    ["an address", "https://keys.example/alice.pub", undefined, "policy-invalid"],
  ];
  for (const [what, path, content, code] of broken) {
    it(`are not ${what}`, async (t) => {
      const place = await scene(t);
      if (content !== undefined) await place.write(path, content);
      const error = await rejectedBy(() => place.files().keysOf(holder(file(path))), code);
      assert.match(error.found ?? "", /^policy\.yaml:7/);
    });
  }

  it("are not broken PEM in the policy", async (t) => {
    const place = await scene(t);
    const pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    await rejectedBy(() => place.files().keysOf(holder({ kind: "pem", pem })), "policy-invalid");
  });

  it("may be published as an example for a registry on this machine, and for no other place", async (t) => {
    const place = await scene(t);
    const { readFile } = await import("node:fs/promises");
    const identity = holder({ kind: "pem", pem: await readFile(join(ROOT, "keys-example/demo.pub"), "utf8") });
    await rejectedBy(() => place.files().keysOf(identity), "key-published");
    assert.equal((await place.files({ registry: "127.0.0.1:5000" }).keysOf(identity)).length, 1);
  });
});

function weakPem(): string {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  return publicKey.export({ type: "spki", format: "pem" }).toString();
}

describe("the trust roots of a policy", () => {
  const reference = (source: TrustReference["source"], proof: TrustReference["proof"] = {}): TrustReference => ({
    name: "acme",
    source,
    proof,
    place: PLACE,
  });

  it("are those of the flags where it names none, each opened once", async (t) => {
    const place = await scene(t);
    const trust = { ...BY_DEFAULT, trustedRoot: "root.json", offline: true };
    const files = place.files({ trust });
    const [found] = await files.trustFor(undefined);
    await files.trustFor(undefined, true);
    assert.equal(found?.trust.label, "root.json");
    assert.deepEqual(place.asked, [{ folder: place.folder, flags: trust }]);
  });

  it("are for GitHub's identities its own and Sigstore's, where nobody chooses", async (t) => {
    const place = await scene(t);
    const found = await place.files().trustFor(undefined, true);
    assert.deepEqual(
      found.map(({ trust }) => trust.label),
      ["sigstore", "github"],
    );
  });

  it("are instances by their names, whatever the flags choose", async (t) => {
    const place = await scene(t);
    const trust = { ...BY_DEFAULT, trustedRoot: "root.json", config: "c.yaml" };
    const files = place.files({ trust });
    await files.trustFor("lab");
    await files.trustFor(reference({ kind: "instance", instance: "lab" }));
    assert.deepEqual(
      place.asked.map(({ flags }) => flags),
      [{ ...trust, trustedRoot: undefined, instance: "lab" }],
    );
  });

  it("are files beside it, with what their signatures have to bring", async (t) => {
    const place = await scene(t);
    await place.write("acme.json", TRUST_ROOT);
    const asked = reference({ kind: "file", path: "acme.json" }, { logs: 0, timestamps: 2 });
    const [found] = await place.files({ trust: { ...BY_DEFAULT, instance: "github" } }).trustFor(asked);
    assert.equal(found?.trust.label, "acme.json");
    assert.deepEqual(found.demands, { ...PUBLIC_DEMANDS, logs: 0, timestamps: 2 });
    assert.deepEqual(place.asked, [], "a file of the policy's is nobody else's to find");
  });

  const broken: readonly (readonly [string, string | undefined])[] = [
    ["a file that is not there", undefined],
    ["a file that is no trust root", "{}"],
    ["a file without end", " ".repeat(LIMITS.trustedRootBytes + 1)],
  ];
  for (const [what, content] of broken) {
    it(`are not ${what}`, async (t) => {
      const place = await scene(t);
      if (content !== undefined) await place.write("acme.json", content);
      const asked = reference({ kind: "file", path: "acme.json" });
      const error = await rejectedBy(() => place.files().trustFor(asked), "policy-invalid");
      assert.match(error.found ?? "", /^policy\.yaml:7/);
    });
  }

  it("are not an instance that nobody knows", async (t) => {
    const place = await scene(t);
    const asked = reference({ kind: "instance", instance: "lab" });
    await rejectedBy(() => place.files({ find: findTrust }).trustFor(asked), "policy-invalid");
    const error = await rejectedBy(() => place.files({ find: findTrust }).trustFor("lab"), "policy-invalid");
    assert.match(`${error.found} ${error.wanted}`, /^lab .*sigstore, github/);
  });

  it("stay what may pass where the network fails", async (t) => {
    const place = await scene(t);
    const find: FindTrust = async () => {
      throw new CountersignError("unreachable", "the repository cannot be reached");
    };
    const asked = reference({ kind: "instance", instance: "sigstore" });
    await rejectedBy(() => place.files({ find }).trustFor(asked), "unreachable");
    const stale: FindTrust = async () => {
      throw new CountersignError("trust-stale", "too old");
    };
    await rejectedBy(() => place.files({ find: stale }).trustFor(undefined), "trust-stale");
  });
});

describe("a policy's lists of withdrawn digests", () => {
  const GONE: Digest = parseDigest(`sha256:${"0".repeat(64)}`);
  const LIST: WithdrawnList = {
    source: { kind: "file", path: "withdrawn.json" },
    by: ["alice"],
    maxAge: 7 * DAY,
    place: PLACE,
  };
  const BY_ALICE = { ...requirementOf([alice]), now: NOW };

  async function issue(place: Scene, age = 0, signer = alice): Promise<void> {
    const bytes = formatWithdrawn({ issued: instant(NOW - age), digests: [{ digest: GONE, reason: "a backdoor" }] });
    const { bundle } = await signBlob("x", bytes, { signatory: keySignatory(signer), now: NOW });
    await place.write("withdrawn.json", bytes);
    await place.write("withdrawn.json.sigstore.json", bundle);
  }

  it("are files beside it with a bundle each, read once", async (t) => {
    const place = await scene(t);
    await issue(place);
    const files = place.files();
    const found = await files.withdrawnBy(LIST, BY_ALICE);
    assert.equal(found.get(GONE)?.code, "withdrawn");
    await place.write("withdrawn.json", "");
    assert.equal(await files.withdrawnBy(LIST, BY_ALICE), found);
  });

  it("are believed of those alone whom the policy names", async (t) => {
    const place = await scene(t);
    await issue(place, 0, bob);
    await rejectedBy(() => place.files().withdrawnBy(LIST, BY_ALICE), "policy-untrusted");
  });

  it("accept nothing when they are too old", async (t) => {
    const place = await scene(t);
    await issue(place, 7 * DAY + 1000);
    await rejectedBy(() => place.files().withdrawnBy(LIST, BY_ALICE), "trust-stale");
  });

  it("accept nothing where the list or its bundle is missing, is something else, or has no end", async (t) => {
    const place = await scene(t);
    const open = () => place.files().withdrawnBy(LIST, BY_ALICE);
    assert.match((await rejectedBy(open, "policy-invalid")).found ?? "", /^policy\.yaml:7: there is no such file/);
    await issue(place);
    await place.write("withdrawn.json.sigstore.json", "{}");
    await rejectedBy(open, "policy-untrusted");
    await issue(place);
    await place.write("withdrawn.json", " ".repeat(LIMITS.withdrawnBytes + 1));
    await rejectedBy(open, "policy-invalid");
    await issue(place);
    await place.write("withdrawn.json.sigstore.json", " ".repeat(LIMITS.signatureBytes + 1));
    await rejectedBy(open, "policy-invalid");
  });

  it("accept nothing when the key of the list is believed no more", async (t) => {
    const place = await scene(t);
    await issue(place);
    const terms = { name: "alice", person: "alice", window: { until: instant(NOW - DAY) } };
    const distrusted = { ...BY_ALICE, keys: BY_ALICE.keys.map((key) => ({ ...key, terms })) };
    await rejectedBy(() => place.files().withdrawnBy(LIST, distrusted), "policy-untrusted");
  });
});
