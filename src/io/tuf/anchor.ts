import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { hashOf } from "./hashes.ts";
import type { TufSource } from "./source.ts";

/** What everything starts from: a root that somebody has chosen, or the SHA-256 of one, in hexadecimal digits. */
export type Anchor = { readonly root: Uint8Array } | { readonly sha256: string };

/** The root that is meant, where it is among those that are kept. */
export function keptAnchor(anchor: Anchor, roots: readonly Uint8Array[]): Uint8Array | undefined {
  return "root" in anchor ? anchor.root : roots.find((root) => hashOf(root, "sha256") === anchor.sha256);
}

/**
 * The root with the hash that was chosen, whichever version it is. That the repository gives it does not matter: the hash
 * does.
 *
 * @throws CountersignError `trust-rejected` where the repository has no such root, and what the source throws.
 */
export async function fetchAnchor(anchor: Anchor, source: TufSource, name: string): Promise<Uint8Array> {
  if ("root" in anchor) return anchor.root;
  let seen = 0;
  for (; seen < LIMITS.tufRootSteps; seen++) {
    const root = await source.metadata(`${seen + 1}.root.json`, LIMITS.tufRootBytes);
    if (root === undefined) break;
    if (hashOf(root, "sha256") === anchor.sha256) return root;
  }
  throw new CountersignError("trust-rejected", `${name} has no root with the checksum that was given`, {
    found: `${seen} roots with other checksums`,
    wanted: `sha256:${anchor.sha256}`,
    next: "check the checksum with whoever runs the repository",
  });
}
