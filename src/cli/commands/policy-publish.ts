import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addSignatoryOptions } from "../signatory-options.ts";
import { addPinsOption } from "../tags-options.ts";

export function publishCommand(context: Context): Command {
  const command = new Command("publish")
    .description(
      "Stores a policy in a registry and signs it, for every machine that shall obey it: with the keys that it names inside," +
        " by digest, signed, fetched back as its users will, and the tag is moved last.",
    )
    .addArgument(new Argument("<file>", "the policy"))
    .addArgument(new Argument("<place>", "where to: oci://registry/repository:tag"))
    .action(async (file: string, place: string, options: RawOptions, self: Command) => {
      const { publish } = await import("../policy-publish-action.ts");
      await publish(context, openOutput(context, globalOptions(self)), file, place, options);
    });
  addSignatoryOptions(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign policy publish --key policy.key policy.yaml oci://registry.example/policies/prod:1",
        purpose: "with a key",
      },
      {
        command: "countersign policy publish -y policy.yaml oci://registry.example/policies/prod:1",
        purpose: "in a pipeline, as the workflow that runs it",
      },
      {
        command:
          "countersign verify --policy oci://registry.example/policies/prod:1 --policy-key policy.pub registry.example/acme/app:1.4",
        purpose: "how it is used: whoever may write to the registry cannot change it",
      },
      {
        command:
          "countersign verify --policy oci://registry.example/policies/prod@sha256:4f0c… registry.example/acme/app:1.4",
        purpose: "or exactly this one, whoever signed it",
      },
    ],
    notes: [
      "A policy that is fetched names nothing beside itself. Key files are put into it as PEM; trust roots have to be instances" +
        " that its users know, by the configuration or built in. What policy check calls an error is not published.",
      "Under a tag, --policy wants to know who must have signed: --policy-key, or --policy-certificate-identity with its issuer." +
        " It is checked where the policy was published too: one by the same signer for another repository is not taken for it.",
      "An older policy is as well signed as the newest, and whoever may move the tag can put it back: a digest excludes that, and so does a" +
        " signed tag where its users have pinned the root (countersign trust sign); --policy-max-age bounds it, if the policy is published again before that time is over, changed or not.",
      "A registry that does not answer is exit code 3: nothing says then what is required, and nothing is accepted.",
    ],
    seeAlso: ["countersign policy check", "countersign verify", "docs/policy.md"],
  });
}
