import { placeName, type Rule } from "../document.ts";
import { overlap } from "../image-overlap.ts";
import { compareSpecificity, type ImageGlob, parseImagePattern, specificityOf } from "../image-pattern.ts";
import { type Clause, clausesOf } from "./clauses.ts";
import type { ExportSource, Losses } from "./conversion.ts";

/** A rule as other enforcers can be told of it. */
export interface PlainRule {
  readonly rule: Rule;
  readonly globs: readonly ImageGlob[];
  /** Lets everything through, and says what would have kept it out. */
  readonly isOpen: boolean;
  /** All of these, whatever `isOpen` says. */
  readonly clauses: readonly Clause[];
}

/** The rules of a policy without what no other enforcer has: lists of what was withdrawn, exceptions, every platform. */
export function plainRules(source: ExportSource, losses: Losses): readonly PlainRule[] {
  const { rules, withdrawn } = source.document;
  for (const { place } of withdrawn) losses.add(placeName(place), "the list of withdrawn digests", WITHDRAWN);
  return rules.map((rule) => plainRule(rule, source, losses));
}

const WITHDRAWN = "no other enforcer reads one; nothing that it could name may be accepted, so nothing is";
const PLATFORMS = "no other enforcer asks every platform of an index for its own; what the rule is for is refused";
const SIGNED_TAG = "no other enforcer resolves tags by signed metadata; what the rule is for is refused";

function plainRule(rule: Rule, source: ExportSource, losses: Losses): PlainRule {
  const globs = rule.images.map(({ text }) => parseImagePattern(text));
  for (const { place, owner } of rule.exceptions) {
    losses.add(placeName(place), `the exception of ${owner}`, "exceptions that end are known here alone");
  }
  const isClosed = source.document.withdrawn.length > 0;
  const wantsEach = rule.platforms === "each" && rule.mode === "enforce";
  if (wantsEach) losses.add(placeName(rule.place), "platforms: each", PLATFORMS);
  const wantsTag = rule.signedTag === "required" && rule.require.kind !== "signedTag" && rule.mode === "enforce";
  if (wantsTag) losses.add(placeName(rule.place), "signedTag: required", SIGNED_TAG);
  const clauses = isClosed || wantsEach || wantsTag ? [[]] : clausesOf(rule.require, source, losses);
  return { rule, globs, isOpen: rule.mode === "warn" && !isClosed, clauses };
}

/** Whether there is a repository that both are about, be it by other tags or digests. `spend` is told of every step. */
export function shareRepositories(
  a: ImageGlob,
  b: ImageGlob,
  spend: (steps: number) => void = () => undefined,
): boolean {
  return overlap(withoutVersion(a), withoutVersion(b), spend);
}

function withoutVersion(glob: ImageGlob): ImageGlob {
  return { ...glob, tag: undefined, digest: undefined };
}

/** Whether `a` is asked first where both match. */
export function isMoreSpecific(a: ImageGlob, b: ImageGlob): boolean {
  return compareSpecificity(specificityOf(a), specificityOf(b)) < 0;
}

/**
 * What has to be asked beside a rule where one of its patterns stands in for more specific ones that cannot be written: what
 * their rules ask. Else the broader rule alone would decide.
 */
export function askedBeside(
  glob: ImageGlob,
  rule: PlainRule,
  rules: readonly PlainRule[],
  isWritten: (glob: ImageGlob) => boolean,
): readonly Clause[] {
  const others = rules.filter((other) => other !== rule && !other.isOpen);
  return others.flatMap(({ globs, clauses }) =>
    globs.some((one) => !isWritten(one) && isMoreSpecific(one, glob) && shareRepositories(one, glob)) ? clauses : [],
  );
}

/** `registry.example/acme/`: all that is below one folder, or one host. */
export function isFolder({ name, prefix, wildcards, tag, digest }: ImageGlob): boolean {
  return (tag ?? digest) === undefined && wildcards.length === 1 && prefix.endsWith("/") && name === `${prefix}**`;
}

/** The pattern as a rule has it. */
export function textOf({ name, tag, digest }: ImageGlob): string {
  return `${name}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}
