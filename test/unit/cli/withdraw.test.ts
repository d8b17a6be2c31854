import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { copyFile, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Command } from "commander";
import { openOutput } from "../../../src/cli/output.ts";
import { withdraw } from "../../../src/cli/withdraw-action.ts";
import { addWithdrawOptions, readWithdrawOptions, type WithdrawOptions } from "../../../src/cli/withdraw-options.ts";
import { parsePublicKey } from "../../../src/core/crypto/public-key.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { type Digest, parseDigest } from "../../../src/core/oci/digest.ts";
import { parseWithdrawn, type Withdrawn } from "../../../src/core/policy/withdrawn.ts";
import { type Instant, instant } from "../../../src/core/time.ts";
import { proveWithdrawn } from "../../../src/core/verify/withdrawn.ts";
import { ROOT } from "../../structure/source-files.ts";
import { rejectedBy, thrownBy } from "../../support/codes.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { captureContext } from "../../support/session.ts";
import { temporaryFolder } from "../../support/temp.ts";

const NOW = Date.parse("2026-09-01T12:00:00Z");
const DAY = 24 * 60 * 60 * 1000;

function digest(fill: number): Digest {
  return parseDigest(`sha256:${String(fill).padStart(64, "0")}`);
}

class Scene {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Not encrypted, which would take time. */
  async key(name: string): Promise<void> {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await writeFile(this.path(`${name}.key`), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    await writeFile(this.path(`${name}.pub`), publicKey.export({ type: "spki", format: "pem" }));
  }

  /** What is printed. */
  async withdraw(argv: readonly string[], { after = 0, signal }: Options = {}): Promise<string> {
    const { context, stdout } = this.#context(after, signal);
    const command = addWithdrawOptions(new Command("x")).exitOverride().argument("[digest...]");
    command.parse([...argv], { from: "user" });
    const format = { format: "json", outputFile: undefined, quiet: true, debug: false, progress: false };
    await withdraw(context, openOutput(context, format), command.args, command.opts());
    return stdout();
  }

  /** What the list takes back, by the word of this key. */
  async proven(key: string, list = "w.json"): Promise<readonly string[]> {
    const [bytes, bundle, pem] = await Promise.all(
      [list, `${list}.sigstore.json`, `${key}.pub`].map((name) => readFile(this.path(name))),
    );
    if (bytes === undefined || bundle === undefined || pem === undefined) throw new Error("nothing was read");
    const signers = { keys: [parsePublicKey(pem, key)], identities: [], threshold: 1, annotations: {}, signedAs: [] };
    const requirement = { ...signers, now: instant(NOW + 10 * DAY) };
    return [...proveWithdrawn({ label: list, bytes, bundles: [bundle] }, { maxAge: undefined }, requirement).keys()];
  }

  async list(): Promise<Withdrawn> {
    return parseWithdrawn(await readFile(this.path("w.json")), "w.json");
  }

  #context(after: number, signal = new AbortController().signal) {
    const referenceTime: Instant = instant(NOW + after);
    const { folder } = this;
    const env = { COSIGN_PASSWORD: "countersign", HOME: folder };
    return captureContext({ workingDirectory: folder, homeDirectory: folder, env, referenceTime, signal });
  }
}

interface Options {
  /** Milliseconds since the first. */
  readonly after?: number;
  readonly signal?: AbortSignal;
}

async function scene(t: TestContext): Promise<Scene> {
  const place = new Scene(await temporaryFolder(t));
  await place.key("alice");
  return place;
}

const BY_ALICE = ["--key", "alice.key", "--list", "w.json"] as const;
const WHY = ["--reason", "a backdoor"] as const;

describe("policy withdraw", () => {
  it("keeps the name that a list was begun with", async (t) => {
    const place = await scene(t);
    await place.withdraw([...BY_ALICE, ...WHY, "--name", "production", digest(1)]);
    await place.withdraw([...BY_ALICE, ...WHY, digest(2)], { after: DAY });
    await place.withdraw([...BY_ALICE, "--name", "production", "--refresh"], { after: DAY });
    assert.deepEqual([(await place.list()).name, (await place.list()).digests.length], ["production", 2]);
    await rejectedBy(() => place.withdraw([...BY_ALICE, ...WHY, "--name", "staging", digest(3)]), "usage");
    await rejectedBy(() => place.withdraw([...BY_ALICE, "--name", "staging", "--refresh"]), "usage");
    assert.equal((await place.list()).digests.length, 2);
  });

  it("gives no name to a list that has none, and none that is no name", async (t) => {
    const place = await scene(t);
    for (const name of ["", "two words", "../up"]) {
      await rejectedBy(() => place.withdraw([...BY_ALICE, ...WHY, "--name", name, digest(1)]), "usage");
    }
    await place.withdraw([...BY_ALICE, ...WHY, digest(1)]);
    await rejectedBy(() => place.withdraw([...BY_ALICE, ...WHY, "--name", "production", digest(2)]), "usage");
    await rejectedBy(
      () => place.withdraw(["--key", "alice.key", "--list", "new.json", "--name", "production", "--refresh"]),
      "usage",
    );
  });

  it("begins a list, adds to it, and says what it did", async (t) => {
    const place = await scene(t);
    await place.withdraw([...BY_ALICE, ...WHY, digest(1)]);
    const printed = await place.withdraw([...BY_ALICE, "--reason", "another", digest(1), digest(2)], { after: DAY });
    assert.deepEqual(await place.proven("alice"), [digest(1), digest(2)]);
    const { issued, digests } = await place.list();
    assert.equal(issued, NOW + DAY);
    assert.deepEqual(
      digests.map(({ reason, since }) => [reason, since]),
      [
        ["a backdoor", NOW],
        ["another", NOW + DAY],
      ],
    );
    const schema = JSON.parse(await readFile(join(ROOT, "docs/schemas/withdraw.json"), "utf8")) as Schema;
    const document = JSON.parse(printed) as Record<string, unknown>;
    assert.deepEqual(violations(document, schema), []);
    assert.deepEqual([document["added"], document["known"]], [[digest(2)], [digest(1)]]);
  });

  it("issues a list again without adding to it, and leaves nothing else in the folder", async (t) => {
    const place = await scene(t);
    await place.withdraw([...BY_ALICE, ...WHY, digest(1)]);
    await place.withdraw([...BY_ALICE, "--refresh"], { after: 3 * DAY });
    assert.deepEqual([(await place.list()).issued, await place.proven("alice")], [NOW + 3 * DAY, [digest(1)]]);
    assert.deepEqual((await readdir(place.folder)).toSorted(), [
      "alice.key",
      "alice.pub",
      "w.json",
      "w.json.sigstore.json",
    ]);
  });

  it("does not issue a list that is not there", async (t) => {
    const place = await scene(t);
    await rejectedBy(() => place.withdraw([...BY_ALICE, "--refresh"]), "usage");
    assert.deepEqual((await readdir(place.folder)).toSorted(), ["alice.key", "alice.pub"]);
  });

  it("signs nothing that somebody else has put on the list, taken off it, or signed", async (t) => {
    const place = await scene(t);
    await place.key("bob");
    await place.withdraw([...BY_ALICE, ...WHY, digest(1)]);
    const byBob = ["--key", "bob.key", "--list", "w.json", ...WHY, digest(2)];
    await rejectedBy(() => place.withdraw(byBob), "policy-untrusted");
    assert.deepEqual(await place.proven("alice"), [digest(1)]);
    const text = await readFile(place.path("w.json"), "utf8");
    await writeFile(place.path("w.json"), text.replace(digest(1), digest(3)));
    await rejectedBy(() => place.withdraw([...BY_ALICE, ...WHY, digest(2)]), "policy-untrusted");
    await writeFile(place.path("w.json"), text);
    await rm(place.path("w.json.sigstore.json"));
    await rejectedBy(() => place.withdraw([...BY_ALICE, ...WHY, digest(2)]), "policy-untrusted");
  });

  it("goes from one key to the next where the one before is named", async (t) => {
    const place = await scene(t);
    await place.key("bob");
    await place.withdraw([...BY_ALICE, ...WHY, digest(1)]);
    const refresh = ["--key", "bob.key", "--list", "w.json", "--refresh"];
    await place.withdraw([...refresh, "--previous-key", "alice.pub"]);
    assert.deepEqual(await place.proven("bob"), [digest(1)]);
    await rejectedBy(() => place.withdraw([...refresh, "--previous-key", "alice.pub"]), "policy-untrusted");
  });

  it("loses nothing of two that add at once", async (t) => {
    const place = await scene(t);
    await Promise.all([1, 2, 3].map((one) => place.withdraw([...BY_ALICE, ...WHY, digest(one)])));
    assert.deepEqual((await place.proven("alice")).toSorted(), [digest(1), digest(2), digest(3)]);
  });

  it("leaves what was there where it is interrupted", async (t) => {
    const place = await scene(t);
    await place.withdraw([...BY_ALICE, ...WHY, digest(1)]);
    const stopped = AbortSignal.abort(new CountersignError("interrupted", "interrupted"));
    await rejectedBy(() => place.withdraw([...BY_ALICE, ...WHY, digest(2)], { signal: stopped }), "interrupted");
    assert.deepEqual(await place.proven("alice"), [digest(1)]);
  });

  it("finishes what a killed run has left: a new bundle beside an old list proves nothing until then", async (t) => {
    const place = await scene(t);
    await place.withdraw([...BY_ALICE, ...WHY, digest(1)]);
    await copyFile(place.path("w.json"), place.path("before.json"));
    await place.withdraw([...BY_ALICE, ...WHY, digest(2)], { after: DAY });
    await rename(place.path("w.json"), place.path(".w.json.countersign-partial"));
    await rename(place.path("before.json"), place.path("w.json"));
    await assert.rejects(place.proven("alice"), { code: "policy-untrusted" });
    await place.withdraw([...BY_ALICE, ...WHY, digest(3)], { after: 2 * DAY });
    assert.deepEqual(await place.proven("alice"), [digest(1), digest(2), digest(3)]);
  });

  it("takes nothing from a file that a killed run has left and that is not signed", async (t) => {
    const place = await scene(t);
    await place.withdraw([...BY_ALICE, ...WHY, digest(1)]);
    const text = await readFile(place.path("w.json"), "utf8");
    await writeFile(place.path(".w.json.countersign-partial"), text.replace(digest(1), digest(3)));
    await place.withdraw([...BY_ALICE, "--refresh"], { after: DAY });
    assert.deepEqual(await place.proven("alice"), [digest(1)]);
  });

  it("does not sign with a key that is published as an example", async (t) => {
    const place = await scene(t);
    await copyFile(join(ROOT, "keys-example/demo.key"), place.path("example.key"));
    const argv = ["--key", "example.key", "--list", "w.json", ...WHY, digest(1)];
    await rejectedBy(() => place.withdraw(argv), "key-published");
  });
});

describe("the flags of policy withdraw", () => {
  function read(...argv: readonly string[]): WithdrawOptions {
    const command = addWithdrawOptions(new Command("x")).exitOverride().argument("[digest...]");
    command.parse([...argv], { from: "user" });
    return readWithdrawOptions(command.args, command.opts());
  }

  it("name each digest once", () => {
    const image = `registry.example/acme/app:1@${digest(1)}`;
    assert.deepEqual(read(...BY_ALICE, ...WHY, digest(1), digest(1), image).digests, [digest(1)]);
  });

  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ["no list", [...WHY, "--key", "k", digest(1)]],
    ["no digest", [...BY_ALICE, ...WHY]],
    ["no reason", [...BY_ALICE, digest(1)]],
    ["a blank reason", [...BY_ALICE, "--reason", " ", digest(1)]],
    ["a reason without end", [...BY_ALICE, "--reason", "a".repeat(LIMITS.withdrawnReasonCharacters + 1), digest(1)]],
    ["a digest and nothing to add", [...BY_ALICE, ...WHY, "--refresh", digest(1)]],
    ["two lists", [...BY_ALICE, "--list", "other.json", ...WHY, digest(1)]],
    ["a log entry that comes later", [...BY_ALICE, "--rekor-url", "https://r.example", "--log-later", "--refresh"]],
  ];
  for (const [what, argv] of wrong) it(`refuse ${what}`, () => void thrownBy(() => read(...argv), "usage"));

  it("refuse what is no digest", () => {
    for (const name of ["app:1", "registry.example/app@sha256:00", "sha256:AA", `${digest(1)}@app`]) {
      thrownBy(() => read(...BY_ALICE, ...WHY, name), "usage");
    }
  });
});
