import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { addLoadOptions } from "../load-options.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addVerifyOptions } from "../verify-options.ts";

export function loadCommand(context: Context): Command {
  const command = new Command("load")
    .description(
      "Takes images out of a kit that countersign save has made, into a registry or an OCI layout, with everything" +
        " attached to them. Every byte of the kit is hashed and every image is judged before anything is written; nobody" +
        " is asked anything but the registry that they go to.",
    )
    .addArgument(new Argument("<file>", "the kit"))
    .action(async (file: string, options: RawOptions, self: Command) => {
      const { load } = await import("../load-action.ts");
      await load(context, openOutput(context, globalOptions(self)), file, options);
    });
  addLoadOptions(command);
  addVerifyOptions(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign load --key cosign.pub --to registry.internal.example/mirror kit.tar",
        purpose: "registry.example/acme/app:1 becomes registry.internal.example/mirror/acme/app:1",
      },
      {
        command: "countersign load --repo acme/app --update-trust --to oci:images kit.tar",
        purpose: "keyless signatures, judged by this machine's own trust roots, which the kit may refresh",
      },
      {
        command:
          "countersign load --digest sha256:4f0c… --trust-kit --certificate-identity release@acme.example" +
          " --certificate-oidc-issuer https://login.acme.example --to oci:images kit.tar",
        purpose: "exactly this kit, and by the trust roots in it",
      },
      {
        command: "countersign load --policy policy.yaml --to oci:images kit.tar",
        purpose: "by a policy of this machine's own, each image under the name that it was saved under",
      },
      {
        command: "countersign load --list -o policy kit.tar",
        purpose: "the policy that it was made by, to be read and kept as one's own",
      },
      { command: "countersign load --list kit.tar", purpose: "what is in it, and how long its trust roots will do" },
    ],
    notes: [
      "Whoever made a kit could have put anything into it. So its trust roots are not used: images are judged by keys, by" +
        " --trusted-root, or by what this machine holds itself. --update-trust takes only what TUF proves from this machine's" +
        " own start root on. --trust-kit believes the kit, and takes the digest of that kit to do so.",
      "A policy in a kit is shown and never judged by, whoever made the kit and however it was pinned: it would accept what its" +
        " maker accepts. Read it, keep it, and name it with --policy.",
      "All images are loaded or none: their content first, their tags last. A tag that is there already is moved.",
      "Names are what the kit's list says they are, and no signature speaks of them: --digest holds them to what was saved.",
    ],
    formats: ["text", "json", "policy"],
    seeAlso: ["countersign save", "countersign copy", "countersign policy", "countersign trusted-root"],
  });
}
