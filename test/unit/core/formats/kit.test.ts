import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import {
  checkKitManifest,
  formatKitList,
  type KitList,
  kitBlobs,
  kitImageName,
  kitListOf,
  layoutNameOf,
  makeKitManifest,
  parseKitList,
} from "../../../../src/core/formats/kit.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { type ImageManifest, parseManifest } from "../../../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";
import { type Schema, violations } from "../../../support/json-schema.ts";

const INDEX = { mediaType: MEDIA_TYPES.ociIndex, digest: digest("c"), size: 90 };

/** The last image is a platform of that index. */
function withIndex(list: KitList): KitList {
  const last = list.images.length - 1;
  return { ...list, images: list.images.map((image, at) => (at === last ? { ...image, index: INDEX } : image)) };
}

function digest(fill: string): Digest {
  return `sha256:${fill.repeat(64)}` as Digest;
}

const AT = instant(Date.UTC(2026, 0, 1));
const LATER = instant(Date.UTC(2026, 0, 8));

const LIST: KitList = {
  createdAt: AT,
  images: [
    {
      repository: "registry.example/acme/app",
      tag: "1.4.2",
      manifest: { mediaType: MEDIA_TYPES.ociIndex, digest: digest("1"), size: 10 },
    },
    {
      repository: "docker.io/library/nginx",
      tag: undefined,
      manifest: { mediaType: MEDIA_TYPES.dockerManifest, digest: digest("2"), size: 20 },
    },
    {
      repository: undefined,
      tag: "1",
      manifest: { mediaType: MEDIA_TYPES.ociManifest, digest: digest("3"), size: 30 },
    },
  ],
  attached: [digest("4"), digest("5")],
  trust: [
    {
      name: "sigstore",
      source: { kind: "tuf", mirror: "https://tuf.example" },
      trustedRoot: { digest: digest("6"), size: 60 },
      demands: { logs: 1, certificateLogs: 1, timestamps: 0 },
      fetchedAt: AT,
      expires: LATER,
      roles: [{ role: "root", version: 3, expires: LATER }],
      tuf: {
        roots: [{ digest: digest("7"), size: 70 }],
        roles: [{ role: "timestamp", digest: digest("8"), size: 80 }],
      },
    },
    {
      name: undefined,
      source: { kind: "file", file: "trusted_root.json" },
      trustedRoot: { digest: digest("9"), size: 90 },
      demands: { logs: 0, certificateLogs: 0, timestamps: 2 },
      fetchedAt: undefined,
      expires: undefined,
      roles: [],
      tuf: undefined,
    },
  ],
};

const WITH_POLICY: KitList = { ...LIST, policy: { file: "policy.yaml", digest: digest("a"), size: 95 } };

type Json = Record<string, unknown>;
const written = (list = LIST): Json => JSON.parse(Buffer.from(formatKitList(list)).toString()) as Json;

function at(json: unknown, path: string): [Json, string] {
  const names = path.split(".");
  const last = names.pop() ?? "";
  const holder = names.reduce((value, name) => (value as Json)[name] as Json, json as Json);
  return [holder, last];
}

/** The list with one member set to something else, or away. */
function withMember(path: string, value: unknown, list = LIST): Uint8Array {
  const json = written(list);
  const [holder, name] = at(json, path);
  if (value === undefined) delete holder[name];
  else holder[name] = value;
  return encodeUtf8(JSON.stringify(json));
}

describe("The list of a kit", () => {
  it("is read as it was written", () => {
    assert.deepEqual(parseKitList(formatKitList(LIST)), LIST);
    const empty = { createdAt: AT, images: [], attached: [], trust: [] };
    assert.deepEqual(parseKitList(formatKitList(empty)), empty);
    assert.deepEqual(parseKitList(formatKitList(WITH_POLICY)), WITH_POLICY);
    for (const more of [LIST, WITH_POLICY]) {
      const list = withIndex(more);
      assert.deepEqual(parseKitList(formatKitList(list)), list);
    }
  });

  it("fits docs/schemas/kit.json", () => {
    const schema: Schema = JSON.parse(
      readFileSync(new URL("../../../../docs/schemas/kit.json", import.meta.url), "utf8"),
    );
    assert.deepEqual(violations(written(), schema), []);
    assert.deepEqual(violations(written(WITH_POLICY), schema), []);
    assert.deepEqual(violations(written(withIndex(WITH_POLICY)), schema), []);
    for (const [path, value] of [
      ["images.0.digest", "x"],
      ["trust.0.mirror", 1],
      ["kitVersion", 4],
      ["policy", {}],
    ] as const) {
      assert.notDeepEqual(violations(JSON.parse(Buffer.from(withMember(path, value)).toString()), schema), [], path);
    }
  });

  it("names its images as they would be fetched, and as a layout lists them", () => {
    assert.deepEqual(LIST.images.map(kitImageName), [
      "registry.example/acme/app:1.4.2",
      `docker.io/library/nginx@${digest("2")}`,
      "1",
    ]);
    assert.deepEqual(LIST.images.map(layoutNameOf), ["registry.example/acme/app:1.4.2", undefined, "1"]);
  });

  it("names every blob of trust material once", () => {
    const [first] = LIST.trust;
    const twice = first === undefined ? [] : [first, { ...first, name: "other" }];
    assert.deepEqual(
      kitBlobs({ images: LIST.images, trust: twice }).map((blob) => blob.size),
      [60, 70, 80],
    );
  });

  it("that would not be read again is not written", () => {
    const many = Array.from({ length: 70_000 }, (_, count) => `sha256:${`${count}`.padStart(64, "0")}` as Digest);
    thrownBy(() => formatKitList({ ...LIST, attached: many }), "limit-reached");
  });
});

describe("The index of a platform in the list of a kit", () => {
  it("is named with the blobs, once, and held in the kit's manifest by its own type", () => {
    const list = withIndex(WITH_POLICY);
    assert.deepEqual(
      kitBlobs(list).filter(({ digest: named }) => named === INDEX.digest),
      [INDEX],
    );
    const manifest = makeKitManifest(formatKitList(list), list);
    assert.ok(manifest.kind === "image");
    const [layer] = manifest.layers.filter(({ digest: held }) => held === INDEX.digest);
    assert.equal(layer?.mediaType, MEDIA_TYPES.ociIndex);
    checkKitManifest(manifest, list);
    thrownBy(() => checkKitManifest(manifest, WITH_POLICY), "layout-invalid");
    const bare = makeKitManifest(formatKitList(WITH_POLICY), WITH_POLICY);
    assert.ok(bare.kind === "image");
    thrownBy(() => checkKitManifest(bare, list), "layout-invalid");
  });

  for (const [name, path, value] of [
    ["that is no object", "images.2.index", "index.json"],
    ["without a digest", "images.2.index.digest", undefined],
    ["without a size", "images.2.index.size", undefined],
    ["of another media type", "images.2.index.mediaType", MEDIA_TYPES.ociLayer],
    ["that holds more", "images.2.index.manifests", []],
    ["beside a member that is not known", "images.2.platform", "linux/amd64"],
    ["beside a policy that is none", "policy", {}],
  ] as const) {
    it(`is refused ${name}`, () => {
      thrownBy(() => parseKitList(withMember(path, value, withIndex(LIST))), "layout-invalid");
    });
  }
});

describe("The list of a kit is refused", () => {
  for (const [name, path, value] of [
    ["without its version", "kitVersion", undefined],
    ["of a version to come", "kitVersion", 4],
    ["of the version with a platform's index, without one", "kitVersion", 3],
    ["with a platform's index, of the version without one", "images.0.index", INDEX],
    ["of the version with a policy, without one", "kitVersion", 2],
    ["with a policy, of the version without one", "policy", { file: "p", digest: digest("a"), size: 1 }],
    ["with a version in words", "kitVersion", "1"],
    ["without a time", "createdAt", undefined],
    ["with a day that never was", "createdAt", "2026-02-31T00:00:00Z"],
    ["with a member that is not known", "policy", {}],
    ["with images that are no list", "images", {}],
    ["with an image that is none", "images.0", "registry.example/app"],
    ["with a member of an image that is not known", "images.0.platform", "linux/amd64"],
    ["with an image without a manifest", "images.0.manifest", undefined],
    ["with a manifest that holds more", "images.0.manifest.urls", []],
    ["with an image of another media type", "images.0.manifest.mediaType", MEDIA_TYPES.ociLayer],
    ["with a digest that is none", "images.0.manifest.digest", "sha256:00"],
    ["with a digest in capitals", "images.0.manifest.digest", `sha256:${"A".repeat(64)}`],
    ["with a negative size", "images.0.manifest.size", -1],
    ["with a size in words", "images.0.manifest.size", "10"],
    ["with a repository that leads upwards", "images.0.repository", "registry.example/../app"],
    ["with a repository that is not spelled out", "images.0.repository", "nginx"],
    ["with a repository in capitals", "images.0.repository", "Registry.Example/acme/app"],
    ["with a tag in a repository", "images.0.repository", "registry.example/acme/app:1"],
    ["with an empty repository", "images.0.repository", ""],
    ["with null for a repository", "images.0.repository", null],
    ["with a tag that is none", "images.0.tag", "-1"],
    ["with a slash in a tag", "images.0.tag", "a/b"],
    ["with a digest as a tag", "images.0.tag", digest("1")],
    ["with a tag that is too long", "images.0.tag", "a".repeat(129)],
    ["with something attached that has no digest", "attached.0", "signature"],
    ["with something attached twice", "attached.0", digest("5")],
    ["with a trust root from nowhere", "trust.0.mirror", undefined],
    ["with a trust root from two places", "trust.0.file", "trusted_root.json"],
    ["with an empty mirror", "trust.0.mirror", ""],
    ["with two trust roots of one name", "trust.1.name", "sigstore"],
    ["with a trust root without its blob", "trust.0.trustedRoot", undefined],
    ["with a trust root that says more of its blob", "trust.0.trustedRoot.mediaType", "text/plain"],
    ["with a trust root without demands", "trust.0.demands", undefined],
    ["with a demand that is not known", "trust.0.demands.currentTime", true],
    ["with a demand below nought", "trust.0.demands.logs", -1],
    ["with a demand that is no number", "trust.0.demands.logs", "0"],
    ["with an end that is no time", "trust.0.expires", "soon"],
    ["with a role that has no version", "trust.0.roles.0.version", undefined],
    ["with a role that has no end", "trust.0.roles.0.expires", undefined],
    ["with metadata that is none", "trust.0.tuf", []],
    ["with metadata without roots", "trust.0.tuf.roots.0", {}],
    ["with a member of metadata that is not known", "trust.0.tuf.targets", []],
    ["with metadata of a nameless role", "trust.0.tuf.roles.0.role", undefined],
    [
      "with metadata of one role twice",
      "trust.0.tuf.roles",
      Array(2).fill({ role: "timestamp", digest: digest("8"), size: 80 }),
    ],
  ] as const) {
    it(name, () => {
      thrownBy(() => parseKitList(withMember(path, value)), "layout-invalid");
    });
  }

  for (const [name, path, value] of [
    ["images", "images", Array(LIMITS.indexEntries + 1).fill(null)],
    ["attached things", "attached", Array(LIMITS.indexEntries + 1).fill("")],
    ["trust roots", "trust", Array(LIMITS.trustInstances + 1).fill(null)],
    ["versions of a root", "trust.0.tuf.roots", Array(LIMITS.tufRootSteps + 1).fill(null)],
    ["roles", "trust.0.tuf.roles", Array(LIMITS.tufDelegations + 5).fill(null)],
  ] as const) {
    it(`with more ${name} than are read`, () => {
      thrownBy(() => parseKitList(withMember(path, value)), "limit-reached");
    });
  }

  for (const [name, text] of [
    ["that is no object", "[]"],
    ["that is empty", ""],
    ["with a member twice", '{"kitVersion":1,"kitVersion":1}'],
    ["with something after it", '{"kitVersion":1} {}'],
  ] as const) {
    it(name, () => {
      thrownBy(() => parseKitList(encodeUtf8(text)), "layout-invalid");
    });
  }

  for (const [name, path, value] of [
    ["that is no object", "policy", "policy.yaml"],
    ["without a name", "policy.file", undefined],
    ["without a digest", "policy.digest", undefined],
    ["of no size", "policy.size", -1],
    ["with something else in it", "policy.isTrusted", true],
  ] as const) {
    it(`with a policy ${name}`, () => {
      thrownBy(() => parseKitList(withMember(path, value, WITH_POLICY)), "layout-invalid");
    });
  }

  it("that is too large", () => {
    thrownBy(() => parseKitList(new Uint8Array(LIMITS.kitListBytes + 1)), "limit-reached");
  });
});

describe("The manifest of a kit", () => {
  const bytes = formatKitList(LIST);
  const manifest = makeKitManifest(bytes, LIST) as ImageManifest;
  const edited = (edit: (json: { layers: Json[] } & Json) => void): ImageManifest => {
    const json = JSON.parse(Buffer.from(manifest.bytes).toString());
    edit(json);
    return parseManifest(encodeUtf8(JSON.stringify(json)), MEDIA_TYPES.ociManifest) as ImageManifest;
  };

  it("holds the list and everything that the list names, so that no tool drops any of it", () => {
    assert.equal(manifest.artifactType, MEDIA_TYPES.kit);
    assert.deepEqual(kitListOf(manifest), {
      mediaType: MEDIA_TYPES.kitList,
      digest: manifest.layers[0]?.digest,
      size: bytes.byteLength,
    });
    assert.deepEqual(
      manifest.layers.slice(1).map(({ mediaType, size }) => [mediaType, size]),
      [
        [MEDIA_TYPES.trustedRoot, 60],
        [MEDIA_TYPES.tufMetadata, 70],
        [MEDIA_TYPES.tufMetadata, 80],
        [MEDIA_TYPES.trustedRoot, 90],
      ],
    );
    checkKitManifest(manifest, LIST);
  });

  it("holds the policy too, as what it is", () => {
    const whole = makeKitManifest(formatKitList(WITH_POLICY), WITH_POLICY) as ImageManifest;
    const last = whole.layers.at(-1);
    assert.deepEqual([last?.mediaType, last?.digest, last?.size], [MEDIA_TYPES.policy, digest("a"), 95]);
    checkKitManifest(whole, WITH_POLICY);
    thrownBy(() => checkKitManifest(manifest, WITH_POLICY), "layout-invalid");
    thrownBy(() => checkKitManifest(whole, LIST), "layout-invalid");
  });

  it("is another one for another list: its digest stands for all of the kit", () => {
    const other = { ...LIST, images: LIST.images.slice(1) };
    const digests = [LIST, other].map((list) => makeKitManifest(formatKitList(list), list).descriptor.digest);
    assert.equal(new Set(digests).size, 2);
  });

  it("is refused without a list, with two, and as anything else than a kit", () => {
    thrownBy(() => kitListOf(edited(({ layers }) => void layers.shift())), "layout-invalid");
    thrownBy(() => kitListOf(edited(({ layers }) => void layers.push({ ...layers[0] }))), "layout-invalid");
    thrownBy(() => kitListOf(edited((json) => Object.assign(json, { artifactType: "text/plain" }))), "layout-invalid");
    const index = parseManifest(encodeUtf8('{"schemaVersion":2,"manifests":[]}'), MEDIA_TYPES.ociIndex);
    thrownBy(() => kitListOf(index), "layout-invalid");
  });

  it("is refused with other trust material than its list names", () => {
    thrownBy(
      () =>
        checkKitManifest(
          edited(({ layers }) => void layers.pop()),
          LIST,
        ),
      "layout-invalid",
    );
    const root = { mediaType: MEDIA_TYPES.trustedRoot, digest: digest("a"), size: 1 };
    thrownBy(
      () =>
        checkKitManifest(
          edited(({ layers }) => void layers.push(root)),
          LIST,
        ),
      "layout-invalid",
    );
    const resized = edited(({ layers }) => void Object.assign(layers[1] ?? {}, { size: 61 }));
    thrownBy(() => checkKitManifest(resized, LIST), "layout-invalid");
  });
});
