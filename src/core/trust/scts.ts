import { createHash } from "node:crypto";
import { ASN1Obj, X509SCTExtension } from "@sigstore/core";
import { equalBytes } from "../bytes.ts";
import { type Certificate, EXTENSIONS } from "../crypto/certificate.ts";
import { DER, encodeDer, expectTag, notDer, readDer } from "../crypto/der.ts";
import { CountersignError } from "../errors.ts";
import { describeWindow, formatInstant, isInstant } from "../time.ts";
import type { Log } from "./root.ts";

type Timestamp = X509SCTExtension["signedCertificateTimestamps"][number];

function untrusted(message: string, found: string, wanted: string, cause?: unknown): CountersignError {
  return new CountersignError("certificate-untrusted", message, { found, wanted, cause });
}

/**
 * The certificate logs that vouch for a certificate by a timestamp inside it (RFC 6962, section 3.3), each once. Logs that
 * the trust root does not know are passed over.
 *
 * @throws CountersignError `certificate-untrusted` where a known log's timestamp does not hold.
 */
export function proveCertificateLogs(leaf: Certificate, issuer: Certificate, logs: readonly Log[]): readonly Log[] {
  const proven = new Map<string, Log>();
  const signed = precertificate(leaf, issuer);
  for (const timestamp of readTimestamps(leaf)) {
    const known = logs.filter(({ id }) => equalBytes(id, timestamp.logID));
    if (known.length === 0) continue;
    const log = proveOne(timestamp, signed, known);
    proven.set(log.operator, log);
  }
  return [...proven.values()];
}

function readTimestamps({ extensions }: Certificate): readonly Timestamp[] {
  const extension = extensions.get(EXTENSIONS.certificateTimestamps);
  if (extension === undefined) return [];
  try {
    checkList(extension.value);
    return new X509SCTExtension(ASN1Obj.parseBuffer(Buffer.from(extension.bytes))).signedCertificateTimestamps;
  } catch (cause) {
    throw untrusted("the certificate's timestamps cannot be read", "another form", "a list of SCTs", cause);
  }
}

/** The library reads no further than the list says that it goes (RFC 6962, section 3.3). */
function checkList(value: Uint8Array): void {
  const { content } = expectTag(readDer(value), DER.octetString);
  const [high = 0, low = 0] = content;
  if (high * 256 + low !== content.byteLength - 2) notDer("a list of another length than it says");
}

function proveOne(timestamp: Timestamp, signed: Uint8Array, known: readonly Log[]): Log {
  const at = timestamp.datetime.getTime();
  const valid = known.filter(({ from, until }) => at >= from && (until === undefined || at <= until));
  if (valid.length === 0) {
    const found = isInstant(at) ? formatInstant(at) : "a time beyond all years";
    throw untrusted(
      "a certificate log was not believed when it vouched for the certificate",
      found,
      describeWindows(known),
    );
  }
  const log = valid.find(({ key }) => timestamp.version === 0 && timestamp.verify(Buffer.from(signed), key));
  if (log !== undefined) return log;
  const found = "an SCT that does not verify";
  throw untrusted("a certificate log did not vouch for this certificate", found, describeWindows(known));
}

function describeWindows(logs: readonly Log[]): string {
  return logs.map(({ name, from, until }) => `${name}, believed ${describeWindow(from, until)}`).join(" or ");
}

/** What such a log signed: the issuer's key, and the certificate without the timestamps (RFC 6962, section 3.2). */
function precertificate({ signedParts, extensions }: Certificate, issuer: Certificate): Uint8Array {
  const others = [...extensions].flatMap(([oid, { bytes }]) =>
    oid === EXTENSIONS.certificateTimestamps ? [] : [bytes],
  );
  const rest = signedParts.slice(0, -1).map(({ bytes }) => bytes);
  const list = encodeDer(DER.context[3], encodeDer(DER.sequence, ...others));
  const body = encodeDer(DER.sequence, ...rest, list);
  const length = Buffer.alloc(3);
  length.writeUIntBE(body.byteLength, 0, 3);
  return Buffer.concat([createHash("sha256").update(issuer.spki).digest(), length, body]);
}
