import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { withPrehash } from "../../../../src/core/crypto/prehash.ts";
import { type PublicKey, parsePublicKey } from "../../../../src/core/crypto/public-key.ts";
import { verifySignature } from "../../../../src/core/crypto/signature.ts";
import type { UntrustedCandidate, VerifiedClaim } from "../../../../src/core/formats/envelope.ts";
import { SIGNATURE_PREDICATE } from "../../../../src/core/formats/envelope.ts";
import { parseCandidate, readClaim } from "../../../../src/core/formats/format.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { thrownBy } from "../../../support/codes.ts";

/** Every folder of test/vectors/bundle and test/vectors/cosign-legacy is a case; its README says what it is about. */
const VECTORS = new URL("../../../vectors/", import.meta.url);

/** `case.json`. */
interface Case {
  /** The folder below `keys` whose public key is wanted. */
  readonly key: string;
  /** Which layer of the manifest. */
  readonly layer?: number;
  readonly fails?: { readonly stage: "parse" | "signature" | "claim"; readonly code?: ReasonCode };
  readonly verifies?: {
    readonly subject: string;
    readonly predicateType?: string;
    readonly repository?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly variant?: string;
  };
}

type Format = "bundle" | "cosign-legacy";

function read(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(path, VECTORS)));
}

function readJson(path: string): unknown {
  return JSON.parse(Buffer.from(read(path)).toString());
}

function casesOf(format: Format): readonly string[] {
  return readdirSync(new URL(`${format}/`, VECTORS)).toSorted();
}

async function publicKeyOf(name: string): Promise<PublicKey> {
  return await withPrehash(parsePublicKey(read(`keys/${name}/cosign.pub`), name));
}

function candidateOf(format: Format, name: string, layer: number): UntrustedCandidate {
  const folder = `${format}/${name}`;
  if (format === "bundle") return { format, origin: { via: "file" }, bytes: read(`${folder}/bundle.json`) };
  return { format, origin: { via: "file" }, payload: read(`${folder}/payload.json`), ...layerOf(folder, layer) };
}

interface Layer {
  readonly mediaType: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The layer that stands beside the payload: in a file of its own, or in cosign's manifest. */
function layerOf(folder: string, at: number): Layer {
  const files = readdirSync(new URL(folder, VECTORS));
  if (files.includes("layer.json")) return readJson(`${folder}/layer.json`) as Layer;
  const layer = (readJson(`${folder}/manifest.json`) as { layers: readonly Layer[] }).layers[at];
  assert.ok(layer !== undefined);
  return { mediaType: layer.mediaType, annotations: layer.annotations };
}

function checkClaim(claim: VerifiedClaim, wanted: NonNullable<Case["verifies"]>): void {
  assert.deepEqual(claim.subjects, [wanted.subject]);
  assert.equal(claim.predicateType, wanted.predicateType ?? SIGNATURE_PREDICATE);
  assert.equal(claim.repository, wanted.repository);
  assert.deepEqual(claim.annotations, wanted.annotations ?? {});
}

for (const format of ["bundle", "cosign-legacy"] as const) {
  describe(`test vectors, ${format}`, () => {
    for (const name of casesOf(format)) {
      const { key, layer = 0, fails, verifies } = readJson(`${format}/${name}/case.json`) as Case;

      if (verifies !== undefined) {
        it(`${name} verifies and is read`, async () => {
          const envelope = parseCandidate(candidateOf(format, name, layer));
          const { verified, variant } = verifySignature(
            await publicKeyOf(key),
            envelope.signed.bytes,
            envelope.signature,
          );
          assert.equal(verified, true);
          assert.equal(variant, verifies.variant);
          checkClaim(readClaim(envelope), verifies);
        });

        it(`${name} does not verify with another key`, async () => {
          const envelope = parseCandidate(candidateOf(format, name, layer));
          const other = await publicKeyOf("cosign-empty-password");
          assert.deepEqual(verifySignature(other, envelope.signed.bytes, envelope.signature), { verified: false });
        });
      }

      if (fails?.stage === "parse") {
        it(`${name} is refused before any cryptography`, () => {
          thrownBy(() => parseCandidate(candidateOf(format, name, layer)), fails.code ?? "malformed-signature");
        });
      }
      if (fails?.stage === "signature") {
        it(`${name} does not verify`, async () => {
          const envelope = parseCandidate(candidateOf(format, name, layer));
          const check = verifySignature(await publicKeyOf(key), envelope.signed.bytes, envelope.signature);
          assert.deepEqual(check, { verified: false });
        });
      }
      if (fails?.stage === "claim") {
        it(`${name} is well signed and still refused when it is read`, async () => {
          const envelope = parseCandidate(candidateOf(format, name, layer));
          assert.equal(
            verifySignature(await publicKeyOf(key), envelope.signed.bytes, envelope.signature).verified,
            true,
            "the vector itself must be well signed",
          );
          thrownBy(() => readClaim(envelope), fails.code ?? "malformed-signature");
        });
      }
    }

    it("has a README in every case, and more cases that fail than cases that pass", () => {
      const names = casesOf(format);
      for (const name of names) assert.ok(read(`${format}/${name}/README.md`).byteLength > 100, name);
      const failing = names.filter((name) => name.endsWith("_fail"));
      assert.ok(failing.length > names.length / 2);
      for (const name of names) {
        const { fails } = readJson(`${format}/${name}/case.json`) as Case;
        assert.equal(fails !== undefined, name.endsWith("_fail"), name);
      }
    });
  });
}
