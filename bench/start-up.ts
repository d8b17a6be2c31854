import { type Bench, SOURCE, standalone } from "./bench.ts";
import { alternate, type Command, measure, medianMs, pairedRatio } from "./measure.ts";
import { below, decimal, milliseconds, type Row, type Section } from "./results.ts";

const GOAL = 1.5;

/** What starting costs, against Node's own start. */
export async function measureStartUp(bench: Bench): Promise<Section> {
  const empty = bench.work.write("empty.mjs", "");
  const run = (...args: readonly string[]): Command => ({
    path: process.execPath,
    args,
    env: bench.work.environment,
  });
  const contestants = {
    standalone: () => measure(standalone(bench, ["--version"])),
    packaged: () => measure(run(bench.packaged, "--version")),
    source: () => measure(run(SOURCE, "--version")),
    empty: () => measure(run(empty)),
  };
  const results = await alternate(contestants, bench.quick ? 5 : 41);
  const row = (name: "standalone" | "packaged" | "source", what: string): Row => {
    const ratio = pairedRatio(results[name], results["empty"]);
    return {
      what,
      ratio: decimal(ratio),
      ours: milliseconds(medianMs(results[name])),
      peer: milliseconds(medianMs(results["empty"])),
      goal: below(GOAL, ratio, " ×"),
    };
  };
  return {
    title: "Start-up",
    method: "`countersign --version` against an empty module, both run by the same Node.",
    columns: ["countersign", "an empty script"],
    rows: [
      row("standalone", "--version, the executable"),
      row("packaged", "--version, the published package"),
      row("source", "--version, a checkout"),
    ],
  };
}
