import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Command } from "commander";
import { type Output, openOutput } from "../../../src/cli/output.ts";
import { findTrust, openSigningConfig, openTrust } from "../../../src/cli/trust.ts";
import { SIGNING_CONFIG, type TrustServices } from "../../../src/cli/trust-instances.ts";
import {
  addTrustOptions,
  readTrustOptions,
  refuseRegistriesOffline,
  type TrustOptions,
} from "../../../src/cli/trust-options.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { type Instant, instant } from "../../../src/core/time.ts";
import { PUBLIC_DEMANDS } from "../../../src/core/trust/material.ts";
import { parseTrustedRoot } from "../../../src/core/trust/root.ts";
import { ServiceClient } from "../../../src/io/http/service.ts";
import { hashOf } from "../../../src/io/tuf/hashes.ts";
import { formatMarks } from "../../../src/io/tuf/state.ts";
import { rejectedBy, thrownBy } from "../../support/codes.ts";
import { httpServer } from "../../support/http-server.ts";
import { captureContext } from "../../support/session.ts";
import { fakeSigstore } from "../../support/sigstore/sign.ts";
import { temporaryFolder } from "../../support/temp.ts";
import { later, NOW, TestRepository } from "../../support/tuf-repository.ts";

const ROOT = Buffer.from(fakeSigstore().trustedRoot);
/** Within the life of what is built in. */
const LATELY = instant(Date.parse("2026-11-22T00:00:00Z"));

const NO_NETWORK: TrustServices = {
  get services(): never {
    throw new CountersignError("internal", "a connection was wanted");
  },
};

interface Scene {
  readonly folder: string;
  /** Everything on standard error. */
  stderr(): string;
  find(argv: readonly string[], options?: Partial<Surroundings>): ReturnType<typeof findTrust>;
  config(argv: readonly string[], options?: Partial<Surroundings>): ReturnType<typeof openSigningConfig>;
}

interface Surroundings {
  readonly now: Instant;
  readonly env: Readonly<Record<string, string>>;
  readonly services: TrustServices;
}

function flagsOf(...argv: readonly string[]): TrustOptions {
  const command = addTrustOptions(new Command("x")).exitOverride();
  command.parse([...argv], { from: "user" });
  return readTrustOptions(command.opts());
}

async function scene(t: TestContext): Promise<Scene> {
  const folder = await temporaryFolder(t);
  const said: (() => string)[] = [];
  const setting = { format: "text", outputFile: undefined, quiet: false, debug: false, progress: false };
  const open = ({ now = NOW, env = {} }: Partial<Surroundings>) => {
    const { context, stderr } = captureContext({
      workingDirectory: folder,
      homeDirectory: folder,
      env,
      referenceTime: now,
    });
    said.push(stderr);
    const output: Output = openOutput(context, setting);
    return { context, output };
  };
  return {
    folder,
    stderr: () => said.map((read) => read()).join(""),
    find: (argv, options = {}) => {
      const { context, output } = open(options);
      return findTrust(context, output, flagsOf(...argv), options.services ?? NO_NETWORK);
    },
    config: (argv, options = {}) => {
      const { context, output } = open(options);
      return openSigningConfig(context, output, flagsOf(...argv), options.services ?? NO_NETWORK);
    },
  };
}

/** A private instance with a repository that answers, and a configuration that names it. */
async function acme(
  t: TestContext,
): Promise<Scene & { tuf: TestRepository; services: TrustServices; close(): Promise<void> }> {
  const place = await scene(t);
  const tuf = new TestRepository()
    .addTarget("trusted_root.json", ROOT)
    .addTarget(SIGNING_CONFIG, "{}")
    .publishTargets();
  const server = await httpServer(tuf.handler());
  const client = new ServiceClient({ env: {}, userAgent: "countersign/test", tries: 1 });
  t.after(() => client.close());
  t.after(() => server.close());
  await writeFile(join(place.folder, "acme.root.json"), tuf.startRoot);
  await configure(
    place.folder,
    `acme:\n      tuf:\n        mirror: http://${server.host}\n        root: ${join(place.folder, "acme.root.json")}`,
  );
  return { ...place, tuf, services: { services: client }, close: () => server.close() };
}

async function configure(folder: string, instances: string, chosen = ""): Promise<void> {
  await mkdir(join(folder, ".config/countersign"), { recursive: true });
  const text = `apiVersion: countersign/v1\nkind: Configuration\ntrust:${chosen}\n  instances:\n    ${instances}\n`;
  await writeFile(join(folder, ".config/countersign/config.yaml"), text);
}

describe("the flags that say whom to believe", () => {
  it("are none, and then the configuration's default is asked", () => {
    assert.deepEqual(flagsOf(), { trustedRoot: undefined, instance: undefined, offline: false, config: undefined });
  });

  const bad = [
    ["--trusted-root", "a", "--trust", "github"],
    ["--trust", "github", "--trust", "sigstore"],
    ["--trusted-root", "a", "--trusted-root", "b"],
  ];
  for (const argv of bad) {
    it(`contradict each other: ${argv.join(" ")}`, () => void thrownBy(() => flagsOf(...argv), "usage"));
  }

  for (const image of ["registry.example/app:1", "127.0.0.1:5000/app", "docker-daemon:app"]) {
    it(`do not go together: --offline and ${image}`, () => {
      const error = thrownBy(() => refuseRegistriesOffline(flagsOf("--offline"), ["oci:a", image]), "usage");
      assert.equal(error.found, image);
    });
  }

  it("allow images on disk with --offline, and any without", () => {
    refuseRegistriesOffline(flagsOf("--offline"), ["oci:a:1", "oci-archive:b.tar", "docker-archive:c.tar"]);
    refuseRegistriesOffline(flagsOf(), ["registry.example/app:1"]);
  });
});

describe("a trust root as a file", () => {
  it("is that file, by its name", async (t) => {
    const { folder, find } = await scene(t);
    await writeFile(join(folder, "root.json"), ROOT);
    const { bytes, label, demands } = await find(["--trusted-root", "root.json"]);
    assert.deepEqual([Buffer.from(bytes), label, demands], [ROOT, "root.json", PUBLIC_DEMANDS]);
  });

  it("is loaded as trust material, called by its name", async (t) => {
    const { folder } = await scene(t);
    await writeFile(join(folder, "root.json"), ROOT);
    const { context } = captureContext({ workingDirectory: folder, homeDirectory: folder });
    const output = openOutput(context, {
      format: "text",
      outputFile: undefined,
      quiet: false,
      debug: false,
      progress: false,
    });
    const trust = await openTrust(context, output, flagsOf("--trusted-root", "root.json"), NO_NETWORK);
    assert.equal(trust.label, "root.json");
  });

  it("has to be there, and to have an end", async (t) => {
    const { find } = await scene(t);
    await rejectedBy(() => find(["--trusted-root", "missing.json"]), "trust-invalid");
    await rejectedBy(() => find(["--trusted-root", "/dev/zero"]), "trust-invalid");
  });

  it("says nothing of where to sign", async (t) => {
    const { folder, config } = await scene(t);
    await writeFile(join(folder, "root.json"), ROOT);
    assert.equal(await config(["--trusted-root", "root.json"]), undefined);
  });

  it("may be an instance of the configuration, and its default, with what its signatures bring", async (t) => {
    const { folder, find, config } = await scene(t);
    await mkdir(join(folder, ".config/countersign/lab"), { recursive: true });
    await writeFile(join(folder, ".config/countersign/lab/root.json"), ROOT);
    await writeFile(join(folder, ".config/countersign/lab/config.json"), "{}");
    const lab =
      "lab: { trustedRoot: lab/root.json, signingConfig: lab/config.json, demands: { logs: 0, timestamps: 1 } }";
    await configure(folder, lab, "\n  default: lab");
    const { label, instance, demands } = await find([]);
    assert.deepEqual(
      [label, instance, demands],
      ["lab (lab/root.json)", "lab", { ...PUBLIC_DEMANDS, logs: 0, timestamps: 1 }],
    );
    assert.equal((await config([]))?.label, "lab (lab/config.json)");
  });
});

describe("an instance", () => {
  it("has to be known", async (t) => {
    const { find } = await scene(t);
    const error = await rejectedBy(() => find(["--trust", "acme"]), "usage");
    assert.equal(error.wanted, "sigstore, github");
  });

  it("is not taken from a configuration in the current folder", async (t) => {
    const { folder, find } = await scene(t);
    await writeFile(
      join(folder, "config.yaml"),
      "apiVersion: countersign/v1\nkind: Configuration\ntrust: { default: github }\n",
    );
    assert.equal((await find(["--offline"], { now: LATELY })).instance, "sigstore");
    assert.equal((await find(["--offline", "--config", "config.yaml"], { now: LATELY })).instance, "github");
  });

  it("is fetched, and its age is said", async (t) => {
    const { find, services, tuf } = await acme(t);
    const { label, bytes } = await find(["--trust", "acme"], { services });
    assert.deepEqual([label, Buffer.from(bytes)], ["acme (refreshed just now)", ROOT]);
    const requests = tuf.requests.length;
    const again = await find(["--trust", "acme"], { now: instant(NOW + 3_600_000) });
    assert.deepEqual([again.label, tuf.requests.length - requests], ["acme (refreshed 1 hour ago)", 0]);
  });

  it("gives its signing configuration too, by its own request", async (t) => {
    const { config, services, tuf } = await acme(t);
    assert.equal(Buffer.from((await config(["--trust", "acme"], { services }))?.bytes ?? []).toString(), "{}");
    assert.equal(
      tuf.requests.some((path) => path.endsWith("trusted_root.json")),
      false,
    );
  });

  it("may have no signing configuration", async (t) => {
    const { config, services, tuf } = await acme(t);
    delete (tuf.part("targets")["targets"] as Record<string, unknown>)[SIGNING_CONFIG];
    tuf.publishTargets();
    assert.equal(await config(["--trust", "acme"], { services }), undefined);
  });

  it("has to have a trust root", async (t) => {
    const { find, services, tuf } = await acme(t);
    delete (tuf.part("targets")["targets"] as Record<string, unknown>)["trusted_root.json"];
    tuf.publishTargets();
    await rejectedBy(() => find(["--trust", "acme"], { services }), "trust-invalid");
  });

  it("has to have the root to start from", async (t) => {
    const { folder, find, services } = await acme(t);
    await rm(join(folder, "acme.root.json"));
    await rejectedBy(() => find(["--trust", "acme"], { services }), "trust-invalid");
    await writeFile(join(folder, "acme.root.json"), "{}");
    await rejectedBy(() => find(["--trust", "acme"], { services }), "trust-invalid");
  });

  it("that cannot be reached is used for as long as it is valid, with a warning that says all of it", async (t) => {
    const { find, services, close, stderr } = await acme(t);
    await find(["--trust", "acme"], { services });
    await close();
    const { label } = await find(["--trust", "acme"], { services, now: later(3) });
    assert.equal(label, "acme (refreshed 3 days ago)");
    assert.match(
      stderr(),
      /trust material of acme could not be refreshed: .*; what was confirmed 3 days ago is used, valid until 2026-09-08/,
    );
    const error = await rejectedBy(() => find(["--trust", "acme"], { services, now: later(8) }), "trust-stale");
    assert.match(error.message, /the timestamp of 127\.0\.0\.1:\d+ has expired/);
  });

  it("that cannot be reached the first time is that failure: what is built in is for --offline", async (t) => {
    const { find } = await scene(t);
    const failing = { services: { ask: () => Promise.reject(new CountersignError("unreachable", "no network")) } };
    await rejectedBy(() => find([], { services: failing, now: LATELY }), "unreachable");
  });
});

describe("without a network, when that is said", () => {
  it("what is built in serves a machine that has fetched nothing, and its age is said", async (t) => {
    const { find, config, stderr } = await scene(t);
    const { label, demands } = await find(["--offline"], { now: LATELY });
    assert.deepEqual([label, demands], ["sigstore (built in, of 30 days ago)", PUBLIC_DEMANDS]);
    assert.match(stderr(), /warning: the trust material of sigstore is what is built in, of 30 days ago/);
    const github = await find(["--offline", "--trust", "github"], { now: LATELY });
    assert.deepEqual([github.demands.timestamps, github.demands.logs], [1, 0]);
    assert.ok(((await config(["--offline"], { now: LATELY }))?.bytes.byteLength ?? 0) > 0);
  });

  it("what is built in serves until its root expires", async (t) => {
    const { find } = await scene(t);
    await find(["--offline"], { now: instant(Date.parse("2027-04-22T19:27:30Z")) });
    const late = { now: instant(Date.parse("2027-04-22T19:27:31Z")) };
    const error = await rejectedBy(() => find(["--offline"], late), "trust-stale");
    assert.match(error.next, /countersign trusted-root update sigstore .*--trusted-root FILE or --key KEY/);
  });

  it("nothing is built in for others", async (t) => {
    const { find } = await acme(t);
    await rejectedBy(() => find(["--offline", "--trust", "acme"]), "trust-stale");
  });

  it("what was fetched serves while it is valid; then what still works is said", async (t) => {
    const { find, services } = await acme(t);
    await find(["--trust", "acme"], { services });
    assert.equal(
      (await find(["--offline", "--trust", "acme"], { now: later(5) })).label,
      "acme (refreshed 5 days ago)",
    );
    const error = await rejectedBy(() => find(["--offline", "--trust", "acme"], { now: later(8) }), "trust-stale");
    assert.match(error.next, /update acme with a network; without one, --trusted-root FILE or --key KEY/);
  });

  it("a machine that has fetched once does not go back to what is built in, whatever became of its cache", async (t) => {
    const { folder, find } = await scene(t);
    const location = "https://tuf-repo-cdn.sigstore.dev";
    const state = join(folder, ".local/state/countersign/tuf");
    await mkdir(state, { recursive: true });
    const marks = formatMarks(location, { roles: new Map(), freshnessKeys: "" });
    await writeFile(join(state, `${hashOf(Buffer.from(location), "sha256")}.json`), marks);
    await rejectedBy(() => find(["--offline"], { now: LATELY }), "trust-stale");
  });
});

describe("the environment", () => {
  it("says below which folder things are kept, where TUF_ROOT does: in one of our own", async (t) => {
    const { folder, find, services } = await acme(t);
    await mkdir(join(folder, "tuf"));
    await writeFile(join(folder, "tuf/remote.json"), '{"mirror":"https://evil.example"}');
    await find(["--trust", "acme"], { services, env: { TUF_ROOT: "tuf" } });
    assert.deepEqual((await readdir(join(folder, "tuf"))).sort(), ["countersign", "remote.json"]);
    assert.equal((await readdir(join(folder, "tuf/countersign"))).length, 1);
  });

  it("does not say whom to believe", async (t) => {
    const { folder, find } = await scene(t);
    await writeFile(join(folder, "evil.json"), ROOT);
    const evil = join(folder, "evil.json");
    const env = {
      TUF_MIRROR: "https://evil.example",
      TUF_ROOT_JSON: evil,
      SIGSTORE_ROOT_FILE: evil,
      SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: evil,
      SIGSTORE_REKOR_PUBLIC_KEY: evil,
      SIGSTORE_TSA_CERTIFICATE_FILE: evil,
    };
    assert.deepEqual(await find(["--offline"], { env, now: LATELY }), await find(["--offline"], { now: LATELY }));
  });
});

describe("what is built in", () => {
  const at = (name: string) => new URL(`../../../src/io/config/roots/${name}`, import.meta.url);

  it("is what roots/README.md says, byte for byte", async () => {
    const rows = [
      ...(await readFile(at("README.md"), "utf8")).matchAll(/^\| `([^`]+\.json)` .*\| `([0-9a-f]{64})` \|$/gm),
    ];
    assert.equal(rows.length, 5);
    for (const [, name = "", sha256] of rows) assert.equal(hashOf(await readFile(at(name)), "sha256"), sha256, name);
  });

  for (const name of ["sigstore", "github"]) {
    it(`starts ${name} from a root that is signed by its own keys and expires when the seed does`, async () => {
      const { BUILT_IN } = await import("../../../src/io/config/builtin.ts");
      const { TufUpdater } = await import("../../../src/io/tuf/updater.ts");
      const source = BUILT_IN.find((instance) => instance.name === name)?.source;
      assert.ok(source?.kind === "tuf" && typeof source.root === "function" && source.seed !== undefined);
      const settings = { name, now: NOW, source: new TestRepository().source() };
      const updater = new TufUpdater(new Map([["root", await source.root()]]), settings);
      assert.equal(updater.read("root")?.expires, source.seed.expires);
      const root = parseTrustedRoot((await source.seed.read("trusted_root.json")) ?? new Uint8Array());
      assert.ok(root.authorities.length > 0 && root.timestampAuthorities.length > 0);
      assert.equal(await source.seed.read("toString"), undefined);
    });
  }
});
