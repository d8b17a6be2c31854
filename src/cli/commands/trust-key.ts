import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { KEY_FORMS, PASSPHRASE_NOTE } from "../tags-options.ts";

const FOLDER_NOTE =
  "Keys are in $XDG_DATA_HOME/countersign/trust/keys, each as a file that is encrypted as cosign does and readable by nobody else," +
  " beside what is known of it without its passphrase.";

/** `countersign trust key …`: the keys that roles are signed with. */
export function trustKeyCommand(context: Context): Command {
  const command = new Command("key")
    .description("Makes, takes in, lists and gives out the keys that signed tags are signed with.")
    .addCommand(generateCommand(context).summary("make a key for a signer"))
    .addCommand(loadCommand(context).summary("take a key in"))
    .addCommand(listCommand(context).summary("list the keys of this machine"))
    .addCommand(exportCommand(context).summary("give a key out"));
  return withManual(command, {
    examples: [
      { command: "countersign trust key generate alice", purpose: "alice.pub, for who adds her as a signer" },
      { command: "countersign trust key list", purpose: "which keys this machine has" },
    ],
    notes: [FOLDER_NOTE, PASSPHRASE_NOTE],
    seeAlso: ["countersign trust signer add", "countersign key"],
  });
}

function generateCommand(context: Context): Command {
  const command = new Command("generate")
    .description("Makes a key for a signer, keeps it here, and writes its public half to NAME.pub.")
    .addArgument(new Argument("<name>", "the signer's name"))
    .addOption(new Option("--dir <folder>", "where to write the public half (default: here)"))
    .addOption(
      new Option("--algorithm <name>", "ed25519, ecdsa-p256 or ecdsa-p384")
        .choices(["ed25519", "ecdsa-p256", "ecdsa-p384"])
        .default("ed25519"),
    )
    .action(async (name: string, options: RawOptions, self: Command) => {
      const { generateRoleKey } = await import("../tags-key-action.ts");
      await generateRoleKey(context, openOutput(context, globalOptions(self)), name, options);
    });
  return withManual(command, {
    examples: [
      { command: "countersign trust key generate alice", purpose: "then give alice.pub to who holds the targets key" },
      { command: "countersign trust key generate ci --dir keys --algorithm ecdsa-p256", purpose: "keys/ci.pub" },
    ],
    notes: [FOLDER_NOTE, PASSPHRASE_NOTE],
    seeAlso: ["countersign trust signer add"],
  });
}

function loadCommand(context: Context): Command {
  const command = new Command("load")
    .description(
      "Takes a private key in: a copy of one in a file or a variable, encrypted anew; of one in a KMS or a token where it is.",
    )
    .addArgument(new Argument("<key>", KEY_FORMS))
    .addOption(new Option("--name <name>", "root, targets, online or the signer's name").default("signer"))
    .addOption(new Option("--reference", "remember where the file or the variable is, and copy nothing"))
    .action(async (key: string, options: RawOptions, self: Command) => {
      const { loadRoleKey } = await import("../tags-key-action.ts");
      await loadRoleKey(context, openOutput(context, globalOptions(self)), key, options);
    });
  return withManual(command, {
    examples: [
      { command: "countersign trust key load alice.key --name alice", purpose: "from a file in PEM form" },
      {
        command: "countersign trust key load /media/safe/root.key --name root --reference",
        purpose: "a root key on a stick that is seldom here",
      },
      { command: "countersign trust key load awskms:///alias/online --name online", purpose: "in a KMS" },
    ],
    notes: [
      PASSPHRASE_NOTE,
      "Ed25519, ECDSA P-256 and P-384 keys can sign; RSA and P-521 keys cannot, since not every client verifies them.",
      "A file that others can read is taken with a warning.",
    ],
    seeAlso: ["countersign trust key list"],
  });
}

function listCommand(context: Context): Command {
  const command = new Command("list")
    .description(
      "Lists the keys of this machine: id, name, what it was made for, and where it is. Asks for no passphrase.",
    )
    .action(async (_options: RawOptions, self: Command) => {
      const { listRoleKeys } = await import("../tags-key-action.ts");
      await listRoleKeys(context, openOutput(context, globalOptions(self)));
    });
  return withManual(command, {
    examples: [
      { command: "countersign trust key list", purpose: "all of them" },
      { command: "countersign trust key list -o json", purpose: "with whole ids and public keys" },
    ],
    notes: [FOLDER_NOTE],
    seeAlso: ["countersign trust inspect"],
  });
}

function exportCommand(context: Context): Command {
  const command = new Command("export")
    .description("Prints a key of this machine: its public half, or the private one as it is kept, encrypted.")
    .addArgument(new Argument("<id>", "the key's id or the beginning of it, or its name where that is clear"))
    .addOption(new Option("--private", "the private half, still encrypted with its passphrase"))
    .action(async (id: string, options: RawOptions, self: Command) => {
      const { exportRoleKey } = await import("../tags-key-action.ts");
      await exportRoleKey(context, openOutput(context, globalOptions(self)), id, options);
    });
  return withManual(command, {
    examples: [
      { command: "countersign trust key export alice > alice.pub", purpose: "the public half" },
      {
        command: "countersign trust key export --private online --output-file online.key",
        purpose: "for the secret of a pipeline: --online-key env://ONLINE_KEY there",
      },
    ],
    notes: ["What is printed with --private opens with the passphrase that the key has here."],
    seeAlso: ["countersign trust key load"],
  });
}
