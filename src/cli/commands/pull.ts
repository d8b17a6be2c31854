import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addContentTrustOption } from "../signed-tag-options.ts";
import { addVerifyOptions } from "../verify-options.ts";
import { IMAGE_ARGUMENT } from "./verify.ts";

export function pullCommand(context: Context): Command {
  const command = new Command("pull")
    .description(
      "Verifies images, then fetches by digest exactly what was accepted. Every blob is hashed while it streams and every" +
        " layer is checked against the image's configuration. What is not accepted leaves nothing behind; what was" +
        " interrupted is resumed by the next run.",
    )
    .addArgument(new Argument("<image...>", IMAGE_ARGUMENT))
    .option("--to <place>", "oci:DIR[:tag], oci-archive:FILE, docker-archive:FILE, docker or podman")
    .action(async (images: readonly string[], options: RawOptions, self: Command) => {
      const { pull } = await import("../pull-action.ts");
      await pull(context, openOutput(context, globalOptions(self)), images, options);
    });
  addVerifyOptions(command);
  addContentTrustOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign pull --key cosign.pub --to oci:app registry.example/acme/app:1.4.2",
        purpose: "into an OCI layout, all platforms",
      },
      {
        command: "countersign pull --policy policy.yaml --to podman registry.example/acme/app:1.4.2",
        purpose: "into Podman, where the rule for this image accepts it",
      },
      {
        command: "countersign pull --repo acme/app --to oci:app registry.example/acme/app:1.4.2",
        purpose: "what a workflow of this repository on GitHub signed, without a key",
      },
      {
        command: "countersign pull --to docker registry.example/acme/app:1.4.2",
        purpose: "what the publisher signed the tag for, where a root of the repository is pinned",
      },
      {
        command: "countersign pull --key cosign.pub --to docker registry.example/acme/app:1.4.2",
        purpose: "into Docker, which gets exactly the accepted digest",
      },
      {
        command:
          "countersign pull --key cosign.pub --platform linux/arm64 --to docker-archive:app.tar registry.example/acme/app:1.4.2",
        purpose: "one platform, as an archive for docker load",
      },
    ],
    notes: [
      "A destination that exists is not overwritten; a tag that is not taken can be added to an OCI layout.",
      "Signatures stay where they are: verify finds none beside what was pulled. countersign copy takes them along.",
      "Of an index all platforms are pulled, or the one of --platform, else the one of DOCKER_DEFAULT_PLATFORM.",
    ],
    seeAlso: [
      "countersign trust",
      "countersign verify",
      "countersign copy",
      "countersign policy",
      "countersign help identities",
    ],
  });
}
