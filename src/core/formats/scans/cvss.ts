import type { JsonValue } from "../../json.ts";
import { type Rating, ratingOfScore } from "./severity.ts";

/**
 * The rating of a CVSS vector of the versions 2.0, 3.0 and 3.1, by its base score; `unknown` for one that is not well
 * formed, and for version 4.0, whose score is looked up in a table and not computed here.
 */
export function ratingOfVector(vector: string): Rating {
  const score = baseScore(vector);
  return score === undefined ? "unknown" : ratingOfScore(score);
}

/**
 * The rating that a source gives: by its score, else by its vector. A score of 0 may be one that nobody has set, and counts
 * only with a vector that comes to it.
 */
export function ratingOfCvss(score: JsonValue | undefined, vector: JsonValue | undefined): Rating {
  if (typeof score === "number" && score !== 0) return ratingOfScore(score);
  return typeof vector === "string" ? ratingOfVector(vector) : "unknown";
}

/** The base score of a vector, `CVSS:3.1/AV:N/…` or `AV:N/AC:L/Au:N/C:P/I:P/A:P`; undefined as `ratingOfVector` says. */
export function baseScore(vector: string): number | undefined {
  const [, version, metrics = ""] = PREFIXED.exec(vector) ?? [];
  if (version !== undefined) return baseScore3(metrics);
  return vector.startsWith("CVSS:") ? undefined : baseScore2(vector.replace(/^\((.*)\)$/, "$1"));
}

const PREFIXED = /^CVSS:(3\.[01])\/(.*)$/;

type Weights = ReadonlyMap<string, Readonly<Record<string, number>>>;

/** CVSS 3.1, section 7.4, "Metric Values"; the privileges with an unchanged scope. 3.0 has the same. */
const WEIGHTS_3: Weights = new Map([
  ["AV", { N: 0.85, A: 0.62, L: 0.55, P: 0.2 }],
  ["AC", { L: 0.77, H: 0.44 }],
  ["PR", { N: 0.85, L: 0.62, H: 0.27 }],
  ["UI", { N: 0.85, R: 0.62 }],
  ["S", { U: 0, C: 1 }],
  ["C", { H: 0.56, L: 0.22, N: 0 }],
  ["I", { H: 0.56, L: 0.22, N: 0 }],
  ["A", { H: 0.56, L: 0.22, N: 0 }],
]);

/** The privileges with a changed scope. */
const CHANGED_PRIVILEGES: ReadonlyMap<number | undefined, number> = new Map([
  [0.62, 0.68],
  [0.27, 0.5],
]);

/** CVSS 3.1, section 7.1, "Base Metrics Equations". */
function baseScore3(metrics: string): number | undefined {
  const weight = readMetrics(metrics, WEIGHTS_3, /^(?:E|RL|RC|[CIA]R|M(?:AV|AC|PR|UI|S|C|I|A)):[A-Z]$/);
  if (weight === undefined) return undefined;
  const isChanged = weight("S") === 1;
  const privileges = (isChanged ? CHANGED_PRIVILEGES.get(weight("PR")) : undefined) ?? weight("PR");
  const impactBase = 1 - (1 - weight("C")) * (1 - weight("I")) * (1 - weight("A"));
  const impact = isChanged ? 7.52 * (impactBase - 0.029) - 3.25 * (impactBase - 0.02) ** 15 : 6.42 * impactBase;
  const exploitability = 8.22 * weight("AV") * weight("AC") * privileges * weight("UI");
  if (impact <= 0) return 0;
  return roundUp(Math.min((isChanged ? 1.08 : 1) * (impact + exploitability), 10));
}

/** CVSS 3.1, appendix A: to one decimal and up, without the traces of floating point. */
function roundUp(value: number): number {
  const scaled = Math.round(value * 100_000);
  return scaled % 10_000 === 0 ? scaled / 100_000 : (Math.floor(scaled / 10_000) + 1) / 10;
}

/** CVSS 2.0, section 3.2.1, "Base Equation". */
const WEIGHTS_2: Weights = new Map([
  ["AV", { L: 0.395, A: 0.646, N: 1 }],
  ["AC", { H: 0.35, M: 0.61, L: 0.71 }],
  ["Au", { M: 0.45, S: 0.56, N: 0.704 }],
  ["C", { N: 0, P: 0.275, C: 0.66 }],
  ["I", { N: 0, P: 0.275, C: 0.66 }],
  ["A", { N: 0, P: 0.275, C: 0.66 }],
]);

function baseScore2(metrics: string): number | undefined {
  const weight = readMetrics(metrics, WEIGHTS_2, /^(?:E|RL|RC|CDP|TD|[CIA]R):[A-Z]{1,3}$/);
  if (weight === undefined) return undefined;
  const impact = 10.41 * (1 - (1 - weight("C")) * (1 - weight("I")) * (1 - weight("A")));
  const exploitability = 20 * weight("AV") * weight("AC") * weight("Au");
  if (impact === 0) return 0;
  return Math.round((0.6 * impact + 0.4 * exploitability - 1.5) * 1.176 * 10) / 10;
}

/** Every base metric once, with a value of its own; beside them only metrics that do not change the base score. */
function readMetrics(text: string, weights: Weights, others: RegExp): ((metric: string) => number) | undefined {
  const found = new Map<string, number>();
  const seen = new Set<string>();
  for (const part of text.split("/")) {
    const [metric = "", value = ""] = part.split(":");
    if (seen.has(metric)) return undefined;
    seen.add(metric);
    const values = weights.get(metric);
    if (values === undefined ? !others.test(part) : !Object.hasOwn(values, value) || part !== `${metric}:${value}`) {
      return undefined;
    }
    if (values !== undefined) found.set(metric, values[value] ?? 0);
  }
  return found.size === weights.size ? (metric) => found.get(metric) ?? 0 : undefined;
}
