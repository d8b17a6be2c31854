import { CountersignError } from "../core/errors.ts";
import { pinnableIn, toPinnable } from "../core/pins/pinnable.ts";
import type { Context } from "./context.ts";
import type { RawOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { openLockFile } from "./pin-files.ts";
import { readPinOptions } from "./pin-options.ts";
import { readSourceOptions } from "./source-options.ts";
import { readSources, type Sources } from "./sources.ts";

/** `countersign pin FILE|DIR…`. A check loads nothing that speaks to a registry. */
export async function pin(
  context: Context,
  output: Output,
  sources: readonly string[],
  raw: RawOptions,
  isOnLine: (name: string) => boolean,
): Promise<void> {
  const options = readPinOptions(raw, isOnLine);
  const sourceOptions = readSourceOptions(raw);
  if (options.mode !== "check") sources.forEach(refuseUnlessFile);
  const wanted = options.mode === "check" ? undefined : (await import("./pin-images.ts")).readWanted(raw, options);
  const lockFile = await openLockFile(context, output, options.lock);
  const read = pinnableSources(await readSources(context, sources, sourceOptions));
  requireImages(read, sources);
  const pinnables = read.mentions.map(toPinnable);
  if (wanted === undefined) {
    const { checkImages } = await import("./pin-check.ts");
    return await checkImages(context, output, lockFile, { ...read, pinnables });
  }
  requireFiles(read);
  const { pinImages } = await import("./pin-images.ts");
  await pinImages(context, output, lockFile, { ...read, pinnables }, wanted);
}

function pinnableSources({ files, read, ...reading }: Sources): Sources {
  return { ...pinnableIn(reading), files, read: (file) => pinnableIn(read(file)) };
}

/** Nothing that was looked at is no success. @throws CountersignError `usage`. */
function requireImages({ mentions, problems }: Sources, sources: readonly string[]): void {
  if (mentions.length > 0 || problems.length > 0) return;
  throw new CountersignError("usage", "no image is named there", { found: sources.join(", ") });
}

/** @throws CountersignError `usage` for what nothing can be written into. */
function refuseUnlessFile(source: string): void {
  if (source === "-") throw noFile("standard input");
  if (/^(?:registry|cluster):\/\//.test(source)) throw noFile(source);
}

/** The same for a pipe that has a name. */
function requireFiles({ mentions, files }: Sources): void {
  const labels = new Set(files.map(({ label }) => label));
  const other = mentions.find(({ place }) => !labels.has(place.source));
  if (other !== undefined) throw noFile(other.place.source);
}

function noFile(found: string): CountersignError {
  return new CountersignError("usage", "only files can be pinned", {
    found,
    wanted: "files and folders; countersign pin --check reads standard input too, countersign audit all else",
  });
}
