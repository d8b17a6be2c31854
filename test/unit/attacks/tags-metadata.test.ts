import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pathOfDigest, pathOfTag } from "../../../src/core/tags/names.ts";
import { rejectedBy } from "../../support/codes.ts";
import { processorTime } from "../../support/processor-time.ts";
import { daysLater, GUN, IMAGE, NOW, OTHER, type TagRepository, tagScene } from "../../support/tag-repository.ts";
import { DAY, type Json, type JsonObject, makeKey } from "../../support/tuf-repository.ts";

/**
 * What a thief of keys or whoever runs the registry does to signed tags, each with the reason that is its own. The numbers are those
 * of the scenarios that the design started from.
 */

/** What is released under the same versions once more, as somebody would who holds all the keys and has forgotten the past. */
function sameVersions(repo: TagRepository): void {
  for (const role of ["targets", "snapshot", "timestamp"]) repo.setNext(role, Number(repo.part(role)["version"]));
}

describe("older metadata than was seen before", () => {
  it("is a rollback: the head as it was (7)", async (t) => {
    const { repo, ask } = await tagScene(t);
    const before = repo.head;
    const was = Number(repo.part("timestamp")["version"]);
    repo.bind("1.0", OTHER).release();
    await ask();
    repo.head = before;
    const error = await rejectedBy(() => ask(), "rollback");
    assert.match(error.message, /the timestamp of registry\.example\/app/);
    assert.deepEqual([error.found, error.wanted], [`version ${was}`, `version ${was + 1} or later`]);
    assert.match(error.next, /lagging/);
  });

  it("is believed by who was never here, for as long as the timestamp lives (8)", async (t) => {
    const { repo, ask } = await tagScene(t);
    const before = repo.head;
    repo.bind("1.0", OTHER).release();
    repo.head = before;
    const { signedTag } = await ask();
    assert.equal(signedTag?.binding.digest, IMAGE);
    assert.equal(signedTag.freshUntil, daysLater(7));
    await rejectedBy(() => ask({ now: daysLater(7), anew: true }), "frozen");
  });

  it("is a rollback where a new snapshot lists an older file of a role (14)", async (t) => {
    const { repo, ask } = await tagScene(t);
    await ask();
    const old = repo.headFiles();
    repo.bind("1.0", OTHER).release();
    await ask();
    const name = [...old.keys()].find((file) => file.endsWith(".targets.json")) ?? "";
    const list = repo.part("snapshot")["meta"] as Record<string, JsonObject>;
    const entry = list["targets.json"] ?? {};
    entry["version"] = Number(entry["version"]) - 1;
    repo.served.set(name, old.get(name));
    repo.publish("snapshot", "timestamp").putHead();
    const error = await rejectedBy(() => ask(), "rollback");
    assert.match(error.found ?? "", /version [0-9]+ of targets\.json/);
  });

  it("is a rollback where the record of a later version is all that is left", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.release();
    await ask();
    sameVersions(repo);
    repo.setNext("timestamp", 1).setNext("snapshot", 1).setNext("targets", 1).release();
    await rejectedBy(() => ask(), "rollback");
  });

  it("is accepted once the online key was replaced: that is how a publisher recovers (32)", async (t) => {
    const { repo, ask } = await tagScene(t);
    const ahead = NOW + DAY - 60_000;
    repo.setNext("snapshot", ahead).setNext("timestamp", ahead).release();
    await ask();
    repo.rotate("snapshot").rotate("timestamp").publish("root");
    repo.setNext("snapshot", 4).setNext("timestamp", 4).release();
    const { signedTag } = await ask();
    assert.deepEqual(signedTag?.versions, { root: 2, timestamp: 4, snapshot: 4 });
  });
});

describe("metadata that does not fit together", () => {
  it("is a fork: two timestamps of one version (11)", async (t) => {
    const { repo, ask } = await tagScene(t);
    await ask();
    sameVersions(repo);
    repo.bind("1.0", OTHER).release();
    const error = await rejectedBy(() => ask(), "forked");
    assert.match(error.message, /two different versions 2 of the timestamp/);
    const { signedTag } = await ask({ offline: true });
    assert.equal(signedTag?.binding.digest, IMAGE, "what was seen first stays");
  });

  it("is a fork: another root than was verified here under its version", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.publish("root").release();
    await ask();
    repo.served.set(
      "2.root.json",
      repo.expire("root", 100).setNext("root", 2).publish("root").file("metadata/2.root.json"),
    );
    repo.putHead();
    await rejectedBy(() => ask(), "forked");
  });

  it("is a mixture: a snapshot that is not the listed one (12)", async (t) => {
    const { repo, ask } = await tagScene(t);
    const version = Number(repo.part("snapshot")["version"]);
    const serve = (changes: JsonObject) => {
      const bytes = repo.sign("snapshot", { ...repo.part("snapshot"), ...changes });
      repo.served.set(`${version}.snapshot.json`, bytes);
      repo.putHead();
    };
    serve({ "x-more": 1 });
    const longer = await rejectedBy(() => ask(), "mix-and-match");
    assert.match(longer.message, /2\.snapshot\.json of registry\.example\/app is not as long as is listed/);
    serve({ expires: "2026-10-01T12:00:01Z" });
    const other = await rejectedBy(() => ask(), "mix-and-match");
    assert.match(other.message, /the snapshot of registry\.example\/app/);
    assert.equal(other.found, "another hash");
  });

  it("is a mixture: a role's file of another version than the snapshot lists (15)", async (t) => {
    const { repo, ask } = await tagScene(t);
    const list = repo.part("snapshot")["meta"] as Record<string, JsonObject>;
    const entry = list["targets.json"] ?? {};
    const version = Number(entry["version"]);
    const bytes = repo.file(`metadata/${version}.targets.json`);
    entry["version"] = version + 1;
    repo.served.set(`${version + 1}.targets.json`, bytes);
    repo.publish("snapshot", "timestamp").putHead();
    const error = await rejectedBy(() => ask(), "mix-and-match");
    assert.deepEqual([error.found, error.wanted], [`version ${version}`, `version ${version + 1}, as listed`]);
  });

  it("is a mixture: a head that lacks what the snapshot lists", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.served.set(`${String(repo.part("targets")["version"])}.targets.json`, undefined);
    repo.putHead();
    await rejectedBy(() => ask(), "mix-and-match");
  });

  it("lacks a role that was there before (13)", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.signer("releases").release("releases");
    await ask();
    const list = repo.part("snapshot")["meta"] as JsonObject;
    delete list["releases.json"];
    repo.publish("snapshot", "timestamp").putHead();
    const error = await rejectedBy(() => ask(), "role-vanished");
    assert.equal(error.found, "nothing about releases.json");
  });
});

describe("metadata that is out of date", () => {
  it("is frozen: the registry serves nothing newer than an expired timestamp (9)", async (t) => {
    const { ask } = await tagScene(t);
    await ask();
    const error = await rejectedBy(() => ask({ now: daysLater(10) }), "frozen");
    assert.match(error.found ?? "", /3 days ago/);
    assert.match(error.next, /countersign trust refresh/);
  });

  it("is frozen too where this machine's clock is far ahead, and says which time it took (34)", async (t) => {
    const { ask } = await tagScene(t);
    const error = await rejectedBy(() => ask({ now: daysLater(400) }), "root-expired");
    assert.match(error.wanted ?? "", /valid at 2027-10-06T12:00:00Z by this machine's clock/);
    const soon = await rejectedBy(() => ask({ now: daysLater(20) }), "frozen");
    assert.match(soon.wanted ?? "", /2026-09-21T12:00:00Z by this machine's clock/);
  });

  it("names the mirror that lags and where it mirrors from (53)", async (t) => {
    const { repo, pins, ask } = await tagScene(t);
    pins.mirrors.set("mirror.example/app", GUN);
    Object.assign(repo.store, { repository: "mirror.example/app", location: "mirror.example/app" });
    assert.equal((await ask()).signedTag?.gun, GUN);
    const error = await rejectedBy(() => ask({ now: daysLater(10) }), "frozen");
    assert.match(
      error.message,
      /the timestamp of registry\.example\/app \(as mirror\.example\/app serves it\) has expired/,
    );
  });

  it("claims to live longer than the root allows (10)", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.expire("timestamp", 32).publish("timestamp").putHead();
    const error = await rejectedBy(() => ask(), "lifetime-exceeded");
    assert.equal(error.wanted, "at most 31d");
    repo.expire("timestamp", 31).publish("timestamp").putHead();
    await ask();
  });

  it("claims so in the name of a snapshot, of the targets or of a signer", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo
      .profile({ ceilings: { timestamp: "31d", snapshot: "31d", targets: "101d" } })
      .publish("root")
      .putHead();
    await ask();
    repo.expire("snapshot", 32).release();
    await rejectedBy(() => ask(), "lifetime-exceeded");
    repo.expire("snapshot", 20).expire("targets", 102).release();
    await rejectedBy(() => ask(), "lifetime-exceeded");
    repo.expire("targets", 90).signer("releases").bind("2.0", OTHER, { role: "releases" }).expire("releases", 102);
    repo.release("releases");
    const error = await rejectedBy(() => ask({ tag: "2.0" }), "lifetime-exceeded");
    assert.match(error.message, /the role releases/);
    assert.equal((await ask()).signedTag?.binding.digest, IMAGE, "what the signer does not bind is not concerned");
  });

  it("has a root that has expired; one on the way to the newest may have (26)", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.expire("root", -1).publish("root").putHead();
    const error = await rejectedBy(() => ask(), "root-expired");
    assert.match(error.next, /rotate root/);
    repo.expire("root", 100).publish("root").putHead();
    assert.equal((await ask()).signedTag?.versions.root, 3);
  });
});

describe("signatures that do not count", () => {
  it("are those of a signer who was removed (16)", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.signer("releases").bind("2.0", OTHER, { role: "releases" }).release("releases");
    await ask({ tag: "2.0" });
    const delegations = repo.part("targets")["delegations"] as { keys: JsonObject; roles: JsonObject[] };
    const key = makeKey();
    delegations.keys[key.id] = key.value;
    Object.assign(delegations.roles[0] ?? {}, { keyids: [key.id] });
    repo.release();
    const error = await rejectedBy(() => ask({ tag: "2.0" }), "signature-threshold");
    assert.match(error.message, /the role releases of registry\.example\/app lacks valid signatures/);
    assert.match(`${error.found}; ${error.wanted}`, /^0 of them .*; 1, by the keys that its delegator names$/);
  });

  it("are those of a thief, on any role", async (t) => {
    for (const role of ["timestamp", "snapshot", "targets"]) {
      const { repo, ask } = await tagScene(t);
      repo.keys.set(role, [makeKey()]);
      repo.release();
      await rejectedBy(() => ask(), "signature-threshold");
    }
  });

  it("are those of an online key that was replaced: its timestamp is shown again (30)", async (t) => {
    const { repo, ask } = await tagScene(t);
    const before = repo.headFiles();
    repo.rotate("snapshot").rotate("timestamp").publish("root").release();
    repo.served.set("timestamp.json", before.get("timestamp.json"));
    repo.putHead();
    await rejectedBy(() => ask(), "signature-threshold");
    // The new root counts from then on, also where nobody can be asked.
    await rejectedBy(() => ask({ offline: true }), "trust-stale");
  });

  it("are those of what is kept, once a new root says so, in offline mode too (30)", async (t) => {
    const { repo, ask } = await tagScene(t);
    await ask();
    repo.rotate("snapshot").rotate("timestamp").publish("root").release();
    repo.served.set("timestamp.json", new Uint8Array(Buffer.from("{}")));
    repo.putHead();
    await rejectedBy(() => ask(), "metadata-malformed");
    await rejectedBy(() => ask({ offline: true }), "signature-threshold");
  });

  it("are two by one key under two ids (20)", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.signer("releases").release("releases");
    const delegations = repo.part("targets")["delegations"] as { keys: JsonObject; roles: JsonObject[] };
    const [role = {}] = delegations.roles;
    const [id = ""] = role["keyids"] as string[];
    const twin = "0".repeat(64);
    delegations.keys[twin] = delegations.keys[id] as Json;
    Object.assign(role, { keyids: [id, twin], threshold: 2 });
    repo.release();
    const error = await rejectedBy(() => ask(), "duplicate-key");
    assert.match(error.message, /the list of targets of registry\.example\/app/);
  });

  it("are by a key whose id is not its hash (21)", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.signer("releases").release("releases");
    const delegations = repo.part("targets")["delegations"] as { keys: JsonObject; roles: JsonObject[] };
    const [role = {}] = delegations.roles;
    const [id = ""] = role["keyids"] as string[];
    const other = "0".repeat(64);
    delegations.keys[other] = delegations.keys[id] as Json;
    delete delegations.keys[id];
    role["keyids"] = [other];
    repo.release();
    await rejectedBy(() => ask(), "keyid-mismatch");
  });

  it("are two of one key id (22)", async (t) => {
    const { repo, ask } = await tagScene(t);
    const [key] = repo.keys.get("targets") ?? [];
    assert.ok(key);
    repo.keys.set("targets", [key, key]);
    repo.release();
    await rejectedBy(() => ask(), "duplicate-key");
  });
});

describe("roots that do not follow", () => {
  it("are signed by the new keys alone (23)", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.rotate("root").publish("root").putHead();
    const error = await rejectedBy(() => ask(), "root-chain-broken");
    assert.match(error.next, /on another way/);
  });

  it("are signed by the old keys alone (24)", async (t) => {
    const { repo, ask } = await tagScene(t);
    const old = repo.keys.get("root") ?? [];
    repo.rotate("root").publish("root");
    const bytes = repo.sign("root", repo.part("root"), old);
    repo.served.set("2.root.json", bytes);
    repo.putHead();
    await rejectedBy(() => ask(), "root-chain-broken");
  });

  it("are signed by both: accepted, by who was here before and by who was not", async (t) => {
    const { repo, ask } = await tagScene(t);
    await ask();
    const old = repo.keys.get("root") ?? [];
    repo.rotate("root").publish("root");
    repo.served.set("2.root.json", repo.sign("root", repo.part("root"), [...old, ...(repo.keys.get("root") ?? [])]));
    repo.putHead();
    assert.equal((await ask()).signedTag?.versions.root, 2);
    assert.equal((await ask({ anew: true })).signedTag?.versions.root, 2);
  });

  it("leave a version out, or bear another one than their name (25)", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.publish("root").publish("root");
    repo.served.set("2.root.json", undefined);
    repo.putHead();
    const error = await rejectedBy(() => ask(), "root-version-gap");
    assert.deepEqual([error.found, error.wanted], ["version 3 after version 1", "every version from 2 on"]);
    repo.served.set("2.root.json", repo.file("metadata/3.root.json"));
    repo.putHead();
    await rejectedBy(() => ask(), "root-version-gap");
  });

  it("are another repository's (27)", async (t) => {
    const { repo, pins, ask } = await tagScene(t);
    repo.profile({ gun: "registry.example/other" }).publish("root").putHead();
    const error = await rejectedBy(() => ask(), "root-of-another");
    assert.deepEqual([error.found, error.wanted], ["registry.example/other", GUN]);
    repo
      .profile({ aliases: [GUN] })
      .publish("root")
      .putHead();
    assert.equal((await ask()).signedTag?.gun, GUN);
    assert.equal(pins.pins.size, 1);
  });

  it("do not have the pinned one among them (28)", async (t) => {
    const { repo, pins, ask } = await tagScene(t);
    await pins.put(repo.pin(1, { root: OTHER, rootVersion: 4 }));
    const error = await rejectedBy(() => ask(), "pin-mismatch");
    assert.equal(error.wanted, `version 4, ${OTHER}`);
    assert.match(error.found ?? "", /^1 other roots: 1$/);
  });
});

describe("metadata that is made to be misread, or to take for ever", () => {
  it("has a version that none could follow (31)", async (t) => {
    for (const version of [NOW + DAY + 1, 2 ** 53 - 2]) {
      const { repo, ask } = await tagScene(t);
      repo.setNext("timestamp", version).publish("timestamp").putHead();
      const error = await rejectedBy(() => ask(), "version-implausible");
      assert.equal(error.found, String(version));
    }
  });

  it("is a root of half a megabyte, refused before anything reads it (35)", async (t) => {
    const { repo, ask } = await tagScene(t);
    const keys = Array.from({ length: 9_000 }, (_, at) => [`${at}`.padStart(64, "0"), { keyval: { public: "" } }]);
    repo.served.set(
      "2.root.json",
      Buffer.from(JSON.stringify({ signatures: [], signed: { keys: Object.fromEntries(keys) } })),
    );
    repo.putHead();
    await ask({ anew: true, tag: "absent" }).catch(() => undefined);
    const before = processorTime();
    const error = await rejectedBy(() => ask(), "limit-reached");
    assert.ok(processorTime() - before < 1_000);
    assert.match(error.message, /2\.root\.json of registry\.example\/app is larger than will be read/);
  });

  it("is nested, or has a member twice, or is no JSON (37, 38)", async (t) => {
    const texts = [
      [`{"signed":${"[".repeat(10_000)}`, "limit-reached"],
      ['{"signatures":[],"signed":{"_type":"timestamp","_type":"timestamp"}}', "metadata-malformed"],
      ['{"signatures":[],"signed":{"__proto__":{}}}', "metadata-malformed"],
      ["\u001f\u008b", "metadata-malformed"],
      ["", "metadata-malformed"],
    ] as const;
    for (const [text, code] of texts) {
      const { repo, ask } = await tagScene(t);
      repo.served.set("timestamp.json", Buffer.from(text));
      repo.putHead();
      const error = await rejectedBy(() => ask(), code);
      assert.match(error.message, /timestamp(?:\.json)? of registry\.example\/app/);
    }
  });

  it("names a role that is a number, a path or a part of JavaScript (40)", async (t) => {
    for (const name of ["10", "Root", "../x", "a/b", "root", "constructor", "__proto__"]) {
      const { repo, ask } = await tagScene(t);
      const delegations = { keys: {}, roles: [] as Json[] };
      repo.part("targets")["delegations"] = delegations;
      const key = makeKey();
      delegations.keys = { [key.id]: key.value };
      delegations.roles.push({ name, keyids: [key.id], threshold: 1, terminating: false, paths: ["tags/*"] });
      repo.release();
      await rejectedBy(() => ask({ tag: "2.0" }), "metadata-malformed");
    }
  });

  it("has a pattern that clients read differently (41)", async (t) => {
    for (const pattern of ["!v1", "tags/{a,b}", "tags/+(a)", "tags/[ab]", "tags/**/x", "#tags"]) {
      const { repo, ask } = await tagScene(t);
      repo.signer("releases", [pattern]).release("releases");
      await rejectedBy(() => ask({ tag: "2.0" }), "pattern-unsupported");
    }
  });

  it("delegates from a signer to what is not its own: another signer's bins, and signers of its own", async (t) => {
    const bins = (keyids: Json, prefix: string) => ({ keyids, threshold: 1, bit_length: 1, name_prefix: prefix });
    for (const delegation of ["bins", "signers"] as const) {
      const { repo, ask } = await tagScene(t);
      repo.signer("nightly");
      const { id, value } = makeKey();
      const roles = [{ name: "x", keyids: [id], threshold: 1, terminating: false, paths: ["tags/*"] }];
      const below = delegation === "bins" ? { succinct_roles: bins([id], "releases.bin") } : { roles };
      repo.part("nightly")["delegations"] = { keys: { [id]: value }, ...below };
      repo.release("nightly");
      const error = await rejectedBy(() => ask({ tag: "2.0" }), "metadata-malformed");
      assert.match(error.message, /nightly delegates to what is not its own/);
    }
  });

  it("has tags that are called like parts of JavaScript: signed or not, as any other (39)", async (t) => {
    const { repo, ask } = await tagScene(t);
    for (const tag of ["constructor", "__proto__", "toString"]) {
      await rejectedBy(() => ask({ tag }), "tag-unlisted");
    }
    repo.bind("constructor", OTHER).bind("__proto__", IMAGE).release();
    assert.equal((await ask({ tag: "constructor" })).signedTag?.binding.digest, OTHER);
    assert.equal((await ask({ tag: "__proto__" })).signedTag?.binding.digest, IMAGE);
    await rejectedBy(() => ask({ tag: "toString" }), "tag-unlisted");
  });

  it("has an entry that is neither a tag nor a digest of its own", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.entry(pathOfDigest(OTHER), { length: 1, hashes: { sha256: IMAGE.slice(7) } }).release();
    await rejectedBy(() => ask(), "metadata-malformed");
  });

  it("has an entry of more than a role may have", async (t) => {
    const { repo, ask } = await tagScene(t);
    for (let at = 0; at < 500; at++) {
      repo.entry(pathOfTag(`t${at}`), { length: 1, hashes: { sha256: IMAGE.slice(7) } });
    }
    repo.release();
    await rejectedBy(() => ask(), "limit-reached");
  });
});
