import { type Break, causeKey } from "../../core/audit/breaks.ts";

/** The breaks of one cause, whomever they hit; causes in the order of their first breaks, which is the worst first. */
export function causesOf(breaks: readonly Break[]): readonly (readonly [Break, ...Break[]])[] {
  const groups = new Map<string, [Break, ...Break[]]>();
  for (const one of breaks) {
    const key = `${one.verdict} ${causeKey(one)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return [...groups.values()];
}
