import { dirname, resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { PolicyDocument } from "../core/policy/document.ts";
import { parsePolicy } from "../core/policy/parse.ts";
import { requireSelfContained } from "../core/policy/travel.ts";
import type { Rulebook } from "../core/verify/criterion.ts";
import { openRulebook, type PolicyMaterial } from "../core/verify/rulebook.ts";
import { readNamedFile } from "../io/config/file.ts";
import type { Context } from "./context.ts";
import { placesOf } from "./images.ts";
import type { Output } from "./output.ts";
import { PolicyFiles } from "./policy-material.ts";
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
  { file, trust, images, find = findTrust, fetched }: PolicyFlags,
): Promise<OpenPolicy> {
  const path = resolve(context.workingDirectory, file);
  const bytes = fetched ?? (await readPolicy(path, file));
  const document = parsePolicy(bytes, file);
  if (fetched !== undefined) requireSelfContained(document);
  const places = placesOf(images);
  const material = new PolicyFiles(context, output, wiring, { folder: dirname(path), trust, places, find });
  return { document, rulebook: openRulebook(document, material, context.referenceTime), material, bytes };
}

async function readPolicy(path: string, label: string): Promise<Uint8Array> {
  const bytes = await readNamedFile({ path, label }, LIMITS.policyBytes).catch((cause: unknown) => {
    if (!(cause instanceof CountersignError) || cause.class === "interrupted") throw cause;
    const { message, found, wanted } = cause;
    throw new CountersignError("policy-invalid", message, { found, wanted, next: CHECK_PATH, cause });
  });
  if (bytes !== undefined) return bytes;
  throw new CountersignError("policy-invalid", `cannot read ${label}`, {
    found: "there is no such file",
    next: CHECK_PATH,
  });
}

const CHECK_PATH = "check the path of --policy";
