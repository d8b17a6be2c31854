import { LIMITS } from "../core/limits.ts";
import type { Context } from "./context.ts";
import { readNamedFile } from "./named-file.ts";

const BUNDLE = { flag: "--bundle", holds: "one Sigstore bundle", maxBytes: LIMITS.signatureBytes } as const;

/**
 * The contents of the files of `--bundle`; undefined where none was given. What is in them is for the judge to say.
 *
 * @throws CountersignError `configuration-invalid`, `limit-reached`.
 */
export async function readBundles(
  context: Pick<Context, "workingDirectory">,
  files: readonly string[],
): Promise<readonly Uint8Array[] | undefined> {
  if (files.length === 0) return undefined;
  return await Promise.all(files.map((file) => readNamedFile(context, file, BUNDLE)));
}
