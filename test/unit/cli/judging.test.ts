import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Command } from "commander";
import { openWiring } from "../../../src/cli/images.ts";
import { type Judging, nameAs, prepareRules, readJudging } from "../../../src/cli/judging.ts";
import { readRegistryOptions } from "../../../src/cli/options.ts";
import { openOutput } from "../../../src/cli/output.ts";
import { addVerifyOptions, readVerifyOptions } from "../../../src/cli/verify-options.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { instant } from "../../../src/core/time.ts";
import type { Rulebook } from "../../../src/core/verify/criterion.ts";
import type { Target } from "../../../src/ops/verify.ts";
import { ROOT } from "../../structure/source-files.ts";
import { rejectedBy } from "../../support/codes.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { captureContext } from "../../support/session.ts";
import { temporaryFolder } from "../../support/temp.ts";

const NOW = instant(Date.parse("2026-09-01T12:00:00Z"));
const HEAD = "apiVersion: countersign/v1\n";
const IMAGE = "registry.example/acme/app:1";

class Scene {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async write(name: string, content: string | Uint8Array): Promise<void> {
    await writeFile(join(this.folder, name), content);
  }

  /** A policy whose only rule wants a signature by this key file. */
  async policy(key: string, name = "policy.yaml"): Promise<void> {
    const rule = "rules:\n  - images: [registry.example/, 127.0.0.1:5000/]\n    require: {signature: {by: alice}}\n";
    await this.write(name, `${HEAD}identities:\n  alice: {key: ${key}}\n${rule}`);
  }

  async judging(argv: readonly string[], images: readonly string[] = [IMAGE], signal?: AbortSignal): Promise<Judging> {
    const { folder } = this;
    const place = { workingDirectory: folder, homeDirectory: folder, referenceTime: NOW };
    const { context } = captureContext(signal === undefined ? place : { ...place, signal });
    const format = { format: "text", outputFile: undefined, quiet: false, debug: false, progress: false };
    const output = openOutput(context, format);
    const command = addVerifyOptions(new Command("x")).exitOverride();
    const flags = readVerifyOptions(command.parse([...argv], { from: "user" }).opts());
    const registry = readRegistryOptions({});
    const wiring = await openWiring(context, output, registry, images);
    try {
      return await readJudging({ context, output, wiring, images }, { ...registry, ...flags });
    } finally {
      await wiring.close();
    }
  }
}

async function scene(t: TestContext): Promise<Scene> {
  const place = new Scene(await temporaryFolder(t));
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  await place.write("alice.pub", publicKey.export({ type: "spki", format: "pem" }).toString());
  return place;
}

const BY_POLICY = ["--policy", "policy.yaml"] as const;

describe("judging by a policy", () => {
  it("asks the policy what is required", async (t) => {
    const place = await scene(t);
    await place.policy("alice.pub");
    const { requirement, policy, as } = await place.judging(BY_POLICY);
    assert.equal(requirement, policy?.rulebook);
    assert.deepEqual([policy?.document.label, as], ["policy.yaml", undefined]);
    assert.match(Buffer.from(policy?.bytes ?? []).toString(), /^apiVersion/);
  });

  it("looks for what a policy names beside it, not beside the user", async (t) => {
    const place = await scene(t);
    await mkdir(join(place.folder, "policies"));
    await place.policy("alice.pub", "policies/policy.yaml");
    const argv = ["--policy", "policies/policy.yaml"];
    await rejectedBy(() => place.judging(argv), "policy-invalid");
    await copyFile(join(place.folder, "alice.pub"), join(place.folder, "policies/alice.pub"));
    await place.judging(argv);
  });

  const unusable: readonly (readonly [string, string | Uint8Array | undefined, ReasonCode])[] = [
    ["is not there", undefined, "policy-invalid"],
    ["is empty", "", "policy-invalid"],
    ["is broken", `${HEAD}rules: [`, "policy-invalid"],
    ["has an unknown field", `${HEAD}rule: []\n`, "policy-invalid"],
    ["is another document", `${HEAD}kind: Withdrawn\nrules: []\n`, "policy-invalid"],
    ["is of a version to come", "apiVersion: countersign/v2\nrules: []\n", "policy-invalid"],
    ["is not text", new Uint8Array([0xff, 0xfe, 0x00]), "policy-invalid"],
    ["is too large", `${HEAD}rules: []\n${"#".repeat(LIMITS.policyBytes)}`, "policy-invalid"],
    ["is as large as a disk", Buffer.alloc(10 * 1024 * 1024, "a"), "policy-invalid"],
  ];
  for (const [what, content, code] of unusable) {
    it(`judges nothing by one that ${what}`, async (t) => {
      const place = await scene(t);
      if (content !== undefined) await place.write("policy.yaml", content);
      await rejectedBy(() => place.judging(BY_POLICY), code);
    });
  }

  it("judges nothing by a folder or by a device without end", async (t) => {
    const place = await scene(t);
    await mkdir(join(place.folder, "policy.yaml"));
    await rejectedBy(() => place.judging(BY_POLICY), "policy-invalid");
    await rejectedBy(() => place.judging(["--policy", "/dev/zero"]), "policy-invalid");
  });

  it("is read through a pipe, and does not wait for one longer than whoever runs it", async (t) => {
    const place = await scene(t);
    execFileSync("mkfifo", [join(place.folder, "policy.yaml")]);
    const stop = new AbortController();
    const judging = place.judging(BY_POLICY, [IMAGE], stop.signal);
    stop.abort(new CountersignError("interrupted", "interrupted"));
    await rejectedBy(() => judging, "interrupted");
    const reading = place.judging(BY_POLICY, ["other.example/app:1"]);
    await place.policy("alice.pub");
    assert.equal((await reading).policy?.document.label, "policy.yaml");
  });

  it("judges nothing where the rule for one of the images names what cannot be read", async (t) => {
    const place = await scene(t);
    await place.policy("missing.pub");
    await rejectedBy(() => place.judging(BY_POLICY, ["other.example/app:1", IMAGE]), "policy-invalid");
    await place.judging(BY_POLICY, ["other.example/app:1"]);
  });

  it("takes a key that is published as an example for registries on this machine alone", async (t) => {
    const place = await scene(t);
    await copyFile(join(ROOT, "keys-example/demo.pub"), join(place.folder, "demo.pub"));
    await place.policy("demo.pub");
    await place.judging(BY_POLICY, ["127.0.0.1:5000/app:1"]);
    for (const images of [[IMAGE], ["127.0.0.1:5000/app:1", IMAGE]]) {
      await rejectedBy(() => place.judging(BY_POLICY, images), "key-published");
    }
    await rejectedBy(
      () => place.judging([...BY_POLICY, "--as", "127.0.0.1:5000/app"], ["oci:folder"]),
      "key-published",
    );
  });

  it("asks GitHub for the owners whose workflows the policy believes, each once", async (t) => {
    const place = await scene(t);
    const release = "{github: {repository: acme/app, workflow: release.yml}}";
    const names = `identities:\n  a: ${release}\n  b: {github: {owner: Acme}}\n  c: {github: {owner: other}}\n`;
    await place.write("policy.yaml", `${HEAD}${names}rules: []\n`);
    const argv = [...BY_POLICY, "--github-api", "https://api.github.com"];
    assert.equal((await place.judging(argv)).sources?.length, 2);
    await place.policy("alice.pub");
    await rejectedBy(() => place.judging(argv), "usage");
  });

  it("opens no connection where none may be", async (t) => {
    const place = await scene(t);
    await place.policy("alice.pub");
    await rejectedBy(() => place.judging([...BY_POLICY, "--offline"]), "usage");
    await place.judging([...BY_POLICY, "--offline", "--as", IMAGE], ["oci:folder"]);
  });
});

describe("rules that are read before anything is looked at", () => {
  const failing = (code: ReasonCode): Rulebook => ({
    now: NOW,
    rulingOf: async () => {
      throw new CountersignError(code, "it failed");
    },
  });
  const names = [{ repository: "registry.example/app" }];

  it("stop the call where they cannot be used, or where it is interrupted", async () => {
    for (const code of ["policy-invalid", "policy-untrusted", "key-published", "interrupted"] as const) {
      await rejectedBy(() => prepareRules(failing(code), names), code);
    }
  });

  it("leave what may pass to each image's verdict", async () => {
    for (const code of ["unreachable", "trust-stale", "throttled"] as const) await prepareRules(failing(code), names);
  });

  it("do not hide a defect", async () => {
    const broken: Rulebook = {
      now: NOW,
      rulingOf: async () => {
        throw new TypeError("a defect");
      },
    };
    await assert.rejects(() => prepareRules(broken, names), TypeError);
  });
});

describe("--as", () => {
  const as = { repository: "registry.example/app", tag: "1" };

  it("names what has no name, and nothing else", () => {
    const target = (repository: string | undefined): Target => ({
      image: "oci:folder",
      store: repository === undefined ? new MemoryStore("oci-layout") : new MemoryStore("registry", repository),
    });
    assert.deepEqual(nameAs(target(undefined), { as }).ruledAs, as);
    assert.equal(nameAs(target("registry.example/other"), { as }).ruledAs, undefined);
    assert.equal(nameAs(target(undefined), {}).ruledAs, undefined);
  });
});
