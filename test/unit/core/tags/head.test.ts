import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeUtf8, encodeBase64, encodeUtf8 } from "../../../../src/core/bytes.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { checkBytes, describe as descriptorOf } from "../../../../src/core/oci/descriptor.ts";
import { type Digest, digestOf } from "../../../../src/core/oci/digest.ts";
import { type Manifest, parseManifest } from "../../../../src/core/oci/manifest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { binNames } from "../../../../src/core/tags/bins.ts";
import {
  binSetOf,
  buildHead,
  type HeadFiles,
  type HeadPart,
  parseHead,
  parseHeadPart,
  setWith,
} from "../../../../src/core/tags/head.ts";
import { FILE_NAME_ANNOTATION, METADATA_MEDIA_TYPE, TRUST_ARTIFACT_TYPE } from "../../../../src/core/tags/names.ts";
import { thrownBy } from "../../../support/codes.ts";
import { at } from "../../../support/trust-world.ts";

const EXPIRES = at("2026-02-01T00:00:00Z");
const digestNo = (index: number): Digest => digestOf(encodeUtf8(`head ${index}`));
const FACTS = { gun: "registry.example/app", version: 7, expires: EXPIRES, history: [digestNo(1)] };
const file = (name: string, size = 20): [string, Uint8Array] => [name, encodeUtf8(name.padEnd(size, "."))];
const FILES: HeadFiles = new Map([
  file("9.releases.json"),
  file("8.snapshot.json"),
  file("10.root.json"),
  file("timestamp.json"),
  file("2.root.json"),
  file("6.targets.json"),
]);

function withBins(bits: number, version = 5): Map<string, Uint8Array> {
  return new Map([...FILES, ...binNames("releases", bits).map((bin) => file(`${version}.${bin}.json`))]);
}

function jsonOf(manifest: Manifest): Record<string, unknown> {
  return JSON.parse(decodeUtf8(manifest.bytes));
}

function headOf(change: (json: Record<string, unknown>) => void, files: HeadFiles = FILES): Manifest {
  const json = jsonOf(buildHead(files, FACTS).manifest);
  change(json);
  return parseManifest(encodeUtf8(JSON.stringify(json)), "");
}

describe("a small head", () => {
  const head = buildHead(FILES, FACTS);

  it("is one manifest that lists every file, the timestamp first, roots in the order of their numbers", () => {
    assert.equal(head.manifest.kind, "image");
    assert.equal(head.manifest.artifactType, TRUST_ARTIFACT_TYPE);
    assert.deepEqual(head.manifests, []);
    assert.deepEqual(
      [...parseHead(head.manifest).files.keys()],
      ["timestamp.json", "2.root.json", "10.root.json", "8.snapshot.json", "6.targets.json", "9.releases.json"],
    );
  });

  it("names everything that has to be stored before it", () => {
    const stored = new Set(head.blobs.map(({ descriptor }) => descriptor.digest));
    for (const { descriptor, bytes } of head.blobs) checkBytes(bytes, descriptor, "it");
    assert.ok(stored.has(digestOf(EMPTY_JSON)));
    for (const bytes of FILES.values()) assert.ok(stored.has(digestOf(bytes)));
  });

  it("carries all of its files where they are small", () => {
    for (const [name, { data }] of parseHead(head.manifest).files) assert.deepEqual(data, FILES.get(name));
  });

  it("carries the timestamp alone where they are not", () => {
    const files = new Map([...FILES, file("3.nightly.json", LIMITS.tagEmbeddedBytes)]);
    const carried = [...parseHead(buildHead(files, FACTS).manifest).files].filter(([, { data }]) => data !== undefined);
    assert.deepEqual(
      carried.map(([name]) => name),
      ["timestamp.json"],
    );
  });

  it("is the same for the same files, in whatever order they come", () => {
    const reversed = new Map([...FILES].reverse());
    assert.equal(buildHead(reversed, FACTS).manifest.descriptor.digest, head.manifest.descriptor.digest);
  });

  it("gives hints: the repository, the version, the expiry and the heads before", () => {
    const { gun, version, expires, history } = parseHead(head.manifest);
    assert.deepEqual({ gun, version, expires, history }, FACTS);
  });

  it("forgets the oldest heads", () => {
    const history = Array.from({ length: LIMITS.tagHeadHistory + 1 }, (_, index) => digestNo(index));
    const kept = parseHead(buildHead(FILES, { ...FACTS, history }).manifest).history;
    assert.deepEqual(kept, history.slice(0, LIMITS.tagHeadHistory));
  });

  it("takes files that are stored already by their descriptors", () => {
    const { files } = parseHead(head.manifest);
    const described = new Map<string, HeadPart>([...files].map(([name, { descriptor }]) => [name, { descriptor }]));
    const again = buildHead(described, FACTS);
    assert.equal(again.blobs.length, 1);
    assert.deepEqual([...parseHead(again.manifest).files.keys()], [...files.keys()]);
  });

  it("refuses to list what is no metadata", () => {
    thrownBy(() => buildHead(new Map([file("readme.txt")]), FACTS), "metadata-malformed");
  });
});

describe("a large head", () => {
  const files = withBins(8);
  const head = buildHead(files, FACTS);
  const listing = parseHead(head.manifest);

  it("begins where there are more bins than fit into a manifest", () => {
    assert.equal(buildHead(withBins(4), FACTS).manifest.kind, "image");
    assert.equal(2 ** 4, LIMITS.tagSmallHeadBins);
    assert.equal(buildHead(withBins(5), FACTS).manifest.kind, "index");
  });

  it("is an index that carries the manifest of all but the bins, with the timestamp in it", () => {
    assert.equal(listing.form, "large");
    assert.equal(listing.core, undefined);
    assert.deepEqual(listing.files.get("timestamp.json")?.data, FILES.get("timestamp.json"));
    assert.deepEqual([...listing.files.keys()].toSorted(), [...FILES.keys()].toSorted());
  });

  it("names sets of bins, each of which is stored before it", () => {
    assert.equal(listing.sets.length, 256 / LIMITS.tagBinSetFiles);
    const stored = new Map(head.manifests.map((manifest) => [manifest.descriptor.digest, manifest]));
    const bins = listing.sets.flatMap(({ descriptor }) => {
      const manifest = stored.get(descriptor.digest);
      assert.ok(manifest);
      return [...parseHeadPart(manifest).keys()];
    });
    assert.deepEqual(bins.toSorted(), [...files.keys()].filter((name) => name.includes(".bin-")).toSorted());
  });

  it("says in which set a bin is", () => {
    const sets = binNames("releases", 8).map((bin) => setWith(bin, listing.sets));
    assert.ok(sets.every((set) => set !== undefined));
    assert.equal(new Set(sets).size, listing.sets.length);
    for (const bin of ["releases.bin-0", "releases.bin-000", "nightly.bin-00", "releases.bin-zz", "releases"]) {
      assert.equal(setWith(bin, listing.sets), undefined, bin);
    }
  });

  it("changes one set for one bin; the others are handed on unread", () => {
    const name = "releases.bin-41";
    const set = binSetOf(name);
    const unchanged = listing.sets.filter(({ first }) => binSetOf(first) !== set);
    const own = binNames("releases", 8).filter((bin) => binSetOf(bin) === set);
    const parts = new Map([...FILES, ...own.map((bin) => file(`${bin === name ? 6 : 5}.${bin}.json`))]);
    const next = buildHead(parts, FACTS, unchanged);
    const all = new Map(files);
    all.delete(`5.${name}.json`);
    all.set(...file(`6.${name}.json`));
    assert.equal(next.manifest.descriptor.digest, buildHead(all, FACTS).manifest.descriptor.digest);
    assert.equal(next.manifests.length, 2);
  });

  it("whose core was left out on the way names what has to be read instead", () => {
    const stripped = headOf((json) => {
      const [core] = json["manifests"] as Record<string, unknown>[];
      delete core?.["data"];
    }, files);
    const { core, files: none } = parseHead(stripped);
    assert.equal(none.size, 0);
    const [manifest] = head.manifests;
    assert.equal(core?.digest, manifest?.descriptor.digest);
    assert.ok(manifest && parseHeadPart(manifest).has("timestamp.json"));
  });
});

describe("what is no head", () => {
  const layer = (json: Record<string, unknown>, index = 0) => {
    return (json["layers"] as Record<string, unknown>[])[index] as Record<string, unknown>;
  };
  const cases: readonly (readonly [string, (json: Record<string, unknown>) => void])[] = [
    ["another artifact", (json) => Object.assign(json, { artifactType: "application/vnd.example" })],
    ["an image", (json) => delete json["artifactType"]],
    ["a layer of another type", (json) => Object.assign(layer(json), { mediaType: "text/plain" })],
    ["a layer without a name", (json) => delete layer(json)["annotations"]],
    [
      "a layer called as no metadata is",
      (json) => Object.assign(layer(json), { annotations: { [FILE_NAME_ANNOTATION]: "../x.json" } }),
    ],
    ["two files of one name", (json) => Object.assign(json, { layers: [layer(json), layer(json)] })],
    [
      "embedded data of other content",
      (json) => Object.assign(layer(json), { data: encodeBase64(encodeUtf8("x".repeat(20))) }),
    ],
    ["embedded data of another length", (json) => Object.assign(layer(json), { data: encodeBase64(encodeUtf8("x")) })],
    ["embedded data that is no base64", (json) => Object.assign(layer(json), { data: "!" })],
    ["embedded data that is no text", (json) => Object.assign(layer(json), { data: 7 })],
  ];
  for (const [title, change] of cases) {
    it(title, () => void thrownBy(() => parseHead(headOf(change)), "metadata-malformed"));
  }

  const entries = (json: Record<string, unknown>) => json["manifests"] as Record<string, unknown>[];
  const large: readonly (readonly [string, (json: Record<string, unknown>) => void])[] = [
    ["an index of nothing", (json) => Object.assign(json, { manifests: [] })],
    ["an index in an index", (json) => Object.assign(entries(json)[0] as object, { mediaType: MEDIA_TYPES.ociIndex })],
    ["an entry that is no set of bins", (json) => delete entries(json)[1]?.["annotations"]],
    [
      "a core that is no manifest",
      (json) => {
        const junk = encodeUtf8("{}");
        const { digest, size } = descriptorOf(junk, MEDIA_TYPES.ociManifest);
        Object.assign(entries(json)[0] as object, { digest, size, data: encodeBase64(junk) });
      },
    ],
  ];
  for (const [title, change] of large) {
    it(title, () => void thrownBy(() => parseHead(headOf(change, withBins(5))), "metadata-malformed"));
  }

  it("a set of bins that is an index", () => {
    thrownBy(() => parseHeadPart(buildHead(withBins(5), FACTS).manifest), "metadata-malformed");
  });

  it("but unsigned hints that are no hints are none, and harm nothing", () => {
    const { gun, version, expires, history } = parseHead(
      headOf((json) =>
        Object.assign(json, {
          annotations: {
            "countersign.trust.version": "many",
            "countersign.trust.expires": "soon",
            "countersign.trust.history": "sha256:1,,latest",
          },
        }),
      ),
    );
    assert.deepEqual(
      { gun, version, expires, history },
      { gun: undefined, version: undefined, expires: undefined, history: [] },
    );
  });

  it("layers of metadata have a type of their own", () => {
    assert.equal(METADATA_MEDIA_TYPE, "application/vnd.tuf.metadata+json");
  });
});
