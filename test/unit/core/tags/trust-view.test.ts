import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { fileNameOf } from "../../../../src/core/tags/files.ts";
import type { RootRole, TargetsRole } from "../../../../src/core/tags/metadata.ts";
import { readTrust, type TrustReading } from "../../../../src/core/tags/trust-view.ts";
import { type Instant, instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";
import { NOW, roleSigner } from "../../../support/tag-publisher.ts";
import { bindingOf, GUN, TrustWorld } from "../../../support/trust-world.ts";

const DAY = 24 * 60 * 60 * 1000;
const later = (milliseconds: number): Instant => instant(NOW + milliseconds);

async function twoSigners(): Promise<TrustWorld> {
  return await TrustWorld.make({
    signers: [
      { name: "releases", bindings: [bindingOf("v1")] },
      { name: "nightly", bindings: [bindingOf("edge")] },
    ],
  });
}

function codes({ findings }: TrustReading): readonly string[] {
  return findings.map(({ role, code }) => `${role}: ${code}`);
}

/** The next root, changed, signed by some roles' keys. */
async function nextRoot(world: TrustWorld, by: readonly string[], change: Partial<RootRole> = {}): Promise<void> {
  await world.putRoot({ ...world.root, version: world.root.version + 1, ...change }, by);
}

/** The root's key exchanged for another one. */
function rekeyed(world: TrustWorld, role = "root"): Partial<RootRole> {
  world.keys.set(`${role}-2`, roleSigner());
  const keys = new Map([...world.root.keys, ...world.tufKeys(`${role}-2`)]);
  const own = world.keysOf(`${role}-2`);
  const both = role === "online" ? { snapshot: own, timestamp: own } : { [role]: own };
  return { keys, roles: { ...world.root.roles, ...both } };
}

describe("a head that is as it should be", () => {
  it("is read as a whole, with nothing to find", async () => {
    const view = (await twoSigners()).read({ isComplete: true });
    assert.deepEqual(codes(view), []);
    assert.equal(view.gun, GUN);
    assert.deepEqual([...view.roles.keys()], ["releases", "nightly"]);
    assert.ok(view.snapshot);
    assert.ok(view.timestamp);
  });

  it("is read under an alias, by the name that trust is bound to", async () => {
    assert.equal((await twoSigners()).read({ gun: "mirror.example/app" }).gun, GUN);
  });

  it("is read from a pinned root on, be it not the newest", async () => {
    const world = await twoSigners();
    const root = digestOf(world.files.get("1.root.json") ?? new Uint8Array());
    await nextRoot(world, ["root"]);
    const { manifest } = world.head();
    const options = { now: NOW, head: manifest, history: [], pin: { root, rootVersion: 1 } };
    assert.equal(readTrust(world.files, GUN, options).roots.length, 2);
  });

  it("a signer that has signed nothing yet is nothing to find", async () => {
    const world = await TrustWorld.make({ signers: [{ name: "releases" }] });
    assert.deepEqual(codes(world.read({ isComplete: true })), []);
  });

  it("an intermediate root that has expired is passed", async () => {
    const world = await twoSigners();
    const { expires } = world.root;
    world.files.delete("1.root.json");
    await world.putRoot({ ...world.root, expires: instant(Math.floor(NOW / 1000) * 1000 - 1000) }, ["root"]);
    await nextRoot(world, ["root"], { expires });
    assert.deepEqual(codes(world.read()), []);
  });
});

describe("roots", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["by the new key alone", ["root-2"]],
    ["by the old key alone", ["root"]],
    ["by another role's key", ["targets", "root-2"]],
    ["by nobody", []],
  ];
  for (const [title, by] of cases) {
    it(`a new key has to be signed by the old one and by itself: ${title}`, async () => {
      const world = await twoSigners();
      await nextRoot(world, by, rekeyed(world));
      thrownBy(() => world.read(), "root-chain-broken");
    });
  }

  it("signed by both, the new root counts", async () => {
    const world = await twoSigners();
    await nextRoot(world, ["root", "root-2"], rekeyed(world));
    assert.equal(world.read().roots.length, 2);
  });

  it("a missing one ends the chain", async () => {
    const world = await twoSigners();
    await world.putRoot({ ...world.root, version: 3 }, ["root"]);
    thrownBy(() => world.read(), "root-version-gap");
  });

  it("a first one that its own keys did not sign is none", async () => {
    const world = await twoSigners();
    await world.putRoot(world.root, ["targets"]);
    thrownBy(() => world.read(), "root-chain-broken");
  });

  it("of another repository is refused", async () => {
    const world = await twoSigners();
    const error = thrownBy(() => world.read({ gun: "registry.example/acme/other" }), "root-of-another");
    assert.match(error.found ?? "", /acme\/app/);
  });

  it("the newest one's name counts, not an older one's", async () => {
    const world = await twoSigners();
    await nextRoot(world, ["root"], { profile: { ...world.root.profile, aliases: [] } });
    thrownBy(() => world.read({ gun: "mirror.example/app" }), "root-of-another");
  });

  it("without the pinned one among them are refused, with what is there instead", async () => {
    const world = await twoSigners();
    const { manifest } = world.head();
    const pin = { root: digestOf(encodeUtf8("another")), rootVersion: 1 };
    const options = { now: NOW, head: manifest, history: [], pin };
    const error = thrownBy(() => readTrust(world.files, GUN, options), "pin-mismatch");
    assert.match(error.found ?? "", /root 1: sha256:/);
  });

  it("none at all is refused", async () => {
    const world = await twoSigners();
    world.files.delete("1.root.json");
    thrownBy(() => world.read(), "mix-and-match");
  });

  it("that has expired is a finding, since its publisher has to be able to renew it", async () => {
    const world = await twoSigners();
    assert.ok(codes(world.read({ now: later(366 * DAY) })).includes("root: root-expired"));
  });

  it("in a file of another version's name are refused", async () => {
    const world = await twoSigners();
    const bytes = world.files.get("1.root.json") ?? new Uint8Array();
    world.files.delete("1.root.json");
    world.files.set("2.root.json", bytes);
    thrownBy(() => world.read(), "mix-and-match");
  });
});

describe("snapshot and timestamp", () => {
  it("an expired timestamp is a finding and stays: nothing may go below it", async () => {
    const view = (await twoSigners()).read({ now: later(8 * DAY) });
    assert.deepEqual(codes(view), ["timestamp: frozen"]);
    assert.ok(view.timestamp);
  });

  it("one that lives longer than the root allows is a finding", async () => {
    const world = await twoSigners();
    await world.stamp(world.now, later(32 * DAY));
    assert.deepEqual(codes(world.read()), ["timestamp: lifetime-exceeded"]);
  });

  it("by a key that counts no longer have to be made anew", async () => {
    const world = await twoSigners();
    await nextRoot(world, ["root"], rekeyed(world, "online"));
    const view = world.read();
    assert.deepEqual(codes(view), ["timestamp: signature-threshold", "snapshot: signature-threshold"]);
    assert.equal(view.snapshot, undefined);
    assert.equal(view.timestamp, undefined);
  });

  it("with a version of the future are no reason to follow them", async () => {
    const world = await twoSigners();
    await world.stamp(later(2 * DAY));
    const view = world.read();
    assert.deepEqual(codes(view), ["timestamp: version-implausible"]);
    assert.equal(view.timestamp, undefined);
  });

  it("that do not belong together are a finding", async () => {
    const world = await twoSigners();
    const [name, timestamp] = ["timestamp.json", world.files.get("timestamp.json") ?? new Uint8Array()];
    await world.publish(later(1000));
    world.files.set(name, timestamp);
    assert.deepEqual(codes(world.read()), ["snapshot: mix-and-match"]);
  });

  it("two snapshots of one version are a fork", async () => {
    const world = await twoSigners();
    const { snapshot } = world.read();
    assert.ok(snapshot);
    const other = { ...snapshot.body, expires: later(1000 - (NOW % 1000)) };
    world.put("snapshot", other.version, await world.seal(other, ["snapshot"]));
    assert.deepEqual(codes(world.read()), ["snapshot: forked"]);
  });

  for (const kind of ["snapshot", "timestamp"]) {
    it(`a missing ${kind} is a finding`, async () => {
      const world = await twoSigners();
      for (const name of world.files.keys()) if (name.endsWith(`${kind}.json`)) world.files.delete(name);
      assert.deepEqual(codes(world.read()), [`${kind}: mix-and-match`]);
    });
  }
});

describe("targets", () => {
  const broken: readonly (readonly [string, ReasonCode, (world: TrustWorld) => Promise<void>])[] = [
    [
      "of a lower version than is listed",
      "mix-and-match",
      async (world) => void (await world.putRole("targets", { ...world.targets, version: world.targets.version - 1 })),
    ],
    [
      "of the listed version with other content",
      "forked",
      async (world) => void (await world.putRole("targets", { ...world.targets, bindings: [bindingOf("x")] })),
    ],
    [
      "that are not there",
      "mix-and-match",
      async (world) => void world.files.delete(fileNameOf("targets", world.targets.version)),
    ],
    [
      "by another role's key",
      "signature-threshold",
      async (world) => {
        world.keys.set("targets", roleSigner());
        await world.publish();
      },
    ],
  ];
  for (const [title, code, change] of broken) {
    it(`${title} end everything`, async () => {
      const world = await twoSigners();
      await change(world);
      thrownBy(() => world.read(), code);
    });
  }

  it("that have expired are a finding", async () => {
    const world = await twoSigners();
    world.targets = { ...world.targets, expires: instant(Math.floor(NOW / 1000) * 1000) };
    await world.publish();
    assert.deepEqual(codes(world.read()), ["targets: frozen"]);
  });
});

describe("signers", () => {
  it("a removed signer's key counts for nothing", async () => {
    const world = await twoSigners();
    world.keys.set("releases", roleSigner());
    await world.publish();
    const view = world.read();
    assert.deepEqual(codes(view), ["releases: signature-threshold"]);
    assert.match(view.findings[0]?.found ?? "", /^0 of 1/);
    assert.deepEqual([...view.roles.keys()], ["nightly"]);
  });

  it("a threshold of two is met by two keys", async () => {
    const world = await twoSigners();
    const [first] = world.targets.delegations;
    assert.ok(first);
    const delegations = [{ ...first, ...world.keysOf("releases", "nightly") }];
    world.targets = { ...world.targets, delegations };
    await world.publish();
    assert.deepEqual(codes(world.read()), ["releases: signature-threshold"]);
    const role = world.roles.get("releases") as TargetsRole;
    world.roles.delete("releases");
    world.roles.delete("nightly");
    await world.publish();
    const bytes = await world.seal(role, ["releases", "nightly"]);
    world.put("releases", role.version, bytes);
    // The snapshot does not list it: by the snapshot's word it is not there.
    assert.deepEqual(codes(world.read()), ["releases: mix-and-match"]);
  });

  it("a role that is listed and lost is a finding", async () => {
    const world = await twoSigners();
    world.files.delete(fileNameOf("nightly", NOW));
    assert.deepEqual(codes(world.read()), ["nightly: mix-and-match"]);
  });

  it("a role that is damaged is a finding and costs the others nothing", async () => {
    const world = await twoSigners();
    world.put("nightly", NOW, encodeUtf8("{}"));
    const view = world.read();
    assert.deepEqual(codes(view), ["nightly: metadata-malformed"]);
    assert.deepEqual([...view.roles.keys()], ["releases"]);
  });

  it("delegates to nobody", async () => {
    const world = await twoSigners();
    const role = world.roles.get("releases") as TargetsRole;
    const delegations = world.targets.delegations.filter(({ name }) => name === "nightly");
    world.roles.set("releases", { ...role, keys: world.tufKeys("nightly"), delegations });
    await world.publish();
    assert.deepEqual(codes(world.read()), ["releases: metadata-malformed"]);
  });

  it("has no bins under another signer's name", async () => {
    const world = await twoSigners();
    const role = world.roles.get("nightly") as TargetsRole;
    const bins = { ...world.keysOf("nightly"), prefix: "releases.bin", bitLength: 1 };
    await world.putRole("nightly", { ...role, bindings: [], keys: world.tufKeys("nightly"), bins });
    world.files.delete(fileNameOf("snapshot", NOW));
    assert.deepEqual(codes(world.read()), ["snapshot: mix-and-match", "nightly: metadata-malformed"]);
  });
});

describe("bins", () => {
  async function binned(): Promise<TrustWorld> {
    const world = await twoSigners();
    await world.putBins("releases", [bindingOf("v1"), bindingOf("v2"), bindingOf("v3")]);
    await world.publish();
    return world;
  }

  it("are read as far as they are there; all of them where an audit wants them", async () => {
    const world = await binned();
    assert.deepEqual(codes(world.read({ isComplete: true })), []);
    world.files.delete(fileNameOf("releases.bin-0", NOW));
    assert.deepEqual(codes(world.read()), []);
    assert.deepEqual(codes(world.read({ isComplete: true })), ["releases.bin-0: mix-and-match"]);
  });

  it("need their role's signature", async () => {
    const world = await binned();
    const bin = world.roles.get("releases.bin-0") as TargetsRole;
    world.put("releases.bin-0", NOW, await world.seal(bin, ["nightly"]));
    // Other bytes than are listed, before anybody looks at who signed them.
    assert.deepEqual(codes(world.read()), ["releases.bin-0: forked"]);
  });

  it("of another number are not the role's, whatever they are called", async () => {
    for (const binBits of [undefined, 2]) {
      const world = await binned();
      const bin = world.roles.get("releases.bin-0") as TargetsRole;
      world.roles.set("releases.bin-0", { ...bin, binBits });
      await world.publish();
      assert.deepEqual(codes(world.read()), ["releases.bin-0: metadata-malformed"]);
    }
  });

  it("that nobody delegates to are not looked at", async () => {
    const world = await binned();
    world.files.set(fileNameOf("releases.bin-7", NOW), encodeUtf8("junk"));
    assert.deepEqual(codes(world.read({ isComplete: true })), []);
  });
});

describe("names of files", () => {
  for (const name of [
    "root.json",
    "../1.root.json",
    "1.Root.json",
    "01.root.json",
    "1.timestamp.json",
    "1.10.json",
    "",
  ]) {
    it(`${JSON.stringify(name)} is none`, async () => {
      const world = await twoSigners();
      world.files.set(name, new Uint8Array());
      const { manifest } = (await twoSigners()).head();
      const options = { now: NOW, head: manifest, history: [] };
      thrownBy(() => readTrust(world.files, GUN, options), "metadata-malformed");
    });
  }
});
