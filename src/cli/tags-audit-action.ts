import { reasonClass } from "../core/reasons.ts";
import { auditTrust } from "../ops/tags/audit.ts";
import { auditVerdict, trustAuditsDocument, trustAuditsText } from "../report/tags/review.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { concludeEach, withEach } from "./tags-each.ts";
import { trustPlace } from "./tags-place.ts";
import { openRepository, readRepository } from "./tags-repository.ts";

/** `countersign trust audit REPO…`: each repository whatever becomes of the others. */
export async function auditTags(
  context: Context,
  output: Output,
  names: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const repositories = names.map((name) => readRepository(name).gun);
  const wiring = await openWiring(context, output, readRegistryOptions(raw), repositories);
  try {
    const { results, failed } = await withEach(names, async (name) => {
      const repository = readRepository(name);
      const place = await trustPlace(context, wiring, repository, raw);
      const images = await openRepository(wiring, repository, "read");
      return await auditTrust({ ...place, now: context.referenceTime, images, comparesRegistry: true });
    });
    await output.result({
      text: (style) => trustAuditsText(results, style),
      json: () => trustAuditsDocument(results, failed),
    });
    const wrong = results.filter((audit) => auditVerdict(audit) !== "passed").flatMap(({ findings }) => findings);
    concludeEach(
      context,
      failed,
      wrong.map(({ code }) => (reasonClass(code) === "refused" ? "refused" : "undetermined")),
    );
  } finally {
    await wiring.close();
  }
}
