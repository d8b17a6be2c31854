import { Command, CommanderError, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { VERSION } from "../version.ts";
import type { Context } from "./context.ts";
import { applyEnvironment } from "./environment.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { reportFailure } from "./failure.ts";
import { helpEpilogue, helpLayout } from "./help.ts";
import { formatsOf } from "./manual.ts";
import { globalOptions } from "./options.ts";
import { openOutput, requireOutputFile } from "./output.ts";

/** One line of the command table. Its file is loaded when the command line names it, or when all are wanted. */
interface Entry {
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  readonly load: (context: Context) => Promise<Command>;
  /** Not on the help page: a name that a command has in another tool. */
  readonly hidden?: true;
  /** It works on the other commands' definitions. */
  readonly wholeTree?: true;
}

const KEYS = "Keys and signing:";
const IMAGES = "Verifying and what follows from it:";
const TAGS = "Signed tags:";
const POLICIES = "Policy, pins, audits:";
const DOORS = "Doors that stay open:";
const TOOLS = "Around it:";

/** Every command there is, in the order of the help page. A command that is not built is not here. */
const COMMANDS: readonly Entry[] = [
  {
    name: "key",
    group: KEYS,
    summary: "make, import and show keys",
    load: async (context) => (await import("./commands/key.ts")).keyCommand(context),
  },
  ...["generate-key-pair", "import-key-pair", "public-key"].map((name) => ({
    name,
    group: KEYS,
    summary: "as cosign calls it",
    hidden: true as const,
    load: (context: Context) => keyAlias(context, name),
  })),
  {
    name: "sign",
    group: KEYS,
    summary: "sign images and store the signatures beside them",
    load: async (context) => (await import("./commands/sign.ts")).signCommand(context),
  },
  {
    name: "sign-blob",
    group: KEYS,
    summary: "sign files and write a bundle for each",
    load: async (context) => (await import("./commands/sign-blob.ts")).signBlobCommand(context),
  },
  {
    name: "attest",
    group: KEYS,
    summary: "sign statements about images: provenance, contents",
    load: async (context) => (await import("./commands/attest.ts")).attestCommand(context),
  },
  {
    name: "push",
    group: KEYS,
    summary: "publish an image: by digest, signed, verified, named last",
    load: async (context) => (await import("./commands/push.ts")).pushCommand(context),
  },
  {
    name: "verify",
    group: IMAGES,
    summary: "judge images by their signatures",
    load: async (context) => (await import("./commands/verify.ts")).verifyCommand(context),
  },
  {
    name: "verify-blob",
    group: IMAGES,
    summary: "judge a file by the bundle beside it",
    load: async (context) => (await import("./commands/verify-blob.ts")).verifyBlobCommand(context),
  },
  {
    name: "pull",
    group: IMAGES,
    summary: "verify images, then fetch exactly what was accepted",
    load: async (context) => (await import("./commands/pull.ts")).pullCommand(context),
  },
  {
    name: "copy",
    group: IMAGES,
    summary: "verify an image, then copy it with everything attached",
    load: async (context) => (await import("./commands/copy.ts")).copyCommand(context),
  },
  {
    name: "save",
    group: IMAGES,
    summary: "pack verified images for machines without a network",
    load: async (context) => (await import("./commands/save.ts")).saveCommand(context),
  },
  {
    name: "load",
    group: IMAGES,
    summary: "take images out of such a file, verified again",
    load: async (context) => (await import("./commands/load.ts")).loadCommand(context),
  },
  {
    name: "inspect",
    group: IMAGES,
    summary: "show everything attached to an image",
    load: async (context) => (await import("./commands/inspect.ts")).inspectCommand(context),
  },
  {
    name: "doctor",
    group: IMAGES,
    summary: "say who will accept an image, and what is missing",
    load: async (context) => (await import("./commands/doctor.ts")).doctorCommand(context),
  },
  {
    name: "scan",
    group: IMAGES,
    summary: "look for vulnerabilities in images, and sign what was found",
    load: async (context) => (await import("./commands/scan.ts")).scanCommand(context),
  },
  {
    name: "trusted-root",
    group: IMAGES,
    summary: "show and refresh whom keyless signatures rest on",
    load: async (context) => (await import("./commands/trusted-root.ts")).trustedRootCommand(context),
  },
  {
    name: "initialize",
    group: IMAGES,
    summary: "as cosign calls it",
    hidden: true,
    load: async (context) => (await import("./commands/trusted-root.ts")).initializeCommand(context),
  },
  {
    name: "trust",
    group: TAGS,
    summary: "sign what tags stand for, and choose whom to believe",
    load: async (context) => (await import("./commands/trust.ts")).trustCommand(context),
  },
  {
    name: "policy",
    group: POLICIES,
    summary: "write, check, explain and hand on trust policies",
    load: async (context) => (await import("./commands/policy.ts")).policyCommand(context),
  },
  {
    name: "pin",
    group: POLICIES,
    summary: "write digests behind tags in files, of what is accepted",
    load: async (context) => (await import("./commands/pin.ts")).pinCommand(context),
  },
  {
    name: "audit",
    group: POLICIES,
    summary: "say of everything that is named somewhere whether it is accepted",
    load: async (context) => (await import("./commands/audit.ts")).auditCommand(context),
  },
  {
    name: "demo",
    group: DOORS,
    summary: "see it accept and refuse, in a few seconds",
    load: async (context) => (await import("./commands/demo.ts")).demoCommand(context),
  },
  {
    name: "registry",
    group: DOORS,
    summary: "the embedded registry",
    load: async (context) => (await import("./commands/registry.ts")).registryCommand(context),
  },
  {
    name: "env",
    group: TOOLS,
    summary: "list the environment variables that are read",
    load: async (context) => (await import("./commands/env.ts")).envCommand(context),
    wholeTree: true,
  },
  {
    name: "completion",
    group: TOOLS,
    summary: "print the completion script of a shell",
    load: async (context) => (await import("./commands/completion.ts")).completionCommand(context),
    wholeTree: true,
  },
  {
    name: "help",
    group: TOOLS,
    summary: "show a command's page, or one of: reasons, exit-codes, environment",
    load: async (context) => (await import("./commands/help-topics.ts")).helpCommand(context),
  },
];

/** Runs one command line and returns its exit code. Never throws for what a user or a peer can cause. */
export async function runProgram(argv: readonly string[], context: Context): Promise<number> {
  let program: Command | undefined;
  try {
    program = await buildProgram(context, argv);
    await program.parseAsync([...argv], { from: "user" });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT_CODES.done;
    return await reportFailure(argv, context, error, program);
  }
}

/** The command tree. With `argv`, only what it names is loaded; the others are names for the help page. */
export async function buildProgram(context: Context, argv?: readonly string[]): Promise<Command> {
  const program = new Command("countersign")
    .description("Signs container images, proves the signatures, refuses the rest.")
    .usage("[options] <command>")
    .version(VERSION, "-V, --version", "print the version")
    .enablePositionalOptions();
  const all = argv === undefined || COMMANDS.some((entry) => entry.wholeTree === true && argv.includes(entry.name));
  for (const entry of COMMANDS) {
    const command = all || argv.includes(entry.name) ? await entry.load(context) : new Command(entry.name);
    program.addCommand(command.summary(entry.summary).helpGroup(entry.group), { hidden: entry.hidden === true });
  }
  frame(program, context);
  program.hook("preAction", async (_root, command) => await prepare(command, context));
  return program;
}

async function keyAlias(context: Context, name: string): Promise<Command> {
  const { keyAliases } = await import("./commands/key.ts");
  return keyAliases(context).find((command) => command.name() === name) ?? new Command(name);
}

/** What every command of the tree has in common, whoever wrote it. */
function frame(command: Command, context: Context): void {
  command
    .exitOverride()
    .helpCommand(false)
    .helpOption("-h, --help", "show this page")
    .allowExcessArguments(false)
    .configureHelp(helpLayout(context))
    .configureOutput({
      writeOut: (text) => void context.stdout.stream.write(text),
      writeErr: (text) => void context.stderr.stream.write(text),
      outputError: () => undefined,
    });
  addGlobalOptions(command);
  command.addHelpText("after", () => helpEpilogue(command, context));
  for (const child of command.commands) frame(child, context);
  if (command.commands.length > 0) command.enablePositionalOptions();
}

const GLOBAL_GROUP = "Everywhere:";

function addGlobalOptions(command: Command): void {
  const formats = formatsOf(command);
  const options = [
    new Option("-o, --output <format>", `${formats.join(" or ")} (default: ${formats[0]})`),
    new Option("--output-file <file>", "write the result to this file, all or nothing"),
    new Option("-q, --quiet", "no notes and no progress; results and errors only"),
    new Option("--debug", "show where an internal error comes from"),
    new Option("--no-progress", "no progress bars"),
  ];
  for (const option of options) command.addOption(option.helpGroup(GLOBAL_GROUP));
}

/** Before any action: the environment's values, then the flags that every command has. */
async function prepare(command: Command, context: Context): Promise<void> {
  const { warn } = openOutput(context, globalOptions(command));
  for (let at: Command | null = command; at !== null; at = at.parent) applyEnvironment(at, context.env, warn);
  const options = globalOptions(command);
  const formats = formatsOf(command);
  if (formats.includes(options.format)) return await requireOutputFile(context, options);
  throw new CountersignError("usage", "not an output format of this command", {
    found: options.format,
    wanted: formats.join(" or "),
  });
}
