import { type Digest, digestOf } from "../../src/core/oci/digest.ts";
import type { JudgedDigest, PinResult } from "../../src/core/pins/choose.ts";
import { type Lock, type LockedImage, parseLock } from "../../src/core/pins/lock.ts";
import { type Pinnable, toPinnable } from "../../src/core/pins/pinnable.ts";
import type { Mention } from "../../src/core/sources/mention.ts";
import { referenceSlot, standsAt } from "../../src/core/sources/slot.ts";
import { type Instant, instant } from "../../src/core/time.ts";

export const DAY = 86_400_000;
export const NOW: Instant = instant(Date.UTC(2026, 7, 30, 12));

/** A digest that is called by a word: the same for the same. */
export function digestFor(word: string): Digest {
  return digestOf(new TextEncoder().encode(word));
}

export const [OLD, NEW, OTHER] = ["old", "new", "other"].map(digestFor) as [Digest, Digest, Digest];

export const WEB = "registry.example/acme/web:1";

/** A mention that stands by itself in line `line` of `deploy.yaml`. */
export function mentioned(image: string, line = 1, more: Partial<Mention> = {}): Pinnable {
  const slot = referenceSlot(image, standsAt(0));
  return toPinnable({
    image,
    kind: "kubernetes",
    place: { source: "deploy.yaml", line, column: 1 },
    ...(slot && { slot }),
    ...more,
  });
}

/** One that cannot be pinned where it stands. */
export function fixed(image: string, line = 1): Pinnable {
  return mentioned(image, line, { slot: undefined, fixed: "the tag comes from the variable TAG" });
}

export function accepted(digest: Digest, more: Partial<JudgedDigest> = {}): JudgedDigest {
  return { digest, status: "accepted", reasons: [], warnings: [], signers: [], platforms: {}, ...more };
}

export function unsigned(digest: Digest): JudgedDigest {
  return {
    ...accepted(digest),
    status: "refused",
    reasons: [{ code: "unsigned", message: "the image is not signed" }],
  };
}

export function throttled(digest: Digest): JudgedDigest {
  return {
    ...accepted(digest),
    status: "undetermined",
    reasons: [{ code: "throttled", message: "asked to slow down" }],
  };
}

export function locked(digest: Digest, more: Partial<LockedImage> = {}): LockedImage {
  return {
    name: WEB,
    digest,
    platforms: {},
    signers: ["SHA256:alice"],
    standard: digestFor("policy"),
    at: NOW,
    ...more,
  };
}

export function lockOf(...images: readonly LockedImage[]): Lock {
  return new Map(images.map((image) => [image.name, image]));
}

/** `pinned new`, `kept old`, `refused: unsigned`: results in words. */
export function inWords(results: readonly PinResult[]): readonly string[] {
  const names = new Map([OLD, NEW, OTHER].map((digest, at) => [digest, ["old", "new", "other"][at]]));
  return results.map(({ state, judged, reasons }) => {
    const digest = judged === undefined ? "" : ` ${names.get(judged.digest)}`;
    return `${state}${digest}${reasons.map(({ code }) => `: ${code}`).join("")}`;
  });
}

export function lockText(text: string): Lock {
  return parseLock(new TextEncoder().encode(text), "countersign.lock");
}
