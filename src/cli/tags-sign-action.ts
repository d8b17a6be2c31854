import { CountersignError } from "../core/errors.ts";
import type { RequiredIdentity } from "../core/tags/binding.ts";
import type { SignTagsResult } from "../core/tags/publish-results.ts";
import { type SignTagsWish, signTags } from "../ops/tags/sign.ts";
import { signedTagsDocument, signedTagsText } from "../report/tags/publish.ts";
import type { Context } from "./context.ts";
import { flag, list, number, type RawOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { concludeEach, stateClass, withEach } from "./tags-each.ts";
import { openPublisher, openPublishing, type Publishing } from "./tags-publisher.ts";
import { type NamedTag, openRepository, readNamedTag, refuseTrustTag } from "./tags-repository.ts";

/** `countersign trust sign REPO:TAG…`. */
export async function signTag(
  context: Context,
  output: Output,
  images: readonly string[],
  raw: RawOptions,
): Promise<void> {
  if (flag(raw, "approve")) {
    const { approveImage } = await import("./tags-approve-action.ts");
    return await approveImage(context, output, images, raw);
  }
  const wish = readWish(raw, images);
  const named = images.map((image) => readNamedTag(image));
  const publishing = await openPublishing(context, output, named, raw);
  try {
    const { results, failed } = await withEach(images, (image) => signOne(publishing, readNamedTag(image), wish));
    await output.result({
      text: (style) => signedTagsText(results, style),
      json: () => signedTagsDocument(results, failed),
    });
    concludeEach(
      context,
      failed,
      results.flatMap(({ publication }) => stateClass(publication)),
    );
  } finally {
    await publishing.wiring.close();
  }
}

type Wish = Omit<SignTagsWish, "images" | "tags" | "digest"> & {
  readonly also: readonly string[];
  /** Milliseconds. */
  readonly waitMs: number;
};

/** @throws CountersignError `usage` for flags that need each other, or one image. */
function readWish(raw: RawOptions, images: readonly string[]): Wish {
  const also = list(raw, "also");
  for (const tag of also) refuseTrustTag(tag);
  if (also.length > 0 && images.length > 1) {
    throw new CountersignError("usage", "--also is for one image", {
      found: `${images.length} images`,
      wanted: "one image, and its other tags",
    });
  }
  const signers = list(raw, "signer");
  return {
    also,
    source: text(raw, "source"),
    note: text(raw, "note"),
    requires: readRequired(raw),
    signers: signers.length === 0 ? undefined : signers,
    confirms: flag(raw, "confirm"),
    reinstates: flag(raw, "reinstate"),
    waitMs: number(raw, "wait") ?? 0,
  };
}

function readRequired(raw: RawOptions): readonly RequiredIdentity[] {
  const [identity, issuer] = [text(raw, "requireIdentity"), text(raw, "requireIssuer")];
  if (identity === undefined && issuer === undefined) return [];
  if (identity !== undefined && issuer !== undefined) return [{ identity, issuer }];
  throw new CountersignError("usage", "an identity is one issuer's", {
    found: identity === undefined ? "--require-issuer alone" : "--require-identity alone",
    wanted: "both of them",
  });
}

/** How often it is looked whether somebody has published what was staged. */
const POLL_MS = 5000;

async function signOne(publishing: Publishing, named: NamedTag, wish: Wish): Promise<SignTagsResult> {
  const { also, waitMs, ...rest } = wish;
  const publisher = await openPublisher(publishing, named);
  const tags = [...(named.tag === undefined ? [] : [named.tag]), ...also];
  if (tags.length === 0) {
    throw new CountersignError("usage", "no tag is named that shall stand for this digest", {
      found: `${named.gun}@${named.digest ?? ""}`,
      wanted: `${named.gun}:TAG@${named.digest ?? "sha256:…"}, or --also TAG`,
    });
  }
  const images = await openRepository(publishing.wiring, named, "read");
  const until = publisher.clock.now() + waitMs;
  const sign = () => signTags(publisher, { ...rest, images, tags, digest: named.digest });
  let result = await sign();
  while (result.publication.state === "staged" && publisher.clock.now() < until) {
    await publisher.clock.sleep(Math.min(POLL_MS, until - publisher.clock.now()));
    result = await sign();
  }
  return result;
}
