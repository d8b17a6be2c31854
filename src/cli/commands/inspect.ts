import { Argument, Command, Option } from "commander";
import { PREDICATE_ALIASES } from "../../core/formats/predicates.ts";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, collect, globalOptions, grouped, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addPinsOption } from "../tags-options.ts";
import { IMAGE_ARGUMENT } from "./verify.ts";

export function inspectCommand(context: Context): Command {
  const command = new Command("inspect")
    .description(
      "Shows everything attached to an image as a tree: signatures, attestations, other artifacts, for the index and for" +
        " every platform. It judges nothing: what it shows is what is stored, not what is proven.",
    )
    .addArgument(new Argument("<image>", IMAGE_ARGUMENT))
    .action(async (image: string, options: RawOptions, self: Command) => {
      const { inspect } = await import("../inspect-action.ts");
      await inspect(context, openOutput(context, globalOptions(self)), image, options);
    });
  grouped(command, "What is shown:", [
    new Option(
      "--attestation <type>",
      `only attestations of this type, with what they say: ${PREDICATE_ALIASES.join(", ")}, or a URI (repeatable)`,
    ).argParser(collect),
  ]);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    formats: ["text", "json", "tree"],
    examples: [
      { command: "countersign inspect registry.example/acme/app:1.4.2", purpose: "what is attached to it?" },
      {
        command: "countersign inspect --attestation slsaprovenance1 -o json registry.example/acme/app:1.4.2",
        purpose: "what attestations of a type say, with their envelopes",
      },
      { command: "countersign inspect oci:build/out -o json", purpose: "the same of a layout, for a script" },
    ],
    notes: [
      "Text and tree are the same. Exit 3 says that something could not be looked at.",
      "Where a root of the repository is pinned, what its signed tag means stands above the tree, which is what the registry calls so." +
        " With --attestation, which is handed on to others, it is the image that the signed tag is for.",
    ],
    seeAlso: ["countersign verify", "countersign attest"],
  });
}
