import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addDryRun, addSigningOptions } from "../sign-options.ts";
import { IMAGE_ARGUMENT } from "./verify.ts";

export function signCommand(context: Context): Command {
  const command = new Command("sign")
    .description(
      "Signs images and stores the signatures beside them. A tag is resolved once, and the digest that was signed is" +
        " printed. Signing the same image with the same key and annotations twice changes nothing.",
    )
    .addArgument(new Argument("<image...>", IMAGE_ARGUMENT))
    .action(async (images: readonly string[], options: RawOptions, self: Command) => {
      const { sign } = await import("../sign-action.ts");
      await sign(context, openOutput(context, globalOptions(self)), images, options);
    });
  addSigningOptions(command);
  addDryRun(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign sign --key cosign.key registry.example/acme/app@sha256:9f2c…",
        purpose: "what a build has just pushed",
      },
      {
        command: "countersign sign --key env://SIGNING_KEY -y registry.example/acme/app:1.4.2",
        purpose: "in CI, with the key in a variable and its password in COSIGN_PASSWORD",
      },
      {
        command: "countersign sign --key cosign.key -r -a env=prod registry.example/acme/app:1.4.2",
        purpose: "the index and every platform, with an annotation",
      },
      {
        command:
          "countersign sign --key cosign.key --format bundle --format cosign-legacy registry.example/acme/app:1.4.2",
        purpose: "for new and for old verifiers",
      },
      {
        command: "countersign sign --key cosign.key --dry-run registry.example/acme/app:1.4.2",
        purpose: "what would be done",
      },
    ],
    notes: [
      "A bundle (Sigstore bundle v0.3 as an OCI 1.1 referrer) is what cosign 3 writes and reads; cosign-legacy is the .sig" +
        " tag of cosign 1 and 2, which podman and skopeo read too.",
      "The signature of an index covers the platforms it lists. --platform signs one platform's image instead, -r all of" +
        " them and the index.",
      "The password of an encrypted key comes from COSIGN_PASSWORD, a question on the terminal, or standard input.",
    ],
    seeAlso: ["countersign key generate", "countersign verify"],
  });
}
