import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { encodeBase64, encodeUtf8 } from "../../../../src/core/bytes.ts";
import { makeStatement } from "../../../../src/core/formats/intoto.ts";
import {
  bundleSignedBytes,
  makeBundle,
  makeReferrerManifest,
  parseBundle,
  parseBundleSignature,
} from "../../../../src/core/formats/sigstore-bundle.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { checkBytes } from "../../../../src/core/oci/descriptor.ts";
import { digestOf, parseDigest } from "../../../../src/core/oci/digest.ts";
import { parseManifest } from "../../../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";

const VECTORS = new URL("../../../vectors/bundle/", import.meta.url);
const ORIGIN = { via: "file" } as const;
const STATEMENT = makeStatement(parseDigest(`sha256:${"ab".repeat(32)}`));
const SIGNATURE = new Uint8Array([1, 2, 3]);
const MADE = makeBundle({ statement: STATEMENT, signature: SIGNATURE, signer: { hint: "aGludA==" } });

type Bundle = Record<string, unknown> & { verificationMaterial: Record<string, unknown> };

/** The bundle that we write, changed. */
function bundle(change: (bundle: Bundle) => void = () => undefined): Uint8Array {
  const json = JSON.parse(Buffer.from(MADE).toString()) as Bundle;
  change(json);
  return encodeUtf8(JSON.stringify(json));
}

function changed(change: Readonly<Record<string, unknown>>): Uint8Array {
  return bundle((json) => Object.assign(json, change));
}

function material(change: Readonly<Record<string, unknown>>): Uint8Array {
  return bundle((json) => Object.assign(json.verificationMaterial, change));
}

/** A log entry as Rekor v1 gives it: promise and proof. */
const ENTRY = {
  logIndex: "42",
  logId: { keyId: encodeBase64(new Uint8Array(32)) },
  kindVersion: { kind: "dsse", version: "0.0.1" },
  integratedTime: "1700000000",
  inclusionPromise: { signedEntryTimestamp: "AAE=" },
  inclusionProof: { logIndex: "42", rootHash: "AAE=", treeSize: "100", hashes: [], checkpoint: { envelope: "x" } },
  canonicalizedBody: "e30=",
};

describe("writing a bundle", () => {
  it("writes member for member what cosign 3 writes, given the same statement and signature", () => {
    const cosign = readFileSync(new URL("cosign-p256/bundle.json", VECTORS), "utf8");
    const { payload, signature, keyHint = "" } = parseBundleSignature(encodeUtf8(cosign), ORIGIN);
    const ours = Buffer.from(makeBundle({ statement: payload, signature, signer: { hint: keyHint } })).toString();
    // cosign's printer varies white space on purpose; there is none to vary in strings.
    assert.equal(ours, JSON.stringify(JSON.parse(cosign)));
  });

  it("is read back as it was made", () => {
    assert.deepEqual(parseBundleSignature(MADE, ORIGIN), {
      format: "bundle",
      origin: ORIGIN,
      encoding: "dsse",
      signed: { kind: "bytes", bytes: bundleSignedBytes(STATEMENT) },
      signature: SIGNATURE,
      timestamped: SIGNATURE,
      payload: STATEMENT,
      payloadType: "application/vnd.in-toto+json",
      keyHint: "aGludA==",
      certificates: [],
      logEntries: [],
      timestamps: [],
    });
  });
});

describe("the referrer that stores a bundle (cosign BUNDLE_SPEC.md)", () => {
  for (const name of ["cosign-p256", "cosign-attestation"]) {
    it(`is byte for byte what cosign 3 writes: ${name}`, () => {
      const cosign = new Uint8Array(readFileSync(new URL(`${name}/manifest.json`, VECTORS)));
      const { annotations, subject } = parseManifest(cosign, "");
      assert.ok(subject !== undefined);
      const { manifest, blobs } = makeReferrerManifest({
        bundle: new Uint8Array(readFileSync(new URL(`${name}/bundle.json`, VECTORS))),
        subject: { ...subject, annotations: { not: "copied" }, platform: { os: "linux", architecture: "amd64" } },
        created: instant(Date.parse(annotations["org.opencontainers.image.created"] ?? "")),
        predicateType: annotations["dev.sigstore.bundle.predicateType"],
      });
      assert.equal(Buffer.from(manifest.bytes).toString(), Buffer.from(cosign).toString());
      assert.equal(manifest.descriptor.digest, digestOf(cosign));
      for (const { descriptor, bytes } of blobs) checkBytes(bytes, descriptor, "a blob");
      assert.deepEqual(
        blobs.map(({ descriptor }) => descriptor.digest),
        [manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)],
      );
    });
  }

  it("says that it is a signature unless told otherwise, and gives whole seconds", () => {
    const subject = parseManifest(encodeUtf8('{"schemaVersion":2,"manifests":[]}'), "").descriptor;
    const { manifest } = makeReferrerManifest({ bundle: MADE, subject, created: instant(1_788_091_200_999) });
    assert.deepEqual(manifest.annotations, {
      "dev.sigstore.bundle.content": "dsse-envelope",
      "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
      "org.opencontainers.image.created": "2026-08-30T12:00:00Z",
    });
    assert.equal(manifest.artifactType, "application/vnd.dev.sigstore.bundle.v0.3+json");
    assert.deepEqual(manifest.subject, subject);
  });
});

describe("reading a bundle (sigstore_bundle.proto)", () => {
  for (const mediaType of [
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
  ]) {
    it(`takes ${mediaType} with a log entry and a timestamp`, () => {
      const bytes = bundle((json) => {
        json["mediaType"] = mediaType;
        json.verificationMaterial["tlogEntries"] = [ENTRY];
        json.verificationMaterial["timestampVerificationData"] = { rfc3161Timestamps: [{ signedTimestamp: "AAE=" }] };
      });
      const envelope = parseBundleSignature(bytes, ORIGIN);
      assert.equal(envelope.logEntries.length, 1);
      assert.equal(envelope.timestamps.length, 1);
    });
  }

  it("takes v0.1 with a chain of certificates and a promise", () => {
    const bytes = bundle((json) => {
      json["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1";
      const certificates = [{ rawBytes: "AAE=" }, { rawBytes: "AAI=" }];
      const { inclusionProof: _proof, ...promised } = ENTRY;
      json.verificationMaterial = { x509CertificateChain: { certificates }, tlogEntries: [promised] };
    });
    const { signer, version } = parseBundle(bytes);
    assert.equal(version, "0.1");
    assert.equal(signer.kind === "certificate" && signer.certificates.length, 2);
    assert.equal(parseBundleSignature(bytes, ORIGIN).certificates.length, 2);
    assert.equal(parseBundleSignature(bytes, ORIGIN).keyHint, undefined);
  });

  it("takes a v0.3 bundle with a certificate, which is no key's", () => {
    const bytes = bundle((json) => {
      json.verificationMaterial = { certificate: { rawBytes: "AAE=" } };
    });
    assert.equal(parseBundleSignature(bytes, ORIGIN).certificates.length, 1);
  });

  it("takes null for an absent member (ProtoJSON), and a key without a hint", () => {
    const bytes = bundle((json) => {
      json["messageSignature"] = null;
      json.verificationMaterial = {
        publicKey: {},
        certificate: null,
        tlogEntries: null,
        timestampVerificationData: null,
      };
    });
    assert.equal(parseBundleSignature(bytes, ORIGIN).keyHint, undefined);
    const withNull = bundle((json) => {
      json.verificationMaterial = { publicKey: { hint: null }, timestampVerificationData: {} };
    });
    assert.equal(parseBundleSignature(withNull, ORIGIN).keyHint, undefined);
  });

  it("tells a signature over a file from one of an image", () => {
    const bytes = bundle((json) => {
      delete json["dsseEnvelope"];
      json["messageSignature"] = { messageDigest: { algorithm: "SHA2_256", digest: "AAE=" }, signature: "AAI=" };
    });
    const { content } = parseBundle(bytes);
    assert.equal(content.kind === "message" && content.message.digestAlgorithm, "SHA2_256");
    const { message } = thrownBy(() => parseBundleSignature(bytes, ORIGIN), "malformed-signature");
    assert.match(message, /a file, not an image/);
  });

  it("takes as many entries, timestamps and certificates as the limits say, and not one more", () => {
    const counts: readonly (readonly [number, (count: number) => Uint8Array])[] = [
      [LIMITS.bundleLogEntries, (count) => material({ tlogEntries: Array.from({ length: count }, () => ENTRY) })],
      [
        LIMITS.bundleTimestamps,
        (count) => {
          const rfc3161Timestamps = Array.from({ length: count }, () => ({ signedTimestamp: "AAE=" }));
          return material({ timestampVerificationData: { rfc3161Timestamps } });
        },
      ],
      [
        LIMITS.bundleCertificates,
        (count) =>
          bundle((json) => {
            json["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2";
            const certificates = Array.from({ length: count }, () => ({ rawBytes: "AAE=" }));
            json.verificationMaterial = { x509CertificateChain: { certificates } };
          }),
      ],
    ];
    for (const [most, make] of counts) {
      parseBundle(make(most));
      thrownBy(() => parseBundle(make(most + 1)), "limit-reached");
    }
  });

  it("refuses more bytes than the limit before it parses them", () => {
    thrownBy(() => parseBundle(new Uint8Array(LIMITS.signatureBytes + 1)), "limit-reached");
  });

  const bad: readonly (readonly [string, Uint8Array])[] = [
    ["nothing", new Uint8Array()],
    ["a media type in other case", changed({ mediaType: MEDIA_TYPES.sigstoreBundle.toUpperCase() })],
    ["a media type that is a list", changed({ mediaType: [MEDIA_TYPES.sigstoreBundle] })],
    ["the wrong spelling of version 0.2", changed({ mediaType: "application/vnd.dev.sigstore.bundle.v0.2+json" })],
    ["material that is a list", changed({ verificationMaterial: [] })],
    ["an unknown member of the material", material({ tlog_entries: [] })],
    ["an unknown member of the key", material({ publicKey: { hint: "x", rawBytes: "AAE=" } })],
    ["a hint that is a number", material({ publicKey: { hint: 1 } })],
    ["a key that is a string", material({ publicKey: "x" })],
    ["a certificate that is not base64", changed({ verificationMaterial: { certificate: { rawBytes: "*" } } })],
    ["log entries that are an object", material({ tlogEntries: {} })],
    ["a log entry that is null", material({ tlogEntries: [null] })],
    ["a log entry without a body", material({ tlogEntries: [{ ...ENTRY, canonicalizedBody: undefined }] })],
    ["a log entry with an unknown member", material({ tlogEntries: [{ ...ENTRY, integrated_time: "1" }] })],
    ["a log entry whose proof is null", material({ tlogEntries: [{ ...ENTRY, inclusionProof: null }] })],
    ["timestamps that are a list", material({ timestampVerificationData: [] })],
    ["a timestamp that is a string", material({ timestampVerificationData: { rfc3161Timestamps: ["AAE="] } })],
    [
      "a message without a digest",
      bundle((json) => {
        delete json["dsseEnvelope"];
        json["messageSignature"] = { signature: "AAI=" };
      }),
    ],
    [
      "an empty chain",
      bundle((json) => {
        json["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2";
        json.verificationMaterial = { x509CertificateChain: { certificates: [] } };
      }),
    ],
  ];
  for (const [what, bytes] of bad) {
    it(`refuses ${what}`, () => void thrownBy(() => parseBundle(bytes), "malformed-signature"));
  }
});
