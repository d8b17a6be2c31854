import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { instant } from "../../../../src/core/time.ts";
import { type Consulted, type ConsultOptions, consult, type TufRepository } from "../../../../src/io/tuf/repository.ts";
import { formatState, parseState } from "../../../../src/io/tuf/state.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { processorTime } from "../../../support/processor-time.ts";
import { temporaryFolder } from "../../../support/temp.ts";
import { type JsonObject, later, NOW, sha256, storeIn, TestRepository } from "../../../support/tuf-repository.ts";

const FILE = "trusted_root.json";

interface Scene {
  readonly tuf: TestRepository;
  readonly folder: string;
  readonly repository: TufRepository;
  ask(options?: Partial<ConsultOptions> & { readonly path?: string }): Promise<Consulted>;
  /** What was asked for since the last time. */
  requests(): readonly string[];
}

async function scene(t: TestContext, changes: Partial<TufRepository> = {}): Promise<Scene> {
  const folder = await temporaryFolder(t);
  const tuf = new TestRepository().addTarget(FILE, "{}").publishTargets();
  const repository = tuf.asRepository(folder, changes);
  return {
    tuf,
    folder,
    repository,
    ask: ({ path = FILE, ...options } = {}) =>
      consult(repository, [{ path, maxBytes: 1000 }], { now: NOW, mode: "when-due", ...options }),
    requests: () => tuf.requests.splice(0),
  };
}

function contentOf(found: Consulted, path = FILE): string | undefined {
  const content = found.targets.get(path)?.content;
  return content === undefined ? undefined : Buffer.from(content).toString();
}

function versionOf(found: Consulted, role: string): number | undefined {
  return found.roles.find((one) => one.role === role)?.version;
}

async function fileBelow(folder: string, kind: "cache" | "marks"): Promise<string> {
  const [name = ""] = await readdir(join(folder, kind));
  return kind === "cache" ? join(folder, kind, name, "state.json") : join(folder, kind, name);
}

const unreachable: TufRepository["source"] = {
  metadata: () => Promise.reject(new CountersignError("unreachable", "there is no network")),
  target: () => Promise.reject(new CountersignError("unreachable", "there is no network")),
};

describe("a repository that is consulted", () => {
  it("is fetched once, and not asked again for a day", async (t) => {
    const { ask, requests } = await scene(t);
    assert.equal(contentOf(await ask()), "{}");
    assert.equal(requests().length, 5);
    const again = await ask({ now: instant(NOW + LIMITS.trustRefreshMs - 1) });
    assert.deepEqual([contentOf(again), again.refreshedAt, requests()], ["{}", NOW, []]);
  });

  it("costs two requests after that day where nothing has changed", async (t) => {
    const { ask, requests } = await scene(t);
    await ask();
    requests();
    const now = instant(NOW + LIMITS.trustRefreshMs);
    const found = await ask({ now });
    assert.deepEqual(requests(), ["metadata/2.root.json", "metadata/timestamp.json"]);
    assert.equal(found.refreshedAt, now);
  });

  it("is asked again where the clock was set back behind the last time", async (t) => {
    const { ask, requests } = await scene(t);
    await ask({ now: later(2) });
    requests();
    await ask({ now: NOW });
    assert.equal(requests().length, 2);
  });

  it("is asked now where that is wanted", async (t) => {
    const { ask, requests } = await scene(t);
    await ask();
    requests();
    await ask({ mode: "now" });
    assert.equal(requests().length, 2);
  });

  it("gives a target anew once it has changed, and does not fetch one that has not", async (t) => {
    const { ask, tuf, requests } = await scene(t);
    await ask();
    tuf.addTarget(FILE, "{ }").publishTargets();
    requests();
    assert.equal(contentOf(await ask({ mode: "now" })), "{ }");
    tuf.publishTargets();
    requests();
    assert.equal(contentOf(await ask({ mode: "now" })), "{ }");
    assert.equal(
      requests().some((path) => path.startsWith("targets/")),
      false,
    );
  });

  it("says of a target that nobody lists only that: it is absent", async (t) => {
    const { ask } = await scene(t);
    assert.equal((await ask({ path: "other.json" })).targets.size, 0);
  });

  it("is asked for a target that was not fetched with the others, whatever the time", async (t) => {
    const { ask, tuf, requests } = await scene(t);
    tuf.addTarget("other.json", "[]").publishTargets();
    await ask();
    requests();
    assert.equal(contentOf(await ask({ path: "other.json" }), "other.json"), "[]");
    assert.equal(
      requests().some((path) => path.startsWith("targets/")),
      true,
    );
  });

  it("says when the first of its roles expires", async (t) => {
    const { ask } = await scene(t);
    const { expires, roles } = await ask();
    assert.equal(expires, later(7));
    assert.deepEqual(
      roles.map(({ role }) => role),
      ["root", "timestamp", "snapshot", "targets"],
    );
  });

  it("starts from a root that is known by its checksum only, whichever version it is", async (t) => {
    const { tuf, folder, requests } = await scene(t);
    tuf.publish("root").publish("root");
    const sha = sha256(tuf.file("metadata/2.root.json"));
    const repository = tuf.asRepository(folder, { anchor: { sha256: sha } });
    const ask = () => consult(repository, [], { now: NOW, mode: "when-due" });
    assert.equal(versionOf(await ask(), "root"), 3);
    requests();
    assert.equal(versionOf(await ask(), "root"), 3);
    assert.deepEqual(requests(), []);
  });

  it("starts from the newer root of a newer program, with what an older one has kept", async (t) => {
    const { tuf, folder, ask } = await scene(t);
    tuf.publish("root").publish("root");
    await ask();
    const newer = tuf.asRepository(folder, { anchor: { root: tuf.file("metadata/2.root.json") }, source: unreachable });
    assert.equal(versionOf(await consult(newer, [], { now: NOW, mode: "offline" }), "root"), 3);
  });

  it("goes on where a thousand new roots were too many for one time", async (t) => {
    const { tuf, ask } = await scene(t);
    for (let version = 2; version <= 1000; version++) tuf.publish("root");
    for (let run = 0; run < 3; run++) await rejectedBy(() => ask(), "limit-reached");
    assert.equal(versionOf(await ask(), "root"), 1000);
  });
});

describe("a repository that is not asked", () => {
  it("answers from what was fetched before, for as long as that is valid", async (t) => {
    const { ask, requests } = await scene(t);
    await ask();
    requests();
    const found = await ask({ mode: "offline", now: instant(later(7) - 1) });
    assert.deepEqual([contentOf(found), found.refreshedAt, requests()], ["{}", NOW, []]);
  });

  const expiries: readonly (readonly [string, number])[] = [
    ["timestamp", 8],
    ["snapshot", 31],
    ["root", 201],
  ];
  for (const [role, days] of expiries) {
    it(`is stale once its ${role} has expired`, async (t) => {
      const { ask, tuf } = await scene(t);
      for (const other of ["root", "timestamp", "snapshot", "targets"])
        tuf.expire(other, other === role ? days - 1 : 300);
      tuf.publish("root", "targets", "snapshot", "timestamp");
      await ask();
      await ask({ mode: "offline", now: later(days - 2) });
      const error = await rejectedBy(() => ask({ mode: "offline", now: later(days) }), "trust-stale");
      assert.match(error.message, new RegExp(`${role} of tuf.example has expired`));
    });
  }

  it("is stale where nothing was ever fetched", async (t) => {
    const { ask, requests } = await scene(t);
    await rejectedBy(() => ask({ mode: "offline" }), "trust-stale");
    assert.deepEqual(requests(), []);
  });

  it("is stale where this target was not fetched", async (t) => {
    const { ask, tuf } = await scene(t);
    tuf.addTarget("other.json", "[]").publishTargets();
    await ask();
    await rejectedBy(() => ask({ mode: "offline", path: "other.json" }), "trust-stale");
  });

  it("is stale where what was kept is damaged in any place", async (t) => {
    const { ask, folder } = await scene(t);
    await ask();
    const path = await fileBelow(folder, "cache");
    const bytes = await readFile(path);
    for (let at = 0; at < bytes.byteLength; at += 97) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await writeFile(path, damaged);
      const outcome = await ask({ mode: "offline" }).then(contentOf, (error: unknown) => error);
      const isRefused = outcome instanceof CountersignError && ["trust-stale", "trust-rejected"].includes(outcome.code);
      assert.ok(isRefused || outcome === "{}", `byte ${at}: ${String(outcome)}`);
    }
  });
});

describe("a repository that cannot be reached", () => {
  const failures: readonly ReasonCode[] = [
    "unreachable",
    "timeout",
    "throttled",
    "server-error",
    "denied",
    "not-found",
  ];

  function failing(code: ReasonCode): TufRepository["source"] {
    const fail = () => Promise.reject(new CountersignError(code, "it did not work"));
    return { metadata: fail, target: fail };
  }

  for (const code of failures) {
    it(`leaves what is still valid in use, and says so: ${code}`, async (t) => {
      const { ask, tuf, folder } = await scene(t);
      await ask();
      const repository = tuf.asRepository(folder, { source: failing(code) });
      const found = await consult(repository, [{ path: FILE, maxBytes: 9 }], { now: later(3), mode: "when-due" });
      assert.deepEqual([contentOf(found), found.refreshedAt, found.unheard?.code], ["{}", NOW, code]);
    });

    it(`is stale where what is kept has expired, with both reasons: ${code}`, async (t) => {
      const { ask, tuf, folder } = await scene(t);
      await ask();
      const repository = tuf.asRepository(folder, { source: failing(code) });
      const error = await rejectedBy(() => consult(repository, [], { now: later(9), mode: "when-due" }), "trust-stale");
      assert.match(
        `${error.message} ${error.found}`,
        /timestamp .*expired.*asking for a newer one failed.*it did not work/,
      );
    });

    it(`is that failure and nothing else where nothing is kept, or it was to be asked now: ${code}`, async (t) => {
      const { ask, tuf, folder } = await scene(t);
      const repository = tuf.asRepository(folder, { source: failing(code) });
      await rejectedBy(() => consult(repository, [], { now: NOW, mode: "when-due" }), code);
      await ask();
      await rejectedBy(() => consult(repository, [], { now: NOW, mode: "now" }), code);
    });
  }
});

describe("a repository that gives a new root, and then cannot be reached", () => {
  async function cutOff(t: TestContext, change: (tuf: TestRepository) => void): Promise<() => Promise<Consulted>> {
    const { ask, tuf, folder } = await scene(t);
    await ask();
    change(tuf);
    const { metadata, target } = tuf.source();
    const roots = (file: string, max: number) =>
      file.endsWith(".root.json") ? metadata(file, max) : unreachable.metadata(file, max);
    const repository = tuf.asRepository(folder, { source: { metadata: roots, target } });
    return () => consult(repository, [{ path: FILE, maxBytes: 9 }], { now: later(2), mode: "when-due" });
  }

  it("leaves what is kept in use where the new root takes its signatures", async (t) => {
    const ask = await cutOff(t, (tuf) => tuf.publish("root"));
    const found = await ask();
    assert.deepEqual([contentOf(found), versionOf(found, "root"), found.unheard?.code], ["{}", 2, "unreachable"]);
  });

  it("ends the use of what is kept where the new root puts its keys away", async (t) => {
    const ask = await cutOff(t, (tuf) => tuf.rotate("timestamp").publish("root"));
    await rejectedBy(ask, "unreachable");
    await rejectedBy(ask, "unreachable");
  });

  it("ends it where the new root could not be kept, too", async (t) => {
    const { ask, tuf, folder } = await scene(t);
    await ask();
    tuf.rotate("timestamp").publish("root");
    const { metadata, target } = tuf.source();
    const roots = (file: string, max: number) =>
      file.endsWith(".root.json") ? metadata(file, max) : unreachable.metadata(file, max);
    const store = storeIn(folder);
    store.write = () => Promise.reject(new CountersignError("disk-error", "the disk is full"));
    const repository = tuf.asRepository(folder, { source: { metadata: roots, target }, store });
    const outcome = consult(repository, [{ path: FILE, maxBytes: 9 }], { now: later(2), mode: "when-due" });
    await rejectedBy(() => outcome, "trust-stale");
  });
});

describe("a repository that has something wrong", () => {
  const wrongs: readonly (readonly [string, ReasonCode, (tuf: TestRepository) => void])[] = [
    ["a timestamp that is rolled back", "trust-rejected", (tuf) => tuf.setNext("timestamp", 1).publish("timestamp")],
    ["a timestamp that strangers signed", "trust-rejected", (tuf) => tuf.rotate("timestamp").publish("timestamp")],
    ["targets that strangers signed", "trust-rejected", (tuf) => tuf.rotate("targets").publishTargets()],
    ["a page in HTML", "trust-rejected", (tuf) => tuf.files.set("metadata/timestamp.json", Buffer.from("<html>"))],
    ["a timestamp that has expired", "trust-stale", (tuf) => tuf.expire("timestamp", -1).publish("timestamp")],
    [
      "another target than it lists",
      "trust-rejected",
      (tuf) => {
        tuf.addTarget(FILE, "new").publishTargets();
        for (const path of tuf.files.keys()) if (path.endsWith(`.${FILE}`)) tuf.files.set(path, Buffer.from("old"));
      },
    ],
  ];
  for (const [title, code, wrong] of wrongs) {
    it(`is refused although what is kept would do, and changes nothing: ${title}`, async (t) => {
      const { ask, tuf, folder } = await scene(t);
      await ask();
      const path = await fileBelow(folder, "cache");
      const [state, marks] = [await readFile(path), await readFile(await fileBelow(folder, "marks"))];
      wrong(tuf);
      await rejectedBy(() => ask({ now: later(2) }), code);
      assert.deepEqual(await readFile(path), state);
      assert.deepEqual(await readFile(await fileBelow(folder, "marks")), marks);
      assert.equal(contentOf(await ask({ mode: "offline", now: later(2) })), "{}");
    });
  }

  it("keeps its new root all the same: what that puts away is not believed any more, without a network either", async (t) => {
    const { ask, tuf } = await scene(t);
    await ask();
    tuf.rotate("timestamp").publish("root");
    await rejectedBy(() => ask({ mode: "now" }), "trust-rejected");
    const error = await rejectedBy(() => ask({ mode: "offline" }), "trust-rejected");
    assert.match(error.message, /timestamp of tuf\.example lacks valid signatures/);
    tuf.publish("timestamp");
    assert.equal(contentOf(await ask()), "{}");
  });

  it("has no root with the checksum that was chosen", async (t) => {
    const { tuf, folder } = await scene(t);
    const repository = tuf.asRepository(folder, { anchor: { sha256: "0".repeat(64) } });
    await rejectedBy(() => consult(repository, [], { now: NOW, mode: "now" }), "trust-rejected");
  });
});

describe("how far a repository was seen", () => {
  async function seenThenCacheLost(t: TestContext): Promise<Scene> {
    const place = await scene(t);
    place.tuf.publish("root", "targets", "snapshot", "timestamp");
    await place.ask();
    await rm(join(place.folder, "cache"), { recursive: true });
    return place;
  }

  it("does not go with the cache, and does no harm where all is well", async (t) => {
    const { ask } = await seenThenCacheLost(t);
    assert.equal(contentOf(await ask()), "{}");
  });

  const steps: readonly (readonly [string, (tuf: TestRepository) => void])[] = [
    ["timestamp", (tuf) => tuf.setNext("timestamp", 1).publish("timestamp")],
    ["snapshot", (tuf) => tuf.setNext("snapshot", 1).publish("snapshot", "timestamp")],
    ["list of targets", (tuf) => tuf.setNext("targets", 1).publishTargets()],
    ["root", (tuf) => tuf.files.delete("metadata/2.root.json")],
  ];
  for (const [role, rollBack] of steps) {
    it(`refuses a ${role} that is rolled back after the cache was cleared`, async (t) => {
      const { ask, tuf } = await seenThenCacheLost(t);
      rollBack(tuf);
      const error = await rejectedBy(() => ask(), "trust-rejected");
      assert.match(error.message, new RegExp(`the ${role} of tuf.example is older`));
    });
  }

  for (const role of ["timestamp", "snapshot", "targets"]) {
    it(`refuses another ${role} under a version that was seen: two stories`, async (t) => {
      const { ask, tuf } = await seenThenCacheLost(t);
      const version = Number(tuf.part(role)["version"]);
      tuf.part(role)["x-story"] = "another";
      tuf.setNext(role, version).publish(role);
      if (role === "targets") tuf.publish("snapshot", "timestamp");
      const error = await rejectedBy(() => ask(), "trust-rejected");
      assert.match(error.message, /two different versions/);
    });
  }

  it("refuses another timestamp of the version that is kept, where tuf-js passes it over in silence", async (t) => {
    const { ask, tuf } = await scene(t);
    await ask();
    (tuf.part("timestamp")["meta"] as JsonObject)["x.json"] = { version: 1 };
    tuf.setNext("timestamp", Number(tuf.part("timestamp")["version"])).publish("timestamp");
    await rejectedBy(() => ask({ mode: "now" }), "trust-rejected");
  });

  it("takes the same content with another signature for the same", async (t) => {
    const { ask, tuf } = await scene(t);
    await ask();
    tuf.put("timestamp", Buffer.concat([tuf.file("metadata/timestamp.json"), Buffer.from("\n")]));
    await ask({ mode: "now" });
  });

  it("refuses an older cache that somebody has put back, and asks the repository", async (t) => {
    const { ask, tuf, folder, requests } = await scene(t);
    await ask();
    const path = await fileBelow(folder, "cache");
    const old = await readFile(path);
    tuf.publishTargets();
    await ask({ mode: "now" });
    await writeFile(path, old);
    const error = await rejectedBy(() => ask({ mode: "offline" }), "trust-rejected");
    assert.match(error.message, /is older than one that was seen here before/);
    requests();
    await ask();
    assert.ok(requests().length > 0);
  });

  it("starts over with new keys for timestamp and snapshot: fast-forward recovery (TUF 5.3.11)", async (t) => {
    const { ask, tuf } = await scene(t);
    tuf.setNext("snapshot", 900).setNext("timestamp", 900).publish("snapshot", "timestamp");
    await ask();
    tuf.rotate("timestamp").rotate("snapshot").setNext("snapshot", 3).setNext("timestamp", 3);
    tuf.publish("root", "snapshot", "timestamp");
    assert.equal(versionOf(await ask({ mode: "now" }), "timestamp"), 3);
    assert.equal(versionOf(await ask({ mode: "offline" }), "timestamp"), 3);
  });

  it("does not start over for new keys in a root of the version that was seen: that is a fork", async (t) => {
    const { ask, tuf, folder } = await scene(t);
    tuf.publish("root");
    await ask();
    await rm(join(folder, "cache"), { recursive: true });
    tuf.rotate("timestamp").setNext("root", 2).publish("root", "timestamp");
    await rejectedBy(() => ask(), "trust-rejected");
  });

  it("is not guessed where its record is damaged", async (t) => {
    const { ask, folder } = await scene(t);
    await ask();
    const path = await fileBelow(folder, "marks");
    for (const text of ["", "{}", "[]", '{"format":1}', '{"format":2}', "\u0000"]) {
      await writeFile(path, text);
      const error = await rejectedBy(() => ask(), "disk-error");
      assert.ok(error.next.includes(path));
    }
  });
});

describe("a cache that somebody else has written", () => {
  async function stateOf(folder: string): Promise<{ path: string; state: ReturnType<typeof parseState> }> {
    const path = await fileBelow(folder, "cache");
    return { path, state: parseState("https://tuf.example", await readFile(path)) };
  }

  it("is not believed: a repository of a stranger's own, complete and signed", async (t) => {
    const { ask, folder, requests } = await scene(t);
    await ask();
    const stranger = new TestRepository().addTarget(FILE, "evil").publishTargets();
    const other = await temporaryFolder(t);
    await consult(stranger.asRepository(other), [{ path: FILE, maxBytes: 9 }], { now: NOW, mode: "now" });
    const { path } = await stateOf(folder);
    await writeFile(path, await readFile(await fileBelow(other, "cache")));
    await rejectedBy(() => ask({ mode: "offline" }), "trust-rejected");
    requests();
    assert.equal(contentOf(await ask()), "{}");
    assert.ok(requests().length > 0);
  });

  it("is not believed: another target under the same name", async (t) => {
    const { ask, folder } = await scene(t);
    await ask();
    const { path, state } = await stateOf(folder);
    const targets = new Map([[FILE, Buffer.from("evil")]]);
    await writeFile(path, formatState("https://tuf.example", { ...state, targets }));
    await rejectedBy(() => ask({ mode: "offline" }), "trust-stale");
    assert.equal(contentOf(await ask()), "{}");
  });

  it("does not stand in the way: roots, timestamps and snapshots that nobody signed", async (t) => {
    const { ask, folder, tuf } = await scene(t);
    await ask();
    const { path, state } = await stateOf(folder);
    const forged = (role: string) => tuf.sign(role, { ...tuf.part(role), "x-forged": true }, []);
    const roots = [...state.roots, tuf.sign("root", { ...tuf.part("root"), version: 2 }, [])];
    const metadata = new Map(["timestamp", "snapshot", "targets"].map((role) => [role, forged(role)]));
    await writeFile(path, formatState("https://tuf.example", { ...state, roots, metadata }));
    assert.equal(contentOf(await ask()), "{}");
    assert.equal(contentOf(await ask({ mode: "offline" })), "{}");
  });

  it("counts for nothing where it is of another repository, or no state at all", async (t) => {
    const { ask, folder } = await scene(t);
    await ask();
    const { path, state } = await stateOf(folder);
    const others = [
      formatState("https://other.example", state),
      Buffer.from("{}"),
      Buffer.from("not JSON"),
      Buffer.alloc(0),
    ];
    for (const bytes of others) {
      await writeFile(path, bytes);
      await rejectedBy(() => ask({ mode: "offline" }), "trust-stale");
    }
    assert.equal(contentOf(await ask()), "{}");
  });
});

describe("a place where nothing can be kept", () => {
  it("does not stop anyone: what was fetched is as good for this once", async (t) => {
    const { tuf, folder } = await scene(t);
    const blocked = join(folder, "blocked");
    await writeFile(blocked, "a file where a folder should be");
    const repository = tuf.asRepository(folder, { store: storeIn(join(blocked, "below")) });
    const found = await consult(repository, [{ path: FILE, maxBytes: 9 }], { now: NOW, mode: "when-due" });
    assert.deepEqual([contentOf(found), found.unkept?.code], ["{}", "disk-error"]);
  });

  it("keeps what it can where the versions cannot be remembered, and says so", async (t) => {
    const { ask, folder } = await scene(t);
    await writeFile(join(folder, "marks"), "a file where a folder should be");
    assert.equal((await ask()).unkept?.code, "disk-error");
    assert.equal(contentOf(await ask({ mode: "offline" })), "{}");
  });

  it("leaves no temporary file, whatever happens", async (t) => {
    const { ask, tuf, folder } = await scene(t);
    await ask();
    tuf.rotate("targets").publishTargets();
    await rejectedBy(() => ask({ mode: "now" }), "trust-rejected");
    const names = await readdir(folder, { recursive: true });
    assert.deepEqual(
      names.filter((name) => !/^(?:cache|marks)(?:\/[0-9a-f]{64}(?:\.json|\/state\.json)?)?$/.test(name)),
      [],
    );
  });
});

describe("several at once", () => {
  it("ask the repository once between them", async (t) => {
    const { ask, requests } = await scene(t);
    const found = await Promise.all(Array.from({ length: 8 }, () => ask()));
    assert.deepEqual(
      found.map((one) => contentOf(one)),
      Array(8).fill("{}"),
    );
    assert.equal(requests().length, 5);
  });

  it("see one state or the other while it changes, and never a mixture", async (t) => {
    const { ask, tuf } = await scene(t);
    await ask();
    const contents = new Set<string | undefined>();
    for (let round = 0; round < 5; round++) {
      tuf.addTarget(FILE, `{"round":${round}}`).publishTargets();
      const found = await Promise.all([ask({ mode: "now" }), ask({ mode: "offline" }), ask({ mode: "offline" })]);
      for (const one of found) contents.add(contentOf(one));
    }
    assert.ok([...contents].every((content) => content === "{}" || /^\{"round":\d\}$/.test(content ?? "")));
  });

  it("never set back what another has seen: an older view of the repository is refused", async (t) => {
    const { ask, tuf, folder } = await scene(t);
    const old = new Map(tuf.files);
    tuf.publishTargets();
    await ask();
    const source = tuf.source();
    const slow = { ...source, metadata: (file: string) => Promise.resolve(old.get(`metadata/${file}`)) };
    const behind = tuf.asRepository(folder, { source: slow });
    await rejectedBy(() => consult(behind, [], { now: NOW, mode: "now" }), "trust-rejected");
    assert.equal(versionOf(await ask({ mode: "offline" }), "timestamp"), 3);
  });
});

describe("names of targets", () => {
  const odd = [
    "../../escape",
    "/etc/passwd",
    "a/../../b",
    "..",
    ".",
    "a//b",
    "C:\\x",
    "a\u0000b",
    `${"x".repeat(300)}`,
  ];
  for (const name of odd) {
    it(`never become paths on this machine: ${JSON.stringify(name).slice(0, 30)}`, async (t) => {
      const { tuf, folder, repository } = await scene(t);
      tuf.addTarget(name, "x").publishTargets();
      const outcome = await consult(repository, [{ path: name, maxBytes: 9 }], { now: NOW, mode: "now" });
      assert.equal(contentOf(outcome, name), "x");
      const names = await readdir(folder, { recursive: true });
      assert.equal(names.filter((one) => one.endsWith(".json")).length, 2);
      assert.equal(
        contentOf(await consult(repository, [{ path: name, maxBytes: 9 }], { now: NOW, mode: "offline" }), name),
        "x",
      );
    });
  }
});

describe("the cost of a repository that is kept", () => {
  it("is small: everything is verified again in less than a second", async (t) => {
    const { ask } = await scene(t);
    await ask();
    await ask();
    const began = processorTime();
    await ask();
    assert.ok(processorTime() - began < 1_000);
  });
});

describe("a time that is far from all others", () => {
  for (const now of [0, Date.UTC(2100, 0)]) {
    it(`does no harm: ${new Date(now).toISOString()}`, async (t) => {
      const { ask } = await scene(t);
      await ask();
      const outcome = await ask({ now: instant(now) }).then(contentOf, (error: unknown) => error);
      assert.ok(outcome === "{}" || (outcome instanceof CountersignError && outcome.code === "trust-stale"));
    });
  }
});
