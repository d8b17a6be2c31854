import { inspectImage } from "../ops/inspect.ts";
import { inspectionDocument, inspectionText } from "../report/inspect.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { narrowTarget, openWiring } from "./images.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";

/** `countersign inspect IMAGE`. What could not be looked at makes it exit 3: what is shown is not all there may be. */
export async function inspect(context: Context, output: Output, image: string, raw: RawOptions): Promise<void> {
  const registry = readRegistryOptions(raw);
  const wiring = await openWiring(context, output, registry, [image]);
  try {
    const inspection = await inspectImage(await narrowTarget(await wiring.target(image), registry.platform));
    await output.result({
      text: (style) => inspectionText(inspection, style),
      json: () => inspectionDocument(inspection),
    });
    if (inspection.incomplete) context.exitCode = EXIT_CODES.undetermined;
  } finally {
    await wiring.close();
  }
}
