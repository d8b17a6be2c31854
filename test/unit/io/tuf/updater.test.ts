import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Updater } from "tuf-js";
import { CountersignError } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { TufUpdater } from "../../../../src/io/tuf/updater.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";
import { processorTime } from "../../../support/processor-time.ts";
import { type JsonObject, later, makeKey, NOW, TestRepository } from "../../../support/tuf-repository.ts";

function updaterOf(repository: TestRepository, { known = new Map<string, Uint8Array>(), now = NOW } = {}): TufUpdater {
  const metadata = new Map([["root", repository.startRoot], ...known]);
  return new TufUpdater(metadata, { name: "tuf.example", now, source: repository.source() });
}

async function refreshed(repository: TestRepository, options?: Parameters<typeof updaterOf>[1]): Promise<TufUpdater> {
  const updater = updaterOf(repository, options);
  await updater.refresh();
  return updater;
}

/** A client that has seen the repository as it was, and asks it again now. */
async function again(repository: TestRepository, known: TufUpdater, now = NOW): Promise<TufUpdater> {
  return await refreshed(repository, { known: known.metadata, now });
}

function versions(updater: TufUpdater): Record<string, number | undefined> {
  return Object.fromEntries(updater.roles.map((role) => [role, updater.read(role)?.version]));
}

function entryOf(repository: TestRepository, role: string, file: string): JsonObject {
  return (repository.part(role)["meta"] as JsonObject)[file] as JsonObject;
}

describe("what a TUF repository says", () => {
  it("is taken in the order of the workflow: next root, timestamp, snapshot, targets (TUF 5)", async () => {
    const repository = new TestRepository();
    await refreshed(repository);
    assert.deepEqual(repository.requests, [
      "metadata/2.root.json",
      "metadata/timestamp.json",
      "metadata/1.snapshot.json",
      "metadata/1.targets.json",
    ]);
  });

  it("is asked for again only where it may have changed", async () => {
    const repository = new TestRepository();
    const known = await refreshed(repository);
    repository.requests.length = 0;
    await again(repository, known);
    assert.deepEqual(repository.requests, ["metadata/2.root.json", "metadata/timestamp.json"]);
  });

  for (const options of [{ hashes: true }, { consistentSnapshot: false }]) {
    it(`is taken with ${JSON.stringify(options)}`, async () => {
      const repository = new TestRepository(options).addTarget("a/b.json", "{}").publishTargets();
      const updater = await refreshed(repository);
      const target = await updater.find("a/b.json");
      assert.equal(target && Buffer.from(await updater.fetch(target, 100)).toString(), "{}");
    });
  }

  for (const type of ["ed25519", "ecdsa", "rsa"] as const) {
    it(`is verified with ${type} keys`, async () => {
      const repository = new TestRepository();
      repository.keys.set("timestamp", [makeKey(type)]);
      await refreshed(repository.publish("root", "timestamp"));
    });
  }

  it("is walked root by root, and an expired root on the way does not matter (TUF 5.3.10)", async () => {
    const repository = new TestRepository();
    repository.expire("root", -5).publish("root").expire("root", 200).publish("root");
    const updater = await refreshed(repository);
    assert.deepEqual([versions(updater)["root"], updater.newRoots.length], [3, 2]);
  });

  it("is followed through delegations to the first role that lists the target and may", async () => {
    const repository = new TestRepository()
      .delegate("releases", { paths: ["tags/*"] })
      .addTarget("tags/1", "x", "releases");
    repository.addTarget("other", "y", "releases").publishTargets("releases");
    const updater = await refreshed(repository);
    assert.equal((await updater.find("tags/1"))?.length, 1);
    assert.equal(await updater.find("other"), undefined);
  });
});

interface Attack {
  readonly title: string;
  readonly code: ReasonCode;
  /** Of the message with what was found and wanted. */
  readonly says: RegExp;
  /** What the client has seen before. */
  readonly before?: (repository: TestRepository) => void;
  readonly attack: (repository: TestRepository) => void;
}

const ATTACKS: readonly Attack[] = [
  {
    title: "a timestamp that is rolled back (TUF 5.4.3.1)",
    code: "trust-rejected",
    says: /timestamp .*version 1.*version 2 or later/,
    before: (repository) => repository.publish("timestamp"),
    attack: (repository) => repository.setNext("timestamp", 1).publish("timestamp"),
  },
  {
    title: "a snapshot that is rolled back, in the timestamp (TUF 5.4.3.2)",
    code: "trust-rejected",
    says: /timestamp .*version 1 of snapshot\.json.*version 2 or later/,
    before: (repository) => repository.publish("snapshot", "timestamp"),
    attack: (repository) => repository.setNext("snapshot", 1).publish("snapshot", "timestamp"),
  },
  {
    title: "targets that are rolled back, in the snapshot (TUF 5.5.5)",
    code: "trust-rejected",
    says: /snapshot .*version 1 of targets\.json.*version 2 or later/,
    before: (repository) => repository.publishTargets(),
    attack: (repository) => repository.setNext("targets", 1).publishTargets(),
  },
  {
    title: "a role that is gone from the snapshot (TUF 5.5.5)",
    code: "trust-rejected",
    says: /nothing about releases\.json/,
    before: (repository) => repository.delegate("releases").publishTargets("releases"),
    attack: (repository) => {
      delete (repository.part("snapshot")["meta"] as JsonObject)["releases.json"];
      repository.publish("snapshot", "timestamp");
    },
  },
  {
    title: "a root with the version of the one before (TUF 5.3.5)",
    code: "trust-rejected",
    says: /root .*version 1.*version 2/,
    attack: (repository) => repository.files.set("metadata/2.root.json", repository.startRoot),
  },
  {
    title: "a root that skips a version",
    code: "trust-rejected",
    says: /root .*version 3.*version 2/,
    attack: (repository) => {
      repository.publish("root").publish("root");
      repository.files.set("metadata/2.root.json", repository.file("metadata/3.root.json"));
    },
  },
  {
    title: "a root that the old keys did not sign (TUF 5.3.4)",
    code: "trust-rejected",
    says: /root .*lacks valid signatures.*0 of them.*1, by the keys/,
    attack: (repository) => repository.rotate("root").publish("root"),
  },
  {
    title: "a root that only the old keys signed (TUF 5.3.4)",
    code: "trust-rejected",
    says: /root .*lacks valid signatures/,
    attack: (repository) => {
      const old = repository.keys.get("root") ?? [];
      repository.rotate("root").publish("root");
      repository.files.set("metadata/2.root.json", repository.sign("root", repository.part("root"), old));
    },
  },
  {
    title: "a root chain with a missing step: the keys of its end are unknown",
    code: "trust-rejected",
    says: /timestamp .*lacks valid signatures/,
    attack: (repository) => {
      repository.publish("root").rotate("timestamp").publish("root", "timestamp");
      repository.files.delete("metadata/2.root.json");
    },
  },
  {
    title: "a last root that has expired (TUF 5.3.10)",
    code: "trust-stale",
    says: /the root of tuf\.example has expired.*version 2.*ago/,
    attack: (repository) => repository.expire("root", -1).publish("root"),
  },
  {
    title: "a timestamp that has expired: a freeze (TUF 5.4.4)",
    code: "trust-stale",
    says: /the timestamp of tuf\.example has expired.*version 2.*1 day ago/,
    attack: (repository) => repository.expire("timestamp", -1).publish("timestamp"),
  },
  {
    title: "a snapshot that has expired (TUF 5.5.6)",
    code: "trust-stale",
    says: /the snapshot of tuf\.example has expired/,
    attack: (repository) => repository.expire("snapshot", -1).publish("snapshot", "timestamp"),
  },
  {
    title: "targets that have expired (TUF 5.6.5)",
    code: "trust-stale",
    says: /the list of targets of tuf\.example has expired/,
    attack: (repository) => repository.expire("targets", -1).publishTargets(),
  },
  {
    title: "a snapshot of another version than the timestamp lists: mix and match (TUF 5.5.4)",
    code: "trust-rejected",
    says: /snapshot .*version 1.*version 2, as listed/,
    attack: (repository) => {
      repository.publish("snapshot", "timestamp");
      repository.files.set("metadata/2.snapshot.json", repository.file("metadata/1.snapshot.json"));
    },
  },
  {
    title: "targets of another version than the snapshot lists: mix and match (TUF 5.6.4)",
    code: "trust-rejected",
    says: /list of targets .*version 1.*version 2, as listed/,
    attack: (repository) => {
      repository.publishTargets();
      repository.files.set("metadata/2.targets.json", repository.file("metadata/1.targets.json"));
    },
  },
  {
    title: "a snapshot with another hash than the timestamp lists (TUF 5.5.2)",
    code: "trust-rejected",
    says: /snapshot .*another hash/,
    attack: (repository) => {
      repository.publish("snapshot");
      const bytes = repository.file("metadata/2.snapshot.json");
      entryOf(repository, "timestamp", "snapshot.json")["hashes"] = { sha256: "0".repeat(64) };
      entryOf(repository, "timestamp", "snapshot.json")["length"] = bytes.byteLength;
      repository.publish("timestamp");
    },
  },
  {
    title: "targets of another length than the snapshot lists (TUF 5.6.2)",
    code: "trust-rejected",
    says: /list of targets .*bytes/,
    attack: (repository) => {
      repository.publish("targets");
      entryOf(repository, "snapshot", "targets.json")["length"] = 64_000;
      repository.publish("snapshot", "timestamp");
    },
  },
  ...(["timestamp", "snapshot", "targets"] as const).map((role) => ({
    title: `a ${role} that a stranger signed`,
    code: "trust-rejected" as const,
    says: new RegExp(`${role} .*lacks valid signatures.*0 of them`),
    attack: (repository: TestRepository) => {
      repository.rotate(role).publishTargets();
    },
  })),
  {
    title: "a snapshot with fewer signatures than its threshold",
    code: "trust-rejected",
    says: /snapshot .*lacks valid signatures.*1 of them.*2, by the keys/,
    attack: (repository) => {
      repository.rotate("snapshot", 2).threshold("snapshot", 2).publish("root");
      repository.keys.set("snapshot", (repository.keys.get("snapshot") ?? []).slice(1));
      repository.publish("snapshot", "timestamp");
    },
  },
  {
    title: "a timestamp by a key that a newer root has put away, after the client saw that root (forceCache's trap)",
    code: "trust-rejected",
    says: /timestamp .*lacks valid signatures/,
    attack: (repository) => {
      const old = repository.file("metadata/timestamp.json");
      repository.rotate("timestamp").publish("root", "timestamp");
      repository.files.set("metadata/timestamp.json", old);
    },
  },
  {
    title: "a timestamp that is not there",
    code: "not-found",
    says: /has no timestamp\.json/,
    attack: (repository) => repository.files.delete("metadata/timestamp.json"),
  },
  {
    title: "a snapshot that is listed and not there",
    code: "not-found",
    says: /has no 2\.snapshot\.json/,
    attack: (repository) => {
      repository.publish("snapshot", "timestamp");
      repository.files.delete("metadata/2.snapshot.json");
    },
  },
  {
    title: "a page in HTML instead of a timestamp",
    code: "trust-rejected",
    says: /timestamp .*not strict JSON/,
    attack: (repository) => repository.files.set("metadata/timestamp.json", Buffer.from("<html>log in</html>")),
  },
  {
    title: "a timestamp that calls itself a snapshot",
    code: "trust-rejected",
    says: /another type/,
    attack: (repository) =>
      repository.files.set("metadata/timestamp.json", repository.file("metadata/1.snapshot.json")),
  },
];

describe("what a TUF repository must not say", () => {
  for (const { title, code, says, before, attack } of ATTACKS) {
    it(title, async () => {
      const repository = new TestRepository();
      before?.(repository);
      const known = await refreshed(repository);
      attack(repository);
      const error = await rejectedBy(() => again(repository, known), code);
      assert.match(`${error.message}: found ${error.found}, wanted ${error.wanted}`, says);
    });
  }

  it("keeps nothing of a file that was refused, and everything that was verified before it (TUF 5.3.8)", async () => {
    const repository = new TestRepository();
    const known = await refreshed(repository);
    repository.publish("root", "timestamp").rotate("snapshot").publish("snapshot", "timestamp");
    const updater = updaterOf(repository, { known: known.metadata });
    await rejectedBy(() => updater.refresh(), "trust-rejected");
    const kept = ["root", "timestamp", "snapshot", "targets"].map((role) => updater.read(role)?.version);
    assert.deepEqual(kept, [2, 3, 1, 1]);
  });

  it("is forgiven after the keys of timestamp and snapshot were changed: fast-forward recovery (TUF 5.3.11)", async () => {
    const repository = new TestRepository();
    repository.setNext("snapshot", 900).setNext("timestamp", 900).publish("snapshot", "timestamp");
    const known = await refreshed(repository);
    repository.rotate("timestamp").rotate("snapshot").setNext("snapshot", 2).setNext("timestamp", 2);
    const updater = await again(repository.publish("root", "snapshot", "timestamp"), known);
    assert.deepEqual(versions(updater), { root: 2, timestamp: 2, snapshot: 2, targets: 1 });
  });
});

describe("a bit that was changed on the way", () => {
  const FILES = [
    "metadata/2.root.json",
    "metadata/timestamp.json",
    "metadata/3.snapshot.json",
    "metadata/3.targets.json",
  ];

  async function contentOf(repository: TestRepository): Promise<string> {
    const updater = await refreshed(repository);
    const target = await updater.find("file.json");
    const content = target && Buffer.from(await updater.fetch(target, 100)).toString();
    return JSON.stringify([content, versions(updater)]);
  }

  for (const file of FILES) {
    it(`in ${file} is refused, or changes nothing`, async () => {
      const repository = new TestRepository({ hashes: true }).addTarget("file.json", "content");
      repository.publish("root", "targets", "snapshot", "timestamp").publishTargets();
      const [good, bytes] = [await contentOf(repository), repository.file(file)];
      for (let at = 0; at < bytes.byteLength; at += 11) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
        repository.files.set(file, changed);
        const outcome = await contentOf(repository).catch((error: unknown) => error);
        const isRefused =
          outcome instanceof CountersignError && outcome.class !== "refused" && outcome.code !== "internal";
        assert.ok(isRefused || outcome === good, `byte ${at}: ${String(outcome)}`);
      }
    });
  }
});

describe("a start root", () => {
  const bad: readonly (readonly [string, (repository: TestRepository) => Uint8Array])[] = [
    ["that is not JSON", () => Buffer.from("root")],
    ["that is a timestamp", (repository) => repository.file("metadata/timestamp.json")],
    ["that nobody signed", (repository) => repository.sign("root", repository.part("root"), [])],
    ["that others signed", (repository) => repository.sign("root", repository.part("root"), [makeKey()])],
    [
      "that was changed",
      (repository) => Buffer.from(Buffer.from(repository.startRoot).toString().replace(":1,", ":2,")),
    ],
  ];
  for (const [title, make] of bad) {
    it(`${title} is refused as such`, () => {
      const repository = new TestRepository();
      const metadata = new Map([["root", make(repository)]]);
      const settings = { name: "tuf.example", now: NOW, source: repository.source() };
      thrownBy(() => new TufUpdater(metadata, settings), "trust-invalid");
      assert.deepEqual(repository.requests, []);
    });
  }

  it("that has expired still starts the walk (TUF 5.3.10)", async () => {
    const repository = new TestRepository({ now: NOW - 300 * 86_400_000 });
    for (const role of ["root", "timestamp", "snapshot", "targets"]) repository.expire(role, 400);
    await refreshed(repository.publish("root", "targets", "snapshot", "timestamp"));
  });
});

describe("bounds on the work for a TUF repository", () => {
  it("takes so many new roots at once, says that there are more, and keeps those that it took", async () => {
    const repository = new TestRepository();
    for (let version = 2; version <= 1000; version++) repository.publish("root");
    const updater = updaterOf(repository);
    await rejectedBy(() => updater.refresh(), "limit-reached");
    assert.equal(updater.newRoots.length, LIMITS.tufRootSteps);
    assert.equal(repository.requests.length, LIMITS.tufRootSteps + 1);
    assert.equal(updater.read("root")?.version, LIMITS.tufRootSteps + 1);
  });

  it("takes exactly as many as are allowed", async () => {
    const repository = new TestRepository();
    for (let version = 2; version <= LIMITS.tufRootSteps + 1; version++) repository.publish("root");
    assert.equal((await refreshed(repository)).newRoots.length, LIMITS.tufRootSteps);
  });

  it("asks the source for no more bytes than a role may have, whatever the list says", async () => {
    const repository = new TestRepository();
    entryOf(repository, "timestamp", "snapshot.json")["length"] = 10 ** 12;
    repository.publish("timestamp");
    const asked: number[] = [];
    const { metadata, target } = repository.source();
    const noted = (file: string, maxBytes: number) => {
      asked.push(maxBytes);
      return metadata(file, maxBytes);
    };
    const source = { metadata: noted, target };
    const start = new Map([["root", repository.startRoot]]);
    const updater = new TufUpdater(start, { name: "tuf.example", now: NOW, source });
    await rejectedBy(() => updater.refresh(), "trust-rejected");
    assert.deepEqual(asked, [LIMITS.tufRootBytes, LIMITS.tufTimestampBytes, LIMITS.tufSnapshotBytes]);
  });

  for (const count of [LIMITS.tufKeys + 1, 5000]) {
    it(`does not spend a second on a root with ${count} keys that nobody signed`, async () => {
      const repository = new TestRepository();
      const root = structuredClone(repository.part("root"));
      for (let at = 0; at < count; at++) (root["keys"] as JsonObject)[`${at}`] = makeKeyValue(at);
      repository.files.set("metadata/2.root.json", Buffer.from(JSON.stringify({ signatures: [], signed: root })));
      const began = processorTime();
      await rejectedBy(() => refreshed(repository), "limit-reached");
      assert.ok(processorTime() - began < 1000);
    });
  }

  it("looks into so many roles for one target, and says so where there are more", async () => {
    const repository = new TestRepository();
    const names = Array.from({ length: LIMITS.tufSearchedRoles }, (_, at) => `role-${at}`);
    for (const name of names) repository.delegate(name);
    const updater = await refreshed(repository.publishTargets(...names));
    await rejectedBy(() => updater.find("nowhere"), "limit-reached");
  });

  it("does not go round in circles where roles delegate to each other", async () => {
    const repository = new TestRepository().delegate("one");
    const delegations = structuredClone(repository.part("targets")["delegations"] as JsonObject);
    repository.part("one")["delegations"] = delegations;
    const updater = await refreshed(repository.publishTargets("one"));
    assert.equal(await updater.find("nowhere"), undefined);
  });
});

describe("looking for a target", () => {
  for (const name of ["constructor", "toString", "hasOwnProperty", "valueOf", "__proto__"]) {
    it(`finds none called ${name} where none is listed`, async () => {
      assert.equal(await (await refreshed(new TestRepository())).find(name), undefined);
    });
  }

  it("finds one called constructor where one is listed", async () => {
    const updater = await refreshed(new TestRepository().addTarget("constructor", "abc").publishTargets());
    assert.equal((await updater.find("constructor"))?.length, 3);
  });

  it("refuses a delegated role that its delegator's keys did not sign", async () => {
    const repository = new TestRepository().delegate("releases");
    repository.publishTargets("releases");
    repository.put("releases", repository.sign("releases", repository.part("releases"), [makeKey()]));
    const updater = await refreshed(repository);
    const error = await rejectedBy(() => updater.find("x"), "trust-rejected");
    assert.match(error.message, /the role releases of tuf\.example lacks valid signatures/);
  });
});

describe("what a target holds", () => {
  async function fetchFrom(repository: TestRepository, path = "file.json", maxBytes = 100): Promise<Uint8Array> {
    const updater = await refreshed(repository);
    const target = await updater.find(path);
    assert.ok(target !== undefined);
    return await updater.fetch(target, maxBytes);
  }

  function withFile(): TestRepository {
    return new TestRepository().addTarget("file.json", "content").publishTargets();
  }

  const tampered: readonly (readonly [string, string, ReasonCode])[] = [
    ["other bytes of the same length", "CONTENT", "trust-rejected"],
    ["fewer bytes", "conten", "trust-rejected"],
    ["nothing", "", "trust-rejected"],
  ];
  for (const [title, content, code] of tampered) {
    it(`is refused where the repository gives ${title} (TUF 5.7.3)`, async () => {
      const repository = withFile();
      for (const path of repository.files.keys()) {
        if (path.endsWith("file.json")) repository.files.set(path, Buffer.from(content));
      }
      await rejectedBy(() => fetchFrom(repository), code);
    });
  }

  it("is not asked for where it is larger than will be read", async () => {
    const repository = withFile();
    await rejectedBy(() => fetchFrom(repository, "file.json", 3), "limit-reached");
    assert.equal(
      repository.requests.some((path) => path.startsWith("targets/")),
      false,
    );
  });

  it("may be listed and not be there", async () => {
    const repository = withFile();
    for (const path of repository.files.keys()) if (path.startsWith("targets/")) repository.files.delete(path);
    await rejectedBy(() => fetchFrom(repository), "not-found");
  });

  it("is asked for by its hash and its name", async () => {
    const repository = withFile();
    assert.equal(Buffer.from(await fetchFrom(repository)).toString(), "content");
    assert.match(repository.requests.at(-1) ?? "", /^targets\/[0-9a-f]{64}\.file\.json$/);
  });
});

describe("the parts of tuf-js that its types call private", () => {
  const prototype = Updater.prototype as unknown as Record<string, unknown>;

  for (const name of ["loadLocalMetadata", "persistMetadata", "loadTargets"]) {
    it(`are there: ${name}`, () => assert.equal(typeof prototype[name], "function"));
  }

  it("write and read no file: all metadata passes through memory", async () => {
    const updater = await refreshed(new TestRepository().delegate("releases").publishTargets("releases"));
    await updater.find("x");
    assert.deepEqual([...updater.metadata.keys()].sort(), ["releases", "root", "snapshot", "targets", "timestamp"]);
  });

  it("take the time that they are given: nothing is valid a year later", async () => {
    await rejectedBy(() => refreshed(new TestRepository(), { now: later(365) }), "trust-stale");
  });

  it("never make a failure of the source look like a missing root", async () => {
    const repository = new TestRepository();
    const failure = new CountersignError("unreachable", "no network");
    const source = { ...repository.source(), metadata: () => Promise.reject(failure) };
    const updater = new TufUpdater(new Map([["root", repository.startRoot]]), { name: "x", now: NOW, source });
    assert.equal(await rejectedBy(() => updater.refresh(), "unreachable"), failure);
  });

  it("lose no failure of the source where tuf-js repeats it as text only", async () => {
    const repository = new TestRepository();
    const failure = new CountersignError("throttled", "slow down");
    const { metadata, target } = repository.source();
    const source = {
      target,
      metadata: (file: string, max: number) => (/snapshot/.test(file) ? Promise.reject(failure) : metadata(file, max)),
    };
    const updater = new TufUpdater(new Map([["root", repository.startRoot]]), { name: "x", now: NOW, source });
    assert.equal(await rejectedBy(() => updater.refresh(), "throttled"), failure);
  });
});

function makeKeyValue(at: number): JsonObject {
  return { keytype: "ed25519", scheme: "ed25519", keyval: { public: at.toString(16).padStart(64, "0") } };
}
