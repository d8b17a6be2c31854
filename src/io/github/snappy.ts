import { CountersignError } from "../../core/errors.ts";

/** One element of a block: bytes that follow, or bytes that were there before. */
type Element =
  | { readonly kind: "literal"; readonly length: number }
  | { readonly kind: "copy"; readonly length: number; readonly distance: number };

/**
 * Undoes Snappy's raw block format (google/snappy, format_description.txt): no frames, no checksum. The size of the result
 * stands at the beginning and is judged before anything is allocated; exactly as much has to come out.
 *
 * @throws CountersignError `protocol-error` for what is no such block, `limit-reached`.
 */
export function decompressSnappy(block: Uint8Array, maxBytes: number): Uint8Array {
  const reader = new Reader(block);
  const size = reader.size();
  if (size > maxBytes) {
    throw new CountersignError("limit-reached", "what was compressed is too large", {
      found: `${size} bytes`,
      wanted: `at most ${maxBytes} bytes`,
    });
  }
  const output = new Uint8Array(size);
  let written = 0;
  while (!reader.isAtEnd) {
    const element = reader.element();
    if (element.length > size - written) throw broken("more comes out than the block says");
    if (element.kind === "literal") output.set(reader.take(element.length), written);
    else copyBack(output, written, element);
    written += element.length;
  }
  if (written < size) throw broken("less comes out than the block says");
  return output;
}

/** Byte by byte: a copy may reach into what it writes, which repeats it. */
function copyBack(output: Uint8Array, at: number, { length, distance }: Extract<Element, { kind: "copy" }>): void {
  if (distance === 0 || distance > at) throw broken("a copy reaches before the beginning");
  for (let done = 0; done < length; done++) output[at + done] = output[at + done - distance] ?? 0;
}

class Reader {
  readonly #block: Uint8Array;
  #at = 0;

  constructor(block: Uint8Array) {
    this.#block = block;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#block.byteLength;
  }

  /** A number in groups of seven bits, the lowest first; at most 32 bits. */
  size(): number {
    let size = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#number(1);
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80 && size < 2 ** 32) return size;
    }
    throw broken("its size is no number of 32 bits");
  }

  element(): Element {
    const tag = this.#number(1);
    const upper = tag >> 2;
    switch (tag & 3) {
      case 0:
        return { kind: "literal", length: 1 + (upper < 60 ? upper : this.#number(upper - 59)) };
      case 1:
        return { kind: "copy", length: 4 + (upper & 7), distance: (tag >> 5) * 256 + this.#number(1) };
      case 2:
        return { kind: "copy", length: 1 + upper, distance: this.#number(2) };
      default:
        return { kind: "copy", length: 1 + upper, distance: this.#number(4) };
    }
  }

  take(length: number): Uint8Array {
    if (length > this.#block.byteLength - this.#at) throw broken("it ends too early");
    this.#at += length;
    return this.#block.subarray(this.#at - length, this.#at);
  }

  /** Little-endian. */
  #number(bytes: number): number {
    return this.take(bytes).reduceRight((number, byte) => number * 256 + byte, 0);
  }
}

function broken(why: string): CountersignError {
  return new CountersignError("protocol-error", "what came is not compressed as it should be", {
    found: why,
    wanted: "a Snappy block",
  });
}
