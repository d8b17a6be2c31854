import { collectGarbage as collect } from "../ops/tags/gc.ts";
import { gcDocument, gcText } from "../report/tags/administration.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { flag, number, type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { concludeEach } from "./tags-each.ts";
import { trustPlace } from "./tags-place.ts";
import { readRepository } from "./tags-repository.ts";

const USUAL_KEEP = 10;
const USUAL_AGE_MS = 30 * 24 * 60 * 60 * 1000;

/** `countersign trust gc REPO`. */
export async function collectGarbage(context: Context, output: Output, name: string, raw: RawOptions): Promise<void> {
  const repository = readRepository(name);
  const isDryRun = flag(raw, "dryRun");
  const wiring = await openWiring(context, output, readRegistryOptions(raw), [repository.gun]);
  try {
    const place = await trustPlace(context, wiring, repository, raw, isDryRun ? "read" : "write");
    const result = await collect({
      ...place,
      now: context.referenceTime,
      keep: number(raw, "keep") ?? USUAL_KEEP,
      olderThanMs: number(raw, "olderThan") ?? USUAL_AGE_MS,
      isDryRun,
    });
    await output.result({ text: (style) => gcText(result, style), json: () => gcDocument(result) });
    concludeEach(context, [], result.unsupported === undefined ? [] : ["undetermined"]);
  } finally {
    await wiring.close();
  }
}
