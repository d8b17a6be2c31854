import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, collect, count, globalOptions, grouped, once, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import {
  addFirstWriterOption,
  addPinsOption,
  addYesOption,
  KEY_FORMS,
  PASSPHRASE_NOTE,
  REPOSITORY_ARGUMENT,
} from "../tags-options.ts";

/** `countersign trust init REPO`: the first root of a repository. */
export function trustInitCommand(context: Context): Command {
  const command = new Command("init")
    .description(
      "Sets up signed tags for a repository: makes the keys, signs the first root, stores it in the repository, and pins it here." +
        " From then on whoever has pinned the root pulls what is signed, whatever the registry's own tags say.",
    )
    .addArgument(new Argument("<repository>", REPOSITORY_ARGUMENT))
    .action(async (repository: string, options: RawOptions, self: Command) => {
      const { initTags } = await import("../tags-init-action.ts");
      await initTags(context, openOutput(context, globalOptions(self)), repository, options);
    });
  addYesOption(command);
  grouped(command, "Keys:", [
    new Option("--root-key <key>", `a root key: ${KEY_FORMS} (repeatable; default: a new one)`).argParser(collect),
    new Option("--threshold <n>", "how many of the root keys have to sign a root (default: 1)").argParser(
      count("--threshold", 1),
    ),
    new Option("--targets-key <key>", "the key that says who signs which tags (default: a new one)").argParser(
      once("--targets-key"),
    ),
    new Option("--online-key <key>", "the key of snapshots and timestamps (default: a new one)").argParser(
      once("--online-key"),
    ),
  ]);
  grouped(command, "Publishing:", [
    new Option("--alias <name>", "another name of the repository, such as a mirror's (repeatable)").argParser(collect),
    new Option(
      "--location <repository>",
      "keep the metadata in this repository, where tags of the images' own cannot be moved",
    ).argParser(once("--location")),
    new Option("--strict", "timestamps live 24h instead of 7d, to be refreshed every hour"),
  ]);
  addFirstWriterOption(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign trust init registry.example/acme/app",
        purpose: "keys of its own, each with a passphrase that is asked for",
      },
      {
        command: "COUNTERSIGN_KEY_PASSPHRASE=… countersign trust init -y registry.example/acme/app",
        purpose: "in a script",
      },
      {
        command:
          "countersign trust init --root-key a.key --root-key b.key --root-key c.key --threshold 2 --online-key awskms:///alias/online registry.example/acme/app",
        purpose: "two of three people for a new root, and the online key in a KMS",
      },
    ],
    notes: [
      "Keys that are made here are Ed25519, encrypted with a passphrase, in $XDG_DATA_HOME/countersign/trust/keys. Take the root" +
        " key off this machine: who has it decides everything, and without it nothing can be renewed. One root key alone is a risk" +
        " in both directions.",
      PASSPHRASE_NOTE,
      "The new root is pinned here. Consumers pin it by its checksum, which is printed; give it out where an attacker of the" +
        " registry cannot change it.",
      "A repository that has signed tags is never set up again, and of two who do it in one moment one has done it: it is looked at" +
        " again, with --settle once more 15 seconds later, and where somebody else's root is there then, nothing is pinned" +
        " (write-unconfirmed, exit code 3)." +
        " Where the registry lets no tag be moved, this is said, with what can be done.",
    ],
    seeAlso: ["countersign trust sign", "countersign trust pin", "docs/signed-tags.md"],
  });
}

/** `countersign trust pin`: whose root to believe. */
export function trustPinCommand(context: Context): Command {
  const command = new Command("pin")
    .description(
      "Pins the root of a repository's signed tags: from then on its tags are resolved through them, at every door. Without a" +
        " repository it lists what is pinned.",
    )
    .addArgument(new Argument("[repository]", REPOSITORY_ARGUMENT))
    .action(async (repository: string | undefined, options: RawOptions, self: Command) => {
      const { pinRoot } = await import("../tags-pin-action.ts");
      await pinRoot(context, openOutput(context, globalOptions(self)), repository, options);
    });
  command
    .addOption(new Option("--root-checksum <sha256>", "the root with this SHA-256, as the publisher gave it out"))
    .addOption(new Option("--root <file>", "the root in this file"))
    .addOption(new Option("--tofu", "the root that the registry serves now: trust on first use"))
    .addOption(
      new Option(
        "--from-dct",
        "the root that the old root of Docker Content Trust vouches for, which Docker trusted here",
      ),
    )
    .addOption(new Option("--trust-dir <folder>", "Docker's trust folder (default: ~/.docker/trust)"))
    .addOption(new Option("--dct-root <file>", "root.json of Docker Content Trust, in place of the one in that folder"))
    .addOption(new Option("--remove", "believe no root of this repository any more"))
    .addOption(
      new Option("--mirror <name>", "this is a mirror of the repository: resolve its tags through the same root"),
    )
    .addOption(new Option("--location <repository>", "the metadata is in this repository, not in that of the images"))
    .addOption(new Option("--force", "replace another root that is pinned"));
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign trust pin registry.example/acme/app --root-checksum sha256:4f0c…",
        purpose: "what the publisher's page says",
      },
      { command: "countersign trust pin registry.example/acme/app --root acme.root.json", purpose: "from a file" },
      {
        command: "countersign trust pin registry.example/acme/app --tofu --pins countersign.pins.json",
        purpose: "what is served now, into a file to look over and commit",
      },
      { command: "countersign trust pin", purpose: "what is pinned here" },
    ],
    notes: [
      "The file of pins is the user's own, or the one that --pins or COUNTERSIGN_PINS names; none is picked up from the current" +
        " folder, since a repository that was cloned must not bring its own trust. A file for a project is called" +
        " countersign.pins.json, is committed like a lock file, and named by COUNTERSIGN_PINS in CI.",
      "--tofu believes whoever answers, this once. It prints the root's checksum and the ids of its keys: compare them with what the" +
        " publisher says.",
      "--from-dct takes over what Docker trusted: the publisher's old root key has signed the new root (countersign trust migrate).",
      "What is pinned is a first root: later ones are followed by themselves, each signed by the one before it.",
    ],
    seeAlso: ["countersign trust inspect", "countersign pull"],
  });
}
