import type { PublicKey } from "./public-key.ts";

/** Fingerprints of the keys in `keys-example`, whose private halves and passwords are public; a test compares them. */
const PUBLISHED: ReadonlySet<string> = new Set([
  "SHA256:98f342249f74e87d345c80128421b2e12733a7fbe5364cb3e8e6d914b7d93e23",
]);

/** Whether anyone can sign with this key: it proves nothing, and only loopback registries may see it used. */
export function isPublishedKey(key: Pick<PublicKey, "fingerprint">): boolean {
  return PUBLISHED.has(key.fingerprint);
}
