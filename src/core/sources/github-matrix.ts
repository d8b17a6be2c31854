import { LIMITS } from "../limits.ts";
import type { SourceNode } from "./yaml-text.ts";

/**
 * All the values that `matrix.KEY` has in a job: those of the list, and those that `include` adds (GitHub Docs,
 * "jobs.<job_id>.strategy.matrix"). What `exclude` takes away is a combination, seldom a value.
 *
 * @returns Why they cannot be told, where they cannot.
 */
export function matrixValues(job: SourceNode, key: string): readonly SourceNode[] | string {
  const matrix = job.get("strategy")?.get("matrix");
  if (matrix === undefined) return "the job has no matrix";
  if (matrix.kind !== "map") return "the matrix is made by an expression";
  const [name = "", ...path] = key.split(".");
  const list = matrix.get(name);
  const include = matrix.get("include");
  if (list?.kind === "scalar" || include?.kind === "scalar") return `matrix.${name} is made by an expression`;
  const included = (include?.items() ?? []).flatMap((item) => item.get(name) ?? []);
  const values = [...(list?.items() ?? []), ...included].flatMap((value) => follow(value, path));
  if (values.length > LIMITS.imageAlternatives) return `matrix.${name} has more values than are read`;
  return values.length === 0 ? `the matrix has no ${key}` : values;
}

function follow(value: SourceNode, path: readonly string[]): readonly SourceNode[] {
  const end = path.reduce<SourceNode | undefined>((node, name) => node?.get(name), value);
  return end === undefined ? [] : [end];
}
