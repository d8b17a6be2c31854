import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addPublishedOptions } from "../published-options.ts";
import { addSigningOptions } from "../sign-options.ts";
import { addSignedTagOptions } from "../signed-tag-options.ts";
import { addTagStatementOptions } from "../tag-statement.ts";

export function pushCommand(context: Context): Command {
  const command = new Command("push")
    .description(
      "Publishes an image so that its tag never points at something unsigned: the image is pushed by digest, signed," +
        " verified as its consumers will verify it, and the tag is moved last. A run that was cut short is resumed.",
    )
    .addArgument(
      new Argument("<source>", "oci:DIR, oci-archive:FILE, docker-archive:FILE, docker-daemon:NAME, or an image"),
    )
    .addArgument(new Argument("<image>", "where to publish it: [registry/]repository[:tag]"))
    .action(async (source: string, image: string, options: RawOptions, self: Command) => {
      const { push } = await import("../push-action.ts");
      await push(context, openOutput(context, globalOptions(self)), source, image, options);
    });
  addSigningOptions(command);
  addPublishedOptions(command);
  addSignedTagOptions(command);
  addTagStatementOptions(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign push --key cosign.key oci:build/out registry.example/acme/app:1.4.2",
        purpose: "what a build left in an OCI layout",
      },
      {
        command: "countersign push --key cosign.key -y docker-daemon:app:latest registry.example/acme/app:1.4.2",
        purpose: "an image of the local Docker daemon",
      },
      {
        command: "countersign push --key cosign.key --for podman,kyverno oci:build/out registry.example/acme/app:1.4.2",
        purpose: "in the forms that these verifiers read",
      },
      {
        command: "countersign push --key cosign.key --tag-statement oci:build/out registry.example/acme/app:1.4.2",
        purpose: "with what the tag means signed in the same step, for those who have the repository's root pinned",
      },
      {
        command: "countersign push --repo acme/app oci:release registry.example/acme/app:1.4.2",
        purpose: "what a workflow of this repository has signed already, with its signatures",
      },
      {
        command: "countersign push --key cosign.key --policy policy.yaml oci:build/out registry.example/acme/app:1.4.2",
        purpose: "signed, and named only if the policy that consumers obey accepts it",
      },
      {
        command: "countersign push --policy policy.yaml --already-signed oci:release registry.example/acme/app:1.4.2",
        purpose: "with the signatures that it has, by that policy",
      },
    ],
    notes: [
      "With --policy, the image is judged where it arrived by the rule for its new name, as consumers will judge it, and the" +
        " tag is moved when it was accepted. Where no signature could make it so (no rule, a rule that nothing meets, a digest" +
        " that was taken back) nothing is signed and nothing is sent.",
      "With flags that say who must have signed, nothing is signed: the signatures that came with the image are verified before" +
        " the first byte is sent and again where it arrived, and the tag is moved when both were accepted.",
      "Without --key, the image is signed as an identity that a certificate authority vouches for: see countersign sign.",
    ],
    seeAlso: ["countersign sign", "countersign verify", "countersign policy"],
  });
}
