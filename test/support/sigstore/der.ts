/**
 * A writer of DER (X.690), and just enough of a reader for requests. Certificates and timestamp tokens are built from it
 * part by part, so that every part can be wrong.
 */

/** One element: tag, length, and the parts one after another. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag), lengthOf(content.length), content]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  return Buffer.concat([Buffer.of(0x80 | bytes.length), bytes]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(0x30, ...parts);
export const octets = (content: Uint8Array): Buffer => element(0x04, content);
export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text));
export const flag = (value: boolean): Buffer => element(0x01, Buffer.of(value ? 0xff : 0));
export const nothing = (): Buffer => element(0x05);

/** SET OF: DER sorts its members by their encoding (X.690 §11.6). */
export function setOf(...parts: readonly Uint8Array[]): Buffer {
  return element(0x31, ...parts.toSorted(Buffer.compare));
}

/** A context-specific tag around other elements: EXPLICIT, or IMPLICIT around their content. */
export function context(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  return element(0xa0 | tag, ...parts);
}

/** A context-specific tag in place of a primitive type's own. */
export function contextText(tag: number, text: string): Buffer {
  return element(0x80 | tag, Buffer.from(text));
}

/** Bits that fill whole bytes, or a few named bits whose trailing zeros are left out. */
export function bits(content: Uint8Array, unused = 0): Buffer {
  return element(0x03, Buffer.of(unused), content);
}

/** Not negative. */
export function integer(value: bigint | number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  return element(0x02, (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

/** An object identifier from its dotted form (X.690 §8.19). */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

function base128(value: number): readonly number[] {
  const digits = [value % 0x80];
  for (let left = Math.floor(value / 0x80); left > 0; left = Math.floor(left / 0x80)) {
    digits.unshift(0x80 | (left % 0x80));
  }
  return digits;
}

/** RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime after. Milliseconds since 1970; fractions are dropped. */
export function time(at: number): Buffer {
  const text = generalizedText(at);
  return text < "2050" ? element(0x17, Buffer.from(text.slice(2))) : element(0x18, Buffer.from(text));
}

export function generalizedTime(at: number): Buffer {
  return element(0x18, Buffer.from(generalizedText(at)));
}

function generalizedText(at: number): string {
  return new Date(at).toISOString().replace(/[-:T]|\.\d{3}/g, "");
}

/** An element that was read. */
export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag and length included. */
  readonly whole: Buffer;
}

/** The elements that lie one after another in some bytes. @throws Error where they do not end there. */
export function elementsIn(bytes: Uint8Array): readonly Element[] {
  const buffer = Buffer.from(bytes);
  const found: Element[] = [];
  for (let at = 0; at < buffer.length; ) {
    const short = buffer.readUInt8(at + 1);
    const size = short & 0x80 ? short & 0x7f : 0;
    const start = at + 2 + size;
    const end = start + (size === 0 ? short : buffer.readUIntBE(at + 2, size));
    if (end > buffer.length) throw new Error("an element ends outside its bytes");
    found.push({ tag: buffer.readUInt8(at), content: buffer.subarray(start, end), whole: buffer.subarray(at, end) });
    at = end;
  }
  return found;
}
