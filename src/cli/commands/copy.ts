import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addVerifyOptions } from "../verify-options.ts";
import { IMAGE_ARGUMENT } from "./verify.ts";

export function copyCommand(context: Context): Command {
  const command = new Command("copy")
    .description(
      "Copies an image with everything attached to it: signatures, attestations, other referrers. It is verified before" +
        " the first byte is written, and named at its destination last.",
    )
    .addArgument(new Argument("<source>", IMAGE_ARGUMENT))
    .addArgument(
      new Argument(
        "<destination>",
        "[registry/]repository[:tag], oci:DIR[:tag], oci-archive:FILE or docker-archive:FILE",
      ),
    )
    .action(async (source: string, target: string, options: RawOptions, self: Command) => {
      const { copy } = await import("../copy-action.ts");
      await copy(context, openOutput(context, globalOptions(self)), source, target, options);
    });
  addVerifyOptions(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign copy --key cosign.pub registry.example/acme/app:1.4.2 mirror.example/acme/app:1.4.2",
        purpose: "into a mirror",
      },
      {
        command: "countersign copy --policy policy.yaml registry.example/acme/app:1.4.2 mirror.example/acme/app:1.4.2",
        purpose: "by the rule for the image that is copied; in the mirror, signedAs in a rule says where it came from",
      },
      {
        command:
          "countersign copy --certificate-identity release@acme.example --certificate-oidc-issuer https://login.acme.example" +
          " registry.example/acme/app:1.4.2 mirror.example/acme/app:1.4.2",
        purpose: "what this person signed without a key",
      },
      {
        command: "countersign copy --key cosign.pub registry.example/acme/app:1.4.2 oci:app",
        purpose: "out of a registry, signatures included",
      },
    ],
    notes: [
      "Certificates, log entries and timestamps are copied along with the signatures: a keyless signature is verified in the" +
        " mirror as it was here.",
      "cosign's legacy signatures name the repository they were made for: in a mirror they are verified with --signed-as.",
    ],
    seeAlso: ["countersign pull", "countersign verify", "countersign policy", "countersign help identities"],
  });
}
