import { CountersignError } from "../core/errors.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import type { ContentStore } from "../core/ports.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import { type CopyRequest, type CopyResult, copyUnnamed } from "./copy.ts";
import { giveUp } from "./transfer.ts";

/**
 * Where an image is when it is judged: still where it comes from; at the destination, before its tag is signed; there, as its
 * consumers will find it.
 */
export type PushStage = "source" | "unbound" | "published";

/** Verdicts on one image in one store, as its consumer would reach them: the image's own first. */
export type Judge = (store: ContentStore, root: Manifest, stage: PushStage) => Promise<readonly Verdict[]>;

export interface PushRequest extends CopyRequest {
  /** Signs the image where it now lies. Absent: the source must carry signatures that are accepted. */
  readonly sign?: ((store: ContentStore, root: Manifest) => Promise<void>) | undefined;
  /** Signs what the tag means, by the repository's signed tags, once the image would be accepted but for that. */
  readonly bind?: ((store: ContentStore, root: Manifest) => Promise<void>) | undefined;
  /** Verifies as the consumer will; until its tag is signed, without it. */
  readonly verify: Judge;
}

export interface PushResult {
  /** The verdicts that decided: of the source where nothing was sent, else of the destination. */
  readonly verdicts: readonly Verdict[];
  /** What was sent; absent where the source was not accepted and nothing was. */
  readonly copied?: CopyResult | undefined;
  /** The name was moved: only after the image was accepted under its digest. */
  readonly isNamed: boolean;
}

/**
 * Publishes an image: by digest, signed, its tag signed, verified as its consumers will, and named last. Whatever fails before that
 * leaves the name where it pointed; a name never points at something that is not accepted.
 *
 * @throws CountersignError what the stores, the signer or the verification throw.
 */
export async function pushImage(request: PushRequest): Promise<PushResult> {
  const { source, root, destination, sign, bind, verify } = request;
  try {
    if (sign === undefined) {
      const verdicts = await verify(source, root, "source");
      if (!isAccepted(verdicts)) return await withoutName(request, { verdicts, isNamed: false });
    }
    const copied = await copyUnnamed(request);
    await sign?.(destination.store, root);
    if (bind !== undefined) {
      const verdicts = await verify(destination.store, root, "unbound");
      if (!isAccepted(verdicts)) return await withoutName(request, { verdicts, copied, isNamed: false });
      await bind(destination.store, root);
    }
    const verdicts = await verify(destination.store, root, "published");
    if (!isAccepted(verdicts)) return await withoutName(request, { verdicts, copied, isNamed: false });
    await destination.commit(root);
    return { verdicts, copied, isNamed: true };
  } catch (error) {
    await giveUp(destination, error);
    throw error;
  }
}

/** Nothing judged is nothing accepted. */
function isAccepted(verdicts: readonly Verdict[]): boolean {
  return verdicts.length > 0 && verdicts.every((verdict) => verdict.status === "accepted");
}

async function withoutName(request: PushRequest, result: PushResult): Promise<PushResult> {
  const first = result.verdicts.find((verdict) => verdict.status !== "accepted")?.reasons[0];
  const reason = first === undefined ? undefined : new CountersignError(first.code, first.message);
  await giveUp(request.destination, reason);
  return result;
}
