import { createHash, type Hash } from "node:crypto";
import { encodeHex } from "../bytes.ts";
import { CountersignError } from "../errors.ts";

export type DigestAlgorithm = "sha256" | "sha512";

/** `sha256:<64 hex>` or `sha512:<128 hex>`, always validated: safe in a URL and as a file name. */
export type Digest = `${DigestAlgorithm}:${string}` & { readonly __brand: "Digest" };

const HEX_LENGTH: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128 };

/** Image-spec, descriptor.md "Digests": lower-case hex of the algorithm's own length; other algorithms are refused. */
export function isDigest(text: string): text is Digest {
  const [algorithm, hex, ...rest] = text.split(":");
  if (algorithm !== "sha256" && algorithm !== "sha512") return false;
  return rest.length === 0 && hex !== undefined && hex.length === HEX_LENGTH[algorithm] && /^[0-9a-f]+$/.test(hex);
}

/** @throws CountersignError `reference-invalid` for anything but a sha256 or sha512 digest in canonical form. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new CountersignError("reference-invalid", "not a digest", {
    found: text,
    wanted: "sha256: and 64, or sha512: and 128, lower-case hexadecimal digits",
  });
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** The digest of raw bytes. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = "sha256"): Digest {
  return `${algorithm}:${encodeHex(createHash(algorithm).update(bytes).digest())}` as Digest;
}

/** A digest computed as bytes stream by. */
export class DigestStream {
  readonly #algorithm: DigestAlgorithm;
  readonly #hash: Hash;

  constructor(algorithm: DigestAlgorithm) {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Ends the computation; call it once. */
  finish(): Digest {
    return `${this.#algorithm}:${this.#hash.digest("hex")}` as Digest;
  }
}
