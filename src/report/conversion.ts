import type { Dialect, ExportedFile, Loss } from "../core/policy/convert/conversion.ts";
import { formatDocument } from "./json.ts";

/** What was converted, and what of it is lost. */
export interface Conversion {
  readonly dialect: Dialect;
  readonly losses: readonly Loss[];
  readonly notes: readonly string[];
  /** Nothing where losses are not to be taken. */
  readonly files: readonly ExportedFile[];
  /** Where they were written; undefined where they are the result itself. */
  readonly to?: string | undefined;
}

/** docs/schemas/policy-conversion.json. */
export function conversionDocument(command: "policy import" | "policy export", conversion: Conversion): string {
  const { dialect, files, losses, notes, to } = conversion;
  return formatDocument(command, {
    format: dialect,
    files: files.map(({ name, content }) => ({ name, ...(to === undefined && { content }) })),
    to,
    losses,
    notes,
  });
}

/** The policy itself, for redirecting; where it was written, its files. */
export function conversionText({ files, to }: Conversion): string {
  if (to !== undefined) return files.map(({ name }) => `wrote ${name}\n`).join("");
  return files[0]?.content ?? "";
}

/** One line for each thing that is lost. */
export function lossLine({ place, what, why, effect }: Loss): string {
  return `${effect === "stricter" ? "stricter" : "dropped"}: ${what} (${place}): ${why}`;
}
