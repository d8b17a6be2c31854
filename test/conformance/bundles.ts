/** The public conformance cases for bundles through the client that the suite would drive; fails unless all are right. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CLIENT = fileURLToPath(new URL("sigstore", import.meta.url));
const VECTORS = fileURLToPath(new URL("../vectors/sigstore-conformance", import.meta.url));

/** What holds for a case that does not say otherwise, as in the suite's conftest.py. */
const IDENTITY =
  "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER = "https://token.actions.githubusercontent.com";

function fileOf(name: string, file: string): string {
  const own = join(VECTORS, name, file);
  return existsSync(own) ? own : join(VECTORS, file === "artifact" ? "a.txt" : file);
}

function textOf(name: string, file: string, otherwise: string): string {
  const own = join(VECTORS, name, file);
  return existsSync(own) ? readFileSync(own, "utf8").trim() : otherwise;
}

function signerFlags(name: string): readonly string[] {
  const key = join(VECTORS, name, "key.pub");
  if (existsSync(key)) return ["--key", key];
  const identity = textOf(name, "identity", IDENTITY);
  return ["--certificate-identity", identity, "--certificate-oidc-issuer", textOf(name, "issuer", ISSUER)];
}

const names = readdirSync(VECTORS, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);
const wrong = names.filter((name) => {
  const root = ["--trusted-root", fileOf(name, "trusted_root.json")];
  const bundle = ["--bundle", join(VECTORS, name, "bundle.sigstore.json")];
  const args = ["verify-bundle", ...bundle, ...signerFlags(name), ...root, fileOf(name, "artifact")];
  const { status } = spawnSync(CLIENT, args, { encoding: "utf8", timeout: 60_000 });
  // Refused is 1 and unusable is 2; anything else is a crash or a guess.
  return name.endsWith("_fail") ? status !== 1 && status !== 2 : status !== 0;
});
for (const name of wrong) console.log(`wrong: ${name}`);
console.log(`sigstore-conformance, bundles: ${names.length - wrong.length} of ${names.length} right`);
process.exitCode = wrong.length === 0 && names.length > 0 ? 0 : 1;
