import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addVerifyOptions } from "../verify-options.ts";

export const IMAGE_ARGUMENT = "[registry/]repository[:tag][@digest], oci:DIR, oci-archive:FILE or docker-archive:FILE";

export function verifyCommand(context: Context): Command {
  const command = new Command("verify")
    .description(
      "Judges images by their signatures: accepted, refused, or undetermined where it could not look. Sigstore bundles and" +
        " cosign's legacy signatures are both looked for. Every image is judged, whatever becomes of the others.",
    )
    .addArgument(new Argument("<image...>", IMAGE_ARGUMENT))
    .action(async (images: readonly string[], options: RawOptions, self: Command) => {
      const { verify } = await import("../verify-action.ts");
      await verify(context, openOutput(context, globalOptions(self)), images, options);
    });
  addVerifyOptions(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign verify --key cosign.pub registry.example/acme/app:1.4.2",
        purpose: "was it signed with this key?",
      },
      {
        command: "countersign verify --key alice.pub --key bob.pub --threshold 2 registry.example/acme/app:1.4.2",
        purpose: "did both sign?",
      },
      {
        command: "countersign verify --key cosign.pub -a env=prod -r registry.example/acme/app:1.4.2",
        purpose: "with an annotation, on the index and on every platform",
      },
      {
        command: "countersign verify --key cosign.pub --signed-as docker.io/acme/app mirror.example/acme/app:1.4.2",
        purpose: "a mirror of an image that was signed elsewhere",
      },
      { command: "countersign verify --key cosign.pub oci:build/out -o json", purpose: "an OCI layout, for a script" },
    ],
    notes: [
      "With a public key, the signature is checked and nothing else can be: no transparency log, no time of signing. The" +
        " verdict lists what was not checked.",
      "The signature of an index covers its platforms: --platform accepts a platform through a signed index that lists it.",
    ],
    seeAlso: ["countersign sign", "countersign pull", "countersign help reasons"],
  });
}
