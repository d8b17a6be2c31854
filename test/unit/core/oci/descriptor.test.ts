import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import {
  checkBytes,
  checkedStream,
  describe as descriptorOf,
  EMPTY_DESCRIPTOR,
} from "../../../../src/core/oci/descriptor.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";

const CONTENT = encodeUtf8("a layer of some image");
const WANTED = descriptorOf(CONTENT, "application/octet-stream");

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

async function read(source: AsyncIterable<Uint8Array>, into: Uint8Array[] = []): Promise<Uint8Array> {
  for await (const chunk of source) into.push(chunk);
  return new Uint8Array(Buffer.concat(into));
}

describe("the descriptor of nothing", () => {
  it("is that of its bytes", () => {
    assert.deepEqual(EMPTY_DESCRIPTOR, descriptorOf(EMPTY_JSON, MEDIA_TYPES.ociEmpty));
  });
});

const flipped = (at: number) => CONTENT.map((byte, index) => (index === at ? byte ^ 1 : byte));

describe("a descriptor", () => {
  it("is the media type, digest and size of bytes", () => {
    assert.deepEqual(WANTED, {
      mediaType: "application/octet-stream",
      digest: digestOf(CONTENT),
      size: CONTENT.length,
    });
  });
});

describe("bytes checked as a whole", () => {
  it("pass when they are the described ones, by sha512 too", () => {
    checkBytes(CONTENT, WANTED, "the layer");
    checkBytes(CONTENT, { size: CONTENT.length, digest: digestOf(CONTENT, "sha512") }, "the layer");
  });
  it("are refused when one bit differs", () => {
    for (let at = 0; at < CONTENT.length; at++)
      thrownBy(() => checkBytes(flipped(at), WANTED, "it"), "digest-mismatch");
  });
  it("are refused by size first, with both numbers", () => {
    const error = thrownBy(() => checkBytes(CONTENT.subarray(1), WANTED, "the layer"), "size-mismatch");
    assert.deepEqual([error.found, error.wanted], ["20 bytes", "21 bytes"]);
    assert.match(error.message, /^the layer /);
  });
  it("are refused when the size is right for other bytes and the digest is theirs", () => {
    thrownBy(() => checkBytes(CONTENT, { ...WANTED, size: 20 }, "it"), "size-mismatch");
  });
});

describe("a stream that checks itself", () => {
  for (const size of [1, 2, 7, 20, 21, 1000]) {
    it(`passes the described bytes on in chunks of ${size}`, async () => {
      assert.deepEqual(await read(checkedStream(chunksOf(CONTENT, size), WANTED, "it")), CONTENT);
    });

    it(`ends in an error when chunks of ${size} hold a flipped bit`, async () => {
      await rejectedBy(() => read(checkedStream(chunksOf(flipped(20), size), WANTED, "it")), "digest-mismatch");
    });

    it(`ends in an error when chunks of ${size} end early`, async () => {
      const short = CONTENT.subarray(0, 20);
      await rejectedBy(() => read(checkedStream(chunksOf(short, size), WANTED, "it")), "size-mismatch");
    });

    it(`passes on no byte beyond the size in chunks of ${size}`, async () => {
      const long = new Uint8Array([...CONTENT, 1, 2, 3]);
      const passed: Uint8Array[] = [];
      await rejectedBy(() => read(checkedStream(chunksOf(long, size), WANTED, "it"), passed), "size-mismatch");
      assert.ok(Buffer.concat(passed).length <= WANTED.size);
    });
  }

  it("takes empty content, and chunks without bytes", async () => {
    const empty = descriptorOf(new Uint8Array(), "a/b");
    assert.equal((await read(checkedStream(chunksOf(new Uint8Array(), 1), empty, "it"))).length, 0);
    async function* gaps(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array();
      yield CONTENT;
      yield new Uint8Array();
    }
    assert.deepEqual(await read(checkedStream(gaps(), WANTED, "it")), CONTENT);
  });

  it("refuses one byte where none is described", async () => {
    const empty = descriptorOf(new Uint8Array(), "a/b");
    await rejectedBy(() => read(checkedStream(chunksOf(CONTENT, 1), empty, "it")), "size-mismatch");
  });

  it("checks sha512 as well", async () => {
    const wanted = { size: CONTENT.length, digest: digestOf(CONTENT, "sha512") };
    assert.deepEqual(await read(checkedStream(chunksOf(CONTENT, 4), wanted, "it")), CONTENT);
    await rejectedBy(() => read(checkedStream(chunksOf(flipped(0), 4), wanted, "it")), "digest-mismatch");
  });

  it("lets an error of the source through as it is", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield CONTENT.subarray(0, 3);
      throw new Error("reset");
    }
    await assert.rejects(() => read(checkedStream(failing(), WANTED, "it")), /^Error: reset$/);
  });

  it("closes the source when it refuses and when its reader stops", async () => {
    let closed = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield CONTENT;
      } finally {
        closed++;
      }
    }
    await rejectedBy(() => read(checkedStream(endless(), WANTED, "it")), "size-mismatch");
    for await (const _ of checkedStream(endless(), WANTED, "it")) break;
    assert.equal(closed, 2);
  });
});
