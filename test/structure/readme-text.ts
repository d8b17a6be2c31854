/** README as a text with blocks that run and parts that are generated. */

/** A fenced block below a line `<!-- run: SCENE -->`; one without has no scene. */
export interface Block {
  readonly scene: string | undefined;
  readonly language: string;
  readonly lines: readonly string[];
  /** The index of the block's first line. */
  readonly start: number;
}

const FENCE = /^```(\w*)$/;
const RUN = /^<!-- run: (.+) -->$/;

export function blocksOf(text: string): readonly Block[] {
  const lines = text.split("\n");
  const fences = lines.flatMap((line, at) => (FENCE.test(line) ? [at] : []));
  const opening = fences.filter((_, at) => at % 2 === 0);
  return opening.map((open, at) => ({
    scene: RUN.exec(lines[open - 1] ?? "")?.[1],
    language: FENCE.exec(lines[open] ?? "")?.[1] ?? "",
    lines: lines.slice(open + 1, fences[at * 2 + 1]),
    start: open + 1,
  }));
}

/** The prose: no block, no fence. */
export function withoutBlocks(text: string): string {
  const shown = new Set(
    blocksOf(text).flatMap(({ lines, start }) => Array.from({ length: lines.length + 2 }, (_, at) => start - 1 + at)),
  );
  return text
    .split("\n")
    .filter((_, at) => !shown.has(at))
    .join("\n");
}

/** A line after `$ ` and what it prints. */
export interface Step {
  readonly command: string;
  readonly output: readonly string[];
}

export function stepsOf({ lines }: Block): readonly Step[] {
  const starts = lines.flatMap((line, at) => (line.startsWith("$ ") ? [at] : []));
  return starts.map((start, at) => ({
    command: (lines[start] ?? "").slice(2),
    output: lines.slice(start + 1, starts[at + 1]),
  }));
}

/** The block's lines with what its commands print now. */
export function formatSteps(steps: readonly Step[]): readonly string[] {
  return steps.flatMap(({ command, output }) => [`$ ${command}`, ...output]);
}

export function replaceBlock(text: string, block: Block, lines: readonly string[]): string {
  const all = text.split("\n");
  return all.toSpliced(block.start, block.lines.length, ...lines).join("\n");
}

/** What stands between `<!-- generated: NAME -->` and `<!-- end -->`. */
export function generatedPart(text: string, name: string): string | undefined {
  return partPattern(name).exec(text)?.[1];
}

export function replaceGenerated(text: string, name: string, content: string): string {
  return text.replace(partPattern(name), () => `<!-- generated: ${name} -->\n${content}<!-- end -->`);
}

function partPattern(name: string): RegExp {
  return new RegExp(`<!-- generated: ${name} -->\\n([\\s\\S]*?)<!-- end -->`);
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((cell) => (/^(?:exit code|ratio)$/.test(cell) ? "--:" : "---"));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/** The cells of the table that comes after a heading of this text; undefined where there is none. */
export function tableAfter(text: string, anchor: string): readonly (readonly string[])[] | undefined {
  const at = text.indexOf(anchor);
  if (at === -1) return undefined;
  const [, body] = /\n((?:\|.*\n)+)/.exec(text.slice(at)) ?? [];
  return body
    ?.trim()
    .split("\n")
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter((cells) => !cells.every((cell) => /^:?-+:?$/.test(cell)));
}

/** The rows of bench/RESULTS.md that the front page shows. */
const SHOWN =
  /^(?:verify by tag, first|verify, first, package.*embedded|images a second$|(?:wall time|peak memory), 1024 MiB, random)/;

/** The chapter on speed, from what `npm run bench` wrote; without it, that nothing was measured. */
export function speedText(results: string | undefined): string {
  if (results === undefined)
    return "No figures yet: `npm run bench` measures them on your machine, beside cosign, crane and skopeo.\n";
  const [, measured = ""] = /^(Measured .*)$/m.exec(results) ?? [];
  const [, machine = ""] = /^Machine: (.*)$/m.exec(results) ?? [];
  const [, versions = ""] = /^Versions: (.*)$/m.exec(results) ?? [];
  const rows = results.split(/^## /m).slice(1).flatMap(shownRows);
  const before = `${measured} [bench/RESULTS.md](bench/RESULTS.md) has all rows, and how each is measured.\n`;
  const after = `Machine: ${machine} Versions: ${versions}\n`;
  return `${before}\n${table(["measured", "countersign", "beside it", "ratio"], rows)}\n${after}`;
}

function shownRows(section: string): readonly (readonly string[])[] {
  const [head = [], ...rows] = tableAfter(section, "\n") ?? [];
  const peer = head[3] ?? "";
  return rows
    .filter(([what = ""]) => SHOWN.test(what))
    .map(([what = "", ratio = "", ours = "", theirs = ""]) => [what, ours, `${peer}: ${theirs}`, ratio]);
}
