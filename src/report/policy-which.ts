import type { ImageName, Rule } from "../core/policy/document.ts";
import { placeName } from "../core/policy/document.ts";
import type { RuleMatch, RulePattern } from "../core/policy/images.ts";
import { printable } from "../core/printable.ts";
import { formatDocument } from "./json.ts";
import { atMember } from "./policy-check.ts";
import type { Style } from "./style.ts";
import { formatRows, HEADING_WIDTH, type Row } from "./text.ts";

/** Which rule an image falls under, by its name alone. */
export interface RuleChoice {
  /** As the user wrote it, and with registry, tag and digest. */
  readonly image: string;
  readonly name: string;
  readonly of: ImageName;
  /** All patterns that match, the deciding one first; none where no rule does. */
  readonly matches: readonly RulePattern[];
  /** Patterns for digests of its repository, where its own is not known. */
  readonly forDigests: readonly RuleMatch[];
}

/** docs/schemas/policy-which.json. */
export function choicesDocument(policy: string, choices: readonly RuleChoice[]): string {
  return formatDocument("policy which", { policy, images: choices.map(choiceMember) });
}

function choiceMember({ image, name, matches, forDigests }: RuleChoice): Readonly<Record<string, unknown>> {
  const [first, ...others] = matches;
  return {
    image,
    name,
    rule: first === undefined ? null : { ...ruleMember(first.rule), ...patternMember(first) },
    others: others.map((other) => ({
      ...patternMember(other),
      rule: atMember(other.rule.place),
      why: first === undefined ? "" : whyLess(first.specificity, other.specificity),
    })),
    forDigests: forDigests.map(patternMember),
  };
}

function ruleMember({ name, place, mode, platforms }: Rule): Readonly<Record<string, unknown>> {
  return { name, at: atMember(place), mode, platforms };
}

function patternMember({ pattern }: RuleMatch): Readonly<Record<string, unknown>> {
  return { pattern: pattern.text, patternAt: atMember(pattern.place) };
}

/** What a pattern lacks that another has: in the order of `specificityOf`. */
const LACKS = [
  "it names no tag or digest that the image has",
  "it is no exact repository",
  "fewer characters before its first wildcard",
  "fewer characters that are no wildcards",
  "more wildcards",
  "more wildcards that cross slashes",
] as const;

function whyLess(winner: readonly number[], loser: readonly number[]): string {
  const at = winner.findIndex((value, index) => value !== loser[index]);
  return LACKS[at] ?? "another pattern of the same rule";
}

/** A block for each image. */
export function choicesText(choices: readonly RuleChoice[], style: Style): string {
  return choices.map((choice) => choiceText(choice, style)).join("\n");
}

function choiceText({ name, matches, forDigests }: RuleChoice, style: Style): string {
  const [first, ...others] = matches;
  const status = (first === undefined ? "no rule" : "rule").padEnd(HEADING_WIDTH);
  const heading = `${first === undefined ? style.refused(status) : style.accepted(status)}${printable(name)}`;
  const rows: readonly Row[] = [
    ...(first === undefined ? NONE : decidingRows(first)),
    ...others.map((other): Row => {
      const why = first === undefined ? "" : whyLess(first.specificity, other.specificity);
      return ["not", `${where(other)}: ${why}`];
    }),
    ...forDigests.map((match): Row => ["unless", `its digest is that of ${where(match)}`]),
  ];
  return `${heading}\n${formatRows(rows, style)}`;
}

const NONE: readonly Row[] = [["because", "no pattern matches: the image is refused with no-policy"]];

function decidingRows(match: RulePattern): readonly Row[] {
  const { name, place, mode } = match.rule;
  return [
    ["because", `${placeName(place)}${name === undefined ? "" : ` "${name}"`}`],
    ["pattern", where(match)],
    ...(mode === "warn" ? [["warning", "mode: warn, so what it refuses is let through"] as const] : []),
  ];
}

function where({ pattern }: RuleMatch): string {
  return `${pattern.text} at ${placeName(pattern.place)}`;
}
