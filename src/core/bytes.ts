import { timingSafeEqual } from "node:crypto";
import { CountersignError } from "./errors.ts";

const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

/** UTF-8 bytes of a string. */
export function encodeUtf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** Strict UTF-8: invalid sequences are an error, a byte order mark is kept (and so rejected by the JSON parser). */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch (cause) {
    throw new CountersignError("malformed-signature", "text is not valid UTF-8", { cause });
  }
}

/** One order of texts, the same on every machine: by UTF-16 units. What is absent comes first. */
export function compareTexts(a = "", b = ""): number {
  return a < b ? -1 : Number(a > b);
}

export function encodeHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/**
 * Standard padded base64 and nothing else; undefined where the text is not exactly what an encoder would write.
 * Node's own decoder skips junk and takes the URL alphabet, so the result is encoded again and compared.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? new Uint8Array(bytes) : undefined;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
