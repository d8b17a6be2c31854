import { dctInspection, type InspectedReference } from "../core/dct/inspection.ts";
import { CountersignError } from "../core/errors.ts";
import { inspectTrust } from "../ops/tags/inspect.ts";
import { dctDocument, inspectDocument, inspectsText } from "../report/tags/inspect.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { flag, type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { concludeEach, withEach } from "./tags-each.ts";
import { trustPlace } from "./tags-place.ts";
import { openRepository, readInspected } from "./tags-repository.ts";

/** `countersign trust inspect REPO[:TAG]…`. */
export async function inspectTags(
  context: Context,
  output: Output,
  names: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const isDct = flag(raw, "dct");
  if (isDct && flag(raw, "checkTag")) throw noPlaceInDct();
  const repositories = names.map((name) => readInspected(name).gun);
  const wiring = await openWiring(context, output, readRegistryOptions(raw), repositories);
  try {
    const { results, failed } = await withEach(names, (name) => inspectOne(context, wiring, name, raw));
    const now = context.referenceTime;
    const reports = results.map(({ result }) => result);
    const asDct = (): string => dctDocument(dctInspection(results));
    await output.result({
      text: isDct ? asDct : (style) => inspectsText(reports, now, style),
      json: isDct ? asDct : () => inspectDocument(reports, failed),
    });
    concludeEach(context, failed);
  } finally {
    await wiring.close();
  }
}

async function inspectOne(
  context: Context,
  wiring: Wiring,
  name: string,
  raw: RawOptions,
): Promise<InspectedReference> {
  const { tag, ...repository } = readInspected(name);
  const place = await trustPlace(context, wiring, repository, raw);
  const result = await inspectTrust({
    ...place,
    now: context.referenceTime,
    images: await openRepository(wiring, repository, "read"),
    tags: tag === undefined ? undefined : [tag],
    comparesRegistry: flag(raw, "checkTag"),
  });
  return { name, tag, result };
}

function noPlaceInDct(): CountersignError {
  return new CountersignError("usage", "Docker's JSON has no place for what the registry's tags name", {
    found: "--dct and --check-tag",
    wanted: "one of them",
  });
}
