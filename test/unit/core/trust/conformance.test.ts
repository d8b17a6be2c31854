import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { equalBytes } from "../../../../src/core/bytes.ts";
import { verifySigned } from "../../../../src/core/crypto/digest-signature.ts";
import { parsePublicKey } from "../../../../src/core/crypto/public-key.ts";
import { CountersignError } from "../../../../src/core/errors.ts";
import { preAuthEncoding } from "../../../../src/core/formats/dsse.ts";
import type { UntrustedSignature } from "../../../../src/core/formats/envelope.ts";
import { readStatement } from "../../../../src/core/formats/intoto.ts";
import { parseBundle, type UntrustedBundle } from "../../../../src/core/formats/sigstore-bundle.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { loadTrustMaterial } from "../../../../src/core/trust/load.ts";
import { PUBLIC_DEMANDS } from "../../../../src/core/trust/material.ts";
import { NOW } from "../../../support/sigstore/times.ts";

/** The public cases for bundles (MANIFEST.md there): a folder a case, refused where its name ends in `_fail`. */
const VECTORS = new URL("../../../vectors/sigstore-conformance/", import.meta.url);

const IDENTITY =
  "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER = "https://token.actions.githubusercontent.com";

const CASES = readdirSync(VECTORS, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);

/** `NAME: reason`, one a line. */
const XFAILS: ReadonlySet<string> = new Set(
  readFileSync(new URL("xfails", VECTORS), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":")[0] ?? ""),
);

/** What a case says, or what holds for all of them. */
function read(name: string, file: string, otherwise?: string): Uint8Array {
  const own = new URL(`${name}/${file}`, VECTORS);
  return new Uint8Array(readFileSync(existsSync(own) || otherwise === undefined ? own : new URL(otherwise, VECTORS)));
}

function readText(name: string, file: string, otherwise: string): string {
  const own = new URL(`${name}/${file}`, VECTORS);
  return existsSync(own) ? readFileSync(own, "utf8").trim() : otherwise;
}

/** As the protocol's client does: parse, prove, and hold the identity and the artifact against what is wanted. */
async function verify(name: string): Promise<void> {
  const bundle = parseBundle(read(name, "bundle.sigstore.json"));
  const artifact = read(name, "artifact", "a.txt");
  const signature = signatureOf(bundle, artifact);
  const trust = await loadTrustMaterial(read(name, "trusted_root.json", "trusted_root.json"), name);
  if (existsSync(new URL(`${name}/key.pub`, VECTORS))) {
    const key = parsePublicKey(read(name, "key.pub"), "key.pub");
    assert.ok(verifySigned(key, signature.signed, signature.signature), "the signature is by another key");
    trust.proveKey(signature, key, { ...PUBLIC_DEMANDS, times: 0 });
  } else {
    const { identity } = trust.proveCertificate(signature, PUBLIC_DEMANDS, NOW);
    assert.equal(identity.subject, readText(name, "identity", IDENTITY));
    assert.equal(identity.issuer, readText(name, "issuer", ISSUER));
  }
}

function signatureOf({ content, signer, logEntries, timestamps }: UntrustedBundle, artifact: Uint8Array) {
  const certificates = signer.kind === "certificate" ? signer.certificates : [];
  const material = { certificates, logEntries, timestamps };
  if (content.kind === "dsse") {
    const { payload, payloadType, signature } = content.envelope;
    assert.equal(payloadType, MEDIA_TYPES.intoto);
    assert.ok(readStatement(payload).subjects.includes(digestOf(artifact)), "the statement is about another artifact");
    const signed = { kind: "bytes", bytes: preAuthEncoding(payloadType, payload) } as const;
    return {
      ...material,
      encoding: "dsse",
      signed,
      signature,
      payload,
      timestamped: signature,
    } satisfies UntrustedSignature;
  }
  const { signature, digest, digestAlgorithm } = content.message;
  assert.equal(digestAlgorithm, "SHA2_256");
  assert.ok(equalBytes(digest, createHash("sha256").update(artifact).digest()), "the bundle is about another artifact");
  const signed = { kind: "bytes", bytes: artifact } as const;
  return { ...material, encoding: "plain", signed, signature, timestamped: signature } satisfies UntrustedSignature;
}

async function isVerified(name: string): Promise<boolean> {
  try {
    await verify(name);
    return true;
  } catch (error) {
    // Anything else is a defect, not a refusal.
    assert.ok(error instanceof CountersignError || error instanceof assert.AssertionError, String(error));
    return false;
  }
}

describe("the public conformance cases for bundles", () => {
  it("are all there", () => assert.equal(CASES.length, 70));

  for (const name of CASES) {
    it(name, async () => {
      const isRight = (await isVerified(name)) !== name.endsWith("_fail");
      assert.equal(isRight, !XFAILS.has(name), isRight ? "is right, and in the list xfails" : "is wrong");
    });
  }
});
