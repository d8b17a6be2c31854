import { formatSeconds } from "../report/amounts.ts";
import type { Context } from "./context.ts";
import type { GlobalOptions } from "./output.ts";

/** The line that says that a scanner is at work. */
export interface ScanProgress {
  /** Takes the line away: call it before anything else is printed. */
  finish(): void;
}

const REDRAW_MS = 1000;

/** On a terminal, `scanning with trivy 0.70.0, 12 s`, redrawn every second; silence everywhere else. */
export function openScanProgress(
  { stderr, env }: Context,
  options: Pick<GlobalOptions, "progress" | "quiet">,
  scanner: string,
): ScanProgress {
  if (!stderr.isTerminal || !options.progress || options.quiet || env["TERM"] === "dumb") {
    return { finish: () => undefined };
  }
  const startedAt = performance.now();
  const draw = (): void => {
    const elapsed = formatSeconds((performance.now() - startedAt) / 1000);
    stderr.stream.write(`\r\u001b[Kscanning with ${scanner}, ${elapsed}`);
  };
  draw();
  const timer = setInterval(draw, REDRAW_MS);
  return {
    finish() {
      clearInterval(timer);
      stderr.stream.write("\r\u001b[K");
    },
  };
}
