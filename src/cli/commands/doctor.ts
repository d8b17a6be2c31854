import { Argument, Command, Option } from "commander";
import { PEER_ALIASES, PEER_NAMES } from "../../core/compat/peer.ts";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, collect, globalOptions, grouped, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addSignerOptions } from "../signer-options.ts";
import { addPinsOption } from "../tags-options.ts";
import { IMAGE_ARGUMENT } from "./verify.ts";

export function doctorCommand(context: Context): Command {
  const command = new Command("doctor")
    .description(
      "Says who will accept an image: from what is really stored beside it, it predicts what cosign, podman, Kyverno," +
        " policy-controller and notation make of it, why, and what to add. It judges nothing itself.",
    )
    .addArgument(new Argument("<image>", IMAGE_ARGUMENT))
    .action(async (image: string, options: RawOptions, self: Command) => {
      const { doctor } = await import("../doctor-action.ts");
      await doctor(context, openOutput(context, globalOptions(self)), image, options);
    });
  grouped(command, "Whom it is about:", [
    new Option(
      "--require <peers>",
      `fail where one of these would not accept it: ${PEER_NAMES.join(", ")} (repeatable, or separated by commas)`,
    ).argParser(collect),
  ]);
  addSignerOptions(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign doctor registry.example/acme/app:1.4.2",
        purpose: "who will accept it, and who will not?",
      },
      {
        command: "countersign doctor --key release.pub registry.example/acme/app:1.4.2",
        purpose: "the same for verifiers that ask for this key",
      },
      {
        command: "countersign doctor --require podman,kyverno --key release.pub registry.example/acme/app:1.4.2",
        purpose: "in a pipeline: stop where the cluster would refuse what was built",
      },
    ],
    notes: [
      "Without a key or an identity it says what each verifier finds and can read; with one, what it makes of that signer.",
      `Versions that behave differently have lines of their own, and --require asks for all of them. Other names: ${describeAliases()}.`,
      "Predicted is the default of each verifier: log entries where it asks for them, --insecure-ignore-tlog where all of them" +
        " are told to do without. Their policies and trust stores are not looked at; what hangs on them is said.",
      "Where a root of the repository is pinned, the image is the one that is signed for the tag, and what a consumer with that pin would be" +
        " refused for is said in its place. The verifiers go by the registry's own tag: where that names another image, this is said too.",
      "Exit 0 says that everything was looked at; with --require, 1 that one of those refuses it, 3 that it is not known.",
    ],
    seeAlso: ["countersign inspect", "countersign sign", "countersign verify"],
  });
}

function describeAliases(): string {
  return Object.entries(PEER_ALIASES)
    .map(([alias, name]) => `${alias} for ${name}`)
    .join(", ");
}
