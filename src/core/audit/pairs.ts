import type { Audit, AuditedImage } from "./audit.ts";
import { withoutDigest } from "./names.ts";

/** One image in two audits; one of them alone where it is new, or gone. */
export interface Pair {
  readonly before?: AuditedImage | undefined;
  readonly after?: AuditedImage | undefined;
}

/**
 * Which image of the older audit is which of the newer: the same reference; else the same name and tag where only the pin
 * differs, the same digest first. In the order of the newer audit, what is gone behind it.
 */
export function pairImages(old: Audit, now: Audit): readonly Pair[] {
  const partners = new Map<AuditedImage, AuditedImage>();
  const left = new Set(old.images);
  for (const key of KEYS) {
    const waiting = Map.groupBy(left, key);
    for (const after of now.images) {
      if (partners.has(after)) continue;
      const before = waiting.get(key(after))?.shift();
      if (before === undefined) continue;
      partners.set(after, before);
      left.delete(before);
    }
  }
  return [
    ...now.images.map((after) => ({ before: partners.get(after), after })),
    ...[...left].map((before) => ({ before })),
  ];
}

/** From what says most to what says least. */
const KEYS: readonly ((image: AuditedImage) => string)[] = [
  ({ image }) => image,
  ({ image, digest }) => `${withoutDigest(image)} ${digest}`,
  ({ image }) => withoutDigest(image),
];
