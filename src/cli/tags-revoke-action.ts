import type { RevokeTagsResult } from "../core/tags/publish-results.ts";
import { revokeTags } from "../ops/tags/revoke.ts";
import { revokedTagsDocument, revokedTagsText } from "../report/tags/publish.ts";
import type { Context } from "./context.ts";
import { list, type RawOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { concludeEach, stateClass, withEach } from "./tags-each.ts";
import { openPublisher, openPublishing, type Publishing } from "./tags-publisher.ts";
import { type NamedTag, readNamedTag } from "./tags-repository.ts";

/** `countersign trust revoke REPO:TAG|REPO@DIGEST…`. */
export async function revokeTag(
  context: Context,
  output: Output,
  images: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const named = images.map(readNamedTag);
  const reason = text(raw, "reason") ?? "";
  const publishing = await openPublishing(context, output, named, raw);
  try {
    const { results, failed } = await withEach(images, (image) => revokeOne(publishing, readNamedTag(image), reason));
    await output.result({
      text: (style) => revokedTagsText(results, style),
      json: () => revokedTagsDocument(results, failed),
    });
    const states = results.flatMap(({ publication }) => stateClass(publication));
    concludeEach(context, failed, states);
  } finally {
    await publishing.wiring.close();
  }
}

async function revokeOne(publishing: Publishing, named: NamedTag, reason: string): Promise<RevokeTagsResult> {
  const signers = list(publishing.raw, "signer");
  return await revokeTags(await openPublisher(publishing, named), {
    tags: named.tag === undefined ? [] : [named.tag],
    digests: named.digest === undefined ? [] : [named.digest],
    reason,
    signers: signers.length === 0 ? undefined : signers,
  });
}
