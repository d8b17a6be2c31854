import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { describe as described } from "../../src/core/oci/descriptor.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import { parseManifest } from "../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import { parseReference } from "../../src/core/oci/reference.ts";
import type { ContentStore, Signer } from "../../src/core/ports.ts";
import { findBinding } from "../../src/core/tags/lookup.ts";
import { HEAD_TAG, pathOfTag } from "../../src/core/tags/names.ts";
import type { PublisherClock } from "../../src/core/tags/ports.ts";
import { instant } from "../../src/core/time.ts";
import { openRegistry } from "../../src/io/registry/store.ts";
import { sourceOf } from "../../src/ops/prepare-signature.ts";
import { initTrust } from "../../src/ops/tags/init.ts";
import type { Publisher } from "../../src/ops/tags/publisher.ts";
import { refreshTrust } from "../../src/ops/tags/refresh.ts";
import { signTags } from "../../src/ops/tags/sign.ts";
import { addSigner } from "../../src/ops/tags/signers.ts";
import { readWholeTrust } from "../../src/ops/tags/whole.ts";
import { rejectedBy } from "../support/codes.ts";
import { TestClock } from "../support/registry-client.ts";
import { initWish, roleSigner, TestRing } from "../support/tag-publisher.ts";
import { type CuttingProxy, type Fate, type PassingRequest, startCuttingProxy } from "./cutting-proxy.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";

/** The machine's time; what is waited for is over much sooner. */
function briskClock(): PublisherClock {
  let ahead = 0;
  return {
    now: () => instant(Date.now() + ahead),
    async sleep(milliseconds) {
      await delay(Math.ceil(milliseconds / 50));
      ahead += milliseconds;
    },
    random: Math.random,
  };
}

/** Signed tags of one repository in a real registry. */
class Repository {
  readonly #address: () => string;
  readonly #name: string;
  readonly gun: string;
  readonly online = roleSigner("online");
  readonly people = new Map<string, Signer>();
  #base: Omit<Publisher, "store" | "ring" | "clock"> | undefined;

  constructor(address: () => string, name: string) {
    this.#address = address;
    this.#name = name;
    this.gun = `registry.example/${name}`;
  }

  async setUp(signers: readonly string[]): Promise<void> {
    const [root, targets] = [roleSigner("root"), roleSigner("targets")];
    const by = (signer: Signer) => ({ signers: [signer], threshold: 1 });
    const roles = { root: by(root), targets: by(targets), snapshot: by(this.online), timestamp: by(this.online) };
    const store = this.#open();
    const wish = initWish(store, { gun: this.gun, roles, now: instant(Date.now()) });
    const { pin } = await initTrust(wish);
    this.#base = { gun: this.gun, head: HEAD_TAG, pin, writers: "unknown" };
    this.people.set("targets", targets);
    for (const name of signers) {
      const signer = roleSigner(name);
      const publisher = this.publisher(store, new TestRing(targets, this.online));
      await addSigner(publisher, { name, keys: [signer.publicKey], takesOver: false });
      this.people.set(name, signer);
    }
    await store.close();
  }

  #open(address = this.#address()): ContentStore {
    const options = { env: {}, homeDirectory: "/nonexistent", certificateFolders: [], clock: new TestClock() };
    return openRegistry(parseReference(`${address}/${this.#name}:1`), options);
  }

  publisher(store: ContentStore, ring: TestRing, more: Partial<Publisher> = {}): Publisher {
    assert.ok(this.#base !== undefined);
    return { ...this.#base, store, ring, clock: briskClock(), ...more };
  }

  ringOf(name: string): TestRing {
    const signer = this.people.get(name);
    assert.ok(signer !== undefined);
    return new TestRing(signer, this.online);
  }

  /** Signs a tag as one signer, with connections of its own; through a proxy where its address is given. */
  async sign(name: string, tag: string, more: Partial<Publisher> = {}, address?: string): Promise<void> {
    const store = this.#open(address);
    try {
      const images = this.#open();
      const digest = await pushImage(images, tag);
      const publisher = this.publisher(store, this.ringOf(name), more);
      const { publication } = await signTags(publisher, { images, tags: [tag], digest });
      await images.close();
      assert.equal(publication.state, "published");
    } finally {
      await store.close();
    }
  }

  async refresh(): Promise<void> {
    const store = this.#open();
    await refreshTrust(this.publisher(store, new TestRing(this.online)));
    await store.close();
  }

  /** Which of these tags are bound, each to its own image. */
  async bound(tags: readonly string[]): Promise<readonly string[]> {
    const store = this.#open();
    assert.ok(this.#base !== undefined);
    const view = await readWholeTrust({ ...this.#base, store }, instant(Date.now() + 1000));
    await store.close();
    return tags.filter((tag) => findBinding(view, pathOfTag(tag)).found?.binding.digest === imageOf(tag).digest);
  }
}

function imageOf(tag: string): { readonly config: Uint8Array; readonly digest: Digest; readonly bytes: Uint8Array } {
  const config = Buffer.from(JSON.stringify({ tag }));
  const json = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: described(config, MEDIA_TYPES.ociConfig),
    layers: [],
  };
  const bytes = Buffer.from(JSON.stringify(json));
  return { config, bytes, digest: described(bytes, MEDIA_TYPES.ociManifest).digest };
}

async function pushImage(store: ContentStore, tag: string): Promise<Digest> {
  const { config, bytes, digest } = imageOf(tag);
  await store.pushBlob(described(config, MEDIA_TYPES.ociConfig), sourceOf(config));
  await store.pushManifest(parseManifest(bytes, MEDIA_TYPES.ociManifest), tag);
  return digest;
}

const isHeadWrite = ({ method, path }: PassingRequest) => method === "PUT" && path.endsWith(`/manifests/${HEAD_TAG}`);

for (const kind of REGISTRIES) {
  describe(`publishers beside each other: ${kind.name}`, { skip: kind.missing }, () => {
    const scene = useScene(kind);
    const through = async (work: (proxy: CuttingProxy) => Promise<void>, fateOf: (request: PassingRequest) => Fate) => {
      const proxy = await startCuttingProxy(scene.address, fateOf);
      try {
        await work(proxy);
      } finally {
        await proxy.close();
      }
      return proxy.count;
    };

    /** One repository for all: each test is about tags of its own. */
    const shared = new Repository(() => scene.address, "acme/app");
    const names = Array.from({ length: 20 }, (_, at) => `signer-${at}`);

    it("is set up, with twenty signers", async () => {
      await shared.setUp(names);
      assert.deepEqual(await shared.bound(["1"]), []);
    });

    it("two in the same second lose nothing (42)", async () => {
      await Promise.all([shared.sign("signer-0", "two-0"), shared.sign("signer-1", "two-1")]);
      assert.deepEqual(await shared.bound(["two-0", "two-1"]), ["two-0", "two-1"]);
    });

    it("two jobs with one key lose nothing (43)", async () => {
      await Promise.all([shared.sign("signer-0", "job-0"), shared.sign("signer-0", "job-1")]);
      assert.deepEqual(await shared.bound(["job-0", "job-1"]), ["job-0", "job-1"]);
    });

    it("twenty at once lose nothing", async () => {
      const tags = names.map((name) => `many-${name}`);
      await Promise.all(names.map((name) => shared.sign(name, `many-${name}`)));
      assert.deepEqual(await shared.bound(tags), tags);
    });

    it("whoever is cut off at any request costs nobody else anything, and what was staged is published (44)", async () => {
      const small = new Repository(() => scene.address, "acme/small");
      await small.setUp(["ann"]);
      await small.sign("ann", "kept");
      const total = await through(
        (proxy) => small.sign("ann", "whole", {}, proxy.address),
        () => "pass",
      );
      const staged: string[] = [];
      for (let at = 1; at <= total; at++) {
        for (const fate of ["cut", "carried-out"] as const) {
          const tag = `${fate}-${at}`;
          let isStaged = false;
          await through(
            (proxy) => small.sign("ann", tag, {}, proxy.address).catch(() => undefined),
            ({ index, method, path }) => {
              const arrives = index < at || (index === at && fate === "carried-out");
              if (method === "PUT" && path.endsWith(".role.ann") && arrives) isStaged = true;
              return index < at ? "pass" : index === at ? fate : "cut";
            },
          );
          if (isStaged) staged.push(tag);
        }
      }
      await small.refresh();
      assert.ok(staged.length > 4, `${staged.length} of ${2 * total} came after the stage`);
      assert.deepEqual(await small.bound(["kept", "whole", ...staged]), ["kept", "whole", ...staged]);
    });

    it("a head that lands late costs nothing after the next refresh (45)", async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      let isFirst = true;
      await through(
        async (proxy) => {
          try {
            await shared.sign("signer-2", "late", {}, proxy.address);
            await shared.sign("signer-3", "after");
          } finally {
            resolve();
          }
        },
        (request) => {
          if (!isHeadWrite(request) || !isFirst) return "pass";
          isFirst = false;
          return { after: promise };
        },
      );
      assert.deepEqual(await shared.bound(["late", "after"]), ["late"], "it has landed");
      await shared.refresh();
      assert.deepEqual(await shared.bound(["late", "after"]), ["late", "after"]);
    });

    it("a registry that says 201 and keeps the old head is found out (46)", async () => {
      await through(
        async (proxy) => {
          await rejectedBy(() => shared.sign("signer-4", "lied", {}, proxy.address), "write-unconfirmed");
        },
        (request) => (isHeadWrite(request) ? "lie" : "pass"),
      );
      assert.deepEqual(await shared.bound(["lied"]), []);
      await shared.refresh();
      assert.deepEqual(await shared.bound(["lied"]), ["lied"]);
    });
  });
}
