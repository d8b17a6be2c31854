import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { binName, binNames, binOf, isBin, ownerOf } from "../../../../src/core/tags/bins.ts";
import { RoleBook } from "../../../../src/core/tags/entries.ts";
import type { SignedRole, TargetsRole } from "../../../../src/core/tags/metadata.ts";
import { pathOfDigest, pathOfTag } from "../../../../src/core/tags/names.ts";
import { thrownBy } from "../../../support/codes.ts";
import { NOW } from "../../../support/tag-publisher.ts";
import { at, bindingOf, TrustWorld } from "../../../support/trust-world.ts";

const AT = at("2026-03-01T00:00:00Z");
const GONE = { at: AT, reason: "leaks tokens" };
const release = (content: string) => {
  const { tag: _, ...rest } = bindingOf(undefined, content);
  return rest;
};
const many = (count: number) => Array.from({ length: count }, (_, index) => bindingOf(`v${index}`));

/** Files of a role as they would be read; nobody signed them. */
function asRead(files: ReadonlyMap<string, TargetsRole>): ReadonlyMap<string, SignedRole<TargetsRole>> {
  const bytes = new Uint8Array();
  return new Map([...files].map(([name, body]) => [name, { body, bytes, signed: {}, signatures: [] }]));
}

async function filesOf(book: RoleBook): Promise<ReadonlyMap<string, SignedRole<TargetsRole>>> {
  const world = await TrustWorld.make({ signers: [{ name: "releases" }] });
  const making = { signers: world.keysOf("releases"), keys: world.tufKeys("releases"), expires: AT };
  return asRead(book.roles({ ...making, version: () => NOW }));
}

describe("the entries of a flat role", () => {
  const book = RoleBook.open("releases", undefined).withTags(["v1", "latest"], release("one"));

  it("bind each tag, and list the digest as released", () => {
    const { digest } = release("one");
    for (const path of ["tags/v1", "tags/latest", pathOfDigest(digest)])
      assert.equal(book.bindingOf(path)?.digest, digest);
    assert.equal(book.bindings.length, 3);
    assert.equal(book.bindingOf(pathOfDigest(digest))?.tag, undefined);
  });

  it("a book stays what it was when another is made of it", () => {
    book.withTags(["v1"], release("two"));
    assert.equal(book.bindingOf("tags/v1")?.digest, release("one").digest);
  });

  it("note what a tag meant before, and keep that where it is confirmed", () => {
    const moved = book.withTags(["latest"], release("two"));
    assert.equal(moved.bindingOf("tags/latest")?.supersedes, release("one").digest);
    const confirmed = moved.withTags(["latest"], release("two"));
    assert.equal(confirmed.bindingOf("tags/latest")?.supersedes, release("one").digest);
    assert.ok(moved.bindingOf(pathOfDigest(release("one").digest)), "what was released stays released");
  });

  it("take a tag back and leave its digest", () => {
    const revoked = book.withRevokedTag("v1", GONE);
    assert.deepEqual(revoked?.bindingOf("tags/v1")?.revoked, GONE);
    assert.equal(revoked?.bindingOf("tags/latest")?.revoked, undefined);
    assert.equal(book.withRevokedTag("v9", GONE), undefined);
  });

  it("a tag that was taken back can mean something new", () => {
    const again = book.withRevokedTag("v1", GONE)?.withTags(["v1"], release("two"));
    assert.equal(again?.bindingOf("tags/v1")?.revoked, undefined);
  });

  it("take a digest back under every tag", () => {
    const { digest } = release("one");
    const revoked = book.withTags(["v2"], release("two")).withRevokedDigest(digest, GONE);
    const reasons = revoked?.bindings.map(({ tag, revoked: why }) => `${tag}: ${why?.reason}`);
    assert.deepEqual(reasons?.toSorted(), [
      "latest: leaks tokens",
      "undefined: leaks tokens",
      "undefined: undefined",
      "v1: leaks tokens",
      "v2: undefined",
    ]);
    assert.equal(book.withRevokedDigest(release("three").digest, GONE), undefined);
  });

  it("a digest that was taken back is not released again by accident", () => {
    const revoked = book.withRevokedDigest(release("one").digest, GONE);
    const error = thrownBy(() => revoked?.withTags(["v3"], release("one")), "revoked");
    assert.equal(error.found, GONE.reason);
  });

  it("are taken out, and what is not there changes nothing", async () => {
    const opened = RoleBook.open("releases", (await filesOf(book)).get("releases"));
    assert.deepEqual(opened.changedFiles, []);
    assert.deepEqual(opened.without(["tags/v9"]).changedFiles, []);
    const less = opened.without(["tags/v1"]);
    assert.deepEqual(less.changedFiles, ["releases"]);
    assert.equal(less.bindingOf("tags/v1"), undefined);
  });

  it("a role that has no metadata yet is written whole", async () => {
    const [[name, role] = []] = await filesOf(RoleBook.open("releases", undefined));
    assert.equal(name, "releases");
    assert.deepEqual(role?.body.bindings, []);
  });

  it("what targets delegates to stays", async () => {
    const world = await TrustWorld.make({ signers: [{ name: "releases" }] });
    const { targets } = world.read();
    const changed = RoleBook.open("targets", targets).withTags(["v1"], release("one"));
    const making = { signers: world.keysOf("targets"), keys: world.tufKeys("targets"), expires: AT };
    const role = changed.roles({ ...making, version: () => NOW + 1 }).get("targets");
    assert.deepEqual(role?.delegations, targets.body.delegations);
    assert.deepEqual(role?.keys, targets.body.keys);
  });
});

describe("when a role needs bins", () => {
  const flat = RoleBook.open("releases", undefined);

  it("is where it has more entries than clients take", () => {
    assert.equal(flat.withBindings(many(LIMITS.tufFiles)).needsBins, false);
    assert.equal(flat.withBindings(many(LIMITS.tufFiles + 1)).needsBins, true);
  });

  it("is where its file would be too long", () => {
    const note = "x".repeat(LIMITS.tagTextCharacters);
    const few = Math.ceil(LIMITS.tagRoleBytes / LIMITS.tagTextCharacters);
    assert.equal(flat.withBindings(many(few).map((binding) => ({ ...binding, note }))).needsBins, true);
  });

  for (const [entries, bits] of [
    [501, 3],
    [800, 3],
    [801, 4],
    [2_000, 5],
    [20_000, 8],
  ] as const) {
    it(`${entries} entries are put into ${2 ** bits} bins`, () => {
      const book = flat.withBindings(many(entries)).rebinned();
      assert.equal(book.bitLength, bits);
      assert.equal(book.bindings.length, entries);
      assert.equal(book.needsBins, false);
    });
  }

  it("more than the most bins can hold is refused", () => {
    const most = 2 ** LIMITS.tagBinBits * LIMITS.tufFiles;
    thrownBy(() => flat.withBindings(many(most + 1)).rebinned(), "limit-reached");
  });

  it("a role beside whose entries there are signers cannot have bins", async () => {
    const world = await TrustWorld.make({ signers: [{ name: "releases" }] });
    const book = RoleBook.open("targets", world.read().targets).withBindings(many(LIMITS.tufFiles + 1));
    assert.match(thrownBy(() => book.rebinned(), "limit-reached").next, /trust sign/);
  });
});

describe("the entries of a role in bins", () => {
  const book = RoleBook.open("releases", undefined).withBindings(many(2_000)).rebinned();

  it("are each in the bin of its path", async () => {
    const files = await filesOf(book);
    assert.deepEqual([...files.keys()], ["releases", ...binNames("releases", 5)]);
    for (const [name, { body }] of files) {
      assert.ok(body.bindings.every(({ tag }) => book.fileOf(pathOfTag(tag ?? "")) === name));
    }
    const own = files.get("releases")?.body;
    assert.deepEqual(own?.bins?.prefix, "releases.bin");
    assert.deepEqual([...(own?.keys.keys() ?? [])], own?.bins?.keyids);
  });

  it("a change writes one bin and nothing else", async () => {
    const opened = RoleBook.open("releases", (await filesOf(book)).get("releases"), await filesOf(book));
    const file = opened.fileOf("tags/v7");
    assert.deepEqual(opened.withBindings([bindingOf("v7", "new")]).changedFiles, [file]);
  });

  it("can be edited where only the bins are at hand that matter; what was not read is never taken for empty", async () => {
    const files = await filesOf(book);
    const file = book.fileOf("tags/v7");
    const bin = files.get(file);
    assert.ok(bin);
    const part = RoleBook.open("releases", files.get("releases"), new Map([[file, bin]]));
    assert.equal(part.isComplete, false);
    assert.equal(part.withBindings([bindingOf("v7", "new")]).changedFiles.length, 1);
    const elsewhere = many(100).find(({ tag }) => part.fileOf(pathOfTag(tag ?? "")) !== file);
    assert.ok(elsewhere);
    thrownBy(() => part.bindingOf(pathOfTag(elsewhere.tag ?? "")), "internal");
    thrownBy(() => part.withBindings([elsewhere]), "internal");
    thrownBy(() => part.without([pathOfTag(elsewhere.tag ?? "")]), "internal");
    thrownBy(() => part.withRevokedDigest(elsewhere.digest, GONE), "internal");
    thrownBy(() => part.rebinned(), "internal");
  });

  it("never become fewer bins", () => {
    const less = book.without(many(1_990).map(({ tag }) => pathOfTag(tag ?? "")));
    assert.equal(less.rebinned().bitLength, 5);
  });

  it("grow into more bins with all that they held", () => {
    const grown = book.withBindings(many(4_000)).rebinned();
    assert.equal(grown.bitLength, 6);
    assert.equal(grown.bindings.length, 4_000);
    assert.equal(grown.changedFiles.length, 65);
  });
});

describe("names of bins", () => {
  it("have as many digits as the last one needs", () => {
    assert.deepEqual(binNames("a", 1), ["a.bin-0", "a.bin-1"]);
    assert.equal(binName("a", 10, 4), "a.bin-a");
    assert.equal(binName("a", 10, 5), "a.bin-0a");
  });

  it("tell whose they are", () => {
    assert.deepEqual(["a.bin-0f", "a", "a.b", "a.bin-b.bin-00"].map(ownerOf), ["a", "a", "a.b", "a.bin-b"]);
    assert.deepEqual(["a.bin-0f", "a.bin-", "a.bin-0F", "a.bin"].map(isBin), [true, false, false, false]);
  });

  it("are chosen by the first bits of the path's hash", () => {
    // sha256("tags/latest") begins with a byte that the first bits of are taken.
    for (const bits of [1, 4, 8]) assert.equal(binOf("tags/latest", bits), binOf("tags/latest", 8) >> (8 - bits));
  });
});
