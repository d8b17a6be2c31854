import { checkPins, unverifiedPins } from "../core/pins/check.ts";
import type { Pinnable } from "../core/pins/pinnable.ts";
import { checkText } from "../report/pin.ts";
import { checkDocument } from "../report/pin-json.ts";
import type { Context } from "./context.ts";
import { exitCodeOfVerdicts, type Outcome } from "./exit-codes.ts";
import type { Output } from "./output.ts";
import type { LockFile } from "./pin-files.ts";
import type { Sources } from "./sources.ts";

/** Ends `pin --check`: whether everything is pinned, and to what the lock file says. */
export async function checkImages(
  context: Context,
  output: Output,
  { label, lock }: LockFile,
  { problems, pinnables }: Pick<Sources, "problems"> & { readonly pinnables: readonly Pinnable[] },
): Promise<void> {
  const drifts = checkPins(pinnables, lock, label);
  const report = { drifts, problems, pinnables, lock: label };
  await output.result({ text: () => checkText(report), json: () => checkDocument(report) });
  for (const name of unverifiedPins(pinnables, lock))
    output.warn(`pinned with --no-verify: nobody vouches for ${name}`);
  const found = [
    ...drifts.map(({ finding }): Outcome => ({ status: "refused", reasons: [finding] })),
    ...problems.map(({ finding }): Outcome => ({ status: "undetermined", reasons: [finding] })),
  ];
  context.exitCode = exitCodeOfVerdicts(found.length === 0 ? [{ status: "accepted", reasons: [] }] : found);
}
