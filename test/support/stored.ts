import type { Given } from "../../src/core/compat/given.ts";
import type { Peer, PeerName } from "../../src/core/compat/peer.ts";
import { PEERS } from "../../src/core/compat/peers.ts";
import { predict } from "../../src/core/compat/predict.ts";
import type { Prediction } from "../../src/core/compat/prediction.ts";
import type { StoredEntry, StoredEvidence, StoredSignature, StoredSubject } from "../../src/core/compat/stored.ts";
import { SIGNATURE_PREDICATE } from "../../src/core/formats/envelope.ts";
import { digestOf } from "../../src/core/oci/digest.ts";

/** What may lie beside an image, ready to be varied. */

export const IMAGE = digestOf(new TextEncoder().encode("image"));
export const REPOSITORY = "registry.example.com/acme/app";

export const REKOR1: StoredEntry = { kind: "dsse 0.0.1", isPromised: true, isProven: true };
export const REKOR2: StoredEntry = { kind: "hashedrekord 0.0.2", isPromised: false, isProven: true };
/** As annotations of a layer have it. */
export const PROMISE: StoredEntry = { kind: "hashedrekord 0.0.1", isPromised: true, isProven: false };

export const KEY = { kind: "key", algorithm: "ecdsa-p256" } as const;
export const CERTIFICATE = { kind: "certificate", algorithm: "ecdsa-p256", variant: "usual", hasScts: true } as const;

export function bundle(more: Partial<StoredSignature> = {}): StoredSignature {
  return {
    form: "bundle",
    listing: "referrers-api",
    manifest: digestOf(new TextEncoder().encode(JSON.stringify(more))),
    layer: 0,
    isAbout: true,
    version: "0.3",
    predicateType: SIGNATURE_PREDICATE,
    maker: KEY,
    entries: [],
    timestamps: 0,
    ...more,
  };
}

export function legacy(more: Partial<StoredSignature> = {}): StoredSignature {
  const { version: _, ...plain } = bundle();
  return { ...plain, form: "cosign-legacy", listing: "cosign-tag", repository: REPOSITORY, ...more };
}

export function notary(envelopeType = "application/jose+json"): StoredSignature {
  const { version: _, predicateType: __, ...plain } = bundle();
  return { ...plain, form: "notation", envelopeType, maker: { kind: "unread" } };
}

export function subject(signatures: readonly StoredSignature[], more: Partial<StoredSubject> = {}): StoredSubject {
  return { digest: IMAGE, signatures, referrers: signatures.length, brokenBundles: 0, obstacles: {}, ...more };
}

export function evidence(signatures: readonly StoredSignature[], more: Partial<StoredEvidence> = {}): StoredEvidence {
  return { root: subject(signatures), platforms: [], repository: REPOSITORY, ...more };
}

export const GIVEN: Given = {
  signer: undefined,
  ignoresLog: false,
  ignoresScts: false,
  takesTimestamps: false,
  repository: REPOSITORY,
  image: `${REPOSITORY}:1`,
};
export const NO_LOG: Given = { ...GIVEN, ignoresLog: true };

/** A row of the table by its peer and a version in it. */
export function row(name: PeerName, versions = ""): Peer {
  const found = PEERS.find((peer) => peer.name === name && peer.versions.startsWith(versions));
  if (found === undefined) throw new Error(`no row ${name} ${versions}`);
  return found;
}

/** What one peer makes of it. */
export function foresee(peer: Peer, stored: StoredEvidence, given: Given = GIVEN): Prediction {
  const [prediction] = predict(stored, given, [peer]);
  if (prediction === undefined) throw new Error("a prediction for every peer");
  return prediction;
}
