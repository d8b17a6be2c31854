import { canonicalJson } from "../tags/canonical.ts";
import { type DctKey, isDctSignature } from "./keys.ts";
import type { DctFile } from "./roles.ts";

/** Keys that signed, each counted once however often and under whatever id it stands there. */
export function validSigners(
  { signed, signatures }: DctFile<unknown>,
  keyIds: readonly string[],
  keys: ReadonlyMap<string, DctKey>,
): readonly DctKey[] {
  const data = canonicalJson(signed);
  const valid = new Map<string, DctKey>();
  for (const signature of signatures) {
    const key = keyIds.includes(signature.keyId) ? keys.get(signature.keyId) : undefined;
    if (key !== undefined && isDctSignature(key, signature, data)) valid.set(key.key.fingerprint, key);
  }
  return [...valid.values()];
}

/** The beginning of a key's id, as Docker prints it. */
export function shortDctId(id: string): string {
  return id.slice(0, 12);
}
