import type { Stats } from "node:fs";
import { access, appendFile, constants, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Writable } from "node:stream";
import { encodeUtf8 } from "../core/bytes.ts";
import { CountersignError, type Finding } from "../core/errors.ts";
import { explainBriefly, explainFinding, nextStep } from "../core/explain.ts";
import { printable, printableLines } from "../core/printable.ts";
import { ANSI, PLAIN, type Style } from "../report/style.ts";
import type { Context, OutputStream } from "./context.ts";

/**
 * The rules of speech. The result goes to standard output (or to --output-file, all or nothing); everything else goes to
 * standard error. Colour only where a person looks on. What a peer sent is escaped before it gets here or right here.
 */

/** The flags that every command has. */
export interface GlobalOptions {
  /** `text`, `json`, or one of the command's own. */
  readonly format: string;
  readonly outputFile: string | undefined;
  readonly quiet: boolean;
  readonly debug: boolean;
  readonly progress: boolean;
}

/** A result in every form that the command offers; only the one asked for is made. */
export interface Result {
  readonly text: (style: Style) => string;
  /** One JSON document. */
  readonly json: () => string;
  /** Further formats of the command, by name. */
  readonly more?: Readonly<Record<string, (style: Style) => string>>;
}

export interface Output extends GlobalOptions {
  /** Prints the command's result; call it once. */
  result(result: Result): Promise<void>;
  /** A line on standard error that -q silences. */
  note(line: string): void;
  /** A line on standard error that nothing silences. */
  warn(line: string): void;
}

export function openOutput(context: Context, options: GlobalOptions): Output {
  const say = (line: string): void => void context.stderr.stream.write(`${printableLines(line)}\n`);
  return {
    ...options,
    async result(result) {
      await deliver(context, options, render(result, options, styleFor(resultStream(context, options), context.env)));
    },
    note(line) {
      if (!options.quiet) say(line);
    },
    warn(line) {
      say(`countersign: warning: ${line}`);
    },
  };
}

function render(result: Result, { format }: GlobalOptions, style: Style): string {
  if (format === "json") return result.json();
  return (result.more?.[format] ?? result.text)(style);
}

/** A file is no terminal. */
function resultStream(context: Context, { outputFile }: GlobalOptions): OutputStream {
  return { stream: context.stdout.stream, isTerminal: outputFile === undefined && context.stdout.isTerminal };
}

/** Writes a result where it belongs. */
export async function deliver(context: Context, { outputFile }: GlobalOptions, text: string): Promise<void> {
  if (outputFile === undefined) await write(context.stdout.stream, text);
  else await writeFile(resolve(context.workingDirectory, outputFile), text);
}

/** Long work is not begun where its result could not be written at its end. @throws CountersignError `disk-error`. */
export async function requireOutputFile(context: Context, { outputFile }: GlobalOptions): Promise<void> {
  if (outputFile === undefined) return;
  const path = resolve(context.workingDirectory, outputFile);
  const found = await statusOf(path);
  const { onDisk } = await import("../io/disk/errors.ts");
  await onDisk(`write ${path}`, async () => {
    if (found?.isDirectory() === true) await appendFile(path, "");
    else if (found?.isFile() !== false) await access(dirname(path), constants.W_OK | constants.X_OK);
  });
}

/** NO_COLOR (no-color.org) wins, then CLICOLOR_FORCE, then CLICOLOR=0, then whether it is a terminal with colours. */
export function styleFor(stream: OutputStream, env: Context["env"]): Style {
  if ((env["NO_COLOR"] ?? "") !== "") return PLAIN;
  if ((env["CLICOLOR_FORCE"] ?? "0") !== "0") return ANSI;
  if (env["CLICOLOR"] === "0" || env["TERM"] === "dumb") return PLAIN;
  return stream.isTerminal ? ANSI : PLAIN;
}

/** A reader that went away (`| head`) is no failure. */
async function write(stream: Writable, text: string): Promise<void> {
  await new Promise<void>((done, fail) => {
    stream.write(text, (error) => {
      if (error === null || error === undefined || isBrokenPipe(error)) done();
      else
        fail(
          new CountersignError("disk-error", "the result could not be written", { found: error.message, cause: error }),
        );
    });
  });
}

export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED");
}

/** A device or a pipe is written to, never replaced; anything else is replaced as a whole. */
async function writeFile(path: string, text: string): Promise<void> {
  if (await isSpecial(path)) {
    const { onDisk } = await import("../io/disk/errors.ts");
    return await onDisk(`write ${path}`, () => appendFile(path, text));
  }
  const { writeFileAtomic } = await import("../io/disk/atomic.ts");
  await writeFileAtomic(path, encodeUtf8(text), { mode: 0o666 });
}

async function isSpecial(path: string): Promise<boolean> {
  return (await statusOf(path))?.isFile() === false;
}

/** undefined also where it cannot be looked at: writing says why. */
async function statusOf(path: string): Promise<Stats | undefined> {
  return await stat(path).catch(() => undefined);
}

/**
 * `countersign: <message>: found …, wanted … [code]`, and the next step on a line of its own; what was found and wanted
 * has lines of its own too where the first would be too long.
 */
export function sayFinding(context: Context, finding: Finding): void {
  const { label } = styleFor(context.stderr, context.env);
  const brief = explainBriefly(finding);
  const isWhole = brief === explainFinding(finding);
  const rows = [
    ...(isWhole || finding.found === undefined ? [] : [["found", finding.found] as const]),
    ...(isWhole || finding.wanted === undefined ? [] : [["wanted", finding.wanted] as const]),
    ["next", nextStep(finding)] as const,
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${label(`  ${name.padEnd(width)}`)}  ${printable(value)}\n`);
  const first = isWhole ? brief : `${finding.message} [${finding.code}]`;
  context.stderr.stream.write(`countersign: ${printable(first)}\n${lines.join("")}`);
}
