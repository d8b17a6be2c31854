import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { onDisk } from "../io/disk/errors.ts";
import type { SavedKit } from "../ops/kit.ts";
import { type KitReport, type KitResult, kitDocument, kitPolicyText, kitText } from "../report/kit.ts";
import type { Style } from "../report/style.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import { concludeVerdicts } from "./verdicts.ts";
import type { VerifyOptions } from "./verify-options.ts";

/** A kit as it is told of. `file` is as the user called it. */
export async function kitReport(
  { workingDirectory }: Context,
  file: string,
  { digest, list, trustRoots }: Pick<SavedKit, "digest" | "list" | "trustRoots">,
): Promise<KitReport> {
  const { size: bytes } = await onDisk(`read ${file}`, () => stat(resolve(workingDirectory, file)));
  return { file, digest, list, trustRoots, bytes };
}

/** Ends `save` or `load`. Without flags to judge by, no image was judged, and there is nothing that could go wrong. */
export async function concludeKit(
  context: Context,
  output: Output,
  result: KitResult,
  flags: VerifyOptions | undefined,
): Promise<void> {
  const said = {
    text: (style: Style) => kitText(result, style),
    json: () => kitDocument(result),
    more: { policy: () => kitPolicyText(result) },
  };
  if (flags === undefined) return await output.result(said);
  const verdicts = result.images.flatMap((image) => image.verdicts);
  await concludeVerdicts(context, output, verdicts, said, flags.exitCodes);
}
