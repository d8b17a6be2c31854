/** How bad a vulnerability is, mildest first. */
export const SEVERITIES = ["none", "low", "medium", "high", "critical"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** `unknown`: nobody has said it, or it is said in a way that is not read. It counts as critical. */
export type Rating = Severity | "unknown";

/**
 * The words of scanners and of those whose advisories they hand on: CVSS's own, GitHub's and npm's (moderate), Red Hat's and
 * Microsoft's (important), Debian's and Ubuntu's (unimportant, negligible: low, since they are vulnerabilities).
 */
const WORDS: ReadonlyMap<string, Severity> = new Map([
  ["none", "none"],
  ["negligible", "low"],
  ["unimportant", "low"],
  ["minor", "low"],
  ["low", "low"],
  ["medium", "medium"],
  ["moderate", "medium"],
  ["high", "high"],
  ["important", "high"],
  ["critical", "critical"],
]);

/** The rating that a word stands for, whatever its case; `unknown` for `Unknown`, `untriaged` and what nobody knows. */
export function ratingOfWord(word: string): Rating {
  return WORDS.get(word.trim().toLowerCase()) ?? "unknown";
}

const HIGHEST_SCORE = 10;

/** The qualitative rating of a score from 0 to 10 (CVSS 3.1 and 4.0, "Qualitative Severity Rating Scale"). */
export function ratingOfScore(score: number): Rating {
  if (!(score >= 0 && score <= HIGHEST_SCORE)) return "unknown";
  if (score === 0) return "none";
  // Scores have one decimal; where one has more, what lies between two ratings is the worse.
  if (score <= 3.9) return "low";
  if (score <= 6.9) return "medium";
  return score <= 8.9 ? "high" : "critical";
}

/** 0 for `none` to 4 for `critical`, and for `unknown`. */
export function rankOf(rating: Rating): number {
  return SEVERITIES.indexOf(rating === "unknown" ? "critical" : rating);
}

/** The worst of several sources; `unknown` where there is none. One that is unknown is as bad as critical. */
export function worstRating(ratings: readonly Rating[]): Rating {
  const [first = "unknown", ...others] = ratings;
  return others.reduce<Rating>((worst, rating) => (isWorse(rating, worst) ? rating : worst), first);
}

function isWorse(rating: Rating, other: Rating): boolean {
  const difference = rankOf(rating) - rankOf(other);
  return difference > 0 || (difference === 0 && rating === "critical" && other === "unknown");
}
