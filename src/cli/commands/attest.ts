import { Argument, Command } from "commander";
import { addAttestOptions } from "../attest-options.ts";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addPinsOption } from "../tags-options.ts";
import { IMAGE_ARGUMENT } from "./verify.ts";

export function attestCommand(context: Context): Command {
  const command = new Command("attest")
    .description(
      "Signs a statement about images and stores it beside them: how they were built, what is in them, what a scanner" +
        " found. The document of --predicate is taken over as it is. The same statement by the same signer twice changes" +
        " nothing.",
    )
    .addArgument(new Argument("<image...>", IMAGE_ARGUMENT))
    .action(async (images: readonly string[], options: RawOptions, self: Command) => {
      const { attest } = await import("../attest-action.ts");
      await attest(context, openOutput(context, globalOptions(self)), images, options);
    });
  addAttestOptions(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command:
          "countersign attest --key cosign.key --type slsaprovenance1 --predicate provenance.json registry.example/acme/app:1.4.2",
        purpose: "how it was built",
      },
      {
        command: "countersign attest -y --type cyclonedx --predicate bom.json registry.example/acme/app:1.4.2",
        purpose: "what is in it, in a pipeline, as the workflow that runs it",
      },
      {
        command:
          "countersign attest --key cosign.key --type https://acme.example/review/v1 --predicate - registry.example/acme/app:1.4.2",
        purpose: "a type of one's own, from standard input",
      },
      {
        command:
          "countersign attest --key cosign.key --type vuln --predicate scan.json --dry-run registry.example/acme/app:1.4.2",
        purpose: "is the file of that type? what would be stored?",
      },
    ],
    notes: [
      "The predicate is the document alone, without the statement around it: that is made here, about the digest that the" +
        " image has now. A file that is plainly of another type is refused, with what it lacks. custom takes any text," +
        " spdx SPDX's tag-value form, all others JSON.",
      "Statements are written in version 1 of in-toto's format. cosign 2 and 3 and gh read it as they read version 0.1.",
      "Attestations add up: an older one is neither replaced nor removed, and whoever verifies says with --where what the" +
        " one that counts has to say.",
      "cosign-legacy is the .att tag of cosign 1 and 2, for keys without services: what logs and timestamp authorities give" +
        " has another meaning there.",
    ],
    seeAlso: ["countersign verify", "countersign inspect", "countersign sign", "countersign help attestations"],
  });
}
