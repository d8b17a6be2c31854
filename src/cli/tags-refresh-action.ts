import { refreshTrust } from "../ops/tags/refresh.ts";
import { refreshedDocument, refreshedText } from "../report/tags/publish.ts";
import type { Context } from "./context.ts";
import type { RawOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { concludeEach, stateClass, withEach } from "./tags-each.ts";
import { openPublisher, openPublishing } from "./tags-publisher.ts";
import { readRepository } from "./tags-repository.ts";

/** `countersign trust refresh REPO…`: each repository whatever becomes of the others. */
export async function refreshTags(
  context: Context,
  output: Output,
  names: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const publishing = await openPublishing(context, output, names.map(readRepository), raw);
  try {
    const { results, failed } = await withEach(names, async (name) =>
      refreshTrust(await openPublisher(publishing, readRepository(name))),
    );
    await output.result({
      text: (style) => refreshedText(results, context.referenceTime, style),
      json: () => refreshedDocument(results, failed),
    });
    // What a person has to do soon ends the timer's run with a failure: nobody reads the logs of those that succeed.
    const others = results.flatMap(({ publication, notices }) => [
      ...stateClass(publication),
      ...(notices.length === 0 ? [] : (["undetermined"] as const)),
    ]);
    concludeEach(context, failed, others);
  } finally {
    await publishing.wiring.close();
  }
}
