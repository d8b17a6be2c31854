import { createHash } from "node:crypto";

/** The hashes that are checked; metadata without either was refused on reading. */
const ALGORITHMS = ["sha256", "sha512"] as const;

/** Whether bytes have every hash given of an algorithm that is known here, and at least one such is given. */
export function hasHashes(bytes: Uint8Array, hashes: Readonly<Record<string, string>>): boolean {
  const known = ALGORITHMS.filter((algorithm) => Object.hasOwn(hashes, algorithm));
  return known.length > 0 && known.every((algorithm) => hashOf(bytes, algorithm) === hashes[algorithm]);
}

export function hashOf(bytes: Uint8Array, algorithm: "sha256" | "sha512"): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

/** The hash that stands in front of a target's file name: any of those listed may (TUF 1.0.34, 6.2). */
export function namingHash(hashes: Readonly<Record<string, string>>): string | undefined {
  return hashes["sha256"] ?? hashes["sha512"];
}
