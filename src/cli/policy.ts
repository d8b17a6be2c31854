import { dirname, resolve } from "node:path";
import type { PolicyDocument } from "../core/policy/document.ts";
import { parsePolicy } from "../core/policy/parse.ts";
import { requireSelfContained } from "../core/policy/travel.ts";
import type { Rulebook } from "../core/verify/criterion.ts";
import { openRulebook, type PolicyMaterial } from "../core/verify/rulebook.ts";
import type { Context } from "./context.ts";
import { placesOf } from "./images.ts";
import type { Output } from "./output.ts";
import { readPolicyFile } from "./policy-file.ts";
import { type MaterialOptions, PolicyFiles } from "./policy-material.ts";
import type { FindTrust } from "./signers.ts";
import { findTrust } from "./trust.ts";
import type { TrustServices } from "./trust-instances.ts";
import type { TrustOptions } from "./trust-options.ts";

/** Which policy, for what. */
export interface PolicyFlags {
  /** As the user called it. */
  readonly file: string;
  /** Whom to believe where the policy does not say. */
  readonly trust: TrustOptions;
  /** What is to be judged, as the command line names it. */
  readonly images: readonly string[];
  /** Where trust roots are found; on this machine where nothing is said. */
  readonly find?: FindTrust | undefined;
  /** Its bytes, where it was fetched from a registry and is believed. */
  readonly fetched?: Uint8Array | undefined;
  /** Fetches what it names in a registry; absent where no connection is opened. */
  readonly fetchList?: MaterialOptions["fetchList"];
}

export interface OpenPolicy {
  readonly document: PolicyDocument;
  readonly rulebook: Rulebook;
  /** Where what it names is read. */
  readonly material: PolicyMaterial;
  /** The policy as it was read. */
  readonly bytes: Uint8Array;
}

/**
 * A policy as what it requires of images. What it names beside itself is read when a rule is first asked for that needs it.
 *
 * @throws CountersignError `policy-invalid`.
 */
export async function openPolicy(
  context: Context,
  output: Output,
  wiring: TrustServices,
  { file, trust, images, find = findTrust, fetched, fetchList }: PolicyFlags,
): Promise<OpenPolicy> {
  const bytes = fetched ?? (await readPolicyFile(context, file));
  const document = parsePolicy(bytes, file);
  if (fetched !== undefined) requireSelfContained(document);
  const folder = dirname(resolve(context.workingDirectory, file));
  const places = placesOf(images);
  const material = new PolicyFiles(context, output, wiring, { folder, trust, places, find, fetchList });
  return { document, rulebook: openRulebook(document, material, context.referenceTime), material, bytes };
}
