import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import {
  makeLegacyManifest,
  makeLegacyPayload,
  parseLegacySignature,
  readLegacyPayload,
} from "../../../../src/core/formats/cosign-legacy.ts";
import type { UntrustedCandidate } from "../../../../src/core/formats/envelope.ts";
import { LEGACY_ANNOTATIONS } from "../../../../src/core/formats/legacy-material.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { type Annotations, checkBytes } from "../../../../src/core/oci/descriptor.ts";
import { parseDigest } from "../../../../src/core/oci/digest.ts";
import { type ImageManifest, parseManifest } from "../../../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { thrownBy } from "../../../support/codes.ts";

const VECTORS = new URL("../../../vectors/cosign-legacy/", import.meta.url);
const DIGEST = parseDigest(`sha256:${"ab".repeat(32)}`);
const REPOSITORY = "registry.example.test/team/app";

function vector(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(path, VECTORS)));
}

function image(bytes: Uint8Array, mediaType = ""): ImageManifest {
  const manifest = parseManifest(bytes, mediaType);
  assert.ok(manifest.kind === "image");
  return manifest;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

/** The signature of a layer, as its annotation has it. */
function annotationsAt(manifest: ImageManifest, at: number): Annotations {
  return manifest.layers[at]?.annotations ?? {};
}

const SIGNED = { [LEGACY_ANNOTATIONS.signature]: "AAE=" };

describe("the legacy payload", () => {
  it("is 246 bytes and has the known hash", () => {
    const payload = makeLegacyPayload(REPOSITORY, DIGEST);
    assert.equal(payload.byteLength, 246);
    assert.equal(
      createHash("sha256").update(payload).digest("hex"),
      "626b9675d20f78d3f249c0a10590c91870893edff40f3103ec78f216115eb3a7",
    );
  });

  it("is byte for byte what cosign writes, without annotations and with ones that need escaping", () => {
    for (const name of ["cosign-p256", "cosign-p256-annotations"]) {
      const cosign = vector(`${name}/payload.json`);
      const { repository = "", subjects, annotations } = readLegacyPayload(cosign);
      const [digest] = subjects;
      assert.ok(digest !== undefined);
      assert.equal(text(makeLegacyPayload(repository, digest, annotations)), text(cosign));
    }
  });

  it("names Docker Hub as cosign does, and is read back under the name we use", () => {
    const payload = makeLegacyPayload("docker.io/library/alpine", DIGEST);
    assert.ok(text(payload).includes('"docker-reference":"index.docker.io/library/alpine"'));
    assert.equal(readLegacyPayload(payload).repository, "docker.io/library/alpine");
  });

  it("does not take a host that only begins like Docker Hub for it", () => {
    const payload = makeLegacyPayload("docker.io.example.test/alpine", DIGEST);
    assert.ok(text(payload).includes('"docker-reference":"docker.io.example.test/alpine"'));
  });
});

describe("the .sig manifest", () => {
  it("is byte for byte what cosign writes for a first signature, and its configuration too", () => {
    const cosign = image(vector("cosign-p256/manifest.json"));
    const made = makeLegacyManifest(undefined, vector("cosign-p256/payload.json"), annotationsAt(cosign, 0));
    assert.equal(text(made.manifest.bytes), text(cosign.bytes));
    assert.equal(text(made.blobs[0]?.bytes ?? new Uint8Array()), text(vector("cosign-p256/config.json")));
  });

  it("is byte for byte what cosign writes when it appends a signature of the same payload", () => {
    const existing = image(vector("cosign-p256/manifest.json"));
    const cosign = image(vector("cosign-appended/manifest.json"));
    const made = makeLegacyManifest(existing, vector("cosign-appended/payload.json"), annotationsAt(cosign, 1));
    assert.equal(text(made.manifest.bytes), text(cosign.bytes));
    assert.equal(text(made.blobs[0]?.bytes ?? new Uint8Array()), text(vector("cosign-appended/config.json")));
    for (const { descriptor, bytes } of made.blobs) checkBytes(bytes, descriptor, "a blob");
  });

  it("keeps every layer and member of other signers, those that we do not know included", () => {
    const json = JSON.parse(text(vector("cosign-p256/manifest.json"))) as Record<string, unknown>;
    const [layer] = json["layers"] as Record<string, unknown>[];
    const foreign = {
      ...json,
      annotations: { a: "b" },
      "com.example": 1,
      layers: [{ ...layer, data: "e30=", x: "y" }],
    };
    const made = makeLegacyManifest(
      image(encodeUtf8(JSON.stringify(foreign))),
      makeLegacyPayload("a.b/c", DIGEST),
      SIGNED,
    );
    const written = JSON.parse(text(made.manifest.bytes)) as typeof foreign;
    assert.deepEqual(written.layers[0], foreign.layers[0]);
    assert.equal(written.layers.length, 2);
    assert.equal(written["com.example"], 1);
    assert.deepEqual(written.annotations, { a: "b" });
  });

  it("stays a Docker manifest where it is one (COSIGN_DOCKER_MEDIA_TYPES)", () => {
    const json = JSON.parse(text(vector("cosign-p256/manifest.json"))) as Record<string, Record<string, unknown>>;
    const docker = {
      ...json,
      mediaType: MEDIA_TYPES.dockerManifest,
      config: { ...json["config"], mediaType: MEDIA_TYPES.dockerConfig },
    };
    const { manifest } = makeLegacyManifest(
      image(encodeUtf8(JSON.stringify(docker))),
      makeLegacyPayload("a.b/c", DIGEST),
      SIGNED,
    );
    assert.equal(manifest.descriptor.mediaType, MEDIA_TYPES.dockerManifest);
    assert.equal(manifest.config.mediaType, MEDIA_TYPES.dockerConfig);
  });

  it("does not grow beyond what cosign and we read", () => {
    const json = JSON.parse(text(vector("cosign-p256/manifest.json"))) as { layers: unknown[] };
    const filled = (count: number): ImageManifest =>
      image(encodeUtf8(JSON.stringify({ ...json, layers: Array.from({ length: count }, () => json.layers[0]) })));
    const payload = makeLegacyPayload("a.b/c", DIGEST);
    const { manifest } = makeLegacyManifest(filled(LIMITS.candidates - 1), payload, SIGNED);
    assert.equal(manifest.layers.length, LIMITS.candidates);
    thrownBy(() => makeLegacyManifest(filled(LIMITS.candidates), payload, SIGNED), "limit-reached");
  });
});

type LegacyCandidate = Extract<UntrustedCandidate, { format: "cosign-legacy" }>;

function candidate(change: Partial<LegacyCandidate> = {}): LegacyCandidate {
  return {
    format: "cosign-legacy",
    origin: { via: "sig-tag", layer: 0 },
    payload: makeLegacyPayload(REPOSITORY, DIGEST),
    mediaType: MEDIA_TYPES.simpleSigning,
    annotations: { [LEGACY_ANNOTATIONS.signature]: "AAE=" },
    ...change,
  };
}

describe("reading a layer of a .sig manifest (cosign SIGNATURE_SPEC.md)", () => {
  it("signs the payload's raw bytes", () => {
    const envelope = parseLegacySignature(candidate());
    assert.equal(envelope.signed.bytes, envelope.payload);
    assert.deepEqual([...envelope.signature], [0, 1]);
    assert.deepEqual([envelope.certificates, envelope.logEntries, envelope.timestamps], [[], [], []]);
  });

  it("does not parse the payload: that is for after the signature was verified", () => {
    parseLegacySignature(candidate({ payload: encodeUtf8("junk") }));
  });

  it("takes empty annotations for absent", () => {
    const signature = { [LEGACY_ANNOTATIONS.signature]: "AAE=" };
    const empty = parseLegacySignature(
      candidate({
        annotations: { ...signature, [LEGACY_ANNOTATIONS.certificate]: "", [LEGACY_ANNOTATIONS.bundle]: "" },
      }),
    );
    assert.deepEqual([empty.certificates, empty.logEntries], [[], []]);
  });

  it("refuses more bytes than the limit", () => {
    const payload = new Uint8Array(LIMITS.signatureBytes + 1);
    thrownBy(() => parseLegacySignature(candidate({ payload })), "limit-reached");
    thrownBy(() => readLegacyPayload(payload), "limit-reached");
  });

  it("does not find a signature that is only inherited", () => {
    const annotations = Object.create({ [LEGACY_ANNOTATIONS.signature]: "AAE=" }) as Readonly<Record<string, string>>;
    thrownBy(() => parseLegacySignature(candidate({ annotations })), "malformed-signature");
  });
});

describe("reading a verified legacy payload", () => {
  function read(reference: unknown, optional: unknown = null): ReturnType<typeof readLegacyPayload> {
    return readLegacyPayload(
      encodeUtf8(
        JSON.stringify({
          critical: {
            identity: { "docker-reference": reference },
            image: { "docker-manifest-digest": DIGEST },
            type: "cosign container image signature",
          },
          ...(optional === undefined ? {} : { optional }),
        }),
      ),
    );
  }

  it("gives the repository without the tag or digest that a signer may have added", () => {
    assert.equal(read(`${REPOSITORY}:1.0`).repository, REPOSITORY);
    assert.equal(read(`${REPOSITORY}@${DIGEST}`).repository, REPOSITORY);
    assert.equal(read("alpine").repository, "docker.io/library/alpine");
    assert.equal(read("index.docker.io/library/alpine").repository, "docker.io/library/alpine");
  });

  it("keeps what is no reference as it is: it matches nothing but itself", () => {
    assert.equal(read("Not a reference").repository, "Not a reference");
    assert.equal(read("").repository, "");
  });

  it("gives the annotations that are strings, and none where optional is null or absent", () => {
    assert.deepEqual(read("a.b/c", { env: "prod", timestamp: 1_634_533_638 }).annotations, { env: "prod" });
    assert.deepEqual(read("a.b/c", null).annotations, {});
    assert.deepEqual(read("a.b/c", undefined).annotations, {});
  });
});
