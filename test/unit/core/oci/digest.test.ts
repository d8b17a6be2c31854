import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import {
  DigestStream,
  digestAlgorithm,
  digestHex,
  digestOf,
  isDigest,
  parseDigest,
} from "../../../../src/core/oci/digest.ts";
import { cosignTag, fallbackTag, uncutFallbackTag } from "../../../../src/core/oci/referrers.ts";
import { thrownBy } from "../../../support/codes.ts";

const EMPTY_SHA256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ABC_SHA256 = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const ABC_SHA512 =
  "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

describe("digests (image-spec, descriptor.md, Digests)", () => {
  it("are computed over raw bytes (FIPS 180-4 examples)", () => {
    assert.equal(digestOf(new Uint8Array()), EMPTY_SHA256);
    assert.equal(digestOf(encodeUtf8("abc")), ABC_SHA256);
    assert.equal(digestOf(encodeUtf8("abc"), "sha512"), ABC_SHA512);
  });

  it("are the same computed as bytes stream by", () => {
    for (const [algorithm, wanted] of [
      ["sha256", ABC_SHA256],
      ["sha512", ABC_SHA512],
    ] as const) {
      const stream = new DigestStream(algorithm);
      for (const byte of encodeUtf8("abc")) stream.update(new Uint8Array([byte]));
      assert.equal(stream.finish(), wanted);
    }
  });

  it("are taken apart into algorithm and hexadecimal digits", () => {
    const digest = parseDigest(ABC_SHA512);
    assert.equal(digestAlgorithm(digest), "sha512");
    assert.equal(`sha512:${digestHex(digest)}`, ABC_SHA512);
    assert.equal(digestAlgorithm(parseDigest(ABC_SHA256)), "sha256");
  });

  const hex = EMPTY_SHA256.slice(7);
  for (const text of [
    "",
    "sha256",
    "sha256:",
    hex,
    `sha256:${hex.slice(1)}`,
    `sha256:${hex}0`,
    `sha512:${hex}`,
    `sha256:${hex.toUpperCase()}`,
    `SHA256:${hex}`,
    `sha256:${hex.slice(1)}g`,
    `sha256:${hex}\n`,
    ` sha256:${hex}`,
    `sha256:${hex}:`,
    `sha256:${hex}:${hex}`,
    `sha256::${hex}`,
    `sha256-${hex}`,
    `sha1:${hex.slice(24)}`,
    `md5:${hex.slice(32)}`,
    `sha384:${hex}${hex.slice(32)}`,
    `blake3:${hex}`,
    `sha256+b64:${hex}`,
    `sha256:../../${hex.slice(6)}`,
    `__proto__:${hex}`,
    `constructor:${hex}`,
  ]) {
    it(`are not ${JSON.stringify(text)}`, () => {
      assert.ok(!isDigest(text));
      assert.equal(thrownBy(() => parseDigest(text), "reference-invalid").found, text);
    });
  }
});

describe("tags that belong to a digest", () => {
  const sha256 = parseDigest(ABC_SHA256);
  const sha512 = parseDigest(ABC_SHA512);
  it("cut the hexadecimal part at 64 characters (distribution-spec, Referrers Tag Schema)", () => {
    assert.equal(fallbackTag(sha256), `sha256-${digestHex(sha256)}`);
    assert.equal(fallbackTag(sha512), `sha512-${digestHex(sha512).slice(0, 64)}`);
  });
  it("are also read uncut, as some clients write them", () => {
    assert.equal(uncutFallbackTag(sha256), fallbackTag(sha256));
    assert.equal(uncutFallbackTag(sha512), `sha512-${digestHex(sha512)}`);
  });
  it("end in .sig, .att or .sbom where cosign 1 and 2 keep theirs", () => {
    assert.equal(cosignTag(sha256, "sig"), `sha256-${digestHex(sha256)}.sig`);
    assert.equal(cosignTag(sha256, "att"), `sha256-${digestHex(sha256)}.att`);
  });
});
