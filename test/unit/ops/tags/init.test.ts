import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import { CountersignError } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { type Digest, digestOf } from "../../../../src/core/oci/digest.ts";
import { parseManifest } from "../../../../src/core/oci/manifest.ts";
import type { Signer } from "../../../../src/core/ports.ts";
import { parseHead } from "../../../../src/core/tags/head.ts";
import { STRICT_CEILINGS, STRICT_LIFETIMES } from "../../../../src/core/tags/lifetimes.ts";
import { HEAD_TAG, probeTag } from "../../../../src/core/tags/names.ts";
import { pinOf, type RootPin } from "../../../../src/core/tags/pin.ts";
import { readRole } from "../../../../src/core/tags/read.ts";
import { requireThreshold, verifyFirstRoot } from "../../../../src/core/tags/verify-role.ts";
import { initTrust } from "../../../../src/ops/tags/init.ts";
import { requireMovableTags } from "../../../../src/ops/tags/probe.ts";
import { refreshTrust } from "../../../../src/ops/tags/refresh.ts";
import { startRegistry } from "../../../../src/testbed/registry.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { makeImage, pushImage } from "../../../support/images.ts";
import { type Call, MemoryStore } from "../../../support/memory-store.ts";
import { openTestStore } from "../../../support/registry-client.ts";
import { SimulatedStore, World } from "../../../support/simulated-registry.ts";
import { idOf, initialised, initWish, NOW, publisherOf, roleSigner } from "../../../support/tag-publisher.ts";

async function headFile(store: MemoryStore, name: string): Promise<Uint8Array> {
  const head = await store.resolve(HEAD_TAG);
  assert.ok(head !== undefined);
  const file = parseHead(head).files.get(name);
  assert.ok(file !== undefined, name);
  return await store.readBlob(file.descriptor, 65_536);
}

describe("setting up signed tags", () => {
  it("makes root 1, targets, snapshot and timestamp, each signed by its keys, and says what to pin", async () => {
    const { store, root, targets, online, result } = await initialised();
    const first = readRole(await headFile(store, "1.root.json"), "root", "root 1", NOW);
    verifyFirstRoot(first);
    assert.deepEqual(result.pin, {
      gun: "registry.example/app",
      rootVersion: 1,
      root: digestOf(first.bytes),
      rootKeyIds: [idOf(root)],
      threshold: 1,
      mode: "pinned",
      firstSeen: NOW,
    });
    assert.equal(first.body.profile.gun, "registry.example/app");
    const { keys, roles } = first.body;
    for (const kind of ["targets", "snapshot", "timestamp"] as const) {
      const name = kind === "timestamp" ? "timestamp.json" : `${NOW}.${kind}.json`;
      const role = readRole(await headFile(store, name), kind, kind, NOW);
      assert.deepEqual(requireThreshold(role, keys, roles[kind], kind), [idOf(kind === "targets" ? targets : online)]);
    }
    assert.equal(result.head, store.names.get(HEAD_TAG));
    assert.deepEqual(
      result.roles.map(({ name, version }) => [name, version]),
      [
        ["root", 1],
        ["targets", NOW],
        ["snapshot", NOW],
        ["timestamp", NOW],
      ],
    );
  });

  it("binds metadata that lies elsewhere to the repository that it is for", async () => {
    const store = new MemoryStore("registry", "registry.example/app-trust");
    const { result } = await initialised({ store, gun: "registry.example/app", aliases: ["mirror.example/app"] });
    const first = readRole(await headFile(store, "1.root.json"), "root", "root 1");
    assert.equal(first.body.profile.gun, "registry.example/app");
    assert.deepEqual(first.body.profile.aliases, ["mirror.example/app"]);
    assert.equal(result.location, "registry.example/app-trust");
  });

  it("lives as long as it was told", async () => {
    const { result } = await initialised({ lifetimes: STRICT_LIFETIMES, ceilings: STRICT_CEILINGS });
    const timestamp = result.roles.find(({ name }) => name === "timestamp");
    assert.equal(timestamp?.expires, Math.floor((NOW + 86_400_000) / 1000) * 1000);
  });

  it("keeps the keys when all is signed and nothing published", async () => {
    const store = new MemoryStore();
    const seen: boolean[] = [];
    await initTrust(initWish(store, { keep: async () => void seen.push(store.names.has(HEAD_TAG)) }));
    assert.deepEqual(seen, [false]);
  });

  it("publishes nothing where the keys cannot be kept", async () => {
    const store = new MemoryStore();
    const full = new CountersignError("disk-error", "no space left");
    await rejectedBy(() => initTrust(initWish(store, { keep: () => Promise.reject(full) })), "disk-error");
    assert.equal(store.names.has(HEAD_TAG), false);
  });

  it("leaves signed tags alone that are there already, whoever made them", async () => {
    const { store } = await initialised();
    const before = store.names.get(HEAD_TAG);
    let kept = 0;
    const wish = initWish(store, { keep: async () => void kept++ });
    await rejectedBy(() => initTrust(wish), "destination-exists");
    assert.equal(store.names.get(HEAD_TAG), before);
    assert.equal(kept, 0);
  });

  it("does not take what it could not look at for nothing", async () => {
    const store = new MemoryStore();
    const unreachable = new CountersignError("unreachable", "no route");
    store.misbehaviour = { before: (call) => (call.startsWith("resolve ") ? Promise.reject(unreachable) : undefined) };
    await rejectedBy(() => initTrust(initWish(store)), "unreachable");
    assert.deepEqual(store.callsOf("pushManifest"), []);
  });

  for (const [threshold, count] of [
    [0, 1],
    [2, 1],
    [1.5, 2],
    [1, 0],
  ] as const) {
    it(`refuses a threshold of ${threshold} among ${count} keys`, async () => {
      const store = new MemoryStore();
      const { roles } = initWish(store);
      const root = { signers: Array.from({ length: count }, () => roleSigner()), threshold };
      await rejectedBy(() => initTrust(initWish(store, { roles: { ...roles, root } })), "usage");
      assert.deepEqual(store.calls, []);
    });
  }

  it("refuses one key given twice: it would count as two people", async () => {
    const store = new MemoryStore();
    const [key, { roles }] = [roleSigner(), initWish(store)];
    const root = { signers: [key, key], threshold: 2 };
    await rejectedBy(() => initTrust(initWish(store, { roles: { ...roles, root } })), "usage");
  });

  it("refuses keys that TUF's clients do not verify alike", async () => {
    const store = new MemoryStore();
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const rsa: Signer = { publicKey: publicKeyFrom(privateKey, "rsa.pub"), sign: async () => new Uint8Array() };
    for (const signer of [rsa, roleSigner("p521.pub", "P-521")]) {
      const { roles } = initWish(store);
      const targets = { signers: [signer], threshold: 1 };
      await rejectedBy(() => initTrust(initWish(store, { roles: { ...roles, targets } })), "key-weak");
    }
  });

  it("takes P-256 and P-384, as KMS and tokens have them", async () => {
    for (const curve of ["P-256", "P-384"] as const) {
      const store = new MemoryStore();
      const { roles } = initWish(store);
      const root = { signers: [roleSigner("a", curve), roleSigner("b", curve)], threshold: 2 };
      await initTrust(initWish(store, { roles: { ...roles, root } }));
      verifyFirstRoot(readRole(await headFile(store, "1.root.json"), "root", "root 1"));
    }
  });

  it("is unconfirmed where the registry shows no head, or another one (46)", async () => {
    for (const shown of [undefined, await initialised().then(({ store }) => store)]) {
      const store = new MemoryStore();
      const forget = (call: Call) => {
        if (!call.startsWith("resolve countersign-trust") || call.includes("probe")) return;
        if (!store.names.has(HEAD_TAG)) return;
        store.names.delete(HEAD_TAG);
        if (shown === undefined) return;
        for (const [digest, stored] of shown.manifests) store.manifests.set(digest, stored);
        for (const [name, digest] of shown.names) store.names.set(name, digest);
      };
      store.misbehaviour = { before: forget };
      await rejectedBy(() => initTrust(initWish(store)), "write-unconfirmed");
    }
  });
});

describe("two who set up one repository in one moment", () => {
  const SETTLED = LIMITS.publishWindowMs + LIMITS.publishSettleMs;

  /** Each a moment after the one before; how long the write of each head takes, in milliseconds. Other requests take 50 there and back. */
  async function race(writes: readonly number[], settles = true) {
    const world = new World(NOW);
    const registry = new MemoryStore();
    const ends = await world.run(
      writes.map(async (write, at) => {
        await world.delay(at * 10);
        const store = new SimulatedStore(world, registry, (call) => ({
          there: call === `pushManifest ${HEAD_TAG}` ? write : 50,
          back: 50,
        }));
        const settle = settles ? (milliseconds: number) => world.delay(milliseconds) : undefined;
        return await initTrust(initWish(store, { settle }));
      }),
    );
    const root = parseHead((await registry.resolve(HEAD_TAG)) ?? assert.fail()).files.get("1.root.json");
    const codes = ends.map((end) => {
      if (end.status === "fulfilled") return end.value.pin.root === root?.descriptor.digest ? "won" : "deceived";
      return end.reason instanceof CountersignError ? end.reason.code : "broken";
    });
    return codes;
  }

  for (const [writes, ends] of [
    [
      [50, 50],
      ["write-unconfirmed", "won"],
    ],
    [
      [50, 2_000],
      ["write-unconfirmed", "won"],
    ],
    [
      [2_000, 50],
      ["won", "write-unconfirmed"],
    ],
    [
      [50, 9_900],
      ["write-unconfirmed", "won"],
    ],
    [
      [300, 50, 5_000],
      ["write-unconfirmed", "write-unconfirmed", "won"],
    ],
  ] as const) {
    it(`end with one root and one who made it, where the head takes ${writes.join(", ")} ms`, async () => {
      assert.deepEqual(await race(writes), ends);
    });
  }

  it("would both believe to have done it if nobody looked again", async () => {
    assert.deepEqual(await race([50, 2_000], false), ["deceived", "won"]);
  });

  it("learn whose root is there, and that theirs is not pinned", async () => {
    const store = new MemoryStore();
    let asked = 0;
    const settle = async (milliseconds: number) => {
      asked = milliseconds;
      store.names.delete(HEAD_TAG);
      await initTrust(initWish(store));
    };
    const error = await rejectedBy(() => initTrust(initWish(store, { settle })), "write-unconfirmed");
    assert.equal(asked, SETTLED);
    assert.match(error.message, /somebody else/);
    assert.match(error.next, /trust pin registry.example\/app --root-checksum/);
    assert.notEqual(error.found, error.wanted);
  });

  it("are not seen in what the same keys have published meanwhile", async () => {
    const trust = await initialised();
    const store = new MemoryStore();
    const { roles } = initWish(store);
    const by = (signer: Signer) => ({ signers: [signer], threshold: 1 });
    const own = {
      root: by(trust.root),
      targets: by(trust.targets),
      snapshot: by(trust.online),
      timestamp: by(trust.online),
    };
    const settle = async () => {
      const head = store.names.get(HEAD_TAG) ?? assert.fail();
      const mine = { ...trust, store, result: { ...trust.result, head, pin: pinAt(store) } };
      await refreshTrust(publisherOf(mine));
      assert.notEqual(store.names.get(HEAD_TAG), head);
    };
    await initTrust(initWish(store, { roles: { ...roles, ...own }, settle }));
  });

  it("are refused where the head is gone or no head any more after the wait", async () => {
    const image = await makeImage();
    for (const spoil of [
      async (store: MemoryStore) => void store.names.delete(HEAD_TAG),
      async (store: MemoryStore) => void (await pushImage(store, image, HEAD_TAG)),
    ]) {
      const store = new MemoryStore();
      const error = await rejectedBy(
        () => initTrust(initWish(store, { settle: () => spoil(store) })),
        "write-unconfirmed",
      );
      assert.match(error.message, /does not show/);
    }
  });

  it("are stopped while they wait", async () => {
    const interrupted = new CountersignError("interrupted", "stopped");
    const settle = () => Promise.reject(interrupted);
    await rejectedBy(() => initTrust(initWish(new MemoryStore(), { settle })), "interrupted");
  });
});

function pinAt(store: MemoryStore): RootPin {
  const head = store.manifests.get(store.names.get(HEAD_TAG) ?? assert.fail()) ?? assert.fail();
  const file = parseHead(parseManifest(head.bytes, head.mediaType)).files.get("1.root.json") ?? assert.fail();
  const root = readRole(file.data ?? assert.fail(), "root", "root 1", NOW);
  return pinOf(root, { gun: "registry.example/app", mode: "pinned", firstSeen: NOW });
}

describe("registries that freeze tags (56)", () => {
  const HEAD = HEAD_TAG;

  it("are found out before anything is published, and the ways out are named", async () => {
    await using registry = await startRegistry();
    let puts = 0;
    const isSecondPut = ({ method, path }: { readonly method: string; readonly path: string }) =>
      method === "PUT" && path.endsWith(probeTag()) && ++puts > 1;
    for (const status of [400, 403, 409, 412]) {
      puts = 0;
      registry.faults.clear();
      registry.faults.when(isSecondPut, { kind: "status", status, code: "DENIED" });
      const store = openTestStore(registry.address);
      const error = await rejectedBy(() => initTrust(initWish(store)), "tags-immutable");
      assert.match(error.next, /exempt .*--location/);
      assert.equal(await store.resolve(HEAD), undefined);
      await store.remove?.(probeTag());
      await store.close();
    }
  });

  it("are found out by what the tag names afterwards, where they say 201 and keep it", async () => {
    const store = new MemoryStore();
    freeze(store, probeTag());
    await rejectedBy(() => requireMovableTags(store, HEAD, NOW), "tags-immutable");
    // The tag of that look is still there: one write is enough the next time.
    await rejectedBy(() => requireMovableTags(store, HEAD, NOW), "tags-immutable");
  });

  it("are not what an account without the right to write, a broken network or a lost write look like", async () => {
    for (const code of ["denied", "unreachable", "interrupted"] as const) {
      const store = new MemoryStore();
      const failure = new CountersignError(code, "as the test says");
      store.misbehaviour = {
        before: (call) => (call.startsWith("pushManifest") ? Promise.reject(failure) : undefined),
      };
      await rejectedBy(() => requireMovableTags(store, HEAD, NOW), code);
    }
    const store = new MemoryStore();
    let resolved = 0;
    store.misbehaviour = {
      before: (call) => {
        if (call.startsWith("resolve") && ++resolved === 2) store.names.clear();
      },
    };
    await rejectedBy(() => requireMovableTags(store, HEAD, NOW), "write-unconfirmed");
  });

  it("and others: nothing is left of the look where the registry deletes", async () => {
    const store = new MemoryStore();
    await requireMovableTags(store, HEAD, NOW);
    assert.deepEqual([...store.names.keys()], []);
    const failure = new CountersignError("denied", "no deletes for you");
    store.misbehaviour = { before: (call) => (call.startsWith("remove") ? Promise.reject(failure) : undefined) };
    await requireMovableTags(store, HEAD, NOW);
    await requireMovableTags(store, HEAD, NOW);
    assert.deepEqual([...store.names.keys()], [probeTag()]);
  });
});

/** Once it names something, it stays. */
function freeze(store: MemoryStore, tag: string): void {
  const set = store.names.set.bind(store.names);
  store.names.set = (name: string, digest: Digest) =>
    name === tag && store.names.has(tag) ? store.names : set(name, digest);
}
