import type { Context } from "./context.ts";

/**
 * The door of the process. Nothing is imported here before it is needed: `--version` loads no parser, a command loads
 * nothing of another, and a page of help loads no implementation at all.
 */
export async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  if (isVersionRequest(argv)) return await printVersion(process.stdout);
  const { openProcess } = await import("./process.ts");
  const door = openProcess();
  try {
    process.exitCode = await run(argv, door.context);
  } finally {
    door.close();
  }
}

/** Runs one command line and returns its exit code: what tests call. */
export async function run(argv: readonly string[], context: Context): Promise<number> {
  if (isVersionRequest(argv)) {
    await printVersion(context.stdout.stream);
    return 0;
  }
  const { runProgram } = await import("./program.ts");
  return await runProgram(argv, context);
}

function isVersionRequest(argv: readonly string[]): boolean {
  return argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V");
}

async function printVersion(stream: NodeJS.WritableStream): Promise<void> {
  const { VERSION } = await import("../version.ts");
  stream.write(`${VERSION}\n`);
}
