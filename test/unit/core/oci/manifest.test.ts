import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeBase64, encodeUtf8 } from "../../../../src/core/bytes.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { describe as descriptorOf } from "../../../../src/core/oci/descriptor.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import {
  artifactTypeOf,
  childrenOf,
  type ImageIndex,
  type ImageManifest,
  type Manifest,
  parseDescribedManifest,
  parseDescriptor,
  parseManifest,
} from "../../../../src/core/oci/manifest.ts";
import {
  bareType,
  EMPTY_JSON,
  isIndexType,
  isManifestType,
  MANIFEST_TYPES,
  MEDIA_TYPES,
} from "../../../../src/core/oci/media-types.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { thrownBy } from "../../../support/codes.ts";

type Json = Readonly<Record<string, unknown>>;

const { ociManifest, ociIndex, dockerManifest, dockerList, ociConfig, ociLayerGzip } = MEDIA_TYPES;
const blob = (mediaType: string, text = mediaType) => ({ ...descriptorOf(encodeUtf8(text), mediaType) });
const CONFIG = blob(ociConfig);
const LAYER = blob(ociLayerGzip);
const IMAGE: Json = { schemaVersion: 2, mediaType: ociManifest, config: CONFIG, layers: [LAYER] };
const INDEX: Json = { schemaVersion: 2, mediaType: ociIndex, manifests: [blob(ociManifest)] };

const bytesOf = (json: unknown) => encodeUtf8(JSON.stringify(json));
const parse = (json: unknown, announced = ""): Manifest => parseManifest(bytesOf(json), announced);
const readDescriptor = (json: unknown) => parseDescriptor(JSON.parse(JSON.stringify(json)), "it");
/** A copy with some members replaced; undefined leaves one out. */
const change = (json: Json, changes: Json): Json => ({ ...json, ...changes });

function image(json: unknown): ImageManifest {
  const manifest = parse(json);
  return manifest.kind === "image" ? manifest : assert.fail("not an image");
}

function index(json: unknown): ImageIndex {
  const manifest = parse(json);
  return manifest.kind === "index" ? manifest : assert.fail("not an index");
}

function refuse(json: unknown, announced = "", code: ReasonCode = "manifest-invalid"): string {
  return thrownBy(() => parse(json, announced), code).message;
}

describe("a manifest (image-spec, manifest.md)", () => {
  it("is its own bytes and a copy to read", () => {
    const bytes = bytesOf(IMAGE);
    const manifest = parseManifest(bytes, ociManifest);
    assert.equal(manifest.bytes, bytes);
    assert.deepEqual(manifest.descriptor, { mediaType: ociManifest, digest: digestOf(bytes), size: bytes.length });
    assert.equal(manifest.kind, "image");
    assert.deepEqual(childrenOf(manifest), [CONFIG, LAYER]);
    assert.deepEqual(manifest.annotations, {});
  });

  it("keeps white space and order in its digest", () => {
    const loose = encodeUtf8(`  ${JSON.stringify(IMAGE, null, 4)}\n`);
    assert.equal(parseManifest(loose, "").descriptor.digest, digestOf(loose));
  });

  it("is read in Docker's schema 2 as well", () => {
    const manifest = parse(change(IMAGE, { mediaType: dockerManifest }), dockerManifest);
    assert.equal(manifest.descriptor.mediaType, dockerManifest);
    assert.equal(manifest.kind, "image");
  });

  it("keeps artifact type, subject and annotations", () => {
    const subject = blob(ociManifest, "the subject");
    const manifest = image(change(IMAGE, { artifactType: "a/b", subject, annotations: { a: "1", constructor: "2" } }));
    assert.deepEqual(manifest.subject, subject);
    assert.deepEqual(manifest.annotations, { a: "1", constructor: "2" });
    assert.equal(artifactTypeOf(manifest), "a/b");
  });

  it("without an artifact type is what its configuration is", () => {
    assert.equal(artifactTypeOf(image(IMAGE)), ociConfig);
    assert.equal(artifactTypeOf(index(INDEX)), undefined);
  });

  it("reads null as absent, as tools written in Go mean it", () => {
    const manifest = image(change(IMAGE, { mediaType: null, artifactType: null, subject: null, annotations: null }));
    assert.equal(manifest.subject, undefined);
    assert.deepEqual(manifest.annotations, {});
  });

  it("may have no layers, and members that nobody knows", () => {
    assert.deepEqual(image(change(IMAGE, { layers: [], extra: { a: [1] } })).layers, []);
  });
});

describe("an index (image-spec, image-index.md)", () => {
  it("lists manifests, whatever they are", () => {
    const entries = [blob(ociManifest), blob(ociIndex), blob("application/vnd.example+json")];
    const manifest = index(change(INDEX, { manifests: entries }));
    assert.deepEqual(childrenOf(manifest), entries);
  });

  it("is read as Docker's manifest list as well", () => {
    assert.equal(parse(change(INDEX, { mediaType: dockerList }), dockerList).kind, "index");
  });

  it("keeps what an entry says about its platform", () => {
    const platform = {
      os: "windows",
      architecture: "amd64",
      variant: "v2",
      "os.version": "10.0.1",
      "os.features": ["win32k"],
    };
    const [entry] = index(change(INDEX, { manifests: [{ ...blob(ociManifest), platform }] })).manifests;
    assert.deepEqual(entry?.platform, platform);
  });

  it("takes an empty or absent platform member as not said", () => {
    const platform = { os: "linux", architecture: "amd64", variant: "", "os.version": null, "os.features": null };
    const [entry, bare] = index(
      change(INDEX, {
        manifests: [
          { ...blob(ociManifest), platform },
          { ...blob(ociManifest), platform: null },
        ],
      }),
    ).manifests;
    assert.deepEqual(entry?.platform, { os: "linux", architecture: "amd64" });
    assert.equal(bare?.platform, undefined);
  });
});

describe("the media type (CVE-2021-41190)", () => {
  for (const announced of [
    "",
    "application/json",
    "application/json; charset=utf-8",
    "text/plain",
    "application/octet-stream",
  ]) {
    it(`is the document's own where the server says ${JSON.stringify(announced)}`, () => {
      assert.equal(parse(IMAGE, announced).descriptor.mediaType, ociManifest);
      assert.equal(parse(change(IMAGE, { mediaType: dockerManifest }), announced).descriptor.mediaType, dockerManifest);
    });
  }

  it("is told by the shape where nobody says one", () => {
    assert.equal(parse(change(IMAGE, { mediaType: undefined })).descriptor.mediaType, ociManifest);
    assert.equal(parse(change(INDEX, { mediaType: undefined })).descriptor.mediaType, ociIndex);
  });

  it("is the announced one where the document has none, without parameters and in lower case", () => {
    const untyped = change(IMAGE, { mediaType: undefined });
    assert.equal(parse(untyped, `${dockerManifest}; charset=utf-8`).descriptor.mediaType, dockerManifest);
    assert.equal(parse(untyped, ociManifest.toUpperCase()).descriptor.mediaType, ociManifest);
  });

  const refused: readonly (readonly [string, Json, string])[] = [
    ["a manifest announced as an index", IMAGE, ociIndex],
    ["an index announced as a manifest", INDEX, ociManifest],
    ["an OCI manifest announced as Docker's", IMAGE, dockerManifest],
    ["an untyped manifest announced as an index", change(IMAGE, { mediaType: undefined }), ociIndex],
    ["an untyped index announced as a manifest", change(INDEX, { mediaType: undefined }), dockerManifest],
    ["a manifest that calls itself an index", change(IMAGE, { mediaType: ociIndex }), ""],
    ["an index that calls itself a manifest", change(INDEX, { mediaType: ociManifest }), ""],
    ["a manifest that calls itself something else", change(IMAGE, { mediaType: "application/json" }), ""],
    ["a manifest with parameters in its type", change(IMAGE, { mediaType: `${ociManifest};a=b` }), ""],
    ["a manifest announced as a web page", IMAGE, "text/html"],
    ["a manifest announced as a layer", IMAGE, ociLayerGzip],
    ["a manifest whose type is no string", change(IMAGE, { mediaType: 7 }), ""],
    ["manifests beside layers", change(IMAGE, { manifests: [] }), ""],
    ["manifests that are null beside layers", change(IMAGE, { manifests: null }), ""],
    ["manifests beside a configuration", change(INDEX, { config: CONFIG }), ""],
    ["layers beside manifests", change(INDEX, { layers: [] }), ""],
    ["neither manifests nor layers", { schemaVersion: 2, mediaType: ociManifest }, ""],
  ];
  for (const [what, json, announced] of refused) {
    it(`refuses ${what}`, () => void refuse(json, announced));
  }

  it("names Docker's schema 1 as obsolete", () => {
    assert.match(refuse({ schemaVersion: 1, name: "a", fsLayers: [] }), /schema 1, an obsolete format/);
    assert.match(refuse(IMAGE, "application/vnd.docker.distribution.manifest.v1+prettyjws"), /obsolete/);
  });
});

describe("members that could be read in two ways", () => {
  for (const name of [
    "Layers",
    "MediaType",
    "SchemaVersion",
    "CONFIG",
    "manifestS",
    "Subject",
    "Annotations",
    "ArtifactType",
    "layerſ",
  ]) {
    it(`refuses ${name} in a manifest`, () => void refuse(change(IMAGE, { [name]: 2 })));
  }
  for (const name of [
    "Digest",
    "SIZE",
    "MediaType",
    "Urls",
    "Data",
    "Platform",
    "Annotations",
    "ArtifactType",
    "digeſt",
  ]) {
    it(`refuses ${name} in a descriptor`, () => void refuse(change(IMAGE, { config: { ...CONFIG, [name]: "a" } })));
  }
  for (const name of ["OS", "Architecture", "Variant", "OS.Version", "os.Features"]) {
    it(`refuses ${name} in a platform`, () => {
      const platform = { os: "linux", architecture: "amd64", [name]: "a" };
      refuse(change(INDEX, { manifests: [{ ...blob(ociManifest), platform }] }));
    });
  }
  it("refuses duplicates", () => {
    const text = JSON.stringify(IMAGE).replace('"schemaVersion":2', '"schemaVersion":2,"schemaVersion":2');
    thrownBy(() => parseManifest(encodeUtf8(text), ""), "manifest-invalid");
  });
});

describe("a descriptor (image-spec, descriptor.md)", () => {
  it("keeps its type's parameters, unless it is a manifest's", () => {
    const bundle = "application/vnd.dev.sigstore.bundle+json;version=0.2";
    const [layer] = image(change(IMAGE, { layers: [{ ...LAYER, mediaType: bundle }] })).layers;
    assert.equal(layer?.mediaType, bundle);
    assert.equal(readDescriptor({ ...blob(ociManifest), mediaType: `${ociManifest}; a=b` }).mediaType, ociManifest);
  });

  it("keeps annotations, artifact type and urls, and is not given what it did not say", () => {
    const full = { ...LAYER, annotations: { a: "b" }, artifactType: "a/b", urls: ["https://example.com/a"] };
    assert.deepEqual(readDescriptor(full), full);
    assert.deepEqual(readDescriptor({ ...LAYER, urls: null, annotations: null, artifactType: "" }), LAYER);
  });

  it("has its data member left alone: what it says is fetched and checked like all else", () => {
    assert.deepEqual(readDescriptor({ ...LAYER, data: encodeBase64(encodeUtf8("other")) }), LAYER);
  });

  const hostile = { toString: 1, valueOf: 2 };
  const refused: readonly (readonly [string, unknown])[] = [
    ["null", null],
    ["a string", "sha256:abc"],
    ["a list", [LAYER]],
    ["one without a media type", { ...LAYER, mediaType: undefined }],
    ["one whose media type is a number", { ...LAYER, mediaType: 1 }],
    ["one without a digest", { ...LAYER, digest: undefined }],
    ["one whose digest is malformed", { ...LAYER, digest: "sha256:abc" }],
    ["one whose digest climbs out of a folder", { ...LAYER, digest: `sha256:${"../".repeat(21)}a` }],
    ["one whose digest is of an unknown algorithm", { ...LAYER, digest: `md5:${"a".repeat(32)}` }],
    ["one whose digest is an object", { ...LAYER, digest: hostile }],
    ["one without a size", { ...LAYER, size: undefined }],
    ["one with a negative size", { ...LAYER, size: -1 }],
    ["one with half a byte", { ...LAYER, size: 1.5 }],
    ["one whose size is a string", { ...LAYER, size: "100" }],
    ["one whose size is an object", { ...LAYER, size: hostile }],
    ["one whose urls are no list", { ...LAYER, urls: "https://example.com" }],
    ["one whose urls are not strings", { ...LAYER, urls: ["https://example.com", 1] }],
    ["one whose artifact type is a number", { ...LAYER, artifactType: 1 }],
    ["one whose annotations are a list", { ...LAYER, annotations: [] }],
    ["one whose annotation is a number", { ...LAYER, annotations: { a: 1 } }],
    ["one whose platform is a string", { ...LAYER, platform: "linux/amd64" }],
    ["one whose platform lacks its architecture", { ...LAYER, platform: { os: "linux" } }],
    ["one whose platform is of objects", { ...LAYER, platform: { os: hostile, architecture: hostile } }],
    ["one whose variant is a number", { ...LAYER, platform: { os: "linux", architecture: "arm", variant: 7 } }],
    ["one whose features are a string", { ...LAYER, platform: { os: "a", architecture: "b", "os.features": "c" } }],
  ];
  for (const [what, value] of refused) {
    it(`refuses ${what}, wherever it stands`, () => {
      refuse(change(IMAGE, { config: value }));
      refuse(change(IMAGE, { layers: [LAYER, value] }));
      refuse(change(INDEX, { manifests: [value] }));
      if (value !== null) refuse(change(IMAGE, { subject: value }));
    });
  }
});

describe("a manifest refuses the rest", () => {
  const refused: readonly (readonly [string, unknown])[] = [
    ["no schema version", change(IMAGE, { schemaVersion: undefined })],
    ["schema version 3", change(IMAGE, { schemaVersion: 3 })],
    ['schema version "2"', change(IMAGE, { schemaVersion: "2" })],
    ["a schema version that is an object", change(IMAGE, { schemaVersion: { toString: 1, valueOf: 2 } })],
    ["layers that are no list", change(IMAGE, { layers: {} })],
    ["layers that are null", change(IMAGE, { layers: null })],
    ["manifests that are null", change(INDEX, { manifests: null })],
    ["no configuration", change(IMAGE, { config: undefined })],
    ["no layers", change(IMAGE, { layers: undefined })],
    ["an artifact type that is no string", change(IMAGE, { artifactType: {} })],
    ["annotations that are no object", change(IMAGE, { annotations: "a" })],
    ["an annotation that is null", change(IMAGE, { annotations: { a: null } })],
    ["a list", [IMAGE]],
    ["a string", "sha256:abc"],
    ["null", null],
  ];
  for (const [what, json] of refused) it(what, () => void refuse(json));

  it("a web page", () => {
    thrownBy(() => parseManifest(encodeUtf8("<!doctype html><p>Log in"), ""), "manifest-invalid");
  });
});

describe("limits of a manifest", () => {
  const layers = (count: number) => change(IMAGE, { layers: Array.from({ length: count }, () => LAYER) });
  const entries = (count: number) =>
    change(INDEX, { manifests: Array.from({ length: count }, () => blob(ociManifest)) });
  const notes = (count: number) =>
    change(IMAGE, { annotations: Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, ""])) });

  it(`${LIMITS.layers} layers`, () => {
    assert.equal(image(layers(LIMITS.layers)).layers.length, LIMITS.layers);
    refuse(layers(LIMITS.layers + 1), "", "limit-reached");
    refuse(layers(20_000), "", "limit-reached");
  });
  it(`${LIMITS.indexEntries} entries`, () => {
    assert.equal(index(entries(LIMITS.indexEntries)).manifests.length, LIMITS.indexEntries);
    refuse(entries(LIMITS.indexEntries + 1), "", "limit-reached");
  });
  it(`${LIMITS.annotations} annotations`, () => {
    assert.equal(Object.keys(image(notes(LIMITS.annotations)).annotations).length, LIMITS.annotations);
    refuse(notes(LIMITS.annotations + 1), "", "limit-reached");
  });
  it(`${LIMITS.manifestBytes} bytes`, () => {
    const text = JSON.stringify(IMAGE);
    const exact = encodeUtf8(text + " ".repeat(LIMITS.manifestBytes - text.length));
    assert.equal(parseManifest(exact, "").descriptor.size, LIMITS.manifestBytes);
    const error = thrownBy(() => parseManifest(new Uint8Array([...exact, 0x20]), ""), "limit-reached");
    assert.equal(error.wanted, `at most ${LIMITS.manifestBytes} bytes`);
  });
});

describe("a described manifest", () => {
  const bytes = bytesOf(IMAGE);
  const wanted = descriptorOf(bytes, ociManifest);

  it("is checked against its descriptor before it is read", () => {
    const broken = encodeUtf8("{");
    thrownBy(() => parseDescribedManifest(broken, wanted), "size-mismatch");
    thrownBy(
      () =>
        parseDescribedManifest(
          bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte)),
          wanted,
        ),
      "digest-mismatch",
    );
    thrownBy(() => parseDescribedManifest(broken, descriptorOf(broken, ociManifest)), "manifest-invalid");
  });
  it("must be of the described type", () => {
    thrownBy(() => parseDescribedManifest(bytes, { ...wanted, mediaType: ociIndex }), "manifest-invalid");
    thrownBy(() => parseDescribedManifest(bytes, { ...wanted, mediaType: ociLayerGzip }), "manifest-invalid");
  });
  it("keeps what the descriptor said, and the digest by its own algorithm", () => {
    const digest = digestOf(bytes, "sha512");
    const manifest = parseDescribedManifest(bytes, { ...wanted, digest, annotations: { a: "b" } });
    assert.deepEqual(manifest.descriptor, { ...wanted, digest, annotations: { a: "b" } });
  });
});

describe("media types", () => {
  it("are told apart as manifests and indexes", () => {
    assert.deepEqual(MANIFEST_TYPES.map(isManifestType), [true, true, true, true]);
    assert.deepEqual(MANIFEST_TYPES.map(isIndexType), [true, false, true, false]);
    assert.ok(!isManifestType(ociConfig));
  });
  it("lose parameters, blanks and upper case", () => {
    assert.equal(bareType(" Application/JSON ; charset=utf-8"), "application/json");
    assert.equal(bareType(""), "");
  });
  it("have an empty configuration of two bytes", () => {
    assert.equal(digestOf(EMPTY_JSON), "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
  });
});
