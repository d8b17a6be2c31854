import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { ReasonCode } from "../reasons.ts";
import { type Instant, isInstant } from "../time.ts";

/** One value in DER (X.690, section 10): its tag byte, what is inside, and the bytes of all of it. */
export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Tag bytes as they stand: class, "constructed" and number in one. */
export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  /** Context-specific [0] to [3], constructed. */
  context: [0xa0, 0xa1, 0xa2, 0xa3],
} as const;

/** What is wrong with an encoding; `readingDer` makes it an error that says of what. */
class NotDer extends Error {}

/**
 * Runs a reader of DER that a peer wrote, and says what was being read where it fails.
 *
 * @throws CountersignError `code`.
 */
export function readingDer<T>(what: string, code: ReasonCode, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause;
    const found = cause instanceof NotDer ? cause.message : "what cannot be read";
    throw new CountersignError(code, `${what} is malformed`, { found, wanted: "strict DER", cause });
  }
}

/** Ends the reading: what was found is not what the format has there. */
export function notDer(found: string): never {
  throw new NotDer(found);
}

/** Exactly one value and nothing behind it. */
export function readDer(bytes: Uint8Array): DerValue {
  const value = readValue(bytes, 0);
  return value.bytes.byteLength === bytes.byteLength ? value : notDer("something behind the end");
}

/** The values inside one that is made of others. */
export function derParts(value: DerValue, tag?: number): readonly DerValue[] {
  if (tag !== undefined) expectTag(value, tag);
  const parts: DerValue[] = [];
  for (let at = 0; at < value.content.byteLength; ) {
    if (parts.length === LIMITS.derParts) notDer("too many parts");
    const part = readValue(value.content, at);
    parts.push(part);
    at += part.bytes.byteLength;
  }
  return parts;
}

export function expectTag(value: DerValue | undefined, tag: number): DerValue {
  if (value?.tag === tag) return value;
  return notDer(value === undefined ? "an end too soon" : `a value of type 0x${value.tag.toString(16)}`);
}

function readValue(bytes: Uint8Array, start: number): DerValue {
  const tag = byteAt(bytes, start);
  if ((tag & 0x1f) === 0x1f) notDer("a tag of more than one byte");
  const { length, size } = readLength(bytes, start + 1);
  const from = start + 1 + size;
  if (from + length > bytes.byteLength) notDer("an end too soon");
  return { tag, content: bytes.subarray(from, from + length), bytes: bytes.subarray(start, from + length) };
}

/** X.690, section 10.1: definite, and in as few bytes as can be. */
function readLength(bytes: Uint8Array, at: number): { readonly length: number; readonly size: number } {
  const first = byteAt(bytes, at);
  if (first < 0x80) return { length: first, size: 1 };
  const count = first & 0x7f;
  if (count === 0 || count > 4) notDer("a length of another form");
  let length = 0;
  for (let i = 1; i <= count; i++) length = length * 256 + byteAt(bytes, at + i);
  if (length < 0x80 || length < 256 ** (count - 1)) notDer("a length in more bytes than it needs");
  return { length, size: 1 + count };
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? notDer("an end too soon");
}

/** A value as DER writes it, from what is inside. */
export function encodeDer(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  return Buffer.concat([Buffer.of(tag, ...encodeLength(length)), ...parts]);
}

function encodeLength(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

export function readBoolean(value: DerValue): boolean {
  const { content } = expectTag(value, DER.boolean);
  if (content.byteLength === 1 && (content[0] === 0xff || content[0] === 0)) return content[0] === 0xff;
  return notDer("a truth value of another form");
}

/** A whole number that is small and not negative. */
export function readSmallInteger(value: DerValue | undefined): number {
  const { content } = expectTag(value, DER.integer);
  const [first = 0x80] = content;
  if (first >= 0x80 || content.byteLength > 4) notDer("a number that is negative or too large");
  if (content.byteLength > 1 && first === 0 && (content[1] ?? 0) < 0x80) notDer("a number with needless noughts");
  return content.reduce((number, byte) => number * 256 + byte, 0);
}

/** `1.3.6.1.5.5.7.3.3`. */
export function readOid(value: DerValue | undefined): string {
  const { content } = expectTag(value, DER.oid);
  const arcs: bigint[] = [];
  let arc = 0n;
  let isFirst = true;
  for (const byte of content) {
    if (isFirst && byte === 0x80) notDer("an object identifier with needless noughts");
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    isFirst = byte < 0x80;
    if (!isFirst) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [root, ...rest] = arcs;
  if (root === undefined || !isFirst || arcs.length > 32) return notDer("a broken object identifier");
  const top = root < 80n ? root / 40n : 2n;
  return [top, root - top * 40n, ...rest].join(".");
}

/** The bits of a BIT STRING that is made of whole bytes: a signature, a key. */
export function readWholeBits(value: DerValue | undefined): Uint8Array {
  const { content } = expectTag(value, DER.bitString);
  return content[0] === 0 ? content.subarray(1) : notDer("bits that fill no bytes");
}

/** Whether a named bit of a BIT STRING is set; bit 0 is the first (X.680, section 22). */
export function hasBit(value: DerValue, bit: number): boolean {
  const { content } = expectTag(value, DER.bitString);
  const [unused = 8] = content;
  if (unused > 7 || (content.byteLength === 1 && unused > 0)) notDer("a broken string of bits");
  const byte = content[1 + (bit >> 3)] ?? 0;
  return (byte & (0x80 >> (bit & 7))) !== 0;
}

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,8}[1-9]))?Z$/;

/** RFC 5280, section 4.1.2.5; with a fraction of a second, cut to milliseconds, as RFC 3161 section 2.4.2 has it. */
export function readTime(value: DerValue | undefined): Instant {
  const text = Buffer.from(value?.content ?? []).toString("latin1");
  const isShort = value?.tag === DER.utcTime;
  const match = (isShort ? UTC_TIME : GENERALIZED_TIME).exec(text);
  if (match === null || (!isShort && value?.tag !== DER.generalizedTime)) return notDer("a broken time");
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const fraction = Number((match[7] ?? "").slice(0, 3).padEnd(3, "0"));
  const fullYear = isShort ? year + (year < 50 ? 2000 : 1900) : year;
  const time = new Date(Date.UTC(fullYear, month - 1, day, hour, minute, second, fraction));
  // The calendar would carry the 31st of February over into March.
  const isReal = time.getUTCMonth() === month - 1 && time.getUTCDate() === day && hour < 24 && minute < 60;
  if (fullYear < 100 || !isReal || second > 59 || !isInstant(time.getTime())) return notDer("a time that never was");
  return time.getTime() as Instant;
}
