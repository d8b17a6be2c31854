import { LIMITS } from "../core/limits.ts";

const CONTEXT_LINES = 3;

/**
 * The difference of two texts in the unified form that patch and git read; empty where there is none. `before` is undefined
 * for a file that is not there yet.
 */
export function unifiedDiff(before: string | undefined, after: string, name: string): string {
  const old = linesOf(before ?? "");
  const edits = editsOf(old, linesOf(after));
  const hunks = hunksOf(edits);
  if (hunks.length === 0) return "";
  return [`--- ${before === undefined ? "/dev/null" : name}`, `+++ ${name}`, ...hunks.flatMap(hunkLines), ""].join(
    "\n",
  );
}

/** Each with its line break, so that a last line without one is another line. */
function linesOf(text: string): readonly string[] {
  return text === "" ? [] : text.split(/(?<=\n)/);
}

interface Edit {
  readonly sign: " " | "-" | "+";
  readonly line: string;
}

function editsOf(old: readonly string[], next: readonly string[]): readonly Edit[] {
  const head = commonLength(old, next, (list, at) => list[at]);
  const [oldRest, nextRest] = [old.slice(head), next.slice(head)];
  const tail = commonLength(oldRest, nextRest, (list, at) => list[list.length - 1 - at]);
  const middle = between(oldRest.slice(0, oldRest.length - tail), nextRest.slice(0, nextRest.length - tail));
  return [...same(old.slice(0, head)), ...middle, ...same(old.slice(old.length - tail))];
}

function commonLength(
  a: readonly string[],
  b: readonly string[],
  pick: (list: readonly string[], at: number) => string | undefined,
): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && pick(a, length) === pick(b, length)) length++;
  return length;
}

function same(lines: readonly string[]): readonly Edit[] {
  return lines.map((line) => ({ sign: " ", line }));
}

/** By the longest common subsequence; where that would take too long, all of one and then all of the other. */
function between(old: readonly string[], next: readonly string[]): readonly Edit[] {
  const edits: Edit[] = [];
  let [i, j] = [0, 0];
  if (old.length * next.length <= LIMITS.diffComparisons) {
    const length = commonTable(old, next);
    const at = (row: number, column: number): number => length[row * (next.length + 1) + column] ?? 0;
    while (i < old.length && j < next.length) {
      const [line = "", other = ""] = [old[i], next[j]];
      if (line === other) {
        edits.push({ sign: " ", line });
        i++;
        j++;
      } else if (at(i + 1, j) >= at(i, j + 1)) {
        edits.push({ sign: "-", line });
        i++;
      } else {
        edits.push({ sign: "+", line: other });
        j++;
      }
    }
  }
  for (const line of old.slice(i)) edits.push({ sign: "-", line });
  for (const line of next.slice(j)) edits.push({ sign: "+", line });
  return edits;
}

/** How many lines the rests of both have in common, row by row. */
function commonTable(old: readonly string[], next: readonly string[]): Uint32Array {
  const width = next.length + 1;
  const table = new Uint32Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = next.length - 1; j >= 0; j--) {
      const [down = 0, right = 0, both = 0] = [
        table[(i + 1) * width + j],
        table[i * width + j + 1],
        table[(i + 1) * width + j + 1],
      ];
      table[i * width + j] = old[i] === next[j] ? both + 1 : Math.max(down, right);
    }
  }
  return table;
}

interface Hunk {
  readonly oldStart: number;
  readonly newStart: number;
  readonly edits: readonly Edit[];
}

/** Changes with the lines around them; those that are close together are one. */
function hunksOf(edits: readonly Edit[]): readonly Hunk[] {
  const changed = edits.flatMap(({ sign }, at) => (sign === " " ? [] : [at]));
  const hunks: Hunk[] = [];
  for (let at = 0; at < changed.length; ) {
    const first = changed[at] ?? 0;
    let last = first;
    while (at < changed.length && (changed[at] ?? 0) - last <= 2 * CONTEXT_LINES) last = changed[at++] ?? last;
    const start = Math.max(0, first - CONTEXT_LINES);
    const before = edits.slice(0, start);
    hunks.push({
      oldStart: before.filter(({ sign }) => sign !== "+").length + 1,
      newStart: before.filter(({ sign }) => sign !== "-").length + 1,
      edits: edits.slice(start, last + 1 + CONTEXT_LINES),
    });
  }
  return hunks;
}

function hunkLines({ oldStart, newStart, edits }: Hunk): readonly string[] {
  const oldCount = edits.filter(({ sign }) => sign !== "+").length;
  const newCount = edits.filter(({ sign }) => sign !== "-").length;
  const range = (start: number, count: number) => `${count === 0 ? start - 1 : start},${count}`;
  return [`@@ -${range(oldStart, oldCount)} +${range(newStart, newCount)} @@`, ...edits.flatMap(editLines)];
}

function editLines({ sign, line }: Edit): readonly string[] {
  if (line.endsWith("\n")) return [`${sign}${line.slice(0, -1)}`];
  return [`${sign}${line}`, "\\ No newline at end of file"];
}
