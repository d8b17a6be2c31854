import assert from "node:assert/strict";
import type { Finished, RunOptions } from "./peers.ts";
import type { KeyPair, Workplace } from "./workplace.ts";

/** Released cosign, with keys and without any service: no log, no timestamp authority, no trust root of anyone. */

export type CosignFormat = "bundle" | "legacy";

export interface CosignOptions {
  readonly format?: CosignFormat;
  readonly flags?: readonly string[];
  readonly env?: RunOptions["env"];
}

export async function cosignKey(work: Workplace, name: string): Promise<KeyPair> {
  await work.must("cosign", ["generate-key-pair", "--output-key-prefix", work.path(name)]);
  return work.keyPair(name);
}

/** A signing configuration that names no service at all: what a bundle without a log entry is made with. */
async function withoutServices(work: Workplace): Promise<readonly string[]> {
  const file = work.path("no-services.json");
  await work.must("cosign", ["signing-config", "create", "--out", file]);
  return ["--signing-config", file];
}

const LEGACY_SIGN = ["--tlog-upload=false", "--use-signing-config=false", "--new-bundle-format=false"];

export async function cosignSign(
  work: Workplace,
  key: KeyPair,
  image: string,
  options: CosignOptions = {},
): Promise<void> {
  const form = options.format === "legacy" ? LEGACY_SIGN : await withoutServices(work);
  const args = ["sign", "--key", key.secret, ...form, "-y", ...(options.flags ?? []), image];
  await work.must("cosign", args, { env: options.env ?? {} });
}

/** An attestation about an image: an in-toto statement in a bundle, attached as a referrer. */
export async function cosignAttest(work: Workplace, key: KeyPair, image: string): Promise<void> {
  const predicate = work.write("predicate.json", '{"buildDefinition":{},"runDetails":{}}');
  const what = ["--type", "slsaprovenance1", "--predicate", predicate];
  await work.must("cosign", ["attest", "--key", key.secret, ...(await withoutServices(work)), ...what, "-y", image]);
}

export function cosignVerify(
  work: Workplace,
  key: KeyPair,
  image: string,
  options: CosignOptions = {},
): Promise<Finished> {
  const form = options.format === "legacy" ? ["--new-bundle-format=false"] : [];
  const flags = ["--key", key.public, "--insecure-ignore-tlog=true", ...form, ...(options.flags ?? [])];
  return work.run("cosign", ["verify", ...flags, image], { env: options.env ?? {} });
}

/** One element of cosign's output for each signature that it accepted. */
export interface CosignClaim {
  readonly critical: { readonly image: { readonly "docker-manifest-digest": string } };
  readonly optional: Readonly<Record<string, unknown>> | null;
}

export async function cosignAccepts(
  work: Workplace,
  key: KeyPair,
  image: string,
  options: CosignOptions = {},
): Promise<readonly CosignClaim[]> {
  const finished = await cosignVerify(work, key, image, options);
  assert.equal(finished.code, 0, `cosign refuses ${image}: ${finished.stderr}`);
  return JSON.parse(finished.stdout) as readonly CosignClaim[];
}

export async function cosignRefuses(
  work: Workplace,
  key: KeyPair,
  image: string,
  options: CosignOptions = {},
): Promise<void> {
  const finished = await cosignVerify(work, key, image, options);
  assert.notEqual(finished.code, 0, `cosign accepts ${image}: ${finished.stdout}`);
}
