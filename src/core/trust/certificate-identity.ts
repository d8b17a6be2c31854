import { ASN1Obj } from "@sigstore/core";
import { decodeUtf8, encodeHex } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type CertificateIdentity, CLAIMS, type ClaimName } from "./identity.ts";

/**
 * Whom a signing certificate (DER) names: its one subject alternative name, the issuer that vouched for it, and what that
 * said of the workload (RFC 5280 §4.2, Fulcio docs/oid-info.md). Read strictly and proven by nobody: the chain is another
 * matter.
 *
 * @throws CountersignError `certificate-untrusted` for a certificate that names nobody, several, or could be read in two
 * ways; `limit-reached`.
 */
export function readCertificateIdentity(der: Uint8Array): CertificateIdentity {
  const extensions = readExtensions(der);
  return { ...readSubject(extensions), issuer: readIssuer(extensions), claims: readClaims(extensions) };
}

// --- extensions -------------------------------------------------------------------------------------------------------

/** The content of `extnValue`, by the hexadecimal content of the OID: two spellings of one OID are two OIDs. */
type Extensions = ReadonlyMap<string, Buffer>;

const SUBJECT_ALTERNATIVE_NAME = "551d11";
/** 1.3.6.1.4.1.57264.1; one byte more is the number of the claim. */
const FULCIO = "2b0601040183bf3001";

const ISSUER = fulcio(8);
const OLD_ISSUER = fulcio(1);
/** otherName's type, not an extension. */
const USER_NAME = fulcio(7);

function fulcio(number: number): string {
  return FULCIO + number.toString(16).padStart(2, "0");
}

function readExtensions(der: Uint8Array): Extensions {
  if (der.byteLength > LIMITS.certificateBytes) {
    throw new CountersignError("limit-reached", "the certificate is too large to read", {
      found: `${der.byteLength} bytes`,
      wanted: `at most ${LIMITS.certificateBytes} bytes`,
    });
  }
  const [body] = parse(der, "the certificate").subs;
  const list = body?.subs.find(({ tag }) => tag.isContextSpecific(3))?.subs[0]?.subs ?? [];
  const extensions = new Map<string, Buffer>();
  for (const extension of list) {
    const [id, value] = [extension.subs[0], extension.subs.at(-1)];
    if (id?.tag.isOID() !== true || value?.tag.isOctetString() !== true) throw untrusted("an extension cannot be read");
    const name = encodeHex(id.value);
    // RFC 5280 §4.2: which of two counts would be the reader's choice.
    if (extensions.has(name)) throw untrusted("the certificate has an extension twice", id.toOID(), "each once");
    extensions.set(name, value.value);
  }
  return extensions;
}

// --- who --------------------------------------------------------------------------------------------------------------

type Subject = Pick<CertificateIdentity, "subject" | "subjectKind">;

const WANTED_NAME = "exactly one: an email address, a URI or a user name";

function readSubject(extensions: Extensions): Subject {
  const value = extensions.get(SUBJECT_ALTERNATIVE_NAME);
  const names = value === undefined ? [] : parse(value, "the subject alternative name").subs;
  const [only] = names;
  if (only === undefined) {
    throw untrusted("the certificate names nobody", "no subject alternative name", WANTED_NAME);
  }
  if (names.length > 1) {
    const found = `${names.length} subject alternative names: ${names.slice(0, NAMES_SHOWN).map(showName).join(", ")}`;
    throw untrusted("the certificate names more than one", found, WANTED_NAME);
  }
  return readName(only);
}

const NAMES_SHOWN = 4;

/** GeneralName (RFC 5280 §4.2.1.6). */
function readName(name: ASN1Obj): Subject {
  const subject = (kind: CertificateIdentity["subjectKind"], value: Uint8Array): Subject => ({
    subject: readText(value, "the subject alternative name", 1),
    subjectKind: kind,
  });
  if (isText(name, 1)) return subject("email", ascii(name.value));
  if (isText(name, 6)) return subject("uri", ascii(name.value));
  if (name.tag.isContextSpecific(0)) return subject("other-name", userName(name));
  throw untrusted("the certificate names something that does not sign", showName(name), WANTED_NAME);
}

function isText({ tag }: ASN1Obj, number: number): boolean {
  return tag.isContextSpecific(number) && !tag.constructed;
}

/** An IA5String; internationalised names are written in ASCII (RFC 5280 §7). */
function ascii(value: Buffer): Buffer {
  if (value.every((byte) => byte < 0x80)) return value;
  throw untrusted("the subject alternative name is not ASCII", JSON.stringify(value.toString("latin1")));
}

/** `otherName`: Fulcio's user names are a UTF8String under an OID of its own. */
function userName({ subs: [id, value, ...more] }: ASN1Obj): Buffer {
  if (id?.tag.isOID() === true && encodeHex(id.value) === USER_NAME && more.length === 0) {
    const [text, ...others] = value?.tag.isContextSpecific(0) === true ? value.subs : [];
    if (text !== undefined && others.length === 0 && isUtf8String(text)) return text.value;
  }
  const found = id?.tag.isOID() === true ? `a name of kind ${id.toOID()}` : "a name of no kind";
  throw untrusted("the certificate names something that does not sign", found, WANTED_NAME);
}

const NAME_KINDS = ["name of another kind", "address", "host name", "X.400 name", "folder", "EDI name", "URI"] as const;

/** For a message: what a name is, and its text where it is one. */
function showName(name: ASN1Obj): string {
  const kind = NAME_KINDS[name.tag.number] ?? "IP address or registered number";
  return name.tag.constructed ? `a ${kind}` : `${kind} ${JSON.stringify(name.value.toString("latin1"))}`;
}

/** The newer extension; the older one only where it is alone, since two that differ are two issuers. */
function readIssuer(extensions: Extensions): string {
  const newer = extensions.get(ISSUER);
  const older = extensions.get(OLD_ISSUER);
  const issuers = [
    ...(newer === undefined ? [] : [readUtf8String(newer, "the issuer", 1)]),
    ...(older === undefined ? [] : [readText(older, "the issuer", 1)]),
  ];
  const [issuer = "", other = issuer] = issuers;
  if (issuer === other) return issuer;
  throw untrusted("the certificate names two issuers", `${issuer} and ${other}`, "one issuer");
}

// --- claims -----------------------------------------------------------------------------------------------------------

/** Up to this number they are bare text, above it a DER UTF8String. */
const LAST_BARE = 6;

function readClaims(extensions: Extensions): CertificateIdentity["claims"] {
  const entries = (Object.entries(CLAIMS) as readonly (readonly [ClaimName, number])[]).flatMap(([name, number]) => {
    const value = extensions.get(fulcio(number));
    if (value === undefined) return [];
    return [[name, number <= LAST_BARE ? readText(value, name) : readUtf8String(value, name)] as const];
  });
  return Object.fromEntries(entries);
}

// --- texts ------------------------------------------------------------------------------------------------------------

/** A DER UTF8String and nothing after it. */
function readUtf8String(der: Uint8Array, what: string, least = 0): string {
  const text = parse(der, what);
  if (isUtf8String(text)) return readText(text.value, what, least);
  throw untrusted(`${what} in the certificate is not a text`, "something else", "a UTF8String");
}

function isUtf8String({ tag }: ASN1Obj): boolean {
  return tag.isUniversal() && tag.number === UTF8_STRING && !tag.constructed;
}

const UTF8_STRING = 12;

function readText(bytes: Uint8Array, what: string, least = 0): string {
  if (bytes.byteLength > LIMITS.certificateTextBytes) {
    throw new CountersignError("limit-reached", `${what} in the certificate is too long`, {
      found: `${bytes.byteLength} bytes`,
      wanted: `at most ${LIMITS.certificateTextBytes} bytes`,
    });
  }
  if (bytes.byteLength < least) throw untrusted(`${what} in the certificate is empty`);
  const text = decodeText(bytes, what);
  if (/\p{Cc}/u.test(text)) throw untrusted(`${what} in the certificate has control characters`, JSON.stringify(text));
  return text;
}

function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw new CountersignError("certificate-untrusted", `${what} in the certificate is not valid UTF-8`, { cause });
  }
}

function parse(der: Uint8Array, what: string): ASN1Obj {
  try {
    return ASN1Obj.parseBuffer(Buffer.from(der));
  } catch (cause) {
    throw new CountersignError("certificate-untrusted", `${what} is not well-formed DER`, { cause });
  }
}

function untrusted(message: string, found?: string, wanted?: string): CountersignError {
  return new CountersignError("certificate-untrusted", message, { found, wanted });
}
