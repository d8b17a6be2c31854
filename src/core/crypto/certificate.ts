import { type KeyObject, X509Certificate } from "node:crypto";
import { encodeHex, equalBytes } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { ReasonCode } from "../reasons.ts";
import type { Instant } from "../time.ts";
import {
  DER,
  type DerValue,
  derParts,
  expectTag,
  hasBit,
  notDer,
  readBoolean,
  readDer,
  readingDer,
  readOid,
  readSmallInteger,
  readTime,
} from "./der.ts";

/** A certificate (RFC 5280) that was read strictly. Who issued it is a claim until its chain is proven. */
export interface Certificate {
  readonly der: Uint8Array;
  /** The content of the serial number's INTEGER. */
  readonly serial: Uint8Array;
  /** DER names, compared byte for byte. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** The first and the last moment of its life. */
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  /** DER SubjectPublicKeyInfo as it stands there. */
  readonly spki: Uint8Array;
  readonly key: KeyObject;
  readonly extensions: ReadonlyMap<string, Extension>;
  /** What it calls its own key, and the one that signed it. */
  readonly keyId: Uint8Array | undefined;
  readonly issuerKeyId: Uint8Array | undefined;
  readonly isCa: boolean;
  /** How many authorities may stand between it and what it vouches for. */
  readonly pathLength: number | undefined;
  /** The object identifiers of extended key usage; undefined where the certificate does not say. */
  readonly purposes: ReadonlySet<string> | undefined;
  /** What is signed, in parts: a certificate log signed the same without one extension. */
  readonly signedParts: readonly DerValue[];
  /** Whether this certificate's signature was made with the other one's key. */
  isSignedBy(issuer: Certificate): boolean;
}

export interface Extension {
  readonly critical: boolean;
  /** The content of `extnValue`: usually DER. */
  readonly value: Uint8Array;
  /** All of it, as it stands in the certificate. */
  readonly bytes: Uint8Array;
}

/** OIDs of extensions that are understood here. */
export const EXTENSIONS = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAlternativeName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  policies: "2.5.29.32",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  certificateTimestamps: "1.3.6.1.4.1.11129.2.4.2",
} as const;

/** Bits of key usage (RFC 5280, section 4.2.1.3). */
export const KEY_USAGE = { digitalSignature: 0, certificateSigning: 5 } as const;

/** SHA-2 with ECDSA or RSA PKCS#1 v1.5, and Ed25519 (RFC 5758, RFC 8017, RFC 8410). Older hashes can be forged. */
const SIGNATURE_ALGORITHMS: ReadonlySet<string> = new Set([
  "1.2.840.10045.4.3.2",
  "1.2.840.10045.4.3.3",
  "1.2.840.10045.4.3.4",
  "1.2.840.113549.1.1.11",
  "1.2.840.113549.1.1.12",
  "1.2.840.113549.1.1.13",
  "1.3.101.112",
]);

/**
 * Reads one certificate. `what` names it in errors: "the signing certificate".
 *
 * @throws CountersignError `code` for what is no certificate or one of a kind that is not accepted; `limit-reached`.
 */
export function parseCertificate(der: Uint8Array, what: string, code: ReasonCode): Certificate {
  if (der.byteLength > LIMITS.certificateBytes) {
    throw new CountersignError("limit-reached", `${what} is too large to read`, {
      found: `${der.byteLength} bytes`,
      wanted: `at most ${LIMITS.certificateBytes} bytes`,
    });
  }
  return readingDer(what, code, () => readCertificate(der));
}

function readCertificate(der: Uint8Array): Certificate {
  const [body, algorithm, signature, ...rest] = derParts(readDer(der), DER.sequence);
  if (body === undefined || algorithm === undefined || rest.length > 0) return notDer("what is no certificate");
  expectTag(signature, DER.bitString);
  const signedParts = derParts(body, DER.sequence);
  const [version, serial, innerAlgorithm, issuer, validity, subject, spki, ...optional] = signedParts;
  requireVersion3(version);
  requireAlgorithm(algorithm, innerAlgorithm);
  const [notBefore, notAfter] = derParts(expectTag(validity, DER.sequence));
  const extensions = readExtensions(optional);
  return {
    der,
    serial: expectTag(serial, DER.integer).content,
    issuer: expectTag(issuer, DER.sequence).bytes,
    subject: expectTag(subject, DER.sequence).bytes,
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    spki: expectTag(spki, DER.sequence).bytes,
    extensions,
    ...readKeyIds(extensions),
    ...readBasicConstraints(extensions),
    purposes: readPurposes(extensions),
    signedParts,
    ...readKeys(der),
  };
}

/** Versions 1 and 2 have no extensions: nothing in them says what they may be used for. */
function requireVersion3(version: DerValue | undefined): void {
  const [number] = derParts(expectTag(version, DER.context[0]));
  if (readSmallInteger(number) !== 2) notDer("a certificate of version 1 or 2");
}

/** The algorithm stands in what is signed and beside the signature; where the two differ, one of them is a lie. */
function requireAlgorithm(outer: DerValue, inner: DerValue | undefined): void {
  if (inner === undefined || !equalBytes(outer.bytes, inner.bytes)) notDer("two signature algorithms");
  const [oid] = derParts(outer, DER.sequence);
  const algorithm = readOid(oid);
  if (!SIGNATURE_ALGORITHMS.has(algorithm)) notDer(`a signature by algorithm ${algorithm}`);
}

function readExtensions(optional: readonly DerValue[]): ReadonlyMap<string, Extension> {
  const holder = optional.at(-1);
  // RFC 5280, section 4.1: issuerUniqueID [1] and subjectUniqueID [2] before it, which nobody uses.
  if (optional.length > 1) return notDer("unique identifiers");
  const extensions = new Map<string, Extension>();
  if (holder === undefined) return extensions;
  const [list, ...rest] = derParts(expectTag(holder, DER.context[3]));
  if (rest.length > 0) notDer("several lists of extensions");
  for (const item of derParts(expectTag(list, DER.sequence))) {
    const [oid, extension] = readExtension(item);
    if (extensions.has(oid)) notDer(`extension ${oid} twice`);
    extensions.set(oid, extension);
  }
  return extensions;
}

function readExtension(item: DerValue): readonly [string, Extension] {
  const parts = derParts(item, DER.sequence);
  const [oid, second, third] = parts;
  const flag = parts.length === 3 ? second : undefined;
  const value = parts.length === 3 ? third : second;
  if (parts.length > 3) notDer("an extension of another form");
  // DER leaves out what is the default.
  if (flag !== undefined && !readBoolean(flag)) notDer("an extension that says it is not critical");
  const { content } = expectTag(value, DER.octetString);
  return [readOid(oid), { critical: flag !== undefined, value: content, bytes: item.bytes }];
}

/** RFC 5280, sections 4.2.1.1 and 4.2.1.2. */
function readKeyIds(extensions: Certificate["extensions"]): Pick<Certificate, "keyId" | "issuerKeyId"> {
  const own = extensions.get(EXTENSIONS.subjectKeyIdentifier);
  const issuers = extensions.get(EXTENSIONS.authorityKeyIdentifier);
  const parts = issuers && derParts(readDer(issuers.value), DER.sequence);
  return {
    keyId: own && expectTag(readDer(own.value), DER.octetString).content,
    issuerKeyId: parts?.find(({ tag }) => tag === KEY_IDENTIFIER)?.content,
  };
}

/** Context-specific [0], primitive. */
const KEY_IDENTIFIER = 0x80;

function readBasicConstraints(extensions: ReadonlyMap<string, Extension>): Pick<Certificate, "isCa" | "pathLength"> {
  const extension = extensions.get(EXTENSIONS.basicConstraints);
  if (extension === undefined) return { isCa: false, pathLength: undefined };
  const [flag, length, ...rest] = derParts(readDer(extension.value), DER.sequence);
  if (rest.length > 0) notDer("basic constraints of another form");
  const isCa = flag !== undefined && readBoolean(flag);
  return { isCa, pathLength: length === undefined ? undefined : readSmallInteger(length) };
}

function readPurposes(extensions: ReadonlyMap<string, Extension>): ReadonlySet<string> | undefined {
  const extension = extensions.get(EXTENSIONS.extendedKeyUsage);
  return extension && new Set(derParts(readDer(extension.value), DER.sequence).map(readOid));
}

/** OpenSSL reads the certificate a second time, and what it does not take is refused too. */
function readKeys(der: Uint8Array): Pick<Certificate, "key" | "isSignedBy"> {
  const certificate = new X509Certificate(der);
  return { key: certificate.publicKey, isSignedBy: (issuer) => attempt(() => certificate.verify(issuer.key)) };
}

function attempt(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

/** Whether the certificate lets its key be used so; one that does not say is free (RFC 5280, section 4.2.1.3). */
export function allowsUsage(certificate: Certificate, usage: number): boolean {
  const extension = certificate.extensions.get(EXTENSIONS.keyUsage);
  return extension === undefined || hasBit(readDer(extension.value), usage);
}

/** Whether both stand for one certificate. */
export function isSameCertificate(a: Certificate, b: Certificate): boolean {
  return equalBytes(a.der, b.der);
}

/** Its subject and issuer have one name: a root, or a key that an authority exchanged. */
export function isSelfIssued(certificate: Certificate): boolean {
  return equalBytes(certificate.subject, certificate.issuer);
}

/**
 * Whether the one may have issued the other, by name, and by key where both say which: cheap, and decides nothing but
 * whether the signature is looked at.
 */
export function mayHaveIssued(issuer: Certificate, child: Certificate): boolean {
  if (!equalBytes(issuer.subject, child.issuer)) return false;
  return issuer.keyId === undefined || child.issuerKeyId === undefined || equalBytes(issuer.keyId, child.issuerKeyId);
}

const NAME_PARTS: ReadonlyMap<string, string> = new Map([
  ["2.5.4.3", "CN"],
  ["2.5.4.10", "O"],
  ["2.5.4.11", "OU"],
]);

/** A DER name in few words, for messages: `CN=intermediate, O=example`. */
export function describeName(name: Uint8Array): string {
  const texts = readingDer("a name", "malformed-signature", () =>
    derParts(readDer(name), DER.sequence).flatMap((set) => derParts(set).map(describeAttribute)),
  );
  return texts.filter((text) => text !== "").join(", ") || "a certificate without a name";
}

function describeAttribute(attribute: DerValue): string {
  const [oid, value] = derParts(attribute);
  const label = NAME_PARTS.get(readOid(oid));
  return label === undefined || value === undefined ? "" : `${label}=${Buffer.from(value.content).toString("utf8")}`;
}

/** How a message calls a certificate: by its subject, and one without by its serial number. */
export function describeCertificate(certificate: Certificate): string {
  const isNamed = certificate.subject.byteLength > EMPTY_NAME_BYTES;
  return isNamed
    ? `${describeName(certificate.subject)}${describeKeyId(certificate.keyId)}`
    : `certificate ${encodeHex(certificate.serial)}`;
}

const EMPTY_NAME_BYTES = 2;

/** How a message calls who issued a certificate. Authorities exchange their keys and keep their names. */
export function describeIssuer(certificate: Certificate): string {
  return `${describeName(certificate.issuer)}${describeKeyId(certificate.issuerKeyId)}`;
}

function describeKeyId(id: Uint8Array | undefined): string {
  return id === undefined ? "" : ` (key ${encodeHex(id).slice(0, 16)}…)`;
}
