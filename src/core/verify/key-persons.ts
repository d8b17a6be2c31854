import type { PublicKey } from "../crypto/public-key.ts";
import { Alike } from "../policy/alike.ts";

/** Somebody with keys, and who they count as in a threshold. */
export interface KeyHolder {
  readonly keys: readonly PublicKey[];
  readonly person: string;
}

/**
 * Who is one person: the keys of one name are, and so are names that share a key, be it by way of a third name. The keys
 * themselves are compared, not the files that they are in.
 */
export function personsOf(
  named: readonly { readonly name: string; readonly keys: readonly PublicKey[] }[],
): ReadonlyMap<string, KeyHolder> {
  const alike = new Alike();
  for (const { name, keys } of named) {
    for (const { fingerprint } of keys) alike.join(`key ${fingerprint}`, `name ${name}`);
  }
  return new Map(named.map(({ name, keys }) => [name, { keys, person: alike.find(`name ${name}`) }]));
}
