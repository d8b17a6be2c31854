import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { run } from "../../src/cli/main.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import { layoutDestination } from "../../src/io/layout/destination.ts";
import type { Fault } from "../../src/testbed/faults.ts";
import { type Registry, startRegistry } from "../../src/testbed/registry.ts";
import type { Ended } from "../support/crown.ts";
import { makeImage, pushContent } from "../support/images.ts";
import { captureContext } from "../support/session.ts";
import { temporaryFolder } from "../support/temp.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/countersign.js", import.meta.url));

const FAULTS: Readonly<Record<string, Fault>> = {
  "the connection is reset before it is carried out": { kind: "reset" },
  "only its answer is lost": { kind: "reset", after: true },
  "no answer ever comes": { kind: "stall" },
  "it is answered with a bit flipped": { kind: "flip-bit" },
  "it is denied": { kind: "status", status: 403 },
  "it fails": { kind: "status", status: 500 },
};

/** What a tag of ours named before: nothing that is signed, so that nothing but the push can make it verify. */
const OLD = Buffer.from('{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}');

interface Scene {
  readonly referrersApi: boolean;
  readonly format: "bundle" | "cosign-legacy";
  /** Whether the process is killed too, which takes long. */
  readonly isKilled?: true;
}

/** An image to publish, the key that signs it, and a new registry for every attempt. */
class Publisher {
  readonly #folder: string;
  readonly #scene: Scene;

  constructor(folder: string, scene: Scene) {
    this.#folder = folder;
    this.#scene = scene;
  }

  async prepare(): Promise<void> {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await writeFile(join(this.#folder, "key"), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    await writeFile(join(this.#folder, "key.pub"), publicKey.export({ type: "spki", format: "pem" }));
    const image = await makeImage();
    const destination = await layoutDestination({ kind: "oci-layout", path: join(this.#folder, "image") });
    await pushContent(destination.store, image);
    await destination.commit(image.manifest);
  }

  async registry(): Promise<Registry> {
    const { referrersApi } = this.#scene;
    const registry = await startRegistry({ referrersApi });
    registry.control.putManifest("app", OLD, "application/vnd.oci.image.index.v1+json", "1");
    return registry;
  }

  /** Pushes in this process; `patience` is how long a silent registry is waited for. */
  push(registry: Registry, patience?: string): Promise<Ended> {
    return this.#run(registry, this.#pushArguments(registry, patience));
  }

  verify(registry: Registry): Promise<Ended> {
    return this.#run(registry, ["verify", "--key", "key.pub", `${registry.address}/app:1`]);
  }

  /** Pushes in a process of its own. */
  start(registry: Registry): ChildProcess {
    const options = { cwd: this.#folder, env: this.#env(registry), stdio: "ignore" } as const;
    return spawn(process.execPath, [PROGRAM, ...this.#pushArguments(registry)], options);
  }

  async #run(registry: Registry, argv: readonly string[]): Promise<Ended> {
    const env = this.#env(registry);
    const surroundings = { env, workingDirectory: this.#folder, homeDirectory: this.#folder };
    const { context, stderr } = captureContext(surroundings);
    return { exitCode: await run(argv, context), stderr: stderr() };
  }

  #pushArguments({ address }: Registry, timeout = "60s"): readonly string[] {
    const patience = ["--retry", "0", "--timeout", timeout];
    return ["push", "--key", "key", "-y", "--format", this.#scene.format, ...patience, "oci:image", `${address}/app:1`];
  }

  #env({ address }: Registry): Readonly<Record<string, string>> {
    return { HOME: this.#folder, XDG_CACHE_HOME: join(this.#folder, address) };
  }
}

function tagged({ control }: Registry): Digest | undefined {
  return control.tags("app").get("1");
}

const SCENES: readonly Scene[] = [
  { referrersApi: true, format: "bundle", isKilled: true },
  { referrersApi: false, format: "bundle" },
  { referrersApi: true, format: "cosign-legacy" },
];

for (const scene of SCENES) {
  const api = scene.referrersApi ? "with" : "without";
  describe(`a push ${api} the referrers API, signed as ${scene.format}, disturbed at every request`, () => {
    let publisher: Publisher;
    let requests: readonly string[] = [];
    let old: Digest | undefined;
    let pushed: Digest | undefined;
    const cleanups: (() => Promise<void>)[] = [];
    after(async () => {
      for (const work of cleanups) await work();
    });

    before(async () => {
      publisher = new Publisher(await temporaryFolder({ after: (work) => void cleanups.push(work) }), scene);
      await publisher.prepare();
      await using registry = await publisher.registry();
      old = tagged(registry);
      const { exitCode, stderr } = await publisher.push(registry);
      assert.equal(exitCode, 0, stderr);
      pushed = tagged(registry);
      requests = registry.requests.map(({ method, path }) => `${method} ${path}`);
    });

    async function assertNeverUnsigned(registry: Registry, where: string): Promise<void> {
      registry.faults.clear();
      if (tagged(registry) !== old) {
        assert.equal(tagged(registry), pushed, `${where}: the tag names something else`);
        const { exitCode, stderr } = await publisher.verify(registry);
        assert.equal(exitCode, 0, `${where}: the tag names what does not verify\n${stderr}`);
      }
      const next = await publisher.push(registry);
      assert.equal(next.exitCode, 0, `${where}: the next push fails\n${next.stderr}`);
      assert.equal(tagged(registry), pushed, `${where}: the next push does not move the tag`);
    }

    it("moves the tag in its last request that changes anything", () => {
      assert.match(requests.filter((request) => !/^(?:GET|HEAD) /.test(request)).at(-1) ?? "", /^PUT .*manifests\/1$/);
    });

    for (const [what, fault] of Object.entries(FAULTS)) {
      it(`${what}: the tag names the image of before, or what verifies`, async () => {
        const disturb = async (request: string, at: number): Promise<void> => {
          await using registry = await publisher.registry();
          registry.faults.at(at, fault);
          const { exitCode } = await publisher.push(registry, fault.kind === "stall" ? "300ms" : undefined);
          const where = `request ${at} (${request})`;
          if (exitCode === 0) assert.equal(tagged(registry), pushed, `${where}: success without the tag`);
          await assertNeverUnsigned(registry, where);
        };
        await Promise.all(requests.map((request, at) => disturb(request, at + 1)));
      });
    }

    if (!scene.isKilled) return;
    it("the process is killed: the tag names the image of before, or what verifies", async () => {
      for (const [at, request] of requests.entries()) {
        if (/^(?:GET|HEAD) /.test(request)) continue;
        await using registry = await publisher.registry();
        let child: ChildProcess | undefined;
        registry.faults.when(
          ({ index }) => {
            if (index > at) child?.kill("SIGKILL");
            return index > at;
          },
          { kind: "reset", after: true },
        );
        child = publisher.start(registry);
        await once(child, "exit");
        assert.equal(child.signalCode, "SIGKILL");
        await assertNeverUnsigned(registry, `killed at request ${at + 1} (${request})`);
      }
    });
  });
}
