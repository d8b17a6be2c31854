import { encodeUtf8 } from "../bytes.ts";
import type { JsonValue } from "../json.ts";
import { describeValue, malformed, requireBase64, requireClosed, requireString } from "./members.ts";

/** A DSSE envelope with its one signature, parsed and not verified. */
export interface DsseEnvelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** What is signed: DSSE protocol.md, "PAE". Lengths are decimal counts of bytes. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = encodeUtf8(payloadType);
  const head = encodeUtf8(`DSSEv1 ${type.byteLength} ${payloadType} ${payload.byteLength} `);
  return Buffer.concat([head, payload]);
}

/**
 * DSSE envelope.md, with the restriction of Sigstore's bundles: exactly one signature. Its `keyid` is unauthenticated and
 * is not read.
 *
 * @throws CountersignError `malformed-signature`.
 */
export function readDsse(value: JsonValue | undefined, where: string): DsseEnvelope {
  const json = requireClosed(value, where, ["payload", "payloadType", "signatures"]);
  const signatures = json["signatures"];
  if (!Array.isArray(signatures) || signatures.length !== 1) {
    const found = Array.isArray(signatures) ? `${signatures.length} signatures` : describeValue(signatures);
    throw malformed(`${where} must have exactly one signature`, found, "a list of one");
  }
  const signature = requireClosed(signatures[0], `the signature of ${where}`, ["sig", "keyid"]);
  return {
    payloadType: requireString(json, "payloadType", where),
    payload: requireBase64(json, "payload", where),
    signature: requireBase64(signature, "sig", `the signature of ${where}`),
  };
}
