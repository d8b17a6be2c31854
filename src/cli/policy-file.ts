import { resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { NamedFile } from "../io/config/instances.ts";
import { readSmallFile } from "../io/keys/content.ts";
import type { Context } from "./context.ts";

/** The bytes of a policy on this machine. @throws CountersignError `policy-invalid`, `interrupted`. */
export async function readPolicyFile(
  context: Pick<Context, "workingDirectory" | "signal">,
  label: string,
): Promise<Uint8Array> {
  const file = { path: resolve(context.workingDirectory, label), label };
  const wish = { what: `the policy ${label}`, maxBytes: LIMITS.policyBytes, next: "check the path of the policy" };
  return await readWholly(context, file, wish);
}

/** What is to be read, for messages, and how much of it. */
export interface ReadWish {
  readonly what: string;
  readonly maxBytes: number;
  readonly next: string;
}

/**
 * All of a policy, or of a file beside one. As with keys, links are followed, pipes are read, and none is waited for without
 * end: whoever stops the command is heard.
 *
 * @throws CountersignError `policy-invalid`, `interrupted`.
 */
export async function readWholly(
  { signal }: Pick<Context, "signal">,
  { path, label }: NamedFile,
  { what, maxBytes, next }: ReadWish,
): Promise<Uint8Array> {
  try {
    return (await readSmallFile(path, { label, maxBytes, signal })).content;
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.class === "interrupted") throw cause;
    throw new CountersignError("policy-invalid", `${what} cannot be read`, { found: cause.found, next, cause });
  }
}
