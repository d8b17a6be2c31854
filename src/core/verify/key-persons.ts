import type { PublicKey } from "../crypto/public-key.ts";

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
  const sameAs = new Map<string, string>();
  const find = (start: string): string => {
    let at = start;
    for (let next = sameAs.get(at); next !== undefined; next = sameAs.get(at)) at = next;
    return at;
  };
  for (const { name, keys } of named) {
    for (const { fingerprint } of keys) {
      const [a, b] = [find(`key ${fingerprint}`), find(`name ${name}`)];
      if (a !== b) sameAs.set(a, b);
    }
  }
  return new Map(named.map(({ name, keys }) => [name, { keys, person: find(`name ${name}`) }]));
}
