import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { encodeBase64 } from "../../src/core/bytes.ts";
import { publicKeyFrom } from "../../src/core/crypto/public-key.ts";
import { signData } from "../../src/core/crypto/signature.ts";
import { makeLegacyPayload } from "../../src/core/formats/cosign-legacy.ts";
import type { UntrustedCandidate } from "../../src/core/formats/envelope.ts";
import { makeStatement } from "../../src/core/formats/intoto.ts";
import { LEGACY_ANNOTATIONS } from "../../src/core/formats/legacy-material.ts";
import { bundleSignedBytes, makeBundle } from "../../src/core/formats/sigstore-bundle.ts";
import type { Annotations } from "../../src/core/oci/descriptor.ts";
import { type Digest, digestOf } from "../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import type { Signer } from "../../src/core/ports.ts";
import { instant } from "../../src/core/time.ts";
import type { Subject } from "../../src/core/verify/evidence.ts";
import type { Requirement } from "../../src/core/verify/requirement.ts";

/** A signer with a fresh P-256 key: its private half can be reached, so that tests can sign anything. */
export interface TestSigner extends Signer {
  readonly privateKey: KeyObject;
}

export function testSigner(label = "test.pub"): TestSigner {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    privateKey,
    publicKey: publicKeyFrom(privateKey, label),
    sign: async (data) => signData(privateKey, data),
  };
}

export const REPOSITORY = "registry.example.com/team/app";

export function testSubject(name = "image", repository: string | undefined = REPOSITORY): Subject {
  const digest = digestOf(new TextEncoder().encode(name));
  return {
    name: `${repository ?? "oci:out"}@${digest}`,
    repository,
    descriptor: { mediaType: MEDIA_TYPES.ociManifest, digest, size: name.length },
  };
}

export function bundleOver(signer: TestSigner, statement: Uint8Array): UntrustedCandidate {
  const signature = signData(signer.privateKey, bundleSignedBytes(statement));
  const bytes = makeBundle({ statement, signature, signer: { hint: signer.publicKey.hint } });
  return { format: "bundle", origin: { via: "referrers-api" }, bytes };
}

export function bundleOf(signer: TestSigner, digest: Digest, annotations: Annotations = {}): UntrustedCandidate {
  return bundleOver(signer, makeStatement(digest, annotations));
}

export function legacyOver(signer: TestSigner, payload: Uint8Array): UntrustedCandidate {
  const signature = encodeBase64(signData(signer.privateKey, payload));
  const annotations = { [LEGACY_ANNOTATIONS.signature]: signature };
  const mediaType = MEDIA_TYPES.simpleSigning;
  return { format: "cosign-legacy", origin: { via: "sig-tag", layer: 0 }, payload, mediaType, annotations };
}

export function legacyOf(
  signer: TestSigner,
  digest: Digest,
  repository = REPOSITORY,
  annotations: Annotations = {},
): UntrustedCandidate {
  return legacyOver(signer, makeLegacyPayload(repository, digest, annotations));
}

export function requirementOf(signers: readonly Signer[], more: Partial<Requirement> = {}): Requirement {
  return {
    keys: signers.map((signer) => signer.publicKey),
    identities: [],
    threshold: 1,
    annotations: {},
    signedAs: [],
    now: instant(Date.UTC(2026, 0, 1)),
    ...more,
  };
}
