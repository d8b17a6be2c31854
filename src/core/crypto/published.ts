import type { PublicKey } from "./public-key.ts";

/** Fingerprints of the keys in `keys-example`, whose private halves and passwords are public; a test compares them. */
const PUBLISHED: ReadonlySet<string> = new Set([
  "SHA256:0000000000000000000000000000000000000000000000000000000000000000",
]);

/** Whether anyone can sign with this key: it proves nothing, and only loopback registries may see it used. */
export function isPublishedKey(key: Pick<PublicKey, "fingerprint">): boolean {
  return PUBLISHED.has(key.fingerprint);
}
