import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions } from "../options.ts";
import { openOutput } from "../output.ts";

/** `countersign trusted-root …`: whom keyless verification believes, and how old that is. */
export function trustedRootCommand(context: Context): Command {
  const command = new Command("trusted-root")
    .description(
      "Shows and refreshes the trust roots of keyless signatures: the certificate authorities, logs and timestamp authorities" +
        " that are believed. Commands that need one refresh it by themselves, once a day.",
    )
    .addCommand(showCommand(context).summary("show what is believed, and for how long"))
    .addCommand(updateCommand(context).summary("refresh it now"))
    .addCommand(initCommand(context).summary("set up an instance of one's own"));
  return withManual(command, {
    examples: [
      { command: "countersign trusted-root show", purpose: "whom, since when, and how many days are left" },
      { command: "countersign trusted-root update", purpose: "before a journey without a network" },
    ],
    notes: [INSTANCES_NOTE, CACHE_NOTE],
    seeAlso: ["countersign verify", "countersign help identities"],
  });
}

const INSTANCES_NOTE =
  "An instance is a name for a trust root: sigstore (Sigstore's public one, the default) and github (which signs the" +
  " attestations of private repositories) are built in; others are in the configuration," +
  " $XDG_CONFIG_HOME/countersign/config.yaml. It is chosen by --trust NAME; nothing that was signed has a say in it.";

const CACHE_NOTE =
  "What is fetched is verified by The Update Framework (TUF) from a root that is built in or chosen by you, and kept in" +
  " $XDG_CACHE_HOME/countersign/tuf, or below TUF_ROOT. Caches of other tools are not used, and neither TUF_MIRROR and" +
  " TUF_ROOT_JSON nor the SIGSTORE_ variables that replace trust roots: an inherited environment must not decide whom to" +
  " believe.";

const NAMES = "instances (default: all of them)";

interface ConfigFlag {
  readonly config?: string;
}

function configOption(): Option {
  return new Option("--config <file>", "read this configuration instead of the user's own");
}

function showCommand(context: Context): Command {
  const command = new Command("show")
    .description(
      "Shows what is on this machine: where it comes from, when it was confirmed, until when it may be used, and whom it" +
        " names. Opens no connection.",
    )
    .addArgument(new Argument("[name...]", NAMES))
    .addOption(configOption())
    .action(async (names: readonly string[], { config }: ConfigFlag, self: Command) => {
      const { showTrust } = await import("../trusted-root-action.ts");
      await showTrust(context, openOutput(context, globalOptions(self)), names, config);
    });
  return withManual(command, {
    examples: [
      { command: "countersign trusted-root show sigstore", purpose: "the public instance" },
      {
        command: "countersign trusted-root show sigstore -o trusted-root > trusted_root.json",
        purpose: "the file itself, for --trusted-root on a machine without a network",
      },
    ],
    notes: ["Exit code 3 says that one of them has expired."],
    seeAlso: ["countersign trusted-root update"],
    formats: ["text", "json", "trusted-root"],
  });
}

function updateCommand(context: Context): Command {
  const command = new Command("update")
    .description("Asks the repositories of trust roots for newer ones now, and shows what is there then.")
    .addArgument(new Argument("[name...]", "instances (default: the default one, and those that were used before)"))
    .addOption(configOption())
    .action(async (names: readonly string[], { config }: ConfigFlag, self: Command) => {
      const { updateTrust } = await import("../trusted-root-action.ts");
      await updateTrust(context, openOutput(context, globalOptions(self)), names, config);
    });
  return withManual(command, {
    examples: [
      { command: "countersign trusted-root update", purpose: "what is used here" },
      { command: "countersign trusted-root update github", purpose: "GitHub's, to verify private repositories" },
    ],
    notes: [
      "A refresh that fails, or is offered something older or unsigned, leaves what is there as it was, and exits with 3.",
    ],
    seeAlso: ["countersign trusted-root show"],
  });
}

interface InitOptions extends ConfigFlag {
  readonly mirror: string;
  readonly root?: string;
  readonly rootChecksum?: string;
  readonly makeDefault?: boolean;
  readonly force?: boolean;
}

function initCommand(context: Context): Command {
  const command = new Command("init")
    .description(
      "Sets up a trust instance of one's own, such as a private Sigstore's: verifies its TUF repository from the root given," +
        " and writes it into the configuration.",
    )
    .addArgument(new Argument("<name>", "what to call it: the NAME of --trust"))
    .addOption(new Option("--mirror <url>", "the address of its TUF repository").makeOptionMandatory())
    .addOption(new Option("--root <file>", "the root to start from: a file, or an address with --root-checksum"))
    .addOption(new Option("--root-checksum <sha256>", "the root's SHA-256; without --root, the mirror may give it"))
    .addOption(new Option("--make-default", "use it where no --trust is given"))
    .addOption(new Option("--force", "replace an instance of this name"))
    .addOption(configOption())
    .action(async (name: string, options: InitOptions, self: Command) => {
      const { initTrust } = await import("../trust-init.ts");
      const { mirror, root, rootChecksum, config } = options;
      const flags = {
        mirror,
        root,
        rootChecksum,
        config,
        makeDefault: options.makeDefault === true,
        force: options.force === true,
      };
      await initTrust(context, openOutput(context, globalOptions(self)), name, flags);
    });
  return withManual(command, {
    examples: [
      {
        command: "countersign trusted-root init acme --mirror https://tuf.acme.example --root acme.root.json",
        purpose: "from a root that Acme gave out",
      },
      {
        command:
          "countersign trusted-root init acme --mirror https://tuf.acme.example --root-checksum sha256:4f0c… --make-default",
        purpose: "from the root with this checksum, and use it from now on",
      },
    ],
    notes: [
      "The root must come from somebody else than the mirror: whoever runs the mirror could give any. What was remembered of" +
        " the mirror is forgotten, so that a repository that was made anew can be taken into use.",
    ],
    seeAlso: ["countersign trusted-root show"],
  });
}

/** `initialize`, as cosign calls it: an instance named after its mirror becomes the default. */
export function initializeCommand(context: Context): Command {
  const command = new Command("initialize")
    .description(
      "Sets up the trust root of a mirror and makes it the default, as in cosign; without --mirror, Sigstore's own.",
    )
    .addOption(new Option("--mirror <url>", "the address of a TUF repository"))
    .addOption(new Option("--root <file>", "the root to start from: a file, or an address with --root-checksum"))
    .addOption(new Option("--root-checksum <sha256>", "the root's SHA-256"))
    .addOption(configOption())
    .action(async (options: Partial<InitOptions>, self: Command) => {
      const output = openOutput(context, globalOptions(self));
      const { mirror, root, rootChecksum, config } = options;
      if (mirror === undefined && root === undefined && rootChecksum === undefined) {
        const { updateTrust } = await import("../trusted-root-action.ts");
        return await updateTrust(context, output, ["sigstore"], config);
      }
      const { initTrust, nameOfMirror } = await import("../trust-init.ts");
      const flags = { mirror: mirror ?? "", root, rootChecksum, config, makeDefault: true, force: true };
      await initTrust(context, output, nameOfMirror(mirror), flags);
    });
  return withManual(command, {
    examples: [
      {
        command: "countersign initialize --mirror https://tuf.acme.example --root acme.root.json",
        purpose: "believe Acme's instance from now on",
      },
    ],
    seeAlso: ["countersign trusted-root init"],
  });
}
