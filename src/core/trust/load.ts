import type { TrustMaterial } from "./material.ts";
import { parseTrustedRoot } from "./root.ts";

/**
 * A `trusted_root.json` as trust material. `label` is what it is called when printing. The libraries that prove with it
 * are loaded here: a verification by a bare key pays nothing for them.
 *
 * @throws CountersignError `trust-invalid` or `limit-reached`.
 */
export async function loadTrustMaterial(bytes: Uint8Array, label: string): Promise<TrustMaterial> {
  const root = parseTrustedRoot(bytes);
  const { SigstoreTrust } = await import("./sigstore.ts");
  return new SigstoreTrust(root, label);
}
