import { decodeUtf8 } from "../bytes.ts";
import { type Certificate, EXTENSIONS, parseCertificate } from "../crypto/certificate.ts";
import { DER, type DerValue, derParts, expectTag, readDer, readingDer, readOid } from "../crypto/der.ts";
import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type CertificateIdentity, CLAIMS, type ClaimName } from "./identity.ts";

const CODE = "certificate-untrusted";

/**
 * Whom a signing certificate (DER) names: its one subject alternative name, the issuer that vouched for it, and what that
 * said of the workload (RFC 5280 §4.2, Fulcio docs/oid-info.md). Read strictly and proven by nobody: the chain is another
 * matter.
 *
 * @throws CountersignError `certificate-untrusted` for a certificate that names nobody, several, or could be read in two
 * ways; `limit-reached`.
 */
export function readCertificateIdentity(der: Uint8Array): CertificateIdentity {
  return identityOf(parseCertificate(der, "the signing certificate", CODE));
}

/** The same of a certificate that was read already. */
export function identityOf(certificate: Certificate): CertificateIdentity {
  return {
    ...readSubject(certificate),
    issuer: readIssuer(certificate),
    claims: readClaims(certificate),
  };
}

/** Fulcio's arc. */
function fulcio(number: number): string {
  return `1.3.6.1.4.1.57264.1.${number}`;
}

const OLD_ISSUER = fulcio(1);
const ISSUER = fulcio(8);
/** otherName's type, not an extension. */
const USER_NAME = fulcio(7);

function extensionOf({ extensions }: Certificate, oid: string): Uint8Array | undefined {
  return extensions.get(oid)?.value;
}

// --- who --------------------------------------------------------------------------------------------------------------

type Subject = Pick<CertificateIdentity, "subject" | "subjectKind">;

const NAME = "the subject alternative name";
const WANTED_NAME = "exactly one: an email address, a URI or a user name";

function readSubject(certificate: Certificate): Subject {
  const value = extensionOf(certificate, EXTENSIONS.subjectAlternativeName);
  const names = value === undefined ? [] : reading(NAME, () => derParts(readDer(value), DER.sequence));
  const [only] = names;
  if (only === undefined) throw untrusted("the certificate names nobody", "no subject alternative name", WANTED_NAME);
  if (names.length === 1) return readName(only);
  const shown = names.slice(0, NAMES_SHOWN).map(showName).join(", ");
  throw untrusted(
    "the certificate names more than one",
    `${names.length} subject alternative names: ${shown}`,
    WANTED_NAME,
  );
}

const NAMES_SHOWN = 4;

/** Tag bytes of GeneralName (RFC 5280 §4.2.1.6). */
const KINDS = { otherName: 0xa0, email: 0x81, uri: 0x86 } as const;

function readName(name: DerValue): Subject {
  if (name.tag === KINDS.email) return { subject: readText(ascii(name.content), NAME, 1), subjectKind: "email" };
  if (name.tag === KINDS.uri) return { subject: readText(ascii(name.content), NAME, 1), subjectKind: "uri" };
  if (name.tag !== KINDS.otherName) throw unusable(showName(name));
  return {
    subject: readText(
      reading(NAME, () => userName(name)),
      NAME,
      1,
    ),
    subjectKind: "other-name",
  };
}

function unusable(found: string): CountersignError {
  return untrusted("the certificate names something that does not sign", found, WANTED_NAME);
}

/** An IA5String; internationalised names are written in ASCII (RFC 5280 §7). */
function ascii(value: Uint8Array): Uint8Array {
  if (value.every((byte) => byte < 0x80)) return value;
  throw untrusted(`${NAME} is not ASCII`, quote(value));
}

/** `otherName`: Fulcio's user names are a UTF8String under an OID of its own. */
function userName(name: DerValue): Uint8Array {
  const [id, holder, ...more] = derParts(name);
  const kind = readOid(id);
  if (kind !== USER_NAME) throw unusable(`a name of kind ${kind}`);
  const [text, ...others] = derParts(expectTag(holder, DER.context[0]));
  if (more.length + others.length > 0) throw unusable("a user name and more");
  return expectTag(text, DER.utf8String).content;
}

const CONSTRUCTED = 0x20;
const SHOWN_KINDS: ReadonlyMap<number, string> = new Map([
  [KINDS.email, "address"],
  [0x82, "host name"],
  [KINDS.uri, "URI"],
]);

/** For a message: what a name is, and its text where it is one. */
function showName({ tag, content }: DerValue): string {
  const kind = SHOWN_KINDS.get(tag);
  if (kind !== undefined) return `${kind} ${quote(content)}`;
  return tag === KINDS.otherName ? "a user name" : `a name of type ${tag & ~CONSTRUCTED & 0x1f}`;
}

function quote(text: Uint8Array): string {
  return JSON.stringify(Buffer.from(text.subarray(0, LIMITS.messageCharacters)).toString("latin1"));
}

/** The newer extension; the older one only where it is alone, since two that differ are two issuers. */
function readIssuer(certificate: Certificate): string {
  const newer = extensionOf(certificate, ISSUER);
  const older = extensionOf(certificate, OLD_ISSUER);
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

function readClaims(certificate: Certificate): CertificateIdentity["claims"] {
  const entries = (Object.entries(CLAIMS) as readonly (readonly [ClaimName, number])[]).flatMap(([name, number]) => {
    const value = extensionOf(certificate, fulcio(number));
    if (value === undefined) return [];
    return [[name, number <= LAST_BARE ? readText(value, name) : readUtf8String(value, name)] as const];
  });
  return Object.fromEntries(entries);
}

// --- texts ------------------------------------------------------------------------------------------------------------

/** A DER UTF8String and nothing after it. */
function readUtf8String(der: Uint8Array, what: string, least = 0): string {
  return readText(
    reading(what, () => expectTag(readDer(der), DER.utf8String).content),
    what,
    least,
  );
}

function readText(bytes: Uint8Array, what: string, least = 0): string {
  if (bytes.byteLength > LIMITS.certificateTextBytes) {
    throw new CountersignError("limit-reached", `${what} in the certificate is too long`, {
      found: `${bytes.byteLength} bytes`,
      wanted: `at most ${LIMITS.certificateTextBytes} bytes`,
    });
  }
  if (bytes.byteLength < least) throw untrusted(`${what} in the certificate is empty`, "nothing", "a text");
  const text = decodeText(bytes, what);
  if (/\p{Cc}/u.test(text)) throw untrusted(`${what} in the certificate has control characters`, JSON.stringify(text));
  return text;
}

function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw new CountersignError(CODE, `${what} in the certificate is not valid UTF-8`, { cause });
  }
}

function reading<T>(what: string, read: () => T): T {
  return readingDer(`${what} in the certificate`, CODE, read);
}

function untrusted(message: string, found?: string, wanted?: string): CountersignError {
  return new CountersignError(CODE, message, { found, wanted, next: NEXT });
}

/** Another trust root would not help. */
const NEXT = "ask whoever runs the authority why it makes such certificates; until then nobody has signed";
