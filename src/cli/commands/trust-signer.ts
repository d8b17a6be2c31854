import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, collect, count, globalOptions, grouped, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import {
  addPinsOption,
  addPublishOptions,
  addTargetsKeyOptions,
  addYesOption,
  PASSPHRASE_NOTE,
  REPOSITORY_ARGUMENT,
} from "../tags-options.ts";

const NAME_ARGUMENT = "the signer's name: lower-case letters, digits, . _ and -";

/** `countersign trust signer …`: who may sign which tags. */
export function trustSignerCommand(context: Context): Command {
  const command = new Command("signer")
    .description("Says who may sign which tags of a repository. Needs its targets key.")
    .addCommand(addCommand(context).summary("let somebody sign tags"))
    .addCommand(removeCommand(context).summary("let somebody sign no more"))
    .addCommand(listCommand(context).summary("list who may sign"));
  return withManual(command, {
    examples: [
      {
        command: "countersign trust signer add --key ci.pub --tags 'v*' ci registry.example/acme/app",
        purpose: "the pipeline may sign version tags",
      },
      { command: "countersign trust signer list registry.example/acme/app", purpose: "who may sign" },
    ],
    notes: [
      "Signers are asked in the order in which they were added; the first that binds a tag decides. Where there are none, who" +
        " holds the targets key signs tags.",
    ],
    seeAlso: ["countersign trust sign", "countersign trust key generate"],
  });
}

function addCommand(context: Context): Command {
  const command = new Command("add")
    .description("Lets somebody sign tags: names the public keys, and which tags they may sign.")
    .addArgument(new Argument("<name>", NAME_ARGUMENT))
    .addArgument(new Argument("<repository...>", REPOSITORY_ARGUMENT))
    .action(async (name: string, repositories: readonly string[], options: RawOptions, self: Command) => {
      const { addSigner } = await import("../tags-signer-action.ts");
      await addSigner(context, openOutput(context, globalOptions(self)), name, repositories, options);
    });
  grouped(command, "The signer:", [
    new Option("--key <file>", "a public key of the signer's (repeatable)").argParser(collect).makeOptionMandatory(),
    new Option(
      "--tags <pattern>",
      "tags that may be signed: * for any characters, ? for one (repeatable; default: *)",
    ).argParser(collect),
    new Option("--threshold <n>", "how many of the keys have to sign (default: 1)").argParser(count("--threshold", 1)),
    new Option("--protected", "nobody else may sign these tags; asked before all others"),
  ]);
  addYesOption(command);
  addTargetsKeyOptions(command);
  addPublishOptions(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign trust signer add --key alice.pub alice registry.example/acme/app",
        purpose: "any tag",
      },
      {
        command: "countersign trust signer add --key ci.pub --tags 'v1.*' --tags latest ci registry.example/acme/app",
        purpose: "some tags",
      },
      {
        command:
          "countersign trust signer add --key dana.pub --key erin.pub --threshold 2 --tags 'prod-*' --protected release registry.example/acme/app",
        purpose: "two people for what runs in production, and nobody else",
      },
    ],
    notes: [
      "A signer that is there gets these keys beside its own, and the tags and the threshold of this call where they are given.",
      "What the targets key has signed itself counts before every signer's word. Tags that the new signer may sign go over to it" +
        " where its key is here; else the call says which ones do not.",
      PASSPHRASE_NOTE,
    ],
    seeAlso: ["countersign trust key generate", "countersign trust signer remove"],
  });
}

function removeCommand(context: Context): Command {
  const command = new Command("remove")
    .description("Lets somebody sign no more: nothing that they have signed counts from then on.")
    .addArgument(new Argument("<name>", NAME_ARGUMENT))
    .addArgument(new Argument("<repository...>", REPOSITORY_ARGUMENT))
    .addOption(
      new Option(
        "--successor <name>",
        "who binds from now on what they had bound: targets, or a signer whose key is here",
      ),
    )
    .action(async (name: string, repositories: readonly string[], options: RawOptions, self: Command) => {
      const { removeSigner } = await import("../tags-signer-action.ts");
      await removeSigner(context, openOutput(context, globalOptions(self)), name, repositories, options);
    });
  addYesOption(command);
  addTargetsKeyOptions(command);
  addPublishOptions(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      { command: "countersign trust signer remove ci registry.example/acme/app", purpose: "the key has leaked" },
      {
        command: "countersign trust signer remove --successor dana alice registry.example/acme/app",
        purpose: "Alice has left; Dana vouches for what she released",
      },
    ],
    notes: [
      "Tags that nobody binds any more are listed: whoever pulls them is refused from then on (unlisted). Where the key has leaked," +
        " look at each before somebody else vouches for it.",
      PASSPHRASE_NOTE,
    ],
    seeAlso: ["countersign trust revoke", "countersign trust inspect"],
  });
}

function listCommand(context: Context): Command {
  const command = new Command("list")
    .description("Lists who may sign which tags, with which keys and until when.")
    .addArgument(new Argument("<repository>", REPOSITORY_ARGUMENT))
    .action(async (repository: string, options: RawOptions, self: Command) => {
      const { listSigners } = await import("../tags-signer-action.ts");
      await listSigners(context, openOutput(context, globalOptions(self)), repository, options);
    });
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [{ command: "countersign trust signer list registry.example/acme/app", purpose: "who may sign" }],
    notes: ["The repository's metadata is verified first, from the pinned root on."],
    seeAlso: ["countersign trust inspect"],
  });
}
