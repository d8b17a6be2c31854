import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { gather, openRegular } from "../../../../src/io/disk/files.ts";
import { TarFiles } from "../../../../src/io/layout/tar-reader.ts";
import { packTar } from "../../../../src/io/layout/tar-writer.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { makeBytes } from "../../../support/images.ts";
import { temporaryFolder } from "../../../support/temp.ts";
import { END, pax, type RawEntry, rawTar, tarOf } from "./raw-tar.ts";

async function read(t: TestContext, archive: Uint8Array): Promise<TarFiles> {
  const path = join(await temporaryFolder(t), "a.tar");
  await writeFile(path, archive);
  const file = await openRegular(path);
  assert.ok(typeof file === "object");
  const tar = await TarFiles.read(file);
  t.after(() => tar.close());
  return tar;
}

async function textOf(tar: TarFiles, name: string): Promise<string> {
  return Buffer.from(await gather(tar.open(name))).toString();
}

const A: RawEntry = { name: "a", content: "A" };

describe("reading a tar archive", () => {
  it("finds files and their contents, with and without ./ in front, and leaves folders and devices out", async (t) => {
    const tar = await read(
      t,
      tarOf(
        { name: "./", type: "5" },
        { name: "./a", content: "A" },
        { name: "b/", type: "5" },
        { name: "b//c", content: "C".repeat(1000) },
        { name: "fifo", type: "6" },
        { name: "old-folder/" },
        { name: "empty" },
      ),
    );
    assert.deepEqual(await tar.list(), ["a", "b/c", "empty"]);
    assert.equal(await textOf(tar, "a"), "A");
    assert.equal(await textOf(tar, "b/c"), "C".repeat(1000));
    assert.equal(await tar.size("empty"), 0);
    assert.equal(await tar.size("missing"), undefined);
    await rejectedBy(() => textOf(tar, "missing"), "not-found");
  });

  it("reads names from ustar's prefix, pax's path and GNU's long name", async (t) => {
    const long = `${"d".repeat(120)}/file`;
    const tar = await read(
      t,
      tarOf(
        { name: "x", prefix: "some/prefix", content: "1" },
        pax({ path: `pax/${long}`, mtime: "1.5", "SCHILY.xattr.user": "v" }),
        { name: "short", content: "2" },
        { name: "././@LongLink", type: "L", magic: "ustar  \0", content: `gnu/${long}\0` },
        { name: "cut", content: "3", magic: "ustar  \0" },
        pax({ comment: "for all" }, "g"),
        { name: "v7", content: "4", magic: "" },
      ),
    );
    assert.deepEqual(await tar.list(), [`gnu/${long}`, `pax/${long}`, "some/prefix/x", "v7"]);
    assert.equal(await textOf(tar, `gnu/${long}`), "3");
  });

  it("reads sizes from pax and in base 256", async (t) => {
    const base256 = Buffer.alloc(12);
    base256[0] = 0x80;
    base256[11] = 3;
    const tar = await read(
      t,
      tarOf(
        pax({ size: "5" }),
        { name: "a", content: "hello", size: "00000000000\0" },
        { name: "b", content: "abc", size: base256 },
      ),
    );
    assert.equal(await textOf(tar, "a"), "hello");
    assert.equal(await textOf(tar, "b"), "abc");
  });

  it("knows links, and refuses to read one as a file", async (t) => {
    const tar = await read(
      t,
      tarOf(A, { name: "soft", type: "2", linkName: "/etc/passwd" }, { name: "hard", type: "1", linkName: "a" }),
    );
    for (const name of ["soft", "hard"]) {
      await rejectedBy(() => tar.size(name), "layout-invalid");
      await rejectedBy(() => textOf(tar, name), "layout-invalid");
    }
    assert.deepEqual(await tar.list(), ["a"]);
  });

  it("reads back what is written here, sha512 names and all, and writes the same content as the same bytes", async (t) => {
    const files = new Map([
      ["oci-layout", makeBytes(30)],
      [`blobs/sha512/${"a".repeat(128)}`, makeBytes(100_000)],
      ["blobs/sha256/empty", new Uint8Array(0)],
    ]);
    const entries = [...files].map(([name, bytes]) => ({
      name,
      size: bytes.byteLength,
      async *open() {
        yield bytes;
      },
    }));
    const archive = await gather(packTar(entries));
    assert.deepEqual(await gather(packTar(entries)), archive);
    const tar = await read(t, archive);
    for (const [name, bytes] of files) assert.deepEqual(Buffer.from(await gather(tar.open(name))), Buffer.from(bytes));
  });

  it("does not write an archive of content that is shorter or longer than announced, or that fails", async () => {
    for (const content of [["ab"], ["abcd"], []]) {
      const entry = {
        name: "a",
        size: 3,
        async *open() {
          for (const text of content) yield Buffer.from(text);
        },
      };
      await assert.rejects(gather(packTar([entry])));
    }
  });
});

interface Bad {
  readonly what: string;
  readonly archive: Uint8Array;
  readonly code?: ReasonCode;
}

const SPARSE = pax({ "GNU.sparse.major": "1" });
const NEGATIVE = Buffer.from([0xff, ...Array.from({ length: 11 }, () => 0xff)]);
const HUGE = Buffer.from([0x80, ...Array.from({ length: 11 }, () => 0xff)]);

const BAD: readonly Bad[] = [
  { what: "that is empty", archive: new Uint8Array(0) },
  { what: "that is no archive", archive: Buffer.alloc(2048, "no tar at all ") },
  { what: "without an end", archive: rawTar(A) },
  { what: "with half an end", archive: Buffer.concat([rawTar(A), new Uint8Array(512)]) },
  { what: "cut inside a header", archive: rawTar(A, A).subarray(0, 1300) },
  { what: "cut inside a content", archive: rawTar({ name: "a", content: "x".repeat(2000) }).subarray(0, 1000) },
  {
    what: "with an empty header in the middle",
    archive: Buffer.concat([rawTar(A), new Uint8Array(512), tarOf({ name: "b" })]),
  },
  { what: "with a wrong checksum", archive: tarOf({ ...A, checksum: "000000\0 " }) },
  { what: "with a checksum that is no number", archive: tarOf({ ...A, checksum: "zzzzzz\0 " }) },
  { what: "with a size that is no number", archive: tarOf({ ...A, size: "0000000000z\0" }) },
  { what: "with a negative size", archive: tarOf({ ...A, size: NEGATIVE }) },
  { what: "with a size beyond all numbers", archive: tarOf({ ...A, size: HUGE }) },
  { what: "with a size beyond its end", archive: tarOf({ ...A, size: "00077777777\0" }) },
  { what: "with a file twice", archive: tarOf(A, { name: "b" }, A) },
  { what: "with a file twice in two spellings", archive: tarOf(A, { name: ".//a" }) },
  { what: "with a file and a link of one name", archive: tarOf(A, { name: "a", type: "2", linkName: "b" }) },
  {
    what: "with a file below a link",
    archive: tarOf({ name: "blobs", type: "2", linkName: "/etc" }, { name: "blobs/sha256/a" }),
  },
  { what: "with a file below a file", archive: tarOf({ name: "x/y" }, { name: "x" }) },
  { what: "with .. in a name", archive: tarOf({ name: "../a" }) },
  { what: "with .. inside a name", archive: tarOf({ name: "blobs/../../a" }) },
  { what: "with .. in the name of a folder", archive: tarOf({ name: "../", type: "5" }) },
  { what: "with .. in a pax path", archive: tarOf(pax({ path: "../a" }), A) },
  { what: "with .. in a long name", archive: tarOf({ name: "L", type: "L", content: "../a\0" }, A) },
  { what: "with an absolute name", archive: tarOf({ name: "/etc/passwd" }) },
  { what: "with a NUL in a pax path", archive: tarOf(pax({ path: "a\0b" }), A) },
  { what: "with an entry without a name", archive: tarOf({ name: "" }) },
  { what: "with a folder that has a size", archive: tarOf({ name: "d/", type: "5", content: "x".repeat(512) }, A) },
  { what: "with a link that has a size", archive: tarOf({ name: "l", type: "2", content: "x".repeat(512) }, A) },
  { what: "with an entry of an unknown kind", archive: tarOf({ ...A, type: "M" }) },
  { what: "with GNU's sparse kind", archive: tarOf({ ...A, type: "S" }) },
  { what: "with a sparse entry in pax", archive: tarOf(SPARSE, A) },
  { what: "with a path for all entries", archive: tarOf(pax({ path: "b" }, "g"), A) },
  { what: "with two paths for one entry", archive: tarOf(pax({ path: "b" }), pax({ path: "c" }), A) },
  {
    what: "with a pax path and a long name for one entry",
    archive: tarOf(pax({ path: "b" }), { name: "L", type: "L", content: "c\0" }, A),
  },
  { what: "with one thing twice in a pax header", archive: tarOf({ ...pax({}), content: "9 path=b\n9 path=c\n" }, A) },
  { what: "with a pax size that is no number", archive: tarOf(pax({ size: "1e3" }), A) },
  { what: "with a pax record that is too long", archive: tarOf({ ...pax({}), content: "99 path=b\n" }, A) },
  { what: "with a pax record without a length", archive: tarOf({ ...pax({}), content: "path=b\n" }, A) },
  { what: "that ends after a pax header", archive: tarOf(pax({ path: "b" })) },
  {
    what: "with a name that is too long",
    archive: tarOf(pax({ path: "n/".repeat(LIMITS.tarNameBytes) }), A),
    code: "limit-reached",
  },
  {
    what: "with a pax header that is too large",
    archive: tarOf(pax({ comment: "x".repeat(LIMITS.tarExtensionBytes) }), A),
    code: "limit-reached",
  },
];

describe("an archive is refused", () => {
  for (const { what, archive, code } of BAD) {
    it(what, async (t) => {
      await rejectedBy(() => read(t, archive), code ?? "layout-invalid");
    });
  }

  it("with one entry more than the limit", async (t) => {
    const folder = rawTar({ name: "d/", type: "5" });
    const archive = Buffer.alloc(folder.byteLength * (LIMITS.tarEntries + 1) + END.byteLength);
    for (let at = 0; at <= LIMITS.tarEntries; at++) folder.copy(archive, at * folder.byteLength);
    await rejectedBy(() => read(t, archive), "limit-reached");
  });
});
