import { createHash } from "node:crypto";
import { encodeHex, equalBytes } from "../bytes.ts";
import { type Certificate, EXTENSIONS, isSameCertificate } from "../crypto/certificate.ts";
import { PURPOSES, proveChain } from "../crypto/chain.ts";
import {
  DER,
  type DerValue,
  derParts,
  encodeDer,
  expectTag,
  notDer,
  readDer,
  readingDer,
  readOid,
  readSmallInteger,
  readTime,
} from "../crypto/der.ts";
import { verifyHashed } from "../crypto/signature.ts";
import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Instant } from "../time.ts";
import type { Authority } from "./root.ts";

/** A time that a timestamp authority of the trust root vouches for. */
export interface ProvenTime {
  readonly authority: Authority;
  readonly at: Instant;
}

const CODE = "timestamp-invalid";

function invalid(message: string, found: string, wanted: string, cause?: unknown): CountersignError {
  return new CountersignError(CODE, message, { found, wanted, cause });
}

/**
 * Proves a timestamp (RFC 3161) over `data`. undefined where it is of no authority of the trust root; the certificates
 * that it brings along are never looked at.
 *
 * @throws CountersignError `timestamp-invalid` where it is broken, or of a known authority and wrong; `limit-reached`.
 */
export function proveTimestamp(
  token: Uint8Array,
  data: Uint8Array,
  authorities: readonly Authority[],
): ProvenTime | undefined {
  if (token.byteLength > LIMITS.timestampAnswerBytes) {
    throw new CountersignError("limit-reached", "a timestamp is too large to read", {
      found: `${token.byteLength} bytes`,
      wanted: `at most ${LIMITS.timestampAnswerBytes} bytes`,
    });
  }
  const response = readingDer("a timestamp", CODE, () => readResponse(token));
  const leaf = authorities.map(({ chain }) => chain[0]).find((each) => each && isSignedAs(response, each));
  if (leaf === undefined) return undefined;
  const named = authorities.filter(({ chain: [each] }) => each !== undefined && isSameCertificate(each, leaf));
  const timestamp = readingDer("a timestamp", CODE, () => readTimestamp(response));
  checkImprint(timestamp, data);
  const authority = proveAuthority(timestamp, leaf, named);
  checkSignedCertificate(timestamp, leaf);
  checkSignature(response, timestamp, leaf);
  return { authority, at: timestamp.at };
}

function isSignedAs({ signer: [, id] }: Response, certificate: Certificate): boolean {
  return (
    id !== undefined &&
    equalBytes(id.content, Buffer.concat([certificate.issuer, encodeDer(DER.integer, certificate.serial)]))
  );
}

function checkImprint({ imprint }: Timestamp, data: Uint8Array): void {
  const digest = createHash(imprint.hash).update(data).digest();
  if (equalBytes(digest, imprint.digest)) return;
  throw invalid(
    "a timestamp is about something else",
    `${imprint.hash} ${encodeHex(imprint.digest)}`,
    encodeHex(digest),
  );
}

function proveAuthority({ at }: Timestamp, leaf: Certificate, named: readonly Authority[]): Authority {
  const what = "the certificate of a timestamp authority";
  // RFC 3161, section 2.3: this purpose, no other, and critical.
  if (leaf.purposes?.size !== 1 || leaf.extensions.get(EXTENSIONS.extendedKeyUsage)?.critical !== true) {
    throw invalid(`${what} is of a wrong kind`, "another extended key usage", "time stamping alone, and critical");
  }
  const anchors = named.map((authority) => ({ ...authority, chain: authority.chain.slice(1) }));
  return proveChain({ leaf, intermediates: [], anchors, purpose: PURPOSES.timeStamping, times: [at], code: CODE, what })
    .anchor;
}

/** RFC 5816: the certificate's hash is signed too, so that no other one with the same name can take its place. */
function checkSignedCertificate({ signedWith }: Timestamp, { der }: Certificate): void {
  for (const { hash, digest } of signedWith) {
    if (equalBytes(createHash(hash).update(der).digest(), digest)) continue;
    throw invalid("a timestamp was signed with another certificate", encodeHex(digest), "the one in the trust root");
  }
}

/** RFC 5652, section 5.6: the attributes are signed, and among them the digest of the content. */
function checkSignature({ content }: Response, { contentDigest, signature }: Timestamp, { key }: Certificate): void {
  const digest = createHash(contentDigest.hash).update(content.bytes).digest();
  const { hash, over, value } = signature;
  // Without a hash, a key of another kind would take one of its own.
  const isFitting = (hash === null) === (key.asymmetricKeyType === "ed25519");
  if (isFitting && equalBytes(digest, contentDigest.digest) && verifyHashed(key, hash, over, value)) return;
  throw invalid(
    "the signature of a timestamp does not hold",
    "one that its key did not make over this",
    "one that it made",
  );
}

// --- reading ----------------------------------------------------------------------------------------------------------

type Hash = "sha256" | "sha384" | "sha512";

/** A TimeStampResp in parts. */
interface Response {
  /** TSTInfo, and SignerInfo: its version, who it is, and so on. */
  readonly content: DerValue;
  readonly signer: readonly DerValue[];
}

/** What is used of it; nothing of it is proven. */
interface Timestamp {
  readonly at: Instant;
  readonly imprint: { readonly hash: Hash; readonly digest: Uint8Array };
  /** Of the content, as it was signed. */
  readonly contentDigest: { readonly hash: Hash; readonly digest: Uint8Array };
  readonly signature: { readonly hash: Hash | null; readonly over: Uint8Array; readonly value: Uint8Array };
  /** Hashes of the certificate that signed it, among what is signed. */
  readonly signedWith: readonly { readonly hash: Hash | "sha1"; readonly digest: Uint8Array }[];
}

const OIDS = {
  signedData: "1.2.840.113549.1.7.2",
  tstInfo: "1.2.840.113549.1.9.16.1.4",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingCertificate: "1.2.840.113549.1.9.16.2.12",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
} as const;

/** SHA-1 is not among them: two documents can be made to have one. */
const HASHES: ReadonlyMap<string, Hash> = new Map([
  ["2.16.840.1.101.3.4.2.1", "sha256"],
  ["2.16.840.1.101.3.4.2.2", "sha384"],
  ["2.16.840.1.101.3.4.2.3", "sha512"],
]);

/** Signature algorithms, with their hash: by name, none for Ed25519 (RFC 8419), or else that of the message digest. */
const SIGNATURES: ReadonlyMap<string, Hash | null | undefined> = new Map([
  ["1.2.840.10045.4.3.2", "sha256"],
  ["1.2.840.10045.4.3.3", "sha384"],
  ["1.2.840.10045.4.3.4", "sha512"],
  ["1.2.840.113549.1.1.11", "sha256"],
  ["1.2.840.113549.1.1.12", "sha384"],
  ["1.2.840.113549.1.1.13", "sha512"],
  ["1.2.840.113549.1.1.1", undefined],
  ["1.3.101.112", null],
]);

/** TimeStampResp (RFC 3161, section 2.4.2) with a SignedData of one signer (RFC 5652, section 5). */
function readResponse(der: Uint8Array): Response {
  const [status, token, ...rest] = derParts(readDer(der), DER.sequence);
  const [code] = derParts(expectTag(status, DER.sequence));
  const granted = readSmallInteger(code);
  if (granted !== 0) notDer(`a refusal, PKIStatus ${granted}`);
  if (token === undefined || rest.length > 0) notDer("an answer without a token");
  const [content, signers] = readSignedData(token);
  const [signer, ...others] = derParts(signers, DER.set);
  if (signer === undefined || others.length > 0) return notDer("a token without exactly one signer");
  return { content, signer: derParts(signer, DER.sequence) };
}

function readTimestamp({ content, signer }: Response): Timestamp {
  return { ...readContent(content), ...readSigner(signer) };
}

function readSignedData(token: DerValue | undefined): readonly [content: DerValue, signers: DerValue] {
  const [type, holder, ...rest] = derParts(expectTag(token, DER.sequence));
  if (readOid(type) !== OIDS.signedData || rest.length > 0) notDer("what is no signed data");
  const [signedData, ...more] = derParts(expectTag(holder, DER.context[0]));
  const parts = derParts(expectTag(signedData, DER.sequence));
  const [, , content] = parts;
  const signers = parts.at(-1);
  if (content === undefined || signers === undefined || parts.length < 4 || more.length > 0)
    notDer("broken signed data");
  const [contentType, octets] = derParts(expectTag(content, DER.sequence));
  if (readOid(contentType) !== OIDS.tstInfo) notDer("signed data that is no timestamp");
  const [inner] = derParts(expectTag(octets, DER.context[0]));
  return [readDer(expectTag(inner, DER.octetString).content), expectTag(signers, DER.set)];
}

/** TSTInfo. */
function readContent(content: DerValue): Pick<Timestamp, "at" | "imprint"> {
  const [version, , imprint, , time] = derParts(content, DER.sequence);
  if (readSmallInteger(version) !== 1) notDer("a timestamp of another version");
  const [algorithm, digest] = derParts(expectTag(imprint, DER.sequence));
  return {
    at: readTime(expectTag(time, DER.generalizedTime)),
    imprint: { hash: readHash(algorithm), digest: expectTag(digest, DER.octetString).content },
  };
}

function readHash(algorithm: DerValue | undefined): Hash {
  const [oid] = derParts(expectTag(algorithm, DER.sequence));
  const name = readOid(oid);
  return HASHES.get(name) ?? notDer(name === "1.3.14.3.2.26" ? "SHA-1" : `hash ${name}`);
}

/** SignerInfo (RFC 5652, section 5.3). */
function readSigner(parts: readonly DerValue[]): Pick<Timestamp, "contentDigest" | "signature" | "signedWith"> {
  const [version, id, hash, attributes, algorithm, value] = parts;
  if (readSmallInteger(version) !== 1 || id?.tag !== DER.sequence) notDer("a signer that is named in another way");
  const digestHash = readHash(hash);
  const [oid] = derParts(expectTag(algorithm, DER.sequence));
  const name = readOid(oid);
  if (!SIGNATURES.has(name)) notDer(`a signature by algorithm ${name}`);
  const ownHash = SIGNATURES.get(name);
  const signed = expectTag(attributes, DER.context[0]);
  const named = readAttributes(derParts(signed));
  return {
    contentDigest: { hash: digestHash, digest: expectTag(named.get(OIDS.messageDigest), DER.octetString).content },
    signature: {
      hash: ownHash === undefined ? digestHash : ownHash,
      // Section 5.4: they are signed as a SET and stand there under another tag.
      over: encodeDer(DER.set, signed.content),
      value: expectTag(value, DER.octetString).content,
    },
    signedWith: readSignedWith(named),
  };
}

/** Each once; the kind of content has to be there (RFC 5652, section 11). */
function readAttributes(list: readonly DerValue[]): ReadonlyMap<string, DerValue> {
  const attributes = new Map<string, DerValue>();
  for (const attribute of list) {
    const [oid, values] = derParts(attribute, DER.sequence);
    const name = readOid(oid);
    const [value, ...others] = derParts(expectTag(values, DER.set));
    if (value === undefined || others.length > 0 || attributes.has(name)) return notDer(`attribute ${name} twice`);
    attributes.set(name, value);
  }
  if (readOid(attributes.get(OIDS.contentType)) !== OIDS.tstInfo) notDer("a signature over another kind of content");
  return attributes;
}

/** Who signed has to be among what is signed (RFC 3161, section 2.4.2; RFC 5816). */
function readSignedWith(attributes: ReadonlyMap<string, DerValue>): Timestamp["signedWith"] {
  const first = attributes.get(OIDS.signingCertificate);
  const second = attributes.get(OIDS.signingCertificateV2);
  if (first === undefined && second === undefined) notDer("a signature that does not name its certificate");
  return [
    ...(first === undefined ? [] : [{ hash: "sha1", digest: readCertificateId(first).digest } as const]),
    ...(second === undefined ? [] : [readCertificateId(second)]),
  ];
}

/** The first of the list is the signer's; SHA-256 unless it says otherwise (RFC 5035, section 4). */
function readCertificateId(attribute: DerValue): { readonly hash: Hash; readonly digest: Uint8Array } {
  const [list] = derParts(attribute, DER.sequence);
  const [id] = derParts(expectTag(list, DER.sequence));
  const parts = derParts(expectTag(id, DER.sequence));
  const [first] = parts;
  if (first?.tag === DER.octetString) return { hash: "sha256", digest: first.content };
  return { hash: readHash(first), digest: expectTag(parts[1], DER.octetString).content };
}
