import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";

/**
 * How much work the password of an encrypted PKCS#8 key costs. OpenSSL takes whatever the file says, in one call that
 * nothing can interrupt: a file could keep the machine busy for hours.
 */

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

const INTEGER = 0x02;
const OBJECT_IDENTIFIER = 0x06;
const SEQUENCE = 0x30;
/** RFC 8018 appendix A.4, id-PBES2. */
const PBES2 = "2a864886f70d01050d";
/** RFC 7914 section 7, id-scrypt. */
const SCRYPT = "2b06010401da47040b";

/**
 * RFC 5958 section 3 and RFC 8018 appendix A: EncryptedPrivateKeyInfo, its encryption scheme, and within PBES2 its key
 * derivation function. All schemes have a salt first; what follows is a number of iterations, or scrypt's N, r and p.
 *
 * @throws CountersignError `key-invalid` for a cost beyond LIMITS.keyDerivations, and where it cannot be seen.
 */
export function requireAffordable(pkcs8: Uint8Array, what: string): void {
  const cost = costOf(pkcs8);
  if (cost !== undefined && cost <= LIMITS.keyDerivations) return;
  throw new CountersignError("key-invalid", `${what} is not an encrypted key that can be read`, {
    found: cost === undefined ? "no known description of how it is encrypted" : `a password that costs ${cost} rounds`,
    wanted: `at most ${LIMITS.keyDerivations} rounds`,
  });
}

function costOf(pkcs8: Uint8Array): number | undefined {
  const [document] = children({ tag: SEQUENCE, content: pkcs8 });
  const [scheme] = children(document);
  const [name, parameters] = algorithm(scheme);
  const [kdf, settings] = name === PBES2 ? algorithm(children(parameters)[0]) : [name, parameters];
  const [, ...numbers] = children(settings);
  const [first, second, third] = numbers.map(integer);
  if (first === undefined || kdf !== SCRYPT) return first;
  return second === undefined || third === undefined ? undefined : first * second * third;
}

function algorithm(element: Element | undefined): [name: string | undefined, parameters: Element | undefined] {
  const [name, parameters] = children(element);
  return [name?.tag === OBJECT_IDENTIFIER ? hex(name.content) : undefined, parameters];
}

function integer({ tag, content }: Element): number | undefined {
  return tag === INTEGER && content.byteLength > 0 ? Number(`0x${hex(content)}`) : undefined;
}

/** The elements of a sequence; none where it is not one, or not in DER's definite lengths. */
function children(element: Element | undefined): readonly Element[] {
  if (element?.tag !== SEQUENCE) return [];
  const found: Element[] = [];
  for (let rest = element.content; rest.byteLength > 0; ) {
    const header = readHeader(rest);
    if (header === undefined || header.end > rest.byteLength) return [];
    found.push({ tag: rest[0] ?? 0, content: rest.subarray(header.start, header.end) });
    rest = rest.subarray(header.end);
  }
  return found;
}

/** X.690 section 8.1.3: the length in one byte, or how many bytes hold it. A key file needs two of them. */
function readHeader(bytes: Uint8Array): { readonly start: number; readonly end: number } | undefined {
  const [, short = 0x80, high = 0, low = 0] = bytes;
  if (short < 0x80) return { start: 2, end: 2 + short };
  if (short === 0x81) return { start: 3, end: 3 + high };
  return short === 0x82 ? { start: 4, end: 4 + high * 256 + low } : undefined;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
