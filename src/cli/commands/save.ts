import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, collect, globalOptions, grouped, once, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addVerifyOptions } from "../verify-options.ts";
import { IMAGE_ARGUMENT } from "./verify.ts";

export function saveCommand(context: Context): Command {
  const command = new Command("save")
    .description(
      "Verifies images and packs them into one file for machines without a network: the images, everything attached to" +
        " them, and the trust roots that they were verified by. All of them are accepted, or no file is written.",
    )
    .addArgument(new Argument("[image...]", IMAGE_ARGUMENT))
    .action(async (images: readonly string[], options: RawOptions, self: Command) => {
      const { save } = await import("../save-action.ts");
      await save(context, openOutput(context, globalOptions(self)), images, options);
    });
  grouped(command, "The kit:", [
    new Option("--to <file>", "the file to write: an OCI archive that other tools can read, too").argParser(
      once("--to"),
    ),
    new Option(
      "--include-trust <name>",
      "take the trust root of this instance along as well: sigstore, github, or one of the configuration (repeatable)",
    ).argParser(collect),
  ]);
  addVerifyOptions(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command:
          "countersign save --key cosign.pub --to kit.tar registry.example/acme/app:1.4.2 registry.example/acme/db:9",
        purpose: "two images and their signatures",
      },
      {
        command: "countersign save --policy policy.yaml --to kit.tar registry.example/acme/app:1.4.2",
        purpose: "by the rule for the image; the policy goes along, to be read there",
      },
      {
        command: "countersign save --repo acme/app --to kit.tar registry.example/acme/app:1.4.2",
        purpose: "what a workflow signed without a key, and the trust roots to verify it by",
      },
      {
        command:
          "countersign save --key cosign.pub --platform linux/arm64 --to kit.tar registry.example/acme/app:1.4.2",
        purpose: "one platform, which has to have a signature of its own",
      },
      {
        command: "countersign save --include-trust sigstore --to trust.tar",
        purpose: "trust material alone, for machines whose own is about to expire",
      },
    ],
    notes: [
      "The digest that is printed names the kit and, through it, every byte in it. Hand it over by another way than the" +
        " file: countersign load --digest takes no other kit.",
      "The file is an OCI image layout in a tar: skopeo, crane and oci-archive: read its images. What makes it a kit is one" +
        " more artifact in it, with a list of what is there (docs/schemas/kit.json). The list is not signed.",
      "Trust material is only as old as this machine's own: countersign trusted-root update refreshes it first.",
    ],
    seeAlso: ["countersign load", "countersign copy", "countersign policy", "countersign trusted-root"],
  });
}
