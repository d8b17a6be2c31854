import { constants, createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from "node:zlib";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Digest, type DigestAlgorithm, DigestStream } from "../../core/oci/digest.ts";
import type { LayerCompression } from "../../core/oci/layer.ts";
import { ZstdFrames } from "../../core/oci/zstd.ts";
import type { LayerDigester, OpenLayerDigester } from "../../core/ports.ts";

/** What is given to a decoder at a time, and takes from it: small pieces would cost a thread switch each. */
const BATCH_BYTES = 256 * 1024;

/**
 * Makes the digesters of one command. Decompression runs on Node's thread pool; memory is a few batches and the
 * decoder's window for each layer at work, and large zstd windows wait for each other.
 */
export function layerDigesters(): OpenLayerDigester {
  const largeWindow = new Turnstile();
  return (compression: LayerCompression, algorithm: DigestAlgorithm): LayerDigester => {
    const meter = new Meter(algorithm);
    if (compression === "none") return new PlainDigester(meter);
    return new DecodingDigester(
      compression === "gzip" ? new GzipDecoder(meter) : new ZstdDecoder(meter, largeWindow),
      meter,
    );
  };
}

/** Counts and hashes what comes out, and holds it against the limits. */
class Meter {
  readonly #digest: DigestStream;
  #in = 0;
  #out = 0;

  constructor(algorithm: DigestAlgorithm) {
    this.#digest = new DigestStream(algorithm);
  }

  compressed(bytes: number): void {
    this.#in += bytes;
  }

  output(bytes: Uint8Array): void {
    this.#out += bytes.byteLength;
    if (this.#out > LIMITS.layerBytes) throw tooLarge();
    if (this.#out > LIMITS.bombFloorBytes && this.#out > this.#in * LIMITS.bombRatio) throw bomb(this.#in, this.#out);
    this.#digest.update(bytes);
  }

  finish(): Digest {
    return this.#digest.finish();
  }
}

class PlainDigester implements LayerDigester {
  readonly #meter: Meter;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#meter.compressed(chunk.byteLength);
    this.#meter.output(chunk);
  }

  async finish(): Promise<Digest> {
    return this.#meter.finish();
  }

  abort(): void {}
}

interface Decoder {
  decode(batch: Uint8Array): Promise<void>;
  finish(): Promise<void>;
  close(): void;
}

/** Gathers chunks into batches and keeps one batch ahead of the decoder: what is being decoded and what is next. */
class DecodingDigester implements LayerDigester {
  readonly #decoder: Decoder;
  readonly #meter: Meter;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #decoding: Promise<void> = Promise.resolve();

  constructor(decoder: Decoder, meter: Meter) {
    this.#decoder = decoder;
    this.#meter = meter;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#gathered.push(chunk);
    this.#gatheredBytes += chunk.byteLength;
    if (this.#gatheredBytes >= BATCH_BYTES) await this.#flush();
  }

  async finish(): Promise<Digest> {
    await this.#flush();
    await this.#decoding;
    await this.#decoder.finish();
    this.#decoder.close();
    return this.#meter.finish();
  }

  abort(): void {
    this.#decoder.close();
  }

  /** Resolves when the batch before this one is done: then the next may be gathered. */
  async #flush(): Promise<void> {
    const batch = this.#gathered.length === 1 ? this.#gathered[0] : Buffer.concat(this.#gathered);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    await this.#decoding;
    if (batch === undefined || batch.byteLength === 0) return;
    this.#meter.compressed(batch.byteLength);
    this.#decoding = this.#decoder.decode(batch);
    // Whoever writes or finishes next hears of a failure; until then it is not unhandled.
    this.#decoding.catch(() => {});
  }
}

/** RFC 1952 with several members one after the other, as Go reads it: nothing may follow the last. */
class GzipDecoder implements Decoder {
  readonly #stream: NodeDecoder;

  constructor(meter: Meter) {
    this.#stream = new NodeDecoder(createGunzip({ chunkSize: BATCH_BYTES }), "gzip", meter);
  }

  decode(batch: Uint8Array): Promise<void> {
    return this.#stream.write(batch);
  }

  finish(): Promise<void> {
    return this.#stream.end();
  }

  close(): void {
    this.#stream.close();
  }
}

class ZstdDecoder implements Decoder {
  readonly #stream: NodeDecoder;
  readonly #frames: ZstdFrames;
  readonly #turnstile: Turnstile;
  #needsTurn = false;
  #leave: (() => void) | undefined;
  #closed = false;

  constructor(meter: Meter, turnstile: Turnstile) {
    const params = { [constants.ZSTD_d_windowLogMax]: LIMITS.zstdWindowLog };
    this.#stream = new NodeDecoder(createZstdDecompress({ chunkSize: BATCH_BYTES, params }), "zstd", meter);
    this.#turnstile = turnstile;
    this.#frames = new ZstdFrames((window) => {
      this.#needsTurn ||= window > 2 ** LIMITS.zstdSharedWindowLog;
    });
  }

  async decode(batch: Uint8Array): Promise<void> {
    const pieces = this.#frames.feed(batch);
    if (this.#needsTurn && this.#leave === undefined) await this.#enter();
    for (const piece of pieces) await this.#stream.write(piece);
  }

  async finish(): Promise<void> {
    this.#frames.finish();
    await this.#stream.end();
  }

  close(): void {
    this.#closed = true;
    this.#stream.close();
    this.#leave?.();
  }

  async #enter(): Promise<void> {
    this.#leave = await this.#turnstile.enter();
    if (this.#closed) this.#leave();
  }
}

/** One of Node's decoders as calls that end: each write resolves when its bytes are decoded and counted. */
class NodeDecoder {
  readonly #stream: Gunzip | ZstdDecompress;
  readonly #format: string;
  #given = 0;
  #isEnding = false;
  #failure: unknown;
  #settle: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  constructor(stream: Gunzip | ZstdDecompress, format: string, meter: Meter) {
    this.#stream = stream;
    this.#format = format;
    stream.on("data", (bytes: Buffer) => {
      try {
        meter.output(bytes);
      } catch (error) {
        stream.destroy(error instanceof Error ? error : undefined);
      }
    });
    stream.on("error", (error) => this.#fail(error instanceof CountersignError ? error : undecodable(format, error)));
    stream.on("end", () => this.#ended());
  }

  write(bytes: Uint8Array): Promise<void> {
    this.#given += bytes.byteLength;
    return this.#call((done) => this.#stream.write(bytes, done));
  }

  end(): Promise<void> {
    this.#isEnding = true;
    return this.#call(() => {
      this.#stream.end();
    });
  }

  close(): void {
    this.#stream.destroy();
    this.#fail(new CountersignError("interrupted", "the check of a layer was given up"));
  }

  #call(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#settle = { resolve, reject };
    if (this.#failure !== undefined) reject(this.#failure);
    // A failure arrives as the "error" event too, and there its kind is seen.
    else start((error) => (error ? undefined : resolve()));
    return promise;
  }

  /** Node ends by itself where zeros follow a member, and leaves the rest unread. */
  #ended(): void {
    if (this.#isEnding && this.#stream.bytesWritten === this.#given) this.#settle?.resolve();
    else this.#fail(invalid(this.#format, "something follows its end"));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#settle?.reject(this.#failure);
  }
}

/** Lets one through at a time. */
class Turnstile {
  #last: Promise<void> = Promise.resolve();

  /** Resolves to what must be called to let the next one through. */
  async enter(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = promise;
    await before;
    return resolve;
  }
}

function undecodable(format: string, cause: Error): CountersignError {
  return new CountersignError("layer-invalid", `a layer is not valid ${format}`, { found: cause.message, cause });
}

function invalid(format: string, why: string): CountersignError {
  return new CountersignError("layer-invalid", `a layer is not valid ${format}: ${why}`);
}

function tooLarge(): CountersignError {
  return new CountersignError("limit-reached", "a layer is too large when it is decompressed", {
    found: `more than ${LIMITS.layerBytes} bytes`,
    wanted: `at most ${LIMITS.layerBytes} bytes`,
  });
}

function bomb(compressed: number, out: number): CountersignError {
  return new CountersignError("decompression-bomb", "a layer grows too much when it is decompressed", {
    found: `${out} bytes or more from ${compressed} bytes`,
    wanted: `at most ${LIMITS.bombRatio} times its size`,
  });
}
