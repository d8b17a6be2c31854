import { CountersignError } from "../errors.ts";
import { isLoopback } from "../oci/reference.ts";
import type { PublicKey } from "./public-key.ts";

/** Fingerprints of the keys in `keys-example`, whose private halves and passwords are public; a test compares them. */
const PUBLISHED: ReadonlySet<string> = new Set([
  "SHA256:98f342249f74e87d345c80128421b2e12733a7fbe5364cb3e8e6d914b7d93e23",
]);

/** Whether anyone can sign with this key: it proves nothing, and only loopback registries may see it used. */
export function isPublishedKey(key: Pick<PublicKey, "fingerprint">): boolean {
  return PUBLISHED.has(key.fingerprint);
}

/** Where a key is used: as it is printed, and the registry there; a file has none. */
export interface PlaceOfUse {
  readonly name: string;
  readonly registry: string | undefined;
}

/**
 * A key whose private half everybody has proves nothing: it is for trying things out on this machine.
 *
 * @throws CountersignError `key-published` where one of the places is anything but a loopback registry.
 */
export function refusePublishedKeys(keys: readonly PublicKey[], places: readonly PlaceOfUse[]): void {
  const published = keys.find(isPublishedKey);
  if (published === undefined) return;
  const outside = places.find(({ registry }) => registry === undefined || !isLoopback(registry));
  if (outside === undefined) return;
  throw new CountersignError(
    "key-published",
    `${published.label} is published as an example: anyone can sign with it`,
    { found: outside.name, wanted: "an image in a registry on a loopback address" },
  );
}
