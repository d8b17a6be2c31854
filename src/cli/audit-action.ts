import { CountersignError } from "../core/errors.ts";
import type { Context } from "./context.ts";
import type { RawOptions } from "./options.ts";
import type { Output } from "./output.ts";

/** `countersign audit SOURCE…`. */
export async function audit(
  _context: Context,
  _output: Output,
  sources: readonly string[],
  _raw: RawOptions,
): Promise<void> {
  if (sources.length === 0) throw new CountersignError("usage", "nothing says where to look for images");
}
