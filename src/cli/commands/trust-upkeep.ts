import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, collect, count, globalOptions, grouped, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import {
  addPinsOption,
  addPublishOptions,
  addRoleKeyOptions,
  addYesOption,
  KEY_FORMS,
  onlineKeyOption,
  PASSPHRASE_NOTE,
  REPOSITORY_ARGUMENT,
} from "../tags-options.ts";

/** `countersign trust refresh REPO…`: the cron job that keeps consumers from being refused. */
export function trustRefreshCommand(context: Context): Command {
  const command = new Command("refresh")
    .description(
      "Signs timestamps anew, publishes what waits, and says what expires soon. To be run by a timer: consumers refuse a timestamp" +
        " that has expired, since nothing says then that what they see is current.",
    )
    .addArgument(new Argument("<repository...>", REPOSITORY_ARGUMENT))
    .action(async (repositories: readonly string[], options: RawOptions, self: Command) => {
      const { refreshTags } = await import("../tags-refresh-action.ts");
      await refreshTags(context, openOutput(context, globalOptions(self)), repositories, options);
    });
  addYesOption(command);
  grouped(command, "Keys:", [onlineKeyOption()]);
  addPublishOptions(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      { command: "countersign trust refresh registry.example/acme/app", purpose: "once a day" },
      {
        command: "countersign trust refresh -y --online-key env://ONLINE_KEY --single-writer registry.example/acme/app",
        purpose: "in a pipeline's timer: deploy/github/trust-refresh.yml is ready to be copied",
      },
    ],
    notes: [
      "It needs the online key alone, and can bind no tag: whoever steals that key can hold consumers at what is signed, for at most" +
        " as long as the root allows.",
      "What signers have staged and nobody has published is published, if it verifies; each repository is refreshed whatever becomes" +
        " of the others.",
      "Exit code 3: it could not be done or not be confirmed, or root, targets or a signer's metadata expires soon and nobody but" +
        " its holders can renew it: let the timer's failure wake somebody.",
      PASSPHRASE_NOTE,
    ],
    seeAlso: ["countersign trust inspect", "countersign trust audit", "docs/signed-tags.md"],
  });
}

/** `countersign trust rotate ROLE REPO`: new keys in the place of old ones. */
export function trustRotateCommand(context: Context): Command {
  const command = new Command("rotate")
    .description(
      "Replaces the keys of a role, or signs it anew before it expires. A new root is signed by the keys of the old one too:" +
        " consumers follow by themselves.",
    )
    .addArgument(new Argument("<role>", "root, targets, online or a signer's name"))
    .addArgument(new Argument("<repository>", REPOSITORY_ARGUMENT))
    .action(async (role: string, repository: string, options: RawOptions, self: Command) => {
      const { rotateRole } = await import("../tags-rotate-action.ts");
      await rotateRole(context, openOutput(context, globalOptions(self)), role, repository, options);
    });
  addYesOption(command);
  grouped(command, "Keys:", [
    new Option(
      "--new-key <key>",
      `sign with this key from now on, and with no other: ${KEY_FORMS} (repeatable; default: a new one)`,
    ).argParser(collect),
    new Option("--add-key <key>", "let this key sign beside those that there are (repeatable)").argParser(collect),
    new Option("--remove-key <id>", "let the key with this id sign no more (repeatable)").argParser(collect),
    new Option("--renew", "only sign the role anew, with the keys that it has"),
    new Option("--threshold <n>", "how many of the keys have to sign (default: as before)").argParser(
      count("--threshold", 1),
    ),
    new Option(
      "--root-key <key>",
      "sign the new root with this key of the old one (repeatable; default: those of this machine)",
    ).argParser(collect),
  ]);
  addRoleKeyOptions(command, "sign");
  addPublishOptions(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign trust rotate online --root-key /media/safe/root.key registry.example/acme/app",
        purpose: "the online key has leaked: what was signed with it counts no more",
      },
      {
        command: "countersign trust rotate root --renew registry.example/acme/app",
        purpose: "renew the root before it expires",
      },
      {
        command:
          "countersign trust rotate root --new-key a.key --new-key b.key --new-key c.key --threshold 2 registry.example/acme/app",
        purpose: "from one key to two of three",
      },
    ],
    notes: [
      "Of another person, name the public key: it is theirs to sign with, and what needs their signature waits for it.",
      "Where the keys that are needed are not all here, what was signed waits in the repository: countersign trust approve adds the" +
        " others, on whichever machine they are.",
      "A new online key makes consumers forget the versions that they remember of snapshot and timestamp: a thief who has pushed" +
        " them ahead loses by it.",
      PASSPHRASE_NOTE,
    ],
    seeAlso: ["countersign trust approve", "countersign trust signer remove", "docs/signed-tags.md"],
  });
}
