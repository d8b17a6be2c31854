import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, collect, globalOptions, grouped, once, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addPinsOption } from "../tags-options.ts";
import { addTrustOptions } from "../trust-options.ts";
import { IMAGE_ARGUMENT } from "./verify.ts";

export function learnCommand(context: Context): Command {
  const command = new Command("learn")
    .description(
      "Proposes the narrowest rules that accept these images, from the signatures and attestations that they carry and that" +
        " can be proven: exact repositories, exact identities, never a pattern. Prints what a policy becomes as a difference," +
        " for a person to review; writes nothing unless told to.",
    )
    .addArgument(new Argument("<image...>", IMAGE_ARGUMENT))
    .action(async (images: readonly string[], options: RawOptions, self: Command) => {
      const { learn } = await import("../policy-learn-action.ts");
      await learn(context, openOutput(context, globalOptions(self)), images, options);
    });
  grouped(command, "What is learned:", [
    new Option("--policy <file>", "the policy that is added to; a new one where there is none").argParser(
      once("--policy"),
    ),
    new Option(
      "--key <key>",
      "a public key that may be learned (repeatable): a signature does not hold its own",
    ).argParser(collect),
    new Option("--write", "write the policy instead of only showing the difference"),
  ]);
  addTrustOptions(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign policy learn registry.example/acme/app:1.4.2",
        purpose: "a whole new policy for what this image carries",
      },
      {
        command: "countersign policy learn --policy policy.yaml --key release.pub registry.example/acme/app:1.4.2",
        purpose: "what would be added to a policy",
      },
      {
        command: "countersign policy learn --policy policy.yaml --write registry.example/acme/app:1.4.2 && git diff",
        purpose: "the same, written down",
      },
    ],
    notes: [
      "Who signed is believed as far as the trust root proves it: learn from images that you know to be good. That an image" +
        " is signed by somebody does not make them trustworthy.",
      "Of several images of one repository everything is required that all of them have, by those who did it. A workflow that" +
        " ran at several refs is listed with each of them: whoever wants a pattern has to write it.",
      "Images that are not signed, could not be looked at, or whose signers cannot be proven are listed and nothing is proposed" +
        " for them; the exit code then is 1, 3 or 2, as for countersign verify.",
    ],
    seeAlso: ["countersign policy explain", "countersign policy init", "countersign inspect"],
  });
}
