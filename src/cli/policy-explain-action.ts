import { CountersignError } from "../core/errors.ts";
import type { Explanation } from "../core/review/explanation.ts";
import { explainImage, explainRecorded } from "../ops/explain.ts";
import { ASCII_MARKS, explanationText, type Marks, UNICODE_MARKS } from "../report/explain.ts";
import { explanationDocument } from "../report/explain-json.ts";
import { readCaseOptions } from "./case-options.ts";
import type { Context } from "./context.ts";
import { exitCodeOfVerdicts } from "./exit-codes.ts";
import { openWiring } from "./images.ts";
import { nameAs, readJudging } from "./judging.ts";
import { type RawOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { openCase } from "./policy-cases.ts";

/** `countersign policy explain IMAGE`, or of a case that was recorded. */
export async function explain(
  context: Context,
  output: Output,
  image: string | undefined,
  raw: RawOptions,
): Promise<void> {
  const folder = text(raw, "case");
  const explanation = await explanationOf(context, output, image, folder, raw);
  const marks = marksFor(context.env);
  await output.result({
    text: (style) => explanationText(explanation, style, marks),
    json: () => explanationDocument(explanation),
  });
  context.exitCode = exitCodeOfVerdicts([explanation.verdict]);
}

async function explanationOf(
  context: Context,
  output: Output,
  image: string | undefined,
  folder: string | undefined,
  raw: RawOptions,
): Promise<Explanation> {
  if (folder !== undefined && image === undefined) return await explainCase(context, output, folder, raw);
  if (folder === undefined && image !== undefined) return await explainStored(context, output, image, raw);
  throw new CountersignError("usage", "one thing is explained at a time", {
    found: image === undefined ? "nothing to explain" : "an image and a case",
    wanted: "IMAGE, or --case DIR",
  });
}

async function explainStored(context: Context, output: Output, image: string, raw: RawOptions): Promise<Explanation> {
  const flags = readCaseOptions(raw);
  const wiring = await openWiring(context, output, flags, [image]);
  try {
    const judging = await readJudging({ context, output, wiring, images: [image] }, flags);
    const { policy, sources, platform, tags } = judging;
    if (policy === undefined) throw new Error("a policy was given and is not there");
    const target = nameAs(await wiring.target(image), judging);
    return await explainImage(target, policy, { platform, sources, cache: wiring.cache, tags });
  } finally {
    await wiring.close();
  }
}

/** No connection is opened. */
async function explainCase(context: Context, output: Output, folder: string, raw: RawOptions): Promise<Explanation> {
  const { recorded, policy, platform } = await openCase(context, output, folder, text(raw, "policy"));
  return await explainRecorded(recorded, folder, policy, { platform });
}

/** What the locale says that a terminal shows (POSIX, "Internationalization Variables"): the first of these that is set. */
function marksFor({ LC_ALL, LC_CTYPE, LANG }: Context["env"]): Marks {
  const locale = [LC_ALL, LC_CTYPE, LANG].find((value) => value !== undefined && value !== "");
  return locale !== undefined && /\.utf-?8(?:@|$)/i.test(locale) ? UNICODE_MARKS : ASCII_MARKS;
}
