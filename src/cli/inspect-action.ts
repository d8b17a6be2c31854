import { type PredicateType, resolveType } from "../core/formats/predicates.ts";
import { inspectImage, inspectSignedTag } from "../ops/inspect.ts";
import { type Reached, reachNarrowed } from "../ops/verify.ts";
import { inspectionDocument, inspectionText } from "../report/inspect.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { narrowTarget, openWiring } from "./images.ts";
import { list, type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { openPins, readTagFlags } from "./signed-tags.ts";

/** `countersign inspect IMAGE`. What could not be looked at makes it exit 3: what is shown is not all there may be. */
export async function inspect(context: Context, output: Output, image: string, raw: RawOptions): Promise<void> {
  const registry = readRegistryOptions(raw);
  const types = list(raw, "attestation").flatMap(resolveType);
  const wiring = await openWiring(context, output, registry, [image]);
  try {
    const named = await wiring.target(image);
    const tags = await openPins({ context, output, wiring }, readTagFlags(raw));
    if (types.length > 0)
      return await listThem(context, output, await reachNarrowed(named, registry.platform, { tags }), types);
    const target = await narrowTarget(named, registry.platform);
    const signedTag = await inspectSignedTag(named, tags.signedTags);
    const inspection = { ...(await inspectImage(target)), signedTag };
    await output.result({
      text: (style) => inspectionText(inspection, style),
      json: () => inspectionDocument(inspection),
    });
    if (inspection.incomplete) context.exitCode = EXIT_CODES.undetermined;
  } finally {
    await wiring.close();
  }
}

/** The attestations of some types with what they say: for others to go on with, and so of what the signed tag means. */
async function listThem(
  context: Context,
  output: Output,
  { target, root }: Reached,
  types: readonly PredicateType[],
): Promise<void> {
  const { listAttestations } = await import("../ops/list-attestations.ts");
  const { attestationsDocument, attestationsText } = await import("../report/attestations.ts");
  const listing = await listAttestations({ ...target, resolved: root }, types);
  await output.result({
    text: (style) => attestationsText(listing, style),
    json: () => attestationsDocument(listing),
  });
  if (listing.problems.length > 0) context.exitCode = EXIT_CODES.undetermined;
}
