import { type Finding, findingUnlessInterrupted } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ContentStore } from "../../core/ports.ts";
import { reasonClass } from "../../core/reasons.ts";
import type { TrustAudit } from "../../core/tags/admin-results.ts";
import type { FoundBinding } from "../../core/tags/lookup.ts";
import type { TrustReading } from "../../core/tags/trust-view.ts";
import type { Instant } from "../../core/time.ts";
import { mapConcurrently } from "../concurrency.ts";
import { boundTags, noticesOf, registryDigest } from "./inspect.ts";
import { type Look, lookAround } from "./look.ts";
import { pendingRoles } from "./pending.ts";
import { MetadataReader } from "./reader.ts";
import { dueNotices } from "./summaries.ts";
import { onlooker, readWholeTrust, type TrustPlace } from "./whole.ts";

export interface TrustAuditWish extends TrustPlace {
  readonly now: Instant;
  /** Where the images are, where that is another place than the metadata's. */
  readonly images: ContentStore;
  /** Whether the registry's own tags are compared with the signed ones, and every signed image is looked for. */
  readonly comparesRegistry: boolean;
}

/**
 * Looks all of a repository's signed tags through, from the first root on: what consumers refuse, what was signed and did not get
 * into the head, what the registry shows instead, and what ends soon.
 *
 * @throws CountersignError only where it could not be looked: what the store throws that is no refusal.
 */
export async function auditTrust(wish: TrustAuditWish): Promise<TrustAudit> {
  const { gun, store, now } = wish;
  const common = { gun, location: store.location };
  let view: TrustReading;
  try {
    view = await readWholeTrust(wish, now);
  } catch (thrown) {
    const finding = findingUnlessInterrupted(thrown);
    if (reasonClass(finding.code) !== "refused") throw thrown;
    return { ...common, head: undefined, roots: 0, bindings: 0, findings: [finding], notices: [] };
  }
  const tags = boundTags(view);
  const parts = noticesOf(view);
  const refused = parts.filter(({ code }) => code !== "tag-unlisted");
  const lost = lostWrites(await lookAround(onlooker(wish, view, now), new MetadataReader(store)), view);
  const images = wish.comparesRegistry ? await comparisons(tags, wish.images) : [];
  const missing = images.filter(({ code }) => code === "not-found");
  return {
    ...common,
    head: view.head.descriptor.digest,
    roots: view.roots.length,
    bindings: tags.length,
    findings: [...refused, ...lost, ...missing],
    notices: [
      ...parts.filter((finding) => !refused.includes(finding)),
      ...images.filter((finding) => !missing.includes(finding)),
      ...dueNotices(view, now),
      ...(await waitingNotices(wish, view)),
      ...(await historyNotices(wish, view)),
    ],
  };
}

/** What is staged and valid and not in the head: a write that was lost, or waits for the online key. */
function lostWrites({ isWhole, findings, staged }: Look, head: TrustReading): readonly Finding[] {
  const ignored = findings.filter(({ message }) => head.findings.every((finding) => finding.message !== message));
  if (isWhole) return ignored;
  return [
    {
      code: "publish-staged",
      message: "something that was signed is staged, and the head does not have it",
      found: [...staged.keys()].join(", ") || "a root",
      next: "run countersign trust refresh where the online key is",
    },
    ...ignored,
  ];
}

/** The registry's own tags beside the signed ones, and signed images that are gone. */
async function comparisons(tags: readonly FoundBinding[], images: ContentStore): Promise<readonly Finding[]> {
  const current = tags.filter(({ binding }) => binding.revoked === undefined);
  const found = await mapConcurrently(current, LIMITS.tagWorkers, async ({ binding }): Promise<readonly Finding[]> => {
    const { tag = "", digest, length, mediaType = "" } = binding;
    const shown = await registryDigest(images, tag);
    if (shown === digest) return [];
    const isThere = await images.hasManifest({ digest, size: length, mediaType });
    return [...(isThere ? [] : [gone(tag, digest)]), diverged(tag, shown, digest)];
  });
  return found.flat();
}

function gone(tag: string, digest: string): Finding {
  return {
    code: "not-found",
    message: `the image that ${tag} is signed for is not in the registry`,
    wanted: digest,
    next: "push it again, or sign the tag for another image",
  };
}

function diverged(tag: string, shown: string | null, digest: string): Finding {
  return {
    code: "tag-moved",
    message: `the registry's own tag ${tag} names another image than the signed one`,
    found: shown ?? "no such tag",
    wanted: digest,
    next: "find out who moved it; clients of signed tags get the signed one",
  };
}

async function waitingNotices({ store, head }: TrustAuditWish, view: TrustReading): Promise<readonly Finding[]> {
  return (await pendingRoles(store, head, view)).map(({ role, open, missing, tag }) => ({
    code: "publish-staged",
    message: `a change of ${role} waits for ${missing} more ${missing === 1 ? "signature" : "signatures"}`,
    found: tag,
    wanted: open.join(", "),
    next: "look at it and approve it: countersign trust sign --approve",
  }));
}

/**
 * Old heads that are gone are no loss, and the oldest go first wherever somebody cleans up, `trust gc` above all. Where a younger one
 * is gone before them, something deletes whatever has no tag, and may take the next head too.
 */
async function historyNotices({ store }: TrustAuditWish, { history }: TrustReading): Promise<readonly Finding[]> {
  const found = await mapConcurrently(history, LIMITS.tagWorkers, (digest) => store.resolve(digest));
  const oldest = found.findLastIndex((manifest) => manifest !== undefined);
  const recent = oldest === -1 ? found : found.slice(0, oldest);
  const missing = recent.filter((manifest) => manifest === undefined).length;
  if (missing === 0) return [];
  return [
    {
      code: "not-found",
      message: "heads that were replaced lately are gone from the registry",
      found: `${missing} of ${history.length}`,
      next: "unless countersign trust gc was to keep none: exempt the tag of the head from the registry's retention rules",
    },
  ];
}
