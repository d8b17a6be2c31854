import { digest } from "./keys.ts";

/** RFC 6962 §2.1: the tree over what was appended, its root and its proofs at any size. */
export class MerkleTree {
  readonly #leaves: Buffer[] = [];
  /** Hashes of full subtrees never change. */
  readonly #full = new Map<string, Buffer>();

  get size(): number {
    return this.#leaves.length;
  }

  /** The leaf's place, from 0. */
  append(content: Uint8Array): number {
    return this.#leaves.push(leafHash(content)) - 1;
  }

  root(size: number = this.size): Buffer {
    return size === 0 ? digest(new Uint8Array()) : this.#hash(0, size);
  }

  proof(index: number, size: number = this.size): readonly Buffer[] {
    return this.#path(index, 0, size);
  }

  #path(index: number, from: number, to: number): readonly Buffer[] {
    if (to - from <= 1) return [];
    const middle = from + splitOf(to - from);
    return index < middle
      ? [...this.#path(index, from, middle), this.#hash(middle, to)]
      : [...this.#path(index, middle, to), this.#hash(from, middle)];
  }

  #hash(from: number, to: number): Buffer {
    const leaf = this.#leaves[from];
    if (leaf === undefined) throw new RangeError(`no leaf ${from}`);
    if (to - from === 1) return leaf;
    const key = `${from}-${to}`;
    const known = this.#full.get(key);
    if (known !== undefined) return known;
    const middle = from + splitOf(to - from);
    const hash = nodeHash(this.#hash(from, middle), this.#hash(middle, to));
    if (middle - from === to - middle) this.#full.set(key, hash);
    return hash;
  }
}

/** The largest power of two below a size. */
function splitOf(size: number): number {
  return 2 ** Math.floor(Math.log2(size - 1));
}

export function leafHash(content: Uint8Array): Buffer {
  return digest(Buffer.concat([Buffer.of(0), content]));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return digest(Buffer.concat([Buffer.of(1), left, right]));
}
