import type { Finding } from "../errors.ts";
import { placeName } from "../policy/document.ts";
import { mostSeated } from "../policy/matching.ts";
import { tooFew } from "./conclude.ts";
import type { Criterion, Leaf } from "./criterion.ts";
import { distinctFindings, isUnseen, nearestFirst } from "./findings.ts";
import type { LeafResult } from "./heard-leaf.ts";
import type { VerdictStatus } from "./verdict.ts";

/** What a criterion comes to, with the same of its parts. */
export interface Result {
  readonly criterion: Criterion;
  readonly status: VerdictStatus;
  /** Nearest to acceptance first; empty exactly when accepted. */
  readonly reasons: readonly Finding[];
  readonly warnings: readonly Finding[];
  readonly of: readonly Result[];
  /** Of a leaf: everybody who met it by themselves. */
  readonly signers: ReadonlyMap<string, string>;
}

const NOBODY: ReadonlyMap<string, string> = new Map();

/**
 * Three-valued: what is not met because one could not look is undetermined, and so is what depends on it. Every part is
 * looked at, whatever the others came to: somebody wants to know what else is missing.
 */
export function evaluate(criterion: Criterion, resultOf: (leaf: Leaf) => LeafResult): Result {
  switch (criterion.kind) {
    case "all":
    case "any": {
      const of = criterion.of.map((each) => evaluate(each, resultOf));
      return { criterion, ...(criterion.kind === "all" ? every(of) : some(of)), of, signers: NOBODY };
    }
    case "threshold":
      return differentPeople(criterion, resultOf);
    case "never":
      return { criterion, status: "refused", reasons: [criterion.finding], warnings: [], of: [], signers: NOBODY };
    default: {
      const { status, reasons, signers, warnings } = resultOf(criterion);
      return { criterion, status, reasons, warnings, of: [], signers };
    }
  }
}

type Standing = Pick<Result, "status" | "reasons" | "warnings">;

/** Nothing is met by what is absent, requirements among it. */
const NOTHING_REQUIRED: Standing = {
  status: "refused",
  reasons: [{ code: "forbidden", message: "nothing is required, and so nothing meets it" }],
  warnings: [],
};

function every(of: readonly Result[]): Standing {
  if (of.length === 0) return NOTHING_REQUIRED;
  return standing(worst(of), of);
}

function some(of: readonly Result[]): Standing {
  if (of.length === 0) return NOTHING_REQUIRED;
  if (of.some(({ status }) => status === "accepted")) return standing("accepted", of);
  return standing(of.some(({ status }) => status === "undetermined") ? "undetermined" : "refused", of);
}

function worst(of: readonly Result[]): VerdictStatus {
  const is = (wanted: VerdictStatus): boolean => of.some(({ status }) => status === wanted);
  return is("refused") ? "refused" : is("undetermined") ? "undetermined" : "accepted";
}

/** The reasons are those of the parts that came out like the whole. */
function standing(status: VerdictStatus, of: readonly Result[]): Standing {
  const alike = of.filter((each) => each.status === status);
  return {
    status,
    reasons: nearestFirst(alike.flatMap(({ reasons }) => reasons)),
    warnings: status === "accepted" ? distinctFindings(alike.flatMap(({ warnings }) => warnings)) : [],
  };
}

type Threshold = Extract<Criterion, { readonly kind: "threshold" }>;

/** So many parts, each met by somebody else: one who may meet several is counted for one of them. */
function differentPeople(criterion: Threshold, resultOf: (leaf: Leaf) => LeafResult): Result {
  const heard = criterion.of.map((leaf) => ({ leaf, result: resultOf(leaf) }));
  const of = heard.map(({ leaf, result }) => evaluate(leaf, () => result));
  const signers = new Map(heard.flatMap(({ result }) => [...result.signers]));
  const seated = mostSeated(heard.map(({ leaf, result }) => seatsFor(leaf, result)));
  if (criterion.count >= 1 && seated >= criterion.count) {
    return { criterion, ...standing("accepted", of), of, signers };
  }
  const unmet = { criterion, warnings: [], of, signers };
  // Whoever could not be seen may be another one still.
  const possible = heard.map(({ leaf, result }, at) => {
    return [...seatsFor(leaf, result), ...(result.unseen.length > 0 ? [`somebody ${at}`] : [])];
  });
  const unseen = heard.flatMap(({ result }) => result.unseen);
  if (unseen.length > 0 && mostSeated(possible) >= criterion.count) {
    return { ...unmet, status: "undetermined", reasons: nearestFirst(unseen) };
  }
  const others = heard.flatMap(({ result }) => result.reasons.filter((finding) => !isUnseen(finding)));
  return { ...unmet, status: "refused", reasons: nearestFirst([...shortfall(criterion, seated, signers), ...others]) };
}

/** Those who met a leaf by themselves: a part that wants several would have to be told apart from the whole. */
function seatsFor(leaf: Leaf, { signers }: LeafResult): readonly string[] {
  return leaf.kind === "evidence" && leaf.requirement.threshold > 1 ? [] : [...signers.keys()];
}

function shortfall(
  { count, of, place }: Threshold,
  seated: number,
  signers: ReadonlyMap<string, string>,
): readonly Finding[] {
  const wanted = `${of.length} requirements, each met by somebody else`;
  const finding = tooFew(signers, count, wanted);
  const found = `${seated} of ${count}${seated === 0 ? "" : finding.found?.replace(/^\d+ of \d+/, "")}`;
  return [{ ...finding, found, ...(place && { place: placeName(place) }) }];
}
