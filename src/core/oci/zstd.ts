import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const MAX_BLOCK = 128 * 1024;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/** What the next bytes of the stream are. */
type Field = "magic" | "skippable-size" | "descriptor" | "header" | "block-header" | "block" | "skippable" | "checksum";

type Expected = [field: Field, bytes: number];

/**
 * Follows the frames and blocks of a zstd stream (RFC 8878 §3.1) without decompressing, and cuts it so that no piece
 * reaches from one frame into the next; skippable frames are left out. A decoder that gets the pieces one by one reads
 * streams of many frames (pzstd, zstd:chunked), which Node's decoder by itself does not on every version: it stops after
 * the first frame and reports success (nodejs/node#64741).
 */
export class ZstdFrames {
  readonly #onWindow: (bytes: number) => void;
  #field: Field = "magic";
  #wanted = 4;
  readonly #collected: number[] = [];
  #descriptorByte = 0;
  #hasChecksum = false;
  #lastBlock = false;
  #frames = 0;

  /** `onWindow` hears the window size of each frame, in bytes, before any piece of that frame is returned. */
  constructor(onWindow: (bytes: number) => void = () => {}) {
    this.#onWindow = onWindow;
  }

  /** The pieces of the next chunk. @throws CountersignError `layer-invalid` or `limit-reached`. */
  feed(chunk: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let start = this.#inFrame() ? 0 : undefined;
    for (let at = 0; at < chunk.byteLength; ) {
      const fieldStart = at;
      const before = this.#field;
      at += this.#take(chunk, at);
      if (before === "magic" && this.#field === "descriptor") {
        // A magic number that began in an earlier chunk was held back: it is a piece of its own.
        if (at - fieldStart < 4) pieces.push(magicBytes());
        start = at - fieldStart < 4 ? at : fieldStart;
      }
      if (start !== undefined && !this.#inFrame()) {
        pieces.push(chunk.subarray(start, at));
        start = undefined;
      }
    }
    if (start !== undefined && start < chunk.byteLength) pieces.push(chunk.subarray(start));
    return pieces;
  }

  /** The stream is over. @throws CountersignError `layer-invalid` unless it ends where a frame ends. */
  finish(): void {
    if (this.#field !== "magic" || this.#collected.length > 0) throw invalid("it ends in the middle of a frame");
    if (this.#frames === 0) throw invalid("it holds no frame");
  }

  #inFrame(): boolean {
    return this.#field !== "magic" && this.#field !== "skippable-size" && this.#field !== "skippable";
  }

  /** Consumes what belongs to the current field and says how many bytes that was. */
  #take(chunk: Uint8Array, at: number): number {
    const count = Math.min(this.#wanted, chunk.byteLength - at);
    if (this.#field !== "block" && this.#field !== "skippable" && this.#field !== "checksum") {
      for (let i = 0; i < count; i++) this.#collected.push(chunk[at + i] ?? 0);
    }
    this.#wanted -= count;
    while (this.#wanted === 0) [this.#field, this.#wanted] = this.#next(this.#collected.splice(0));
    return count;
  }

  /** The current field is complete: what follows it, and how many bytes that has. */
  #next(bytes: readonly number[]): Expected {
    switch (this.#field) {
      case "magic":
        return this.#magic(littleEndian(bytes));
      case "skippable-size":
        return ["skippable", littleEndian(bytes)];
      case "descriptor":
        return this.#descriptor(bytes[0] ?? 0);
      case "header":
        return this.#header(bytes);
      case "block-header":
        return this.#blockHeader(littleEndian(bytes));
      case "block":
        return this.#lastBlock ? this.#afterBlocks() : ["block-header", 3];
      case "skippable":
      case "checksum":
        return ["magic", 4];
    }
  }

  #magic(magic: number): Expected {
    // RFC 8878 §3.1.2: sixteen magic numbers start a skippable frame.
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) return ["skippable-size", 4];
    if (magic !== FRAME_MAGIC)
      throw invalid(this.#frames === 0 ? "it is not zstd" : "something follows the last frame");
    this.#frames++;
    return ["descriptor", 1];
  }

  // RFC 8878 §3.1.1.1: the descriptor says which fields the header has.
  #descriptor(byte: number): Expected {
    if ((byte & 0x08) !== 0) throw invalid("a reserved bit of a frame header is set");
    this.#descriptorByte = byte;
    this.#hasChecksum = (byte & 0x04) !== 0;
    const { window, dictionary, contentSize } = headerFields(byte);
    return ["header", window + dictionary + contentSize];
  }

  #header(bytes: readonly number[]): Expected {
    const { window, dictionary, contentSize } = headerFields(this.#descriptorByte);
    if (littleEndian(bytes.slice(window, window + dictionary)) !== 0) throw invalid("it needs a dictionary");
    const size =
      window === 1
        ? windowSize(bytes[0] ?? 0)
        : littleEndian(bytes.slice(-contentSize)) + (contentSize === 2 ? 256 : 0);
    if (size > 2 ** LIMITS.zstdWindowLog) {
      throw new CountersignError("limit-reached", "a layer needs too much memory to decompress", {
        found: `a zstd window of ${size} bytes`,
        wanted: `at most ${2 ** LIMITS.zstdWindowLog} bytes`,
      });
    }
    this.#onWindow(size);
    return ["block-header", 3];
  }

  // RFC 8878 §3.1.1.2: three bytes hold the last-block flag, the type and the size.
  #blockHeader(header: number): Expected {
    const type = (header >>> 1) & 3;
    const size = header >>> 3;
    if (type === RESERVED_BLOCK) throw invalid("a block is of the reserved type");
    if (type !== RLE_BLOCK && size > MAX_BLOCK) throw invalid("a block is too large");
    this.#lastBlock = (header & 1) === 1;
    return ["block", type === RLE_BLOCK ? 1 : size];
  }

  #afterBlocks(): Expected {
    return this.#hasChecksum ? ["checksum", 4] : ["magic", 4];
  }
}

interface HeaderFields {
  readonly window: number;
  readonly dictionary: number;
  readonly contentSize: number;
}

function headerFields(descriptor: number): HeaderFields {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  return {
    window: isSingleSegment ? 0 : 1,
    dictionary: [0, 1, 2, 4][descriptor & 3] ?? 0,
    contentSize: [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0,
  };
}

/** RFC 8878 §3.1.1.1.2. */
function windowSize(byte: number): number {
  const base = 2 ** (10 + (byte >>> 3));
  return base + (base / 8) * (byte & 7);
}

function littleEndian(bytes: readonly number[]): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

function magicBytes(): Uint8Array {
  return new Uint8Array([0x28, 0xb5, 0x2f, 0xfd]);
}

function invalid(why: string): CountersignError {
  return new CountersignError("layer-invalid", `a layer is not valid zstd: ${why}`);
}
