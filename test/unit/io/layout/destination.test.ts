import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, link, mkdir, open, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { CountersignError } from "../../../../src/core/errors.ts";
import { cosignTag } from "../../../../src/core/oci/referrers.ts";
import type { BlobSource, Destination } from "../../../../src/core/ports.ts";
import { stagingFolder } from "../../../../src/io/disk/staging.ts";
import { type FileLocation, layoutDestination } from "../../../../src/io/layout/destination.ts";
import { blobPath } from "../../../../src/io/layout/files.ts";
import { openLayout } from "../../../../src/io/layout/open.ts";
import { rejectedBy } from "../../../support/codes.ts";
import {
  bytesSource,
  describeAs,
  makeBytes,
  makeImage,
  makeIndex,
  makeLayer,
  makeReferrer,
  pushContent,
  pushImage,
  type TestImage,
} from "../../../support/images.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const KINDS = ["oci-layout", "oci-archive", "docker-archive"] as const;

async function fill(destination: Destination, image: TestImage): Promise<void> {
  await pushContent(destination.store, image);
  await destination.commit(image.manifest);
}

async function filled(location: FileLocation, image: TestImage, tag?: string): Promise<void> {
  await fill(await layoutDestination(location, { tag }), image);
}

async function resolved(location: FileLocation, target?: string) {
  const store = await openLayout(location, { mode: "read" });
  try {
    return (await store.resolve(target))?.descriptor.digest;
  } finally {
    await store.close();
  }
}

for (const kind of KINDS) {
  describe(`a new ${kind} as a destination`, () => {
    it("is not there before commit, and is all there after it, with nothing beside it", async (t) => {
      const folder = await temporaryFolder(t);
      const location = { kind, path: join(folder, "image"), tag: "1.0" };
      const image = await makeImage();
      const destination = await layoutDestination(location);
      await pushContent(destination.store, image);
      await destination.store.pushManifest(image.manifest);
      assert.deepEqual(await readdir(folder), [".image.countersign-partial"]);
      await destination.commit(image.manifest);
      assert.deepEqual(await readdir(folder), ["image"]);
      assert.equal(await resolved(location, "1.0"), image.manifest.descriptor.digest);
    });

    it("takes signatures and other companions along", async (t) => {
      const location = { kind, path: join(await temporaryFolder(t), "image"), tag: "1.0" };
      const image = await makeImage();
      const { digest } = image.manifest.descriptor;
      const destination = await layoutDestination(location);
      await pushImage(destination.store, makeReferrer(image.manifest));
      await pushImage(destination.store, await makeImage({ name: "sig" }), cosignTag(digest, "sig"));
      await fill(destination, image);
      const store = await openLayout(location, { mode: "read" });
      t.after(() => store.close());
      assert.equal((await store.resolve(undefined))?.descriptor.digest, digest);
      assert.equal((await store.referrers(digest)).descriptors.length, 1);
      assert.notEqual(await store.resolve(cosignTag(digest, "sig")), undefined);
    });

    it("takes the name that the source had where the location gives none", async (t) => {
      const folder = await temporaryFolder(t);
      const image = await makeImage();
      for (const [at, tag] of ["1.4", "ghcr.io/acme/app:1.4", undefined].entries()) {
        const location = { kind, path: join(folder, `image${at}`) };
        await filled(location, image, tag);
        const store = await openLayout(location, { mode: "read" });
        assert.deepEqual(await store.tags(), tag === undefined ? [] : ["1.4"]);
        assert.equal((await store.resolve(undefined))?.descriptor.digest, image.manifest.descriptor.digest);
        await store.close();
      }
    });

    it("leaves nothing after discard", async (t) => {
      const folder = await temporaryFolder(t);
      const destination = await layoutDestination({ kind, path: join(folder, "image") });
      await pushImage(destination.store, await makeImage(), "other");
      await destination.discard();
      assert.deepEqual(await readdir(folder), []);
    });

    for (const what of ["a file", "an empty folder", "a folder", "a link to nowhere"] as const) {
      it(`refuses ${what} that is there already, and leaves it alone`, async (t) => {
        const folder = await temporaryFolder(t);
        const path = join(folder, "image");
        if (what === "a file") await writeFile(path, "theirs");
        else if (what === "a link to nowhere") await symlink("nowhere", path);
        else await mkdir(path);
        if (what === "a folder") await writeFile(join(path, "theirs"), "theirs");
        for (const tag of [undefined, "1.0"]) {
          await rejectedBy(() => layoutDestination({ kind, path, ...(tag && { tag }) }), "destination-exists");
        }
        assert.deepEqual(await readdir(folder), ["image"]);
      });
    }

    it("whose parent is a file is the destination's fault, for which no image is refused", async (t) => {
      const file = join(await temporaryFolder(t), "file");
      await writeFile(file, "theirs");
      const error = await rejectedBy(() => layoutDestination({ kind, path: join(file, "image") }), "disk-error");
      assert.match(error.message, /the destination cannot be used/);
      assert.equal(await readFile(file, "utf8"), "theirs");
    });

    it("with a link among what an earlier run left is not written through it", async (t) => {
      const [folder, away] = [await temporaryFolder(t), await temporaryFolder(t)];
      const path = join(folder, "image");
      const staged = stagingFolder(path);
      await mkdir(join(staged, "content"), { recursive: true });
      await chmod(staged, 0o700);
      await symlink(away, join(staged, "content", "blobs"));
      const destination = await layoutDestination({ kind, path });
      await rejectedBy(async () => pushContent(destination.store, await makeImage()), "disk-error");
      await destination.discard();
      assert.deepEqual([await readdir(folder), await readdir(away)], [[], []]);
    });

    it("does not replace what appeared while it was being filled", async (t) => {
      const folder = await temporaryFolder(t);
      const path = join(folder, "image");
      const image = await makeImage();
      const destination = await layoutDestination({ kind, path });
      await pushContent(destination.store, image);
      await writeFile(path, "theirs");
      await rejectedBy(() => destination.commit(image.manifest), "destination-exists");
      await destination.discard();
      assert.equal(await readFile(path, "utf8"), "theirs");
      assert.deepEqual(await readdir(folder), ["image"]);
    });

    it("is filled by one at a time", async (t) => {
      const path = join(await temporaryFolder(t), "image");
      const first = await layoutDestination({ kind, path });
      await rejectedBy(() => layoutDestination({ kind, path }), "write-conflict");
      await first.discard();
    });

    it("refuses a digest as a name, names that are none, and a folder that is not there", async (t) => {
      const folder = await temporaryFolder(t);
      const { digest } = (await makeImage()).manifest.descriptor;
      const path = join(folder, "image");
      await rejectedBy(() => layoutDestination({ kind, path, digest }), "reference-invalid");
      await rejectedBy(() => layoutDestination({ kind, path, tag: "-" }), "reference-invalid");
      await rejectedBy(() => layoutDestination({ kind, path: join(folder, "none", "image") }), "not-found");
      assert.deepEqual(await readdir(folder), []);
    });

    it("does not take up what an earlier run left and this one did not use", async (t) => {
      const location = { kind, path: join(await temporaryFolder(t), "image") };
      const refused = await layoutDestination(location);
      const bad = await makeImage({ name: "not accepted" });
      await pushImage(refused.store, bad, "bad");
      await refused.suspend();
      const good = await makeImage({ name: "accepted" });
      await filled(location, good);
      const store = await openLayout(location, { mode: "read" });
      t.after(() => store.close());
      assert.deepEqual(await store.tags(), []);
      assert.equal(await store.hasManifest(bad.manifest.descriptor), false);
      for (const { descriptor } of bad.blobs) assert.equal(await store.hasBlob(descriptor), false);
    });

    it("keeps the old destination's place free where the disk is full at the last write", async (t) => {
      const folder = await temporaryFolder(t);
      const path = join(folder, "image");
      const image = await makeImage();
      const destination = await layoutDestination({ kind, path });
      await pushContent(destination.store, image);
      const restore = await failingSync(folder);
      await rejectedBy(() => destination.commit(image.manifest), "disk-error").finally(restore);
      await destination.discard();
      assert.deepEqual(await readdir(folder), ["probe"]);
    });
  });
}

describe("a destination with a staging folder that somebody prepared", () => {
  it("removes nothing where a link in it leads, and does not become that link", async (t) => {
    const folder = await temporaryFolder(t);
    const location = { kind: "oci-layout", path: join(folder, "image") } as const;
    await mkdir(join(folder, "precious"));
    await writeFile(join(folder, "precious", "thesis"), "years of work");
    await mkdir(stagingFolder(location.path), { mode: 0o700 });
    await symlink("../precious", join(stagingFolder(location.path), "content"));
    await rejectedBy(() => layoutDestination(location), "disk-error");
    assert.equal(await readFile(join(folder, "precious", "thesis"), "utf8"), "years of work");
    assert.deepEqual((await readdir(folder)).sort(), [".image.countersign-partial", "precious"]);
  });

  it("publishes nothing of it but content that was proven", async (t) => {
    const folder = await temporaryFolder(t);
    const location = { kind: "oci-layout", path: join(folder, "image") } as const;
    const content = join(stagingFolder(location.path), "content");
    await mkdir(content, { recursive: true });
    await chmod(stagingFolder(location.path), 0o700);
    await mkdir(join(content, "blobs", "sha256", "folder"), { recursive: true });
    await mkdir(join(content, "other"));
    await writeFile(join(content, "other", "file"), "");
    await writeFile(join(content, "script"), "");
    for (const name of ["index.json", "link", "blobs/link", `blobs/sha256/${"0".repeat(64)}`]) {
      await symlink("/etc/passwd", join(content, name));
    }
    const image = await makeImage();
    await filled(location, image);
    const found = await readdir(location.path, { recursive: true, withFileTypes: true });
    const blobs = [...image.blobs.map(({ descriptor }) => descriptor), image.manifest.descriptor];
    assert.deepEqual(
      found.map((entry) => join(entry.parentPath, entry.name).slice(location.path.length + 1)).sort(),
      [
        "blobs",
        "blobs/sha256",
        ...new Set(blobs.map(({ digest }) => blobPath(digest))),
        "index.json",
        "oci-layout",
      ].sort(),
    );
    assert.equal(
      found.some((entry) => entry.isSymbolicLink()),
      false,
    );
  });
});

describe("a destination that resumes", () => {
  const bytes = makeBytes(400_000);
  const descriptor = describeAs(bytes, "text/plain");

  /** A source that notes where it was opened, and fails after `until` bytes. */
  function source(until: number, content = bytes): BlobSource & { readonly opened: number[] } {
    const opened: number[] = [];
    return {
      opened,
      async *open(offset) {
        opened.push(offset);
        for (let at = offset; at < Math.min(until, content.byteLength); at += 1000) {
          yield content.subarray(at, Math.min(at + 1000, until));
        }
        if (until < content.byteLength) throw new CountersignError("unreachable", "the network is gone");
      },
    };
  }

  async function interrupted(location: FileLocation, from: BlobSource): Promise<void> {
    const destination = await layoutDestination(location);
    await rejectedBy(() => destination.store.pushBlob(descriptor, from), "unreachable");
    await destination.suspend();
  }

  it("continues a blob where the last run stopped, and fetches none twice", async (t) => {
    const location = { kind: "oci-layout", path: join(await temporaryFolder(t), "image") } as const;
    await interrupted(location, source(250_000));
    await interrupted(location, source(390_000));
    const rest = source(bytes.byteLength);
    const destination = await layoutDestination(location);
    assert.equal(await destination.store.pushBlob(descriptor, rest), "stored");
    assert.deepEqual(rest.opened, [390_000]);
    await destination.suspend();
    const again = await layoutDestination(location);
    const unused = source(0);
    assert.equal(await again.store.hasBlob(descriptor), true);
    assert.equal(await again.store.pushBlob(descriptor, unused), "present");
    assert.deepEqual(unused.opened, []);
    await again.discard();
  });

  it("drops an earlier part that turns out to be wrong, and fetches all of it", async (t) => {
    const location = { kind: "oci-layout", path: join(await temporaryFolder(t), "image") } as const;
    await interrupted(location, source(250_000, makeBytes(400_000, 9)));
    const whole = source(bytes.byteLength);
    const destination = await layoutDestination(location);
    assert.equal(await destination.store.pushBlob(descriptor, whole), "stored");
    assert.deepEqual(whole.opened, [250_000, 0]);
    await destination.discard();
  });

  it("does not go on with a part that is a file under another name too", async (t) => {
    const folder = await temporaryFolder(t);
    const location = { kind: "oci-layout", path: join(folder, "image") } as const;
    await interrupted(location, source(250_000));
    const partial = join(stagingFolder(location.path), "partial");
    const [name] = await readdir(partial);
    assert.ok(name !== undefined);
    await link(join(partial, name), join(folder, "theirs"));
    const whole = source(bytes.byteLength);
    const destination = await layoutDestination(location);
    assert.equal(await destination.store.pushBlob(descriptor, whole), "stored");
    assert.deepEqual(whole.opened, [0]);
    assert.equal((await stat(join(folder, "theirs"))).size, 250_000);
    await destination.discard();
  });

  it("does not ask for a range behind the end where the earlier part is complete", async (t) => {
    const location = { kind: "oci-layout", path: join(await temporaryFolder(t), "image") } as const;
    const late: BlobSource = {
      async *open() {
        yield bytes;
        throw new CountersignError("unreachable", "lost at the very end");
      },
    };
    await interrupted(location, late);
    const unused = source(0);
    const destination = await layoutDestination(location);
    await destination.store.pushBlob(descriptor, unused);
    assert.deepEqual(unused.opened, []);
    await destination.discard();
  });

  it("keeps nothing of a source that says its content is wrong", async (t) => {
    const path = join(await temporaryFolder(t), "image");
    const destination = await layoutDestination({ kind: "oci-layout", path });
    const lying: BlobSource = {
      async *open() {
        yield makeBytes(1000, 3);
        throw new CountersignError("digest-mismatch", "flipped");
      },
    };
    await rejectedBy(() => destination.store.pushBlob(descriptor, lying), "digest-mismatch");
    assert.deepEqual(await readdir(join(stagingFolder(path), "partial")), []);
    await destination.discard();
  });

  it("hashes what an earlier run completed, and fetches it again where it was changed since", async (t) => {
    const path = join(await temporaryFolder(t), "image");
    const first = await layoutDestination({ kind: "oci-layout", path });
    await first.store.pushBlob(descriptor, bytesSource(bytes));
    await first.suspend();
    await writeFile(join(stagingFolder(path), "content", blobPath(descriptor.digest)), makeBytes(400_000, 4));
    const second = await layoutDestination({ kind: "oci-layout", path });
    assert.equal(await second.store.hasBlob(descriptor), false);
    assert.equal(await second.store.pushBlob(descriptor, bytesSource(bytes)), "stored");
    await second.discard();
  });

  it("goes on after the process was killed", async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, "image");
    const child = await startEndlessPull(path);
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.deepEqual(await readdir(folder), [".image.countersign-partial"]);
    const image = await makeImage();
    await filled({ kind: "oci-layout", path }, image);
    assert.deepEqual(await readdir(folder), ["image"]);
    assert.equal(await resolved({ kind: "oci-layout", path }), image.manifest.descriptor.digest);
  });
});

describe("adding to a layout that exists", () => {
  it("happens under a new tag, beside what is there", async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, "layout");
    const first = await makeImage({ name: "first" });
    const second = await makeIndex({ name: "second" });
    await filled({ kind: "oci-layout", path, tag: "1" }, first);
    await filled({ kind: "oci-layout", path, tag: "2" }, second);
    assert.equal(await resolved({ kind: "oci-layout", path, tag: "1" }), first.manifest.descriptor.digest);
    assert.equal(await resolved({ kind: "oci-layout", path, tag: "2" }), second.manifest.descriptor.digest);
    assert.deepEqual((await readdir(path)).sort(), ["blobs", "index.json", "oci-layout"]);
  });

  it("is refused without a tag, and under a tag that is taken", async (t) => {
    const path = join(await temporaryFolder(t), "layout");
    await filled({ kind: "oci-layout", path, tag: "1" }, await makeImage());
    const before = await readFile(join(path, "index.json"), "utf8");
    await rejectedBy(() => layoutDestination({ kind: "oci-layout", path }, { tag: "2" }), "destination-exists");
    await rejectedBy(() => layoutDestination({ kind: "oci-layout", path, tag: "1" }), "destination-exists");
    assert.equal(await readFile(join(path, "index.json"), "utf8"), before);
  });

  it("is refused at the end where the tag was taken meanwhile, and keeps the other's image", async (t) => {
    const path = join(await temporaryFolder(t), "layout");
    await filled({ kind: "oci-layout", path, tag: "1" }, await makeImage());
    const mine = await makeImage({ name: "mine" });
    const destination = await layoutDestination({ kind: "oci-layout", path, tag: "2" });
    await pushContent(destination.store, mine);
    const store = await openLayout({ kind: "oci-layout", path }, { mode: "write" });
    const theirs = await pushImage(store, await makeImage({ name: "theirs" }), "2");
    await rejectedBy(() => destination.commit(mine.manifest), "destination-exists");
    await destination.discard();
    assert.equal(await resolved({ kind: "oci-layout", path, tag: "2" }), theirs.descriptor.digest);
  });

  it("keeps what another writer added meanwhile", async (t) => {
    const path = join(await temporaryFolder(t), "layout");
    const image = await makeImage();
    await filled({ kind: "oci-layout", path, tag: "1" }, image);
    const destination = await layoutDestination({ kind: "oci-layout", path, tag: "2" });
    const store = await openLayout({ kind: "oci-layout", path }, { mode: "write" });
    await pushImage(store, makeReferrer(image.manifest));
    await fill(destination, await makeImage({ name: "mine" }));
    assert.equal((await store.referrers(image.manifest.descriptor.digest)).descriptors.length, 1);
    assert.deepEqual([...(await store.tags())].sort(), ["1", "2"]);
  });

  it("is refused at the end where another writer has joined signatures under the same tag meanwhile, and keeps those", async (t) => {
    const path = join(await temporaryFolder(t), "layout");
    const image = await makeImage();
    await filled({ kind: "oci-layout", path, tag: "1" }, image);
    const tag = `sha256-${"0".repeat(64)}.sig`;
    const destination = await layoutDestination({ kind: "oci-layout", path, tag: "2" });
    await pushImage(destination.store, await makeImage({ name: "joined with nothing" }), tag);
    const store = await openLayout({ kind: "oci-layout", path }, { mode: "write" });
    const theirs = await pushImage(store, await makeImage({ name: "theirs" }), tag);
    await rejectedBy(() => fill(destination, image), "write-conflict");
    await destination.discard();
    assert.equal((await store.resolve(tag))?.descriptor.digest, theirs.descriptor.digest);
    assert.equal(await store.resolve("2"), undefined);
  });

  it("does not fetch what the layout has, and changes nothing of it when discarded", async (t) => {
    const path = join(await temporaryFolder(t), "layout");
    const layers = [await makeLayer()];
    const first = await makeImage({ name: "first", layers });
    await filled({ kind: "oci-layout", path, tag: "1" }, first);
    const before = (await readdir(path, { recursive: true })).sort();
    const destination = await layoutDestination({ kind: "oci-layout", path, tag: "2" });
    const [layer] = layers;
    assert.ok(layer !== undefined);
    assert.equal(await destination.store.pushBlob(layer.descriptor, bytesSource(layer.bytes)), "present");
    await pushImage(destination.store, await makeImage({ name: "second", layers }), "other");
    await destination.discard();
    assert.deepEqual((await readdir(path, { recursive: true })).sort(), before);
  });
});

describe("what a destination writes", () => {
  it("is the same archive for the same content, whatever the order it came in", async (t) => {
    const folder = await temporaryFolder(t);
    const index = await makeIndex();
    const backwards = { ...index, children: [...index.children].reverse() };
    for (const kind of ["oci-archive", "docker-archive"] as const) {
      await filled({ kind, path: join(folder, `${kind}1`), tag: "app" }, index);
      await filled({ kind, path: join(folder, `${kind}2`), tag: "app" }, backwards);
      assert.deepEqual(await readFile(join(folder, `${kind}1`)), await readFile(join(folder, `${kind}2`)));
    }
  });

  for (const kind of KINDS) {
    it(`is the same ${kind} in whatever order signatures came in, the image first`, async (t) => {
      const folder = await temporaryFolder(t);
      const image = await makeImage();
      const companions = ["a", "b", "c"].map((text) => makeReferrer(image.manifest, { annotations: { text } }));
      const indexes: string[] = [];
      for (const [at, order] of [companions, companions.toReversed()].entries()) {
        const path = join(folder, String(at));
        const destination = await layoutDestination({ kind, path, tag: "app" });
        for (const companion of order) await pushImage(destination.store, companion);
        await fill(destination, image);
        indexes.push(await readFile(kind === "oci-layout" ? join(path, "index.json") : path, "latin1"));
      }
      assert.equal(indexes[0], indexes[1]);
      if (kind !== "oci-layout") return;
      const { manifests } = JSON.parse(indexes[0] ?? "") as { manifests: { digest: string }[] };
      assert.equal(manifests[0]?.digest, image.manifest.descriptor.digest);
    });
  }

  it("can be read by whom the umask lets read, and only once it is there", async (t) => {
    const folder = await temporaryFolder(t);
    const before = process.umask(0o027);
    t.after(() => {
      process.umask(before);
    });
    for (const kind of KINDS) {
      const path = join(folder, kind);
      await filled({ kind, path }, await makeImage());
      assert.equal((await stat(path)).mode & 0o777, kind === "oci-layout" ? 0o750 : 0o640);
    }
  });

  it("is no Docker archive of what docker load would not take", async (t) => {
    const folder = await temporaryFolder(t);
    const image = await makeImage();
    const partly = { ...image, blobs: image.blobs.slice(0, 1) };
    for (const content of [makeReferrer(image.manifest), partly, await makeIndex({ platforms: [] })]) {
      const destination = await layoutDestination({ kind: "docker-archive", path: join(folder, "image") });
      await rejectedBy(() => fill(destination, content), "unsupported");
      await destination.discard();
    }
    assert.deepEqual(await readdir(folder), []);
  });
});

async function startEndlessPull(path: string) {
  const program = fileURLToPath(new URL("endless-pull.ts", import.meta.url));
  const child = spawn(process.execPath, [program, path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

/** From now on nothing can be made to last on the disk. */
async function failingSync(folder: string): Promise<() => void> {
  const handle = await open(join(folder, "probe"), "w");
  const prototype = Object.getPrototypeOf(handle) as Record<string, unknown>;
  await handle.close();
  const original = prototype["sync"];
  prototype["sync"] = () => Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC", syscall: "fsync" }));
  return () => {
    prototype["sync"] = original;
  };
}
