import type { AuditProgress } from "../ops/audit.ts";
import { formatSeconds } from "../report/amounts.ts";
import type { Context } from "./context.ts";
import type { GlobalOptions } from "./output.ts";

/** The line that says how far an audit is. */
export interface AuditProgressLine {
  readonly onProgress: (event: AuditProgress) => void;
  /** Takes the line away: call it before anything else is printed. */
  finish(): void;
}

const REDRAW_MS = 100;
const BAR_WIDTH = 24;
const NARROWEST = 40;
/** Where the terminal does not say: some answer 0. */
const WIDTH = 80;

/** A bar on a terminal, and silence everywhere else. `now` is a monotonic clock in milliseconds. */
export function openAuditProgress(
  { stderr, env }: Context,
  options: Pick<GlobalOptions, "progress" | "quiet">,
  now: () => number = () => performance.now(),
): AuditProgressLine {
  if (!stderr.isTerminal || !options.progress || options.quiet || env["TERM"] === "dumb") {
    return { onProgress: () => undefined, finish: () => undefined };
  }
  const startedAt = now();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let before: number | undefined;
  return {
    onProgress(event) {
      // What a journal knew cost no time.
      before ??= event.done;
      const at = now();
      if (at - drawnAt < REDRAW_MS) return;
      drawnAt = at;
      const width = Math.max(stderr.stream.columns || WIDTH, NARROWEST);
      stderr.stream.write(`\r\u001b[K${progressLine(event, before, at - startedAt).slice(0, width - 1)}`);
    },
    finish() {
      if (drawnAt !== Number.NEGATIVE_INFINITY) stderr.stream.write("\r\u001b[K");
    },
  };
}

/** `[####----]  50%  1000 of 2000 images, 83/s, 12s left`; `before`: how many were known at the start. */
export function progressLine({ done, total, round }: AuditProgress, before: number, elapsedMs: number): string {
  const share = total === 0 ? 1 : done / total;
  const filled = Math.floor(share * BAR_WIDTH);
  const bar = `${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}`;
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const rate = elapsedMs > 0 ? (done - before) / (elapsedMs / 1000) : 0;
  const speed = rate > 0 ? `, ${rate.toFixed(rate < 10 ? 1 : 0)}/s, ${formatSeconds((total - done) / rate)} left` : "";
  const again = round > 1 ? `, round ${round} for what failed` : "";
  return `[${bar}] ${percent}  ${done} of ${total} images${speed}${again}`;
}
