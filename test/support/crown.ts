import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../src/cli/main.ts";
import { publicKeyPem } from "../../src/core/crypto/public-key.ts";
import { parseReference } from "../../src/core/oci/reference.ts";
import { instant } from "../../src/core/time.ts";
import { writeFileAtomic } from "../../src/io/disk/atomic.ts";
import { openRegistry } from "../../src/io/registry/store.ts";
import { keySignatory, signImage } from "../../src/ops/sign.ts";
import { type Registry, type RegistryOptions, startRegistry } from "../../src/testbed/registry.ts";
import { makeBytes, makeImage, makeLayer, pushImage } from "./images.ts";
import { captureContext } from "./session.ts";
import { testSigner } from "./signatures.ts";

export interface Ended {
  readonly exitCode: number;
  readonly stderr: string;
}

/** A signed image in an embedded registry, and a folder to pull it to: what the crown tests break. */
export class Stage {
  readonly registry: Registry;
  readonly folder: string;
  readonly image: string;

  private constructor(registry: Registry, folder: string) {
    this.registry = registry;
    this.folder = folder;
    this.image = `${registry.address}/crown/app:1.0`;
  }

  static async open(folder: string, options: RegistryOptions = {}): Promise<Stage> {
    const stage = new Stage(await startRegistry(options), folder);
    const shared = { env: {}, homeDirectory: folder };
    const store = openRegistry(parseReference(stage.image), shared);
    const signer = testSigner();
    const content = (seed: number) => ({ files: { [`file-${seed}`]: makeBytes(40_000, seed) } });
    const layers = [await makeLayer(content(1)), await makeLayer({ ...content(2), compression: "zstd" })];
    await pushImage(store, await makeImage({ layers }), "1.0");
    const target = { image: stage.image, store, tag: "1.0" };
    const signed = await signImage(target, {
      signatory: keySignatory(signer),
      formats: ["bundle"],
      annotations: {},
      createdAt: instant(0),
      now: instant(0),
    });
    assert.equal(signed.finding, undefined);
    await store.close();
    await writeFileAtomic(join(folder, "key.pub"), Buffer.from(publicKeyPem(signer.publicKey)));
    stage.registry.restart();
    return stage;
  }

  /** The command line of one pull, as a user would type it; `patience` is how long a silent peer is waited for. */
  argv(patience: string): readonly string[] {
    return ["pull", "--key", "key.pub", "--to", "oci:out", "--retry", "0", "--timeout", patience, this.image];
  }

  get env(): Readonly<Record<string, string>> {
    return { HOME: this.folder, XDG_CACHE_HOME: join(this.folder, "cache") };
  }

  /** Pulls in this process. */
  async pull(patience = "10s"): Promise<Ended> {
    const { context, stderr } = captureContext({
      env: this.env,
      workingDirectory: this.folder,
      homeDirectory: this.folder,
    });
    const exitCode = await run(this.argv(patience), context);
    await new Promise((resolve) => setImmediate(resolve));
    return { exitCode, stderr: stderr() };
  }

  get isThere(): boolean {
    return existsSync(join(this.folder, "out"));
  }

  /** Everything in the destination, by path. */
  async content(): Promise<ReadonlyMap<string, string>> {
    const out = join(this.folder, "out");
    const entries = await readdir(out, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const pairs = await Promise.all(
      files.map(async (file) => [file.slice(out.length), (await readFile(file)).toString("base64")] as const),
    );
    return new Map(pairs.toSorted(([a], [b]) => a.localeCompare(b)));
  }

  /** As if nothing had been pulled yet: destination, staging and caches are gone. */
  async reset(): Promise<void> {
    const names = await readdir(this.folder);
    const made = names.filter((name) => name !== "key.pub");
    await Promise.all(made.map((name) => rm(join(this.folder, name), { recursive: true, force: true })));
    this.registry.faults.clear();
    this.registry.restart();
  }

  /** What must hold after any fault: refused or undetermined with a reason and nothing to be seen, or exactly the image. */
  async assertNothingUnproven(ended: Ended, good: ReadonlyMap<string, string>, what: string): Promise<void> {
    if (ended.exitCode === 0) {
      assert.deepEqual(await this.content(), good, `${what}: something else was pulled`);
      return;
    }
    assert.ok([1, 3, 4].includes(ended.exitCode), `${what}: exit ${ended.exitCode}\n${ended.stderr}`);
    assert.equal(this.isThere, false, `${what}: the destination is there`);
    assert.match(ended.stderr, /^countersign: .*\[[a-z-]+\]$/m, `${what}: no reason was given`);
    assert.doesNotMatch(ended.stderr, /\n\s+at /, `${what}: a stack trace`);
  }

  /** And then: the next pull, undisturbed, works. */
  async assertRecovers(good: ReadonlyMap<string, string>, what: string): Promise<void> {
    this.registry.faults.clear();
    await rm(join(this.folder, "out"), { recursive: true, force: true });
    const ended = await this.pull();
    assert.equal(ended.exitCode, 0, `${what}: the next pull fails\n${ended.stderr}`);
    assert.deepEqual(await this.content(), good, `${what}: the next pull differs`);
    const left = (await readdir(this.folder)).filter((name) => name.startsWith("."));
    assert.deepEqual(left, [], `${what}: something is left beside the destination`);
  }
}
