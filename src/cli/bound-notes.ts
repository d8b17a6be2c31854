import { type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import { explainBriefly } from "../core/explain.ts";
import type { SignedTag } from "../core/tags/signed-tag.ts";
import type { Target } from "../ops/verify.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import type { RawOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { hasPins } from "./pins-place.ts";

/** What was done to the image that a tag names, by its digest. */
export interface DoneTo {
  readonly target: Target;
  readonly digest: string;
}

interface Surroundings {
  readonly context: Context;
  readonly output: Output;
  readonly wiring: Wiring;
}

/**
 * A publisher works on what was just pushed, and so by the registry's own tag: signed is signed whatever the tag means. Where a root of
 * the repository is pinned and the signed tag is for another image, this says which one consumers get. It changes no exit code.
 */
export async function noteBound(around: Surroundings, raw: RawOptions, done: readonly DoneTo[]): Promise<void> {
  const byTag = done.filter(({ target }) => target.tag !== undefined && target.digest === undefined);
  const { context, output } = around;
  if (byTag.length === 0 || !hasPins(context, raw)) return;
  try {
    const [{ openPins, readTagFlags }, { inspectSignedTag }] = await Promise.all([
      import("./signed-tags.ts"),
      import("../ops/inspect.ts"),
    ]);
    const { signedTags } = await openPins(around, readTagFlags(raw));
    for (const { target, digest } of byTag) noteOne(output, target, digest, await inspectSignedTag(target, signedTags));
  } catch (error) {
    output.note(
      `countersign: what consumers get was not looked at: ${explainBriefly(findingUnlessInterrupted(error))}`,
    );
  }
}

function noteOne(
  output: Output,
  { image, store, tag }: Target,
  digest: string,
  found: SignedTag | Finding | undefined,
) {
  if (found === undefined) return;
  const next = `countersign trust sign ${store.location}:${tag}@${digest}`;
  if (!("code" in found)) {
    const { digest: bound } = found.binding;
    if (bound !== digest)
      output.note(`countersign: consumers get ${bound} for ${image}: the tag is signed for it; next: ${next}`);
  } else if (NOT_BOUND.has(found.code)) {
    output.note(`countersign: consumers do not get ${image}: ${explainBriefly(found)}; next: ${next}`);
  }
}

/** What the publisher can mend by signing the tag. What could not be looked at is no matter of this command. */
const NOT_BOUND: ReadonlySet<string> = new Set(["tag-unlisted", "revoked"]);
