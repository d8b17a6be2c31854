import { CountersignError } from "../../core/errors.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import { checkedStream } from "../../core/oci/descriptor.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { BlobSource } from "../../core/ports.ts";
import { blobPath, type LayoutFiles } from "./files.ts";
import type { LayoutIndex } from "./layout-index.ts";

/** What a store of layout content stands on: where its files are, and how they change. */
export interface Backing {
  /** The files as they are now. */
  files(): LayoutFiles;
  index(): Promise<LayoutIndex>;
  /** Stores content that `isStored` has just denied. @throws `size-mismatch` or `digest-mismatch`, and nothing is stored. */
  storeBlob(descriptor: Descriptor, source: BlobSource): Promise<void>;
  /** Reads the index, changes it and writes it, with no other writer in between. */
  changeIndex(change: (index: LayoutIndex) => LayoutIndex): Promise<void>;
  /** Whether the content is there and is what it should be. */
  isStored(descriptor: Pick<Descriptor, "digest" | "size">): Promise<boolean>;
  close(): Promise<void>;
}

/** Remembers which contents were hashed as a whole, so that asking twice does not read them twice. */
export class Proven {
  readonly #digests = new Set<Digest>();

  add(digest: Digest): void {
    this.#digests.add(digest);
  }

  /** A damaged file is as good as none: it is stored again. */
  async isStored(files: LayoutFiles, wanted: Pick<Descriptor, "digest" | "size">): Promise<boolean> {
    if ((await files.size(blobPath(wanted.digest))) !== wanted.size) return false;
    if (this.#digests.has(wanted.digest)) return true;
    try {
      const stream = checkedStream(files.open(blobPath(wanted.digest)), wanted, "the content");
      for await (const _ of stream);
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown;
      if (thrown.code === "digest-mismatch" || thrown.code === "size-mismatch") return false;
      throw thrown;
    }
    this.#digests.add(wanted.digest);
    return true;
  }
}

/** One after the other: a second change waits for the first. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();

  run<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work, work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
