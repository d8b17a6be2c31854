import { verdictsDocument } from "../report/json.ts";
import { verdictsText } from "../report/text.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { judgeImages, readJudging } from "./judging.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { concludeVerdicts } from "./verdicts.ts";
import { readTaggedOptions } from "./verify-options.ts";

/** `countersign verify IMAGE…`. */
export async function verify(
  context: Context,
  output: Output,
  images: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const flags = readTaggedOptions(raw);
  const wiring = await openWiring(context, output, registry, images);
  try {
    const judging = await readJudging(
      { context, output, wiring, images, mayAskAhead: true },
      { ...registry, ...flags },
    );
    const verdicts = (await judgeImages(wiring, images, judging)).flatMap((image) => image.verdicts);
    const result = {
      text: (style: Parameters<typeof verdictsText>[1]) => verdictsText(verdicts, style),
      json: () => verdictsDocument("verify", verdicts),
    };
    await concludeVerdicts(context, output, verdicts, result, flags.exitCodes);
  } finally {
    await wiring.close();
  }
}
