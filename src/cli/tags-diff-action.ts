import { CountersignError } from "../core/errors.ts";
import { type Digest, isDigest } from "../core/oci/digest.ts";
import { diffTrust, type TrustState } from "../ops/tags/diff.ts";
import { diffDocument, diffText } from "../report/tags/review.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { type RawOptions, readRegistryOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { trustPlace } from "./tags-place.ts";
import { readRepository } from "./tags-repository.ts";

/** `countersign trust diff REPO`. */
export async function diffTags(context: Context, output: Output, name: string, raw: RawOptions): Promise<void> {
  const repository = readRepository(name);
  const since = text(raw, "from");
  const between: { from: TrustState; to: TrustState } =
    since === undefined ? { from: "head", to: "staged" } : { from: readState(since), to: "head" };
  const wiring = await openWiring(context, output, readRegistryOptions(raw), [repository.gun]);
  try {
    const place = await trustPlace(context, wiring, repository, raw);
    const result = await diffTrust(place, context.referenceTime, between);
    await output.result({ text: (style) => diffText(result, style), json: () => diffDocument(result) });
  } finally {
    await wiring.close();
  }
}

function readState(given: string): "previous" | Digest {
  if (given === "previous" || isDigest(given)) return given;
  throw new CountersignError("usage", "not a state of signed tags", {
    found: given,
    wanted: "previous, or the digest of an older head: sha256:…",
  });
}
