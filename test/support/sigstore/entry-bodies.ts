import { formatPem } from "../../../src/core/crypto/pem.ts";
import type { JsonValue } from "../../../src/core/json.ts";
import { certificatePem } from "./authority.ts";
import { digest, type Hash } from "./keys.ts";

/** Whose signature it is, as a log writes it down. */
export type Verifier = { readonly certificate: Uint8Array } | { readonly spki: Uint8Array };

/** A signature as it is shown to a log. */
export interface Logged {
  /** Exactly what was signed. */
  readonly signedBytes: Uint8Array;
  readonly signature: Uint8Array;
  readonly verifier: Verifier;
  /** Of the verifier's key, for Rekor v2. */
  readonly keyDetails: string;
  /** What the key hashes with. */
  readonly hash: Hash;
  /** The DSSE envelope's; absent for a signature over a file. */
  readonly payload?: Uint8Array | undefined;
  readonly payloadType?: string | undefined;
}

export type EntryKind = "hashedrekord" | "hashedrekord-v2" | "dsse" | "dsse-v2" | "intoto";

/** A leaf, and what it is. */
export interface EntryBody {
  readonly kind: string;
  readonly version: string;
  readonly body: Uint8Array;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

export function entryBody(kind: EntryKind, logged: Logged): EntryBody {
  switch (kind) {
    case "hashedrekord":
      return written("hashedrekord", "0.0.1", hashedrekord(logged));
    case "hashedrekord-v2":
      return written("hashedrekord", "0.0.2", { hashedRekordV002: hashedrekordV2(logged) });
    case "dsse":
      return written("dsse", "0.0.1", dsse(logged));
    case "dsse-v2":
      return written("dsse", "0.0.2", { dsseV002: dsseV2(logged) });
    case "intoto":
      return written("intoto", "0.0.2", intoto(logged));
  }
}

/** Any body in the form in which logs write theirs. */
export function written(kind: string, version: string, spec: JsonValue): EntryBody {
  return { kind, version, body: Buffer.from(canonicalJson({ apiVersion: version, kind, spec })) };
}

function hashedrekord({ signedBytes, signature, verifier, hash }: Logged): JsonValue {
  return {
    data: { hash: hexHash(signedBytes, hash) },
    signature: { content: base64(signature), publicKey: { content: pemText(verifier) } },
  };
}

function hashedrekordV2({ signedBytes, signature, verifier, keyDetails, hash }: Logged): JsonValue {
  const algorithm = `SHA2_${hash.slice(3)}`;
  return {
    data: { algorithm, digest: base64(digest(signedBytes, hash)) },
    signature: { content: base64(signature), verifier: rawVerifier(verifier, keyDetails) },
  };
}

function dsse(logged: Logged): JsonValue {
  const { signature, verifier, payload = new Uint8Array() } = logged;
  return {
    envelopeHash: hexHash(Buffer.from(envelopeText(logged))),
    payloadHash: hexHash(payload),
    signatures: [{ signature: base64(signature), verifier: pemText(verifier) }],
  };
}

/** Withdrawn: no log takes it any more. */
function dsseV2({ signature, verifier, keyDetails, payload = new Uint8Array() }: Logged): JsonValue {
  return {
    payloadHash: { algorithm: "SHA2_256", digest: base64(digest(payload)) },
    signatures: [{ content: base64(signature), verifier: rawVerifier(verifier, keyDetails) }],
  };
}

/** `sig` is base64 twice. */
function intoto(logged: Logged): JsonValue {
  const { signature, verifier, payload = new Uint8Array(), payloadType = "" } = logged;
  const sig = base64(Buffer.from(base64(signature)));
  return {
    content: {
      envelope: { payloadType, signatures: [{ publicKey: pemText(verifier), sig }] },
      hash: hexHash(Buffer.from(envelopeText(logged))),
      payloadHash: hexHash(payload),
    },
  };
}

/** The DSSE envelope as it is uploaded, and stored where a log hashed it (`.att`). */
export function envelopeText({
  signature,
  payload = new Uint8Array(),
  payloadType = "",
}: Pick<Logged, "signature" | "payload" | "payloadType">): string {
  return JSON.stringify({ payload: base64(payload), payloadType, signatures: [{ sig: base64(signature) }] });
}

function hexHash(bytes: Uint8Array, hash: Hash = "sha256"): JsonValue {
  return { algorithm: hash, value: digest(bytes, hash).toString("hex") };
}

/** Base64 of the PEM text. */
function pemText(verifier: Verifier): string {
  const pem =
    "certificate" in verifier
      ? certificatePem(verifier.certificate)
      : formatPem({ label: "PUBLIC KEY", content: verifier.spki });
  return base64(Buffer.from(pem));
}

function rawVerifier(verifier: Verifier, keyDetails: string): JsonValue {
  return "certificate" in verifier
    ? { keyDetails, x509Certificate: { rawBytes: base64(verifier.certificate) } }
    : { keyDetails, publicKey: { rawBytes: base64(verifier.spki) } };
}

/** RFC 8785 for what stands in log entries: texts and whole numbers. */
export function canonicalJson(value: JsonValue): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(",")}}`;
}
