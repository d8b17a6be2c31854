import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { instant } from "../../../src/core/time.ts";
import { type Registry, startRegistry } from "../../../src/testbed/registry.ts";
import { contentOf } from "../../../src/testbed/reply.ts";
import { httpServer, type TestServer } from "../../support/http-server.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { addBlob, editList, editManifest, forge, type KitFiles } from "../../support/kit.ts";
import { CONNECTED, runGuarded, SIGNER } from "../../support/offline.ts";
import { captureContext } from "../../support/session.ts";
import { pushImage, pushIndex } from "../../support/session-image.ts";
import { SessionSigstore } from "../../support/session-sigstore.ts";
import { temporaryFolder } from "../../support/temp.ts";
import { DAY, TestRepository } from "../../support/tuf-repository.ts";

const NOW = Date.now();
/** The timestamp of the test's TUF repository is valid for a week. */
const WEEK = 7;

const scope: (() => Promise<void>)[] = [];
const sigstore = new SessionSigstore();
const trustedRoot = sigstore.create("acme");
const tuf = new TestRepository({ now: NOW - 1000 }).addTarget("trusted_root.json", trustedRoot).publishTargets();
let registry: Registry;
let mirror: TestServer;
/** Where kits are made: it has the key `cosign`, and the trust instance `acme`. */
let sender = "";

before(async () => {
  registry = await startRegistry();
  mirror = await httpServer(tuf.handler());
  sender = await temporaryFolder({ after: (work) => void scope.push(work) });
  await writeFile(join(sender, "root.json"), tuf.startRoot);
  await must(sender, "trusted-root", "init", "acme", "--mirror", `http://${mirror.host}`, "--root", "root.json");
  await must(sender, "key", "generate");
  await must(sender, "key", "generate", "--output-key-prefix", "eve");
  const [app, db] = [at("acme/app:1"), at("acme/db:9")];
  await pushImage(app, "app");
  await pushImage(db, "db");
  await pushImage(at("acme/unsigned:1"), "unsigned");
  for (const image of [app, db])
    await sigstore.sign("acme", image, ["email:dev@example.com", "issuer:https://issuer.example.com"]);
  await must(sender, "sign", "--key", "cosign.key", app, db);
});
after(async () => {
  await registry.close();
  await mirror.close();
  for (const work of scope) await work();
});

function at(name: string): string {
  return `${registry.address}/${name}`;
}

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in a home, `days` from now; text that it prints is returned. */
async function runAt(days: number, home: string, argv: readonly string[], signal?: AbortSignal): Promise<Finished> {
  const { context, stdout, stderr } = captureContext({
    env: { COSIGN_PASSWORD: "pw" },
    workingDirectory: home,
    homeDirectory: home,
    referenceTime: instant(NOW + Math.round(days * DAY)),
    ...(signal === undefined ? {} : { signal }),
  });
  const code = await run(argv, context);
  return { code, stdout: stdout(), stderr: stderr() };
}

async function must(home: string, ...argv: readonly string[]): Promise<Finished> {
  const finished = await runAt(0, home, argv);
  assert.equal(finished.code, 0, finished.stderr);
  return finished;
}

/** A machine that knows the instance `acme` and its start root, and has never fetched anything; `kit.tar` is there. */
async function receiver(t: TestContext, kit: readonly string[]): Promise<string> {
  const home = join(await temporaryFolder(t), "home");
  await cp(sender, home, { recursive: true });
  for (const folder of [".cache", ".local"]) await rm(join(home, folder), { recursive: true, force: true });
  await must(sender, "save", ...kit, "--to", join(home, "kit.tar"));
  return home;
}

const KEYLESS = ["--trust", "acme", ...SIGNER];
const BY_KEY = ["--key", "cosign.pub"];

function digestIn(text: string): string {
  return /^ {2}digest +(sha256:[0-9a-f]{64})$/m.exec(text)?.[1] ?? assert.fail(text);
}

/** What a user sees, and what is staged. */
async function visible(home: string): Promise<readonly string[]> {
  return (await readdir(home)).filter((name) => name !== ".cache" && name !== ".local");
}

async function assertUntouched(home: string): Promise<void> {
  const left = (await readdir(home)).filter((name) => /^out|partial/.test(name));
  assert.deepEqual(left, []);
}

function attachedIn(inspected: Finished | undefined): readonly string[] {
  const { root } = JSON.parse(inspected?.stdout ?? "") as { root: { digest: string; attached: { digest: string }[] } };
  return [root, ...root.attached].map(({ digest }) => digest).toSorted();
}

describe("A kit between two machines", () => {
  it("is judged where it arrives by that machine's own trust, which it may refresh", async (t) => {
    const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
    const stale = await runAt(2, home, ["load", ...KEYLESS, "--to", "oci:out", "kit.tar"]);
    assert.equal(stale.code, 3);
    assert.match(
      stale.stderr,
      /no metadata of 127\.0\.0\.1:\d+ was fetched.*\[trust-stale\]\n {2}next +the kit brings .*--update-trust/s,
    );
    await assertUntouched(home);
    const loaded = await runAt(2, home, ["load", "--update-trust", ...KEYLESS, "--to", "oci:out", "kit.tar"]);
    assert.equal(loaded.code, 0, loaded.stderr);
    assert.match(
      loaded.stdout,
      /^accepted.*\n {2}signed by +dev@example\.com.*\n(?:.*\n)*? {2}trust root +acme \(refreshed 2 days ago\)$/m,
    );
    assert.match(loaded.stdout, /^ {2}loaded to +oci:out:1$/m);
    assert.match(loaded.stdout, /^ {2}trust root +acme \(http:.*\), fetched 2 days ago, 4 days left, until /m);
    assert.match(loaded.stdout, /^ {2}trust here +acme: taken from the kit, 4 days left, until /m);
    const offline = await runAt(3, home, ["verify", "--offline", ...KEYLESS, "oci:out:1"]);
    assert.equal(offline.code, 0, offline.stderr);
    assert.match(offline.stdout, /acme \(refreshed 3 days ago\)/);
  });

  it("is loaded into a registry, where the signatures are found", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("acme/app:1"), at("acme/db:9")]);
    await must(home, "load", ...BY_KEY, "--to", at("mirror"), "kit.tar");
    await must(home, "verify", ...BY_KEY, at("mirror/acme/app:1"), at("mirror/acme/db:9"));
    const [from, to] = await Promise.all(
      ["acme/app:1", "mirror/acme/app:1"].map((name) => must(home, "inspect", "-o", "json", at(name))),
    );
    assert.deepEqual(attachedIn(to), attachedIn(from));
  });

  it("opens no connection but those to the destination", async (t) => {
    const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
    const load = ["load", "--update-trust", ...KEYLESS, "kit.tar"];
    const guarded = await runGuarded(home, [...load, "--to", "oci:out"]);
    assert.equal(guarded.code, 0, guarded.stderr);
    assert.equal((await runGuarded(home, ["load", "--list", "kit.tar"])).code, 0);
    assert.equal((await runGuarded(home, ["load", ...BY_KEY, "--to", "oci:again", "kit.tar"])).code, 0);
    assert.equal((await runGuarded(home, [...load, "--to", at("guarded")])).code, CONNECTED);
    const before = mirror.requests.length;
    await must(home, ...load, "--to", at("quiet"));
    assert.equal(mirror.requests.length, before);
  });

  it("says in JSON what the schema says", async (t) => {
    const schema = JSON.parse(
      await readFile(new URL("../../../docs/schemas/kit-report.json", import.meta.url), "utf8"),
    ) as Schema;
    const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
    const lines = [
      ["save", ...BY_KEY, "--to", "never.tar", "oci:none"],
      ["save", ...BY_KEY, "--to", "never.tar", at("acme/app:1"), at("acme/unsigned:1")],
      ["save", "--trusted-root", "root.trust", ...SIGNER, "--to", "again.tar", at("acme/app:1")],
      ["load", "--list", "kit.tar"],
      ["load", "--update-trust", "kit.tar"],
      ["load", "--list", "again.tar"],
      ["load", "--update-trust", "again.tar"],
      ["load", ...KEYLESS, "--to", "oci:out", "kit.tar"],
      ["load", "--key", "eve.pub", "--to", "oci:refused", "kit.tar"],
    ];
    await writeFile(join(home, "root.trust"), trustedRoot);
    const documents: Record<string, unknown>[] = [];
    for (const line of lines) {
      const { stdout } = await runAt(1, home, [...line, "-o", "json"]);
      const document = JSON.parse(stdout);
      documents.push(document);
      assert.deepEqual(violations(document, schema), [], `${line.join(" ")}\n${stdout}`);
    }
    const outcomes = documents.map((document) =>
      (document["trustUpdates"] as { outcome: string }[] | undefined)?.map(({ outcome }) => outcome),
    );
    assert.deepEqual(outcomes.slice(3), [[], ["updated"], [], ["no-metadata"], [], []]);
  });
});

describe("Trust material in a kit", () => {
  it("is said to be about to expire three days before it does", async (t) => {
    const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
    const early = await runAt(WEEK - 3.1, home, ["load", "--update-trust", "kit.tar"]);
    assert.doesNotMatch(early.stderr, /warning/);
    const late = await runAt(WEEK - 2.5, home, ["load", "--update-trust", ...KEYLESS, "--to", "oci:out", "kit.tar"]);
    assert.equal(late.code, 0, late.stderr);
    assert.match(late.stderr, /warning: the trust material of acme expires at .*, in 2 days: load a newer kit/);
    assert.match(late.stdout, /2 days left/);
  });

  for (const [name, flags] of [
    ["this machine's own trust", ["--update-trust"]],
    ["the kit's own trust", ["--trust-kit"]],
  ] as const) {
    it(`is trust-stale when it has expired: ${name}`, async (t) => {
      const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
      const pin =
        flags[0] === "--trust-kit"
          ? ["--digest", digestIn((await must(home, "load", "--list", "kit.tar")).stdout)]
          : [];
      const line = ["load", ...flags, ...pin, ...KEYLESS, "--to", "oci:out", "kit.tar"];
      const { code, stderr } = await runAt(WEEK + 1, home, line);
      assert.equal(code, 3, stderr);
      assert.match(stderr, /expired.*\[trust-stale\]/s);
      await assertUntouched(home);
      assert.match((await runAt(WEEK + 1, home, ["load", "--list", "kit.tar"])).stdout, /expired 1 day ago/);
      // Keys do not rest on it.
      assert.equal((await runAt(WEEK + 1, home, ["load", ...BY_KEY, "--to", "oci:out", "kit.tar"])).code, 0);
    });
  }

  it("is not believed before it was fetched: one of two clocks is wrong", async (t) => {
    const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
    const pin = ["--digest", digestIn((await must(home, "load", "--list", "kit.tar")).stdout)];
    const { code, stderr } = await runAt(-1, home, [
      "load",
      "--trust-kit",
      ...pin,
      ...KEYLESS,
      "--to",
      "oci:out",
      "kit.tar",
    ]);
    assert.equal(code, 3);
    assert.match(stderr, /is this machine's clock right\?/);
    assert.match(stderr, /not valid yet.*\[trust-stale\]/s);
    await assertUntouched(home);
  });

  it("is believed with the digest of the kit, by a machine that knows nothing of its instance", async (t) => {
    const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
    await rm(join(home, ".config"), { recursive: true });
    const digest = digestIn((await must(home, "load", "--list", "kit.tar")).stdout);
    const line = ["load", "--digest", digest, "--trust-kit", ...SIGNER, "--to", "oci:out", "kit.tar"];
    const { code, stdout, stderr } = await runAt(1, home, line);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^ {2}trust root +acme \(from the kit, fetched 1 day ago\)$/m);
    assert.equal(
      (await runAt(1, home, ["verify", "--offline", "--trust", "acme", ...SIGNER, "oci:out:1"])).code,
      2,
      "kept nowhere",
    );
    const unknown = await runAt(1, home, ["load", "--update-trust", "kit.tar"]);
    assert.equal(unknown.code, 0);
    assert.match(unknown.stdout, /acme: not taken: no instance of this machine has this repository/);
  });

  it("that was named as a file comes along, without a path and without an end", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("acme/app:1")]);
    await mkdir(join(home, "private"));
    await writeFile(join(home, "private", "root.json"), trustedRoot);
    const { stdout } = await must(
      home,
      "save",
      "--trusted-root",
      "private/root.json",
      ...SIGNER,
      "--to",
      "file.tar",
      at("acme/app:1"),
    );
    assert.match(stdout, /^ {2}trust root +root\.json, a file, which does not expire$/m);
    const line = ["load", "--digest", digestIn(stdout), "--trust-kit", ...SIGNER, "--to", "oci:out", "file.tar"];
    assert.equal((await runAt(400, home, line)).code, 0);
  });

  it("comes along under two names, as a file and from its repository", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("acme/app:1")]);
    await writeFile(join(home, "root.json"), trustedRoot);
    const named = ["--trusted-root", "root.json", ...SIGNER, "--include-trust", "acme"];
    const { stdout } = await must(home, "save", ...named, "--to", "both.tar", at("acme/app:1"));
    assert.equal(stdout.match(/^ {2}trust root +(?:root\.json, a file|acme \()/gm)?.length, 2, stdout);
  });

  it("alone is a kit too", async (t) => {
    const home = await receiver(t, ["--include-trust", "acme"]);
    const { code, stdout } = await runAt(1, home, ["load", "--update-trust", "kit.tar"]);
    assert.equal(code, 0);
    assert.match(stdout, /holds +0 images/);
    assert.match((await runAt(1, home, ["trusted-root", "show", "acme"])).stdout, /refreshed +1 day ago/);
    const empty = await runAt(1, home, ["load", ...BY_KEY, "--to", "oci:out", "kit.tar"]);
    assert.equal(empty.code, 2, empty.stderr);
    await assertUntouched(home);
  });

  it("is brought through new roots, and by a start root that is known by its checksum alone", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("acme/app:1")]);
    const other = new TestRepository({ now: NOW - 1000 }).addTarget("trusted_root.json", trustedRoot).publishTargets();
    const server = await httpServer(other.handler());
    t.after(() => server.close());
    await writeFile(join(home, "start.json"), other.startRoot);
    await must(home, "trusted-root", "init", "lab", "--mirror", `http://${server.host}`, "--root", "start.json");
    other.publish("root").rotate("timestamp").publish("root", "timestamp");
    await must(home, "trusted-root", "update", "lab");
    await must(home, "save", "--include-trust", "lab", "--to", "lab.tar");
    for (const root of ["root: start.json", `root: sha256:${digestOf(other.startRoot)}`]) {
      for (const folder of [".cache", ".local"]) await rm(join(home, folder), { recursive: true, force: true });
      const config = `apiVersion: countersign/v1\nkind: Configuration\ntrust:\n  instances:\n    lab:\n      tuf:\n        mirror: http://${server.host}\n        ${root}\n`;
      await writeFile(join(home, "lab.yaml"), config);
      const { code, stdout, stderr } = await runAt(1, home, [
        "load",
        "--update-trust",
        "--config",
        "lab.yaml",
        "lab.tar",
      ]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /lab: taken from the kit/);
    }
  });

  it("that is older than this machine's own is not taken, and is a rollback where only the memory of it is left", async (t) => {
    const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
    tuf.publish("timestamp");
    await must(home, "trusted-root", "update", "acme");
    const kept = await runAt(0.1, home, ["load", "--update-trust", ...KEYLESS, "--to", "oci:out", "kit.tar"]);
    assert.equal(kept.code, 0, kept.stderr);
    assert.match(kept.stdout, /acme: as new as the kit's, and kept/);
    await rm(join(home, ".cache"), { recursive: true });
    const { code, stderr } = await runAt(0.1, home, ["load", "--update-trust", "kit.tar"]);
    assert.equal(code, 3);
    assert.match(stderr, /\[trust-rejected\]/);
  });
});

function digestOf(bytes: Uint8Array): string {
  return addBlob(new Map(), bytes).digest.slice("sha256:".length);
}

describe("What whoever made a kit may have put into it", () => {
  const eve = new SessionSigstore().create("eve");

  /** Another trust root in the place of the kit's own, with all that names it made to fit. */
  function exchangeRoot(files: KitFiles): void {
    const blob = addBlob(files, eve);
    editList(files, ({ trust: [first] }) => {
      Object.assign(first ?? {}, { trustedRoot: blob });
    });
    editManifest(files, ({ layers }) => {
      const layer = layers.find(({ mediaType }) => mediaType.includes("trustedroot"));
      Object.assign(layer ?? {}, blob);
    });
  }

  it("another trust root is not looked at", async (t) => {
    const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
    const digest = digestIn((await must(home, "load", "--list", "kit.tar")).stdout);
    await must(home, "load", "--update-trust", "kit.tar");
    await forge(join(home, "kit.tar"), exchangeRoot);
    const own = await runAt(1, home, ["load", ...KEYLESS, "--to", "oci:out", "kit.tar"]);
    assert.equal(own.code, 0, own.stderr);
    const pinned = await runAt(1, home, [
      "load",
      "--digest",
      digest,
      "--trust-kit",
      ...KEYLESS,
      "--to",
      "oci:pinned",
      "kit.tar",
    ]);
    assert.equal(pinned.code, 1);
    assert.match(pinned.stderr, /\[digest-mismatch\]/);
  });

  it("another trust root is not taken over: no metadata vouches for it", async (t) => {
    const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
    await forge(join(home, "kit.tar"), exchangeRoot);
    const { code, stderr } = await runAt(1, home, ["load", "--update-trust", ...KEYLESS, "--to", "oci:out", "kit.tar"]);
    assert.equal(code, 3, stderr);
    assert.match(stderr, /\[trust-rejected\]/);
    await assertUntouched(home);
    assert.match((await runAt(1, home, ["trusted-root", "show", "acme"])).stdout, /problem/);
  });

  it("another trust root is believed by somebody who pins that very kit: then it is theirs", async (t) => {
    const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
    await forge(join(home, "kit.tar"), exchangeRoot);
    const digest = digestIn((await must(home, "load", "--list", "kit.tar")).stdout);
    const { code, stdout } = await runAt(1, home, [
      "load",
      "--digest",
      digest,
      "--trust-kit",
      ...KEYLESS,
      "--to",
      "oci:out",
      "kit.tar",
    ]);
    assert.equal(code, 1);
    assert.match(stdout, /^refused.*certificate-untrusted/m);
    await assertUntouched(home);
  });

  it("images that somebody else signed, or nobody, are refused, and nothing is written", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("acme/app:1"), at("acme/db:9")]);
    for (const flags of [
      ["--key", "eve.pub"],
      ["--update-trust", "--trust", "acme", ...SIGNER.with(1, "eve@example.com")],
    ]) {
      for (const to of ["oci:out", at("refused")]) {
        const { code, stdout } = await runAt(0, home, ["load", ...flags, "--to", to, "kit.tar"]);
        assert.equal(code, flags.includes("--trust") ? 3 : 1, stdout);
        await assertUntouched(home);
      }
    }
    assert.deepEqual([...(await tagsOf("refused/acme/app"))], []);
  });

  it("an image under another image's name is what the digest of the kit is asked for", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("acme/app:1"), at("acme/db:9")]);
    const digest = digestIn((await must(home, "load", "--list", "kit.tar")).stdout);
    await forge(join(home, "kit.tar"), (files) => {
      const swap = (text: string): string =>
        text.replace(/acme\/(app:1|db:9)/g, (_, name: string) => (name === "app:1" ? "acme/db:9" : "acme/app:1"));
      files.set(
        "index.json",
        Buffer.from(
          swap(String(files.get("index.json")))
            .replaceAll('ref.name":"1"', 'ref.name":"_"')
            .replaceAll('ref.name":"9"', 'ref.name":"1"')
            .replaceAll('ref.name":"_"', 'ref.name":"9"'),
        ),
      );
      editList(files, ({ images: [one, other] }) => {
        if (one && other) [one["manifest"], other["manifest"]] = [other["manifest"], one["manifest"]];
      });
    });
    assert.equal(
      (await runAt(0, home, ["load", ...BY_KEY, "--to", "oci:swapped", "kit.tar"])).code,
      0,
      "nothing signed says so",
    );
    const { code, stderr } = await runAt(0, home, [
      "load",
      ...BY_KEY,
      "--digest",
      digest,
      "--to",
      "oci:out",
      "kit.tar",
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /\[digest-mismatch\]/);
    await assertUntouched(home);
  });
});

async function tagsOf(repository: string): Promise<readonly string[]> {
  const response = await fetch(`http://${registry.address}/v2/${repository}/tags/list`);
  const { tags } = (await response.json()) as { readonly tags?: readonly string[] };
  return tags ?? [];
}

describe("What stops in the middle", () => {
  it("an unsigned image at save: no file, not even for those that are signed", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("acme/app:1")]);
    const before = await visible(home);
    const { code, stdout } = await runAt(0, home, [
      "save",
      ...BY_KEY,
      "--to",
      "out.tar",
      at("acme/app:1"),
      at("acme/unsigned:1"),
    ]);
    assert.equal(code, 1);
    assert.match(stdout, /Nothing was saved: every image has to be accepted\./);
    assert.deepEqual(await visible(home), before);
  });

  it("a destination that is there already, before anything is asked or read", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("acme/app:1")]);
    const seen: string[] = [];
    registry.faults.when(
      ({ url }) => {
        seen.push(url);
        return false;
      },
      { kind: "html" },
    );
    for (const line of [
      ["save", ...BY_KEY, "--to", "kit.tar", at("acme/app:1")],
      ["load", ...BY_KEY, "--to", "oci:.", "kit.tar"],
      ["load", ...BY_KEY, "--to", "oci-archive:kit.tar", "kit.tar"],
    ]) {
      const { code, stderr } = await runAt(0, home, line);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /\[destination-exists\]/);
    }
    registry.faults.clear();
    assert.deepEqual(seen, []);
  });

  for (const [name, argv, part] of [
    ["save", ["save", ...BY_KEY, "--to", "out.tar", "REG/acme/app:1", "REG/acme/db:9"], "/acme/db/blobs/"],
    ["load into a registry", ["load", ...BY_KEY, "--to", "REG/stopped", "kit.tar"], "/stopped/acme/db/blobs/uploads"],
  ] as const) {
    it(`an interruption of ${name}: nothing has a name, nothing half-written is left`, async (t) => {
      const home = await receiver(t, [...BY_KEY, at("acme/app:1"), at("acme/db:9")]);
      const before = await visible(home);
      const stop = new AbortController();
      registry.faults.when(
        ({ url }) => {
          if (!url.includes(part)) return false;
          stop.abort(new CountersignError("interrupted", "interrupted"));
          return true;
        },
        { kind: "delay", ms: 50 },
        1,
      );
      const line = argv.map((word) => word.replace("REG", registry.address));
      const { code, stderr } = await runAt(0, home, line, stop.signal);
      registry.faults.clear();
      assert.equal(code, 130, stderr);
      assert.deepEqual(await visible(home), before);
      for (const repository of ["stopped/acme/app", "stopped/acme/db"]) assert.deepEqual(await tagsOf(repository), []);
    });
  }

  it("a registry that fails at the last image: none is tagged, and the same command goes on", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("acme/app:1"), at("acme/db:9")]);
    registry.faults.when(({ url }) => url.includes("/failing/acme/db/blobs/uploads"), { kind: "status", status: 403 });
    const line = ["load", ...BY_KEY, "--to", at("failing"), "kit.tar"];
    const failed = await runAt(0, home, line);
    registry.faults.clear();
    assert.equal(failed.code, 3, failed.stderr);
    assert.match(failed.stderr, /acme\/db:9: .*\[denied\]/);
    assert.deepEqual(await tagsOf("failing/acme/app"), []);
    await must(home, ...line);
    assert.deepEqual(await tagsOf("failing/acme/app"), ["1"]);
  });
});

describe("What a kit is made of", () => {
  it("has its signatures: one that is gone when the image is copied is a refusal, and no kit", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("acme/db:9")]);
    const empty = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [] };
    let listings = 0;
    const isLater = ({ url }: { readonly url: string }): boolean =>
      url.includes("/acme/app/referrers/") && ++listings > 1;
    const headers = { "content-type": empty.mediaType };
    registry.faults.when(isLater, {
      kind: "reply",
      reply: { status: 200, headers, content: contentOf(Buffer.from(JSON.stringify(empty))) },
    });
    const { code, stderr } = await runAt(0, home, ["save", ...BY_KEY, "--to", "out.tar", at("acme/app:1")]);
    registry.faults.clear();
    assert.equal(code, 1, stderr);
    assert.match(stderr, /would not be accepted out of the kit: the image is not signed.*\[unsigned\]/s);
    await assertUntouched(home);
  });

  it("are images in folders and archives too: by their names there", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("acme/app:1"), at("acme/db:9")]);
    await must(home, "copy", ...BY_KEY, at("acme/app:1"), "oci:one");
    await must(home, "copy", ...BY_KEY, at("acme/db:9"), "oci-archive:two.tar:2.0");
    await must(home, "save", ...BY_KEY, "--to", "files.tar", "oci:one", "oci-archive:two.tar", "oci:one");
    const { stdout } = await must(home, "load", ...BY_KEY, "--to", at("files/app"), "files.tar");
    assert.deepEqual(stdout.match(/(?<=loaded to +)\S+/g), [at("files/app:1"), at("files/app:2.0")]);
    const nowhere = await runAt(0, home, ["load", ...BY_KEY, "--to", registry.address, "files.tar"]);
    assert.equal(nowhere.code, 2, nowhere.stderr);
  });

  it("are images without a tag: a registry may clear them away, and that is said", async (t) => {
    const { stdout } = await must(sender, "load", "--list", await kitPath(t));
    const [, digest = ""] = /image +\S+@(sha256:[0-9a-f]{64})/.exec(stdout) ?? [];
    const home = await receiver(t, [...BY_KEY, `${at("acme/app")}@${digest}`]);
    const loaded = await must(home, "load", ...BY_KEY, "--to", at("bare"), "kit.tar");
    assert.match(loaded.stdout, new RegExp(`loaded to +${at("bare/acme/app")}@${digest}\n`));
    assert.match(loaded.stdout, /note +it has no tag there/);
    assert.doesNotMatch((await must(home, "load", ...BY_KEY, "--to", "oci:out", "kit.tar")).stdout, /it has no tag/);
  });

  it("is trust material that is not about to expire, or that is said", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("acme/app:1")]);
    await must(home, "trusted-root", "update", "acme");
    const line = ["save", "--offline", "--include-trust", "acme", "--to"];
    assert.equal((await runAt(WEEK - 4, home, [...line, "early.tar"])).stderr, "");
    assert.match(
      (await runAt(WEEK - 1, home, [...line, "late.tar"])).stderr,
      /expires at .*: refresh it with countersign trusted-root update/,
    );
  });

  async function kitPath(t: TestContext): Promise<string> {
    return join(await receiver(t, [...BY_KEY, at("acme/app:1")]), "kit.tar");
  }
});

describe("One platform of an index", () => {
  before(async () => {
    await pushImage(at("many/app:amd"), "amd");
    await pushImage(at("many/app:arm"), "arm");
    await pushIndex(at("many/app:1"), [at("many/app:amd"), at("many/app:arm")]);
    await must(sender, "sign", "--key", "cosign.key", at("many/app:1"), at("many/app:arm"));
  });

  it("goes into a kit by its own signature alone: its index stays behind", async (t) => {
    const home = await receiver(t, [...BY_KEY, "--platform", "linux/arm64", at("many/app:1")]);
    const { stdout } = await must(home, "load", ...BY_KEY, "--to", "oci:out", "kit.tar");
    assert.match(stdout, /loaded to +oci:out:1/);
    const { code, stdout: said } = await runAt(0, home, [
      "save",
      ...BY_KEY,
      "--platform",
      "linux/amd64",
      "--to",
      "no.tar",
      at("many/app:1"),
    ]);
    assert.equal(code, 1);
    assert.match(said, /next +take all platforms, by leaving --platform away/);
  });

  it("comes out of a kit of all of them in the same way", async (t) => {
    const home = await receiver(t, [...BY_KEY, at("many/app:1")]);
    const { stdout } = await must(home, "load", ...BY_KEY, "--platform", "linux/arm64", "--to", at("one"), "kit.tar");
    assert.match(stdout, /loaded to .*\/one\/many\/app:1/);
    const refused = await runAt(0, home, [
      "load",
      ...BY_KEY,
      "--platform",
      "linux/amd64",
      "--to",
      "oci:out",
      "kit.tar",
    ]);
    assert.equal(refused.code, 1);
    assert.match(refused.stdout, /next +take all platforms/);
    const missing = await runAt(0, home, [
      "load",
      ...BY_KEY,
      "--platform",
      "linux/riscv64",
      "--to",
      "oci:out",
      "kit.tar",
    ]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /\[platform-missing\]/);
    await assertUntouched(home);
  });
});

describe("Wrong usage, and nothing is touched", () => {
  const pin = `sha256:${"0".repeat(64)}`;
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["save without a file", ["save", ...BY_KEY, "app:1"]],
    ["save without an image", ["save", ...BY_KEY, "--to", "out.tar"]],
    ["save into a layout", ["save", ...BY_KEY, "--to", "oci:out", "app:1"]],
    ["save by nobody's signature", ["save", "--to", "out.tar", "app:1"]],
    [
      "save by what only GitHub keeps",
      ["save", "--repo", "a/b", "--type", "vuln", "--github-api", "https://api.github.com", "--to", "out.tar", "app:1"],
    ],
    ["save from a registry without a network", ["save", "--offline", ...BY_KEY, "--to", "out.tar", "app:1"]],
    ["load to nowhere", ["load", ...BY_KEY, "kit.tar"]],
    ["load to what is no registry", ["load", ...BY_KEY, "--to", "out", "kit.tar"]],
    ["load under a tag", ["load", ...BY_KEY, "--to", "oci:out:1", "kit.tar"]],
    ["load into an archive for Docker", ["load", ...BY_KEY, "--to", "docker-archive:out", "kit.tar"]],
    [
      "load into a registry without a network",
      ["load", "--offline", ...BY_KEY, "--to", "registry.example/a", "kit.tar"],
    ],
    ["list and load", ["load", "--list", "--to", "oci:out", "kit.tar"]],
    ["list and take trust", ["load", "--list", "--update-trust", "kit.tar"]],
    ["believe a kit that nobody pinned", ["load", "--trust-kit", ...SIGNER, "--to", "oci:out", "kit.tar"]],
    [
      "believe a kit and a file",
      ["load", "--trust-kit", "--digest", pin, "--trusted-root", "a", ...SIGNER, "--to", "oci:out", "kit.tar"],
    ],
    ["a digest that is none", ["load", "--digest", "sha256:00", "--list", "kit.tar"]],
    [
      "ask GitHub",
      [
        "load",
        "--repo",
        "a/b",
        "--type",
        "vuln",
        "--github-api",
        "https://api.github.com",
        "--to",
        "oci:out",
        "kit.tar",
      ],
    ],
  ];
  for (const [name, argv] of cases) {
    it(name, async (t) => {
      const home = await temporaryFolder(t);
      await cp(join(sender, "cosign.pub"), join(home, "cosign.pub"));
      const { code, stderr } = await runAt(0, home, argv);
      assert.equal(code, 2, stderr);
      assert.deepEqual(await readdir(home), ["cosign.pub"]);
    });
  }

  it("load by nobody's signature what no root is pinned for", async (t) => {
    const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
    const { code, stderr } = await runAt(0, home, ["load", "--to", "oci:out", "kit.tar"]);
    assert.equal(code, 2);
    assert.match(stderr, /nothing says whose signature is wanted/);
    await assertUntouched(home);
  });

  it("believe a kit that nothing would rest on", async (t) => {
    const home = await receiver(t, [...KEYLESS, at("acme/app:1")]);
    const digest = digestIn((await must(home, "load", "--list", "kit.tar")).stdout);
    const { code, stderr } = await runAt(0, home, [
      "load",
      "--digest",
      digest,
      "--trust-kit",
      ...BY_KEY,
      "--to",
      "oci:out",
      "kit.tar",
    ]);
    assert.equal(code, 2);
    assert.match(stderr, /nothing rests on the trust roots of the kit/);
    await assertUntouched(home);
  });
});
