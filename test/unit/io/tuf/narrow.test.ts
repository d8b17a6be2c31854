import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { type Fault, type FaultTable, TRUST_ROOT_FAULTS } from "../../../../src/io/tuf/faults.ts";
import { TufUpdater, type UpdaterSettings } from "../../../../src/io/tuf/updater.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";
import { type JsonObject, later, makeKey, NOW, TestRepository } from "../../../support/tuf-repository.ts";

/** What users of the TUF client can narrow: reasons of their own, a reading of their own, roles that have not signed yet. */

function updaterOf(repository: TestRepository, settings: Partial<UpdaterSettings> = {}): TufUpdater {
  const root = new Map([["root", repository.startRoot]]);
  return new TufUpdater(root, { name: "tuf.example", now: NOW, source: repository.source(), ...settings });
}

/** A code for every fault that no other one has. */
const CODES: Readonly<Record<Fault, ReasonCode>> = {
  malformed: "metadata-malformed",
  start: "trust-invalid",
  signatures: "signature-threshold",
  "root-chain": "root-chain-broken",
  "root-gap": "root-version-gap",
  expired: "frozen",
  "root-expired": "root-expired",
  older: "rollback",
  forked: "forked",
  "not-listed": "mix-and-match",
  vanished: "role-vanished",
  absent: "not-found",
};

const FAULTS: FaultTable = { codes: CODES, next: (fault, name) => `${fault} of ${name}` };

describe("a fault of a TUF repository", () => {
  const cases: readonly (readonly [Fault, (repository: TestRepository) => void, Partial<UpdaterSettings>?])[] = [
    ["malformed", (repository) => repository.files.set("metadata/timestamp.json", Buffer.from("{}"))],
    ["signatures", (repository) => repository.rotate("timestamp").publish("timestamp")],
    ["root-chain", (repository) => repository.rotate("root").publish("root")],
    [
      "root-gap",
      (repository) =>
        repository
          .setNext("root", 3)
          .publish("root")
          .files.set("metadata/2.root.json", repository.file("metadata/3.root.json")),
    ],
    ["expired", () => undefined, { now: later(8) }],
    ["root-expired", () => undefined, { now: later(201) }],
    [
      "not-listed",
      (repository) =>
        repository.files.set(
          "metadata/1.targets.json",
          repository.sign("targets", { ...repository.part("targets"), version: 2 }),
        ),
    ],
    ["absent", (repository) => repository.files.delete("metadata/timestamp.json")],
  ];
  for (const [fault, break_, settings] of cases) {
    it(`has the reason that its user gives it: ${fault}`, async () => {
      const repository = new TestRepository();
      break_(repository);
      const updater = updaterOf(repository, { ...settings, faults: FAULTS });
      const error = await rejectedBy(() => updater.refresh(), CODES[fault]);
      if (fault !== "malformed") assert.equal(error.next, `${fault} of tuf.example`);
      const usual = updaterOf(repository, settings);
      await rejectedBy(() => usual.refresh(), TRUST_ROOT_FAULTS.codes[fault]);
    });
  }

  it("has it too where the start root is at fault, and where what was known is not kept to", async () => {
    const repository = new TestRepository();
    repository.keys.set("root", [makeKey()]);
    const unsigned = repository.sign("root", repository.part("root"));
    const known = new Map([["root", unsigned]]);
    const settings = { name: "tuf.example", now: NOW, source: repository.source() };
    thrownBy(() => new TufUpdater(known, { ...settings, faults: FAULTS }), "trust-invalid");
    const other = new TestRepository().delegate("releases").publishTargets("releases");
    const before = updaterOf(other);
    await before.refresh();
    const again = () => new TufUpdater(before.metadata, { ...settings, source: other.source(), faults: FAULTS });
    delete (other.part("snapshot")["meta"] as JsonObject)["releases.json"];
    other.publish("snapshot", "timestamp");
    await rejectedBy(() => again().refresh(), "role-vanished");
    other.setNext("timestamp", 1).publish("timestamp");
    await rejectedBy(() => again().refresh(), "rollback");
  });
});

describe("a reading of its user's own", () => {
  it("comes before every other one, of the start root and of every file", async () => {
    const repository = new TestRepository().delegate("releases").publishTargets("releases");
    const seen: string[] = [];
    const updater = updaterOf(repository, { inspect: (_bytes, kind, what) => void seen.push(`${kind}: ${what}`) });
    await updater.refresh();
    await updater.find("x");
    assert.deepEqual(seen, [
      "root: the root of tuf.example",
      "timestamp: the timestamp of tuf.example",
      "snapshot: the snapshot of tuf.example",
      "targets: the list of targets of tuf.example",
      "targets: the role releases of tuf.example",
    ]);
  });

  it("ends everything with its own reason", async () => {
    const repository = new TestRepository();
    const inspect: UpdaterSettings["inspect"] = (_bytes, kind) => {
      if (kind === "snapshot") throw new CountersignError("duplicate-key", "no");
    };
    await rejectedBy(() => updaterOf(repository, { inspect }).refresh(), "duplicate-key");
  });
});

describe("where a target is listed", () => {
  it("is said with it: the role, and the one that delegates to it", async () => {
    const repository = new TestRepository().delegate("releases").addTarget("a", "1").addTarget("b", "2", "releases");
    const updater = updaterOf(repository.publishTargets("releases"));
    await updater.refresh();
    const places = await Promise.all([updater.find("a")]).then(async ([a]) => [
      a,
      await updater.find("b"),
      await updater.find("c"),
    ]);
    assert.deepEqual(
      places.map((target) => target && [target.role, target.delegator]),
      [["targets", "root"], ["releases", "targets"], undefined],
    );
  });

  it("may be a role that nobody had a reason to look into", async () => {
    const repository = new TestRepository().delegate("other", { paths: ["x/*"] }).publishTargets("other");
    const updater = updaterOf(repository);
    await updater.refresh();
    await updater.find("a");
    assert.equal(updater.read("other"), undefined);
    await updater.look("other", "targets");
    assert.equal(updater.read("other")?.version, 1);
    await assert.rejects(updater.look("absent", "targets"), CountersignError);
  });
});

describe("a delegated role that has not signed yet", () => {
  it("ends the search, as TUF says nothing of it, unless its user allows for it", async () => {
    const repository = new TestRepository().delegate("waiting").delegate("releases").addTarget("a", "1", "releases");
    repository.publishTargets("releases");
    const strict = updaterOf(repository);
    await strict.refresh();
    await assert.rejects(strict.find("a"), CountersignError);
    const lenient = updaterOf(repository, { allowUnlistedRoles: true });
    await lenient.refresh();
    assert.equal((await lenient.find("a"))?.role, "releases");
    assert.equal(await lenient.find("b"), undefined);
  });
});

describe("the files that a snapshot lists", () => {
  it("are as many as its user takes", async () => {
    const repository = new TestRepository();
    const list = repository.part("snapshot")["meta"] as JsonObject;
    for (let at = 0; at < LIMITS.tufFiles; at++) list[`r${at}.json`] = { version: 1 };
    repository.publish("snapshot", "timestamp");
    await rejectedBy(() => updaterOf(repository).refresh(), "limit-reached");
    await updaterOf(repository, { listedFiles: LIMITS.tufFiles + 1 }).refresh();
  });
});
