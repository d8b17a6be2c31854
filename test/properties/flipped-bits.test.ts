import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodeBase64 } from "../../src/core/bytes.ts";
import { withPrehash } from "../../src/core/crypto/prehash.ts";
import { type PublicKey, publicKeyFrom } from "../../src/core/crypto/public-key.ts";
import { signData, verifySignature } from "../../src/core/crypto/signature.ts";
import { CountersignError } from "../../src/core/errors.ts";
import { makeLegacyPayload } from "../../src/core/formats/cosign-legacy.ts";
import type { UntrustedCandidate, VerifiedClaim } from "../../src/core/formats/envelope.ts";
import { parseCandidate, readClaim } from "../../src/core/formats/format.ts";
import { makeStatement } from "../../src/core/formats/intoto.ts";
import { LEGACY_ANNOTATIONS } from "../../src/core/formats/legacy-material.ts";
import { bundleSignedBytes, makeBundle } from "../../src/core/formats/sigstore-bundle.ts";
import { parseDigest } from "../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import { reportCounterexample } from "../support/property.ts";

const DIGEST = parseDigest(`sha256:${"ab".repeat(32)}`);
const ANNOTATIONS = { env: "prod", team: "a<b>" };
const ORIGIN = { via: "file" } as const;

interface Signing {
  readonly privateKey: KeyObject;
  readonly key: PublicKey;
}

async function signing(privateKey: KeyObject): Promise<Signing> {
  return { privateKey, key: await withPrehash(publicKeyFrom(privateKey, "it")) };
}

const SIGNINGS: Readonly<Record<string, Signing>> = {
  "ecdsa-p256": await signing(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey),
  "ecdsa-p384": await signing(generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey),
  ed25519: await signing(generateKeyPairSync("ed25519").privateKey),
  rsa: await signing(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey),
};

/** What a verifier concludes: the claim of a well signed candidate, undefined for anything else. */
function conclude(candidate: UntrustedCandidate, key: PublicKey): VerifiedClaim | undefined {
  try {
    const envelope = parseCandidate(candidate);
    if (!verifySignature(key, envelope.signed.bytes, envelope.signature).verified) return undefined;
    return readClaim(envelope);
  } catch (error) {
    if (error instanceof CountersignError) return undefined;
    throw error;
  }
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  const at = bit >> 3;
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** The seed of a failure is printed. */
const RUNS = {
  numRuns: 150,
  interruptAfterTimeLimit: 2000,
  markInterruptAsFailure: false,
  reporter: reportCounterexample,
};
/** Keys that verify fast enough for each and every bit; for the others, a sample. */
const FAST: ReadonlySet<string> = new Set(["ecdsa-p256", "rsa"]);

function forBitsOf(bytes: Uint8Array, name: string, check: (bit: number) => void): void {
  const count = bytes.byteLength * 8;
  if (FAST.has(name)) for (let bit = 0; bit < count; bit++) check(bit);
  else fc.assert(fc.property(fc.nat({ max: count - 1 }), check), RUNS);
}

for (const [name, { privateKey, key }] of Object.entries(SIGNINGS)) {
  describe(`one flipped bit, ${name}`, () => {
    const statement = makeStatement(DIGEST, ANNOTATIONS);
    const signature = signData(privateKey, bundleSignedBytes(statement));
    const bundle = makeBundle({ statement, signature, signer: { hint: key.hint } });
    const payload = makeLegacyPayload("registry.example.test/team/app", DIGEST, ANNOTATIONS);
    const legacySignature = signData(privateKey, payload);

    function bundled(bytes: Uint8Array): UntrustedCandidate {
      return { format: "bundle", origin: ORIGIN, bytes };
    }

    function legacy(bytes: Uint8Array, signatureBytes: Uint8Array): UntrustedCandidate {
      const annotations = { [LEGACY_ANNOTATIONS.signature]: encodeBase64(signatureBytes) };
      return {
        format: "cosign-legacy",
        origin: ORIGIN,
        payload: bytes,
        mediaType: MEDIA_TYPES.simpleSigning,
        annotations,
      };
    }

    const claim = conclude(bundled(bundle), key);

    it("changes nothing where no bit is flipped", () => {
      assert.deepEqual(claim?.subjects, [DIGEST]);
      assert.deepEqual(conclude(legacy(payload, legacySignature), key)?.subjects, [DIGEST]);
    });

    it("in the signed statement or its signature never verifies", () => {
      const signed = bundleSignedBytes(statement);
      forBitsOf(signed, name, (bit) => {
        assert.equal(verifySignature(key, flipped(signed, bit), signature).verified, false);
      });
      forBitsOf(signature, name, (bit) => {
        assert.equal(verifySignature(key, signed, flipped(signature, bit)).verified, false);
      });
    });

    it("in a legacy payload or its signature never verifies", () => {
      forBitsOf(payload, name, (bit) => {
        assert.equal(conclude(legacy(flipped(payload, bit), legacySignature), key), undefined);
      });
      forBitsOf(legacySignature, name, (bit) => {
        assert.equal(conclude(legacy(payload, flipped(legacySignature, bit)), key), undefined);
      });
    });

    it("anywhere in a bundle ends in a refusal or in the very same claim, and in nothing else", () => {
      forBitsOf(bundle, name, (bit) => {
        const concluded = conclude(bundled(flipped(bundle, bit)), key);
        if (concluded !== undefined) assert.deepEqual(concluded, claim);
      });
    });
  });
}

describe("bytes that nobody signed", () => {
  const key = publicKeyFrom(generateKeyPairSync("ed25519").publicKey, "it");

  it("are never a bundle that verifies, and reading them throws nothing but errors of the table", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 2000 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          assert.equal(conclude({ format: "bundle", origin: ORIGIN, bytes }, key), undefined);
        },
      ),
      RUNS,
    );
  });

  it("are never a legacy payload that is read without its type", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const candidate = { format: "cosign-legacy", origin: ORIGIN, payload: Buffer.from(text) } as const;
        const annotations = { [LEGACY_ANNOTATIONS.signature]: "AAE=" };
        const envelope = parseCandidate({ ...candidate, mediaType: MEDIA_TYPES.simpleSigning, annotations });
        assert.throws(() => readClaim(envelope), CountersignError);
      }),
      RUNS,
    );
  });
});
