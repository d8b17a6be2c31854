import { CountersignError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { parseReference, repositoryName } from "../oci/reference.ts";
import type { Reading, SourceText } from "../sources/mention.ts";
import type { PinResult } from "./choose.ts";
import { applyPins } from "./edit.ts";
import type { SettledPin } from "./locking.ts";

/** A file whose text changes. */
export interface RewrittenFile<File extends SourceText> {
  readonly file: File;
  readonly text: string;
}

export interface Rewriting<File extends SourceText> {
  readonly files: readonly RewrittenFile<File>[];
  /** In the order of the results. */
  readonly pins: readonly SettledPin[];
}

/**
 * Puts the digests into the files. What comes out is read again as the file was: it has to name the same images in the same
 * order, each by the digest that it was to get, or nothing of it is used.
 *
 * @param read How the files were read.
 * @throws CountersignError `internal` where a file does not say afterwards what it should.
 */
export function rewriteFiles<File extends SourceText>(
  files: readonly File[],
  results: readonly PinResult[],
  read: (file: SourceText) => Reading,
): Rewriting<File> {
  const bySource = Map.groupBy(results, ({ mention }) => mention.place.source);
  const after = new Map<PinResult, SettledPin>();
  const rewritten = files.flatMap((file) => {
    const own = bySource.get(file.label) ?? [];
    const text = applyPins(file.text, own.flatMap(toPin));
    if (text === file.text) return [];
    for (const pin of readAgain(file, text, own, read)) after.set(pin.was, pin.settled);
    return [{ file, text }];
  });
  const pins = results.map((result) => after.get(result) ?? { ...result, after: result.reference });
  return { files: rewritten, pins };
}

/** The digest that a mention gets, where it gets one. */
function newDigest({ state, judged }: PinResult): Digest | undefined {
  return state === "pinned" || state === "moved" ? judged?.digest : undefined;
}

function toPin(result: PinResult) {
  const digest = newDigest(result);
  const { slot } = result.mention;
  return digest === undefined || slot === undefined ? [] : [{ slot, digest }];
}

function readAgain(
  { label, text: before }: SourceText,
  text: string,
  results: readonly PinResult[],
  read: (file: SourceText) => Reading,
) {
  const [{ problems }, { mentions, problems: newProblems }] = [read({ label, text: before }), read({ label, text })];
  if (mentions.length !== results.length || newProblems.length !== problems.length) {
    throw notAsMeant(label, `${mentions.length} images in place of ${results.length}`);
  }
  return results.map((was, at) => {
    const image = mentions[at]?.image ?? "";
    const settled = { ...was, after: parseReference(image) };
    if (!isAsMeant(settled)) throw notAsMeant(label, `${image} in place of ${was.mention.image}`);
    return { was, settled };
  });
}

/** The same repository and, unless the format drops it beside a digest, the same tag. */
function isAsMeant(pin: SettledPin): boolean {
  const { reference, after } = pin;
  return (
    repositoryName(after) === repositoryName(reference) &&
    (after.tag === reference.tag || after.tag === undefined) &&
    after.digest === (newDigest(pin) ?? reference.digest)
  );
}

function notAsMeant(label: string, found: string): CountersignError {
  return new CountersignError("internal", `pinning ${label} would change more than its digests; nothing was written`, {
    found,
  });
}
