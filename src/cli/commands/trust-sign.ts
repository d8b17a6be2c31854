import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, collect, globalOptions, grouped, once, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import {
  addPinsOption,
  addPublishOptions,
  addRoleKeyOptions,
  addYesOption,
  PASSPHRASE_NOTE,
  waiting,
} from "../tags-options.ts";

const PUBLISH_NOTE =
  "Exit code 0 only where everybody can read it: what was written is read back. 3: it is signed and waits for whoever has the" +
  " online key (publish-staged), or could not be confirmed (write-unconfirmed); nothing is lost, the next refresh publishes it.";

/** `countersign trust sign REPO:TAG…`: this tag means these bytes. */
export function trustSignCommand(context: Context): Command {
  const command = new Command("sign")
    .description(
      "Signs what tags mean: from now on this tag stands for this digest, whatever the registry's own tag says. The tag's digest is" +
        " asked for once and printed; name it yourself to be sure.",
    )
    .addArgument(new Argument("<image...>", "what to sign: registry.example/acme/app:1.4, better with @sha256:…"))
    .action(async (images: readonly string[], options: RawOptions, self: Command) => {
      const { signTag } = await import("../tags-sign-action.ts");
      await signTag(context, openOutput(context, globalOptions(self)), images, options);
    });
  addYesOption(command);
  grouped(command, "What is signed:", [
    new Option("--also <tag>", "bind this tag to the same digest (repeatable)").argParser(collect),
    new Option("--require-identity <name>", "an ordinary signature by this identity is demanded as well").argParser(
      once("--require-identity"),
    ),
    new Option("--require-issuer <url>", "who has to vouch for that identity").argParser(once("--require-issuer")),
    new Option("--signer <name>", "sign as this signer alone (repeatable; default: all whose key is here)").argParser(
      collect,
    ),
    new Option("--confirm", "say again what is signed already, with the time of now"),
    new Option("--reinstate", "sign a digest again that was taken back"),
    new Option("--approve", "sign what waits in the repository for further signatures, as trust approve does"),
    new Option("--source <text>", "where it was built from, in your words").argParser(once("--source")),
    new Option("--note <text>", "a remark that is shown with the tag").argParser(once("--note")),
  ]);
  addRoleKeyOptions(command, "sign");
  addPublishOptions(command);
  grouped(command, "Publishing:", [
    new Option("--wait <duration>", "where another has to publish it, wait this long for that").argParser(waiting),
  ]);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign trust sign registry.example/acme/app:1.4.2@sha256:9f2c…",
        purpose: "what a build has just pushed",
      },
      {
        command: "countersign trust sign --also 1.4 --also latest registry.example/acme/app:1.4.2@sha256:9f2c…",
        purpose: "three tags at once",
      },
      {
        command:
          "countersign trust sign -y --key env://CI_KEY --online-key env://ONLINE_KEY --single-writer registry.example/acme/app:1.4.2",
        purpose: "in a pipeline of which one job runs at a time",
      },
      {
        command:
          "countersign trust sign --require-identity https://git.example/acme/app/release.yml@refs/tags/v1.4.2 --require-issuer https://git.example registry.example/acme/app:1.4.2",
        purpose: "only together with the release workflow's own signature",
      },
    ],
    notes: [
      "Every signer role whose key is here and whose patterns fit signs. Where there are signers and none of their keys is here, it" +
        " is refused (role-key-missing): the targets key signs tags only while there are no signers.",
      "An index is signed with all of its platforms. What is signed just so already is left as it is, and --confirm signs it again: a" +
        " policy can refuse what was not confirmed for long (maxBindingAge). What was staged and not published is published.",
      "A role that needs several signatures is published by the last of them: the first stores it, countersign trust approve adds" +
        " one.",
      PUBLISH_NOTE,
      PASSPHRASE_NOTE,
    ],
    seeAlso: ["countersign trust revoke", "countersign trust inspect", "countersign push"],
  });
}

/** `countersign trust revoke`: this is not to be run any more. */
export function trustRevokeCommand(context: Context): Command {
  const command = new Command("revoke")
    .description(
      "Takes a tag or a digest back: whoever pulls it is refused, with the reason. More than removing it, which would say nothing.",
    )
    .addArgument(new Argument("<image...>", "registry.example/acme/app:1.4.2, or registry.example/acme/app@sha256:…"))
    .addOption(new Option("--reason <text>", "why; everybody who is refused reads it").makeOptionMandatory())
    .action(async (images: readonly string[], options: RawOptions, self: Command) => {
      const { revokeTag } = await import("../tags-revoke-action.ts");
      await revokeTag(context, openOutput(context, globalOptions(self)), images, options);
    });
  addYesOption(command);
  addRoleKeyOptions(command, "sign");
  addPublishOptions(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign trust revoke --reason 'CVE-2024-3094 in xz' registry.example/acme/app:1.4.2",
        purpose: "the tag and the digest that it is bound to",
      },
      {
        command:
          "countersign trust revoke --reason 'built from the wrong branch' registry.example/acme/app@sha256:9f2c…",
        purpose: "a digest, by whatever tag it goes",
      },
    ],
    notes: [
      "A tag can be signed again for another digest; a digest stays revoked: only --reinstate signs it again.",
      "What consumers have fetched already, they learn with their next pull: nothing older than the timestamp's lifetime is" +
        " believed.",
      PUBLISH_NOTE,
      PASSPHRASE_NOTE,
    ],
    seeAlso: ["countersign trust sign", "countersign policy withdraw"],
  });
}

/** `countersign trust approve REPO ROLE`: one more signature for what waits for it. */
export function trustApproveCommand(context: Context): Command {
  const command = new Command("approve")
    .description(
      "Adds a signature to metadata that waits for more of them, after it has said what that would change. The last signature that" +
        " is needed publishes it.",
    )
    .addArgument(new Argument("<repository>", "a repository: registry.example/acme/app"))
    .addArgument(new Argument("[role]", "root, targets or a signer's name (default: the one that waits)"))
    .action(async (repository: string, role: string | undefined, options: RawOptions, self: Command) => {
      const { approveRole } = await import("../tags-approve-action.ts");
      await approveRole(context, openOutput(context, globalOptions(self)), repository, role, options);
    });
  addYesOption(command);
  addRoleKeyOptions(command, "approve");
  addPublishOptions(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign trust approve registry.example/acme/app",
        purpose: "what waits, once it was looked over",
      },
      {
        command: "countersign trust approve --key /media/safe/root.key registry.example/acme/app root",
        purpose: "a new root, on the machine that the key is brought to",
      },
    ],
    notes: [
      "What is agreed to is shown before it is asked for. -y agrees without a question: only for what was looked at with countersign" +
        " trust diff before.",
      PASSPHRASE_NOTE,
    ],
    seeAlso: ["countersign trust diff", "countersign trust sign", "countersign trust rotate"],
  });
}
