/** Times and amounts in words. */

/** @type {readonly (readonly [string, number])[]} */
const UNITS = [
  ["year", 365 * 86_400_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/**
 * "3 days ago", "in 2 hours", "just now".
 *
 * @param {number} at
 * @param {number} now
 */
export function age(at, now) {
  const distance = Math.abs(now - at);
  for (const [unit, length] of UNITS) {
    const count = Math.floor(distance / length);
    if (count >= 1) return at <= now ? `${plural(count, unit)} ago` : `in ${plural(count, unit)}`;
  }
  return "just now";
}

/**
 * `2026-09-01 12:00 UTC`.
 *
 * @param {number} at
 */
export function time(at) {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/**
 * @param {number} count
 * @param {string} noun
 */
export function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * A digest cut to what people compare.
 *
 * @param {string} image
 */
export function shortImage(image) {
  return image.replace(/@(sha(?:256|512)):([0-9a-f]{12})[0-9a-f]+$/, "@$1:$2…");
}
