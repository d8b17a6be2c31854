import type { Digest } from "../core/oci/digest.ts";
import type { OnTransfer, TransferEvent } from "../core/ports.ts";
import { formatBytes, formatSeconds } from "../report/amounts.ts";
import type { Context } from "./context.ts";
import type { GlobalOptions } from "./output.ts";

/** What is drawn while bytes move; `onTransfer` is what an operation is given. */
export interface Progress {
  readonly onTransfer: OnTransfer;
  /** Takes the bars away: call it before anything else is printed. */
  finish(): void;
}

const REDRAW_MS = 100;
const BAR_WIDTH = 24;
/** Bars at a time; the rest is counted in the summary line. */
const LINES_SHOWN = 6;
const NARROWEST = 40;
/** Where the terminal does not say: some answer 0. */
const WIDTH = 80;

/** Bars on a terminal, and silence everywhere else. `now` is a monotonic clock in milliseconds. */
export function openProgress(
  context: Context,
  options: Pick<GlobalOptions, "progress" | "quiet">,
  now: () => number = () => performance.now(),
): Progress {
  if (!context.stderr.isTerminal || !options.progress || options.quiet || context.env["TERM"] === "dumb") {
    return { onTransfer: () => undefined, finish: () => undefined };
  }
  return new Bars(context, now);
}

class Bars implements Progress {
  readonly #context: Context;
  readonly #now: () => number;
  readonly #transfers = new Map<Digest, TransferEvent>();
  /** When the first byte came, and how many had come before (from an earlier, interrupted run). */
  readonly #startedAt: number;
  #resumed = 0;
  #lines = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(context: Context, now: () => number) {
    this.#context = context;
    this.#now = now;
    this.#startedAt = now();
  }

  readonly onTransfer = (event: TransferEvent): void => {
    if (event.state === "resumed") this.#resumed += event.bytes;
    if (event.state === "present") this.#resumed += event.total;
    this.#transfers.set(event.digest, event);
    const at = this.#now();
    if (at - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = at;
    this.#draw(progressLines([...this.#transfers.values()], at - this.#startedAt, this.#resumed, this.#width()));
  };

  finish(): void {
    this.#draw([]);
  }

  #width(): number {
    return Math.max(this.#context.stderr.stream.columns || WIDTH, NARROWEST);
  }

  /** Up over what was drawn before, clear to the end of the screen, draw again. */
  #draw(lines: readonly string[]): void {
    const back = this.#lines === 0 ? "" : `\u001b[${this.#lines}F\u001b[J`;
    this.#lines = lines.length;
    const text = lines.map((line) => `${line}\n`).join("");
    if (back !== "" || text !== "") this.#context.stderr.stream.write(back + text);
  }
}

/** The lines of one moment: what is under way, and below it the whole. None is wider than `width`. */
export function progressLines(
  transfers: readonly TransferEvent[],
  elapsedMs: number,
  resumed: number,
  width: number,
): readonly string[] {
  const moving = transfers.filter((event) => !isOver(event));
  const bars = moving.slice(0, LINES_SHOWN).map(barLine);
  const done = transfers.reduce((sum, event) => sum + bytesOf(event), 0);
  const total = transfers.reduce((sum, event) => sum + event.total, 0);
  const rate = elapsedMs > 0 ? Math.max(done - resumed, 0) / (elapsedMs / 1000) : 0;
  const left = rate > 0 ? `, ${formatSeconds((total - done) / rate)} left` : "";
  const count = `${transfers.length - moving.length} of ${transfers.length}`;
  const whole = `${count}  ${formatBytes(done)} of ${formatBytes(total)}, ${formatBytes(rate)}/s${left}`;
  return [...bars, whole].map((line) => line.slice(0, width - 1));
}

function isOver(event: TransferEvent): boolean {
  return event.state === "done" || event.state === "present";
}

function bytesOf(event: TransferEvent): number {
  return isOver(event) ? event.total : Math.min(event.bytes, event.total);
}

function barLine(event: TransferEvent): string {
  const share = event.total === 0 ? 1 : bytesOf(event) / event.total;
  const filled = Math.floor(share * BAR_WIDTH);
  const bar = `${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}`;
  const hex = event.digest.slice(event.digest.indexOf(":") + 1);
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  return `${event.what.padEnd(9)} ${hex.slice(0, 12)} [${bar}] ${percent} ${formatBytes(bytesOf(event))} of ${formatBytes(event.total)}`;
}
