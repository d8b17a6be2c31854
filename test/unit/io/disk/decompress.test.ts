import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { CountersignError } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import type { LayerCompression } from "../../../../src/core/oci/layer.ts";
import type { LayerDigester } from "../../../../src/core/ports.ts";
import { layerDigesters } from "../../../../src/io/disk/decompress.ts";

const open = layerDigesters();

async function digest(compression: LayerCompression, bytes: Uint8Array, chunkBytes = 1 << 16): Promise<string> {
  const digester = open(compression, "sha256");
  try {
    for (let at = 0; at < bytes.byteLength; at += chunkBytes) await digester.write(bytes.subarray(at, at + chunkBytes));
    return await digester.finish();
  } finally {
    digester.abort();
  }
}

function refuses(compression: LayerCompression, bytes: Uint8Array, code: string, chunkBytes?: number): Promise<void> {
  return assert.rejects(digest(compression, bytes, chunkBytes), (error) => {
    assert.ok(error instanceof CountersignError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

const text = Buffer.from("a line of a file in a layer\n".repeat(40_000));
const noise = randomBytes(700_000);
const skippable = (length: number, nibble = 0): Buffer => {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a50 + nibble, 0);
  header.writeUInt32LE(length, 4);
  return Buffer.concat([header, Buffer.alloc(length, 0xff)]);
};

for (const chunkBytes of [1 << 16, 1 << 20, 4093]) {
  describe(`The layer digester, fed ${chunkBytes} bytes at a time`, () => {
    it("hashes the content of one gzip member (RFC 1952)", async () => {
      assert.equal(await digest("gzip", gzipSync(text), chunkBytes), digestOf(text));
      assert.equal(await digest("gzip", gzipSync(noise), chunkBytes), digestOf(noise));
    });

    it("reads every gzip member (RFC 1952 §2.2)", async () => {
      const members = Buffer.concat([gzipSync(text), gzipSync(Buffer.alloc(0)), gzipSync(noise)]);
      assert.equal(await digest("gzip", members, chunkBytes), digestOf(Buffer.concat([text, noise])));
    });

    it("reads every zstd frame, where Node's decoder may stop after the first (RFC 8878 §3)", async () => {
      const frames = Buffer.concat([
        zstdCompressSync(text),
        zstdCompressSync(Buffer.alloc(0)),
        zstdCompressSync(noise),
      ]);
      assert.equal(await digest("zstd", frames, chunkBytes), digestOf(Buffer.concat([text, noise])));
    });

    it("leaves out skippable zstd frames, before, between and after (RFC 8878 §3.1.2)", async () => {
      const frames = [
        skippable(5),
        zstdCompressSync(text),
        skippable(0, 15),
        skippable(300_000),
        zstdCompressSync(noise),
        skippable(9),
      ];
      assert.equal(await digest("zstd", Buffer.concat(frames), chunkBytes), digestOf(Buffer.concat([text, noise])));
    });

    it("reads zstd frames that carry checksums, and those that state their size", async () => {
      const params = { [constants.ZSTD_c_checksumFlag]: 1 };
      const frames = [
        zstdCompressSync(text, { params, pledgedSrcSize: text.byteLength }),
        zstdCompressSync(text, { params }),
      ];
      assert.equal(await digest("zstd", Buffer.concat(frames), chunkBytes), digestOf(Buffer.concat([text, text])));
    });
  });
}

describe("The layer digester", () => {
  it("hashes an uncompressed layer as it is", async () => {
    assert.equal(await digest("none", noise), digestOf(noise));
  });

  it("reads thousands of small zstd frames, as zstd:chunked writes them", async () => {
    const files = Array.from({ length: 3000 }, (_, at) => Buffer.from(`file ${at}\n`));
    const frames = files.map((file) => zstdCompressSync(file));
    assert.equal(await digest("zstd", Buffer.concat(frames)), digestOf(Buffer.concat(files)));
  });

  it("reads a zstd stream byte by byte", async () => {
    const bytes = Buffer.concat([skippable(3), zstdCompressSync("one"), skippable(1), zstdCompressSync("two")]);
    assert.equal(await digest("zstd", bytes, 1), digestOf(Buffer.from("onetwo")));
  });

  it("can hash with sha512", async () => {
    const digester = open("gzip", "sha512");
    await digester.write(gzipSync(text));
    assert.equal(await digester.finish(), digestOf(text, "sha512"));
  });

  for (const [name, bytes] of Object.entries({
    "an empty file": Buffer.alloc(0),
    "what is not gzip": noise,
    "a plain tar": Buffer.alloc(10_240),
    "zstd under the name of gzip": zstdCompressSync(text),
    "a member cut short": gzipSync(noise).subarray(0, -1),
    "a member cut in its header": gzipSync(text).subarray(0, 5),
    "a second member cut short": Buffer.concat([gzipSync(text), gzipSync(noise).subarray(0, -9)]),
    "a wrong checksum": flipped(gzipSync(text), -6),
    "a wrong length": flipped(gzipSync(text), -2),
    "junk after the last member": Buffer.concat([gzipSync(text), Buffer.from("PK")]),
    "one zero after the last member": Buffer.concat([gzipSync(text), Buffer.alloc(1)]),
    "zeros after the last member": Buffer.concat([gzipSync(text), Buffer.alloc(100_000)]),
    "half a magic number after the last member": Buffer.concat([gzipSync(text), Buffer.from([0x1f])]),
  })) {
    it(`refuses as gzip: ${name}`, async () => {
      await refuses("gzip", bytes, "layer-invalid");
      await refuses("gzip", bytes, "layer-invalid", 1021);
    });
  }

  const frame = zstdCompressSync(text);
  for (const [name, bytes] of Object.entries({
    "an empty file": Buffer.alloc(0),
    "what is not zstd": noise,
    "gzip under the name of zstd": gzipSync(text),
    "nothing but a skippable frame": skippable(4),
    "a frame cut short": zstdCompressSync(noise).subarray(0, -1),
    "a frame cut in its header": frame.subarray(0, 5),
    "a frame cut in its magic number": frame.subarray(0, 3),
    "a second frame cut short": Buffer.concat([frame, frame.subarray(0, -2)]),
    "a skippable frame cut short": Buffer.concat([frame, skippable(9).subarray(0, -1)]),
    "junk after the last frame": Buffer.concat([frame, Buffer.from("junk")]),
    "zeros after the last frame": Buffer.concat([frame, Buffer.alloc(10)]),
    "a wrong checksum": flipped(zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }), -1),
    "a reserved bit": flipped(frame, 4, 0x08),
    "a dictionary": Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x07, 0x01, 0x01, 0x00, 0x00]),
    "a block of the reserved type": Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x01, 0x07, 0x00, 0x00]),
  })) {
    it(`refuses as zstd: ${name}`, async () => {
      await refuses("zstd", bytes, "layer-invalid");
      await refuses("zstd", bytes, "layer-invalid", 7);
    });
  }

  it("refuses a zstd window beyond the limit before any memory is spent on it (RFC 8878 §3.1.1.1.2)", async () => {
    const exponent = LIMITS.zstdWindowLog - 10;
    await refuses("zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (exponent << 3) | 1, 1, 0, 0]), "limit-reached");
    const singleSegment = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0x01, 0x00, 0x00, 0x08, 1, 0, 0]);
    await refuses("zstd", singleSegment, "limit-reached");
  });

  it("refuses a zstd bomb at its ratio, whatever it would grow to", async () => {
    await refuses("zstd", zstdCompressSync(Buffer.alloc(200 << 20)), "decompression-bomb");
  });

  it("lets content that is merely repetitive grow up to the floor", async () => {
    const zeros = Buffer.alloc(LIMITS.bombFloorBytes);
    assert.equal(await digest("zstd", zstdCompressSync(zeros)), digestOf(zeros));
  });

  it("decompresses layers with large zstd windows one after the other", async () => {
    const big = Buffer.concat(Array.from({ length: 12 }, () => noise));
    const params = { [constants.ZSTD_c_windowLog]: 25, [constants.ZSTD_c_compressionLevel]: 1 };
    const compressed = zstdCompressSync(big, { params });
    const small = zstdCompressSync(text);
    const first = open("zstd", "sha256");
    await first.write(compressed.subarray(0, 1 << 19));
    await first.write(compressed.subarray(1 << 19, 1 << 20));
    let secondIsDone = false;
    const second = digest("zstd", compressed).then((found) => {
      secondIsDone = true;
      return found;
    });
    assert.equal(await digest("zstd", small), digestOf(text), "a small window waits for nobody");
    assert.equal(secondIsDone, false);
    await first.write(compressed.subarray(1 << 20));
    assert.equal(await first.finish(), digestOf(big));
    assert.equal(await second, digestOf(big));
  });

  it("lets the next large window through when one is given up", async () => {
    const params = { [constants.ZSTD_c_windowLog]: 25 };
    const compressed = zstdCompressSync(Buffer.concat(Array.from({ length: 12 }, () => noise)), { params });
    const abandoned: LayerDigester[] = [open("zstd", "sha256"), open("zstd", "sha256")];
    for (const digester of abandoned) void digester.write(compressed).catch(() => {});
    for (const digester of abandoned) digester.abort();
    assert.match(await digest("zstd", compressed), /^sha256:/);
  });

  it("rejects every call after a failure, and never hangs", async () => {
    const digester = open("gzip", "sha256");
    await digester.write(noise).catch(() => {});
    await assert.rejects(digester.finish(), { code: "layer-invalid" });
    digester.abort();
  });
});

function flipped(bytes: Buffer, at: number, mask = 1): Buffer {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.byteLength + at : at;
  copy[index] = (copy[index] ?? 0) ^ mask;
  return copy;
}
