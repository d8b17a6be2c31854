import type { Finished } from "./peers.ts";
import type { Workplace } from "./workplace.ts";

/** Released notation, with a test certificate of its own making as signer and as what is trusted. */

/** Makes the certificate and trusts it for every repository. */
export async function notationKey(work: Workplace, name: string): Promise<void> {
  await work.must("notation", ["cert", "generate-test", "--default", name]);
  trust(work, [`ca:${name}`]);
}

/** Trusts certificates that nobody here signs with. */
export async function notationTrustsOther(work: Workplace, name: string): Promise<void> {
  await work.must("notation", ["cert", "generate-test", name]);
  trust(work, [`ca:${name}`]);
}

function trust(work: Workplace, trustStores: readonly string[]): void {
  const policy = {
    name: "interop",
    registryScopes: ["*"],
    signatureVerification: { level: "strict" },
    trustStores,
    trustedIdentities: ["*"],
  };
  work.write("home/.config/notation/trustpolicy.json", JSON.stringify({ version: "1.0", trustPolicies: [policy] }));
}

export async function notationSign(work: Workplace, image: string, ...flags: readonly string[]): Promise<void> {
  await work.must("notation", ["sign", "--insecure-registry", ...flags, image]);
}

export function notationVerify(work: Workplace, image: string): Promise<Finished> {
  return work.run("notation", ["verify", "--insecure-registry", image]);
}
