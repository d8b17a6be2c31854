import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions } from "../options.ts";
import { openOutput } from "../output.ts";

const KINDS = "containers, notation, policy-controller or kyverno";

const NEVER_MORE =
  "A conversion never accepts more than what it was made from. What cannot be said in the other language is refused there," +
  " and listed on standard error and in JSON with its place: stricter says that images are refused that were accepted," +
  " dropped that something is gone, and what that comes to. With --strict any of it is exit code 2, and nothing is written.";

interface ImportOptions {
  readonly from?: string;
  readonly strict?: boolean;
}

export function importCommand(context: Context): Command {
  const command = new Command("import")
    .description(
      "Reads the policy of another enforcer and prints it as a policy of countersign: containers' policy.json, notation's" +
        " trustpolicy.json, policy-controller's ClusterImagePolicies, Kyverno's ImageValidatingPolicies.",
    )
    .addArgument(new Argument("<file>", "what is imported; YAML may hold several documents"))
    .addOption(new Option("--from <kind>", `whose policy it is: ${KINDS} (default: by its content)`))
    .addOption(new Option("--strict", "fail where anything is lost"))
    .action(async (file: string, { from, strict }: ImportOptions, self: Command) => {
      const { importForeign } = await import("../convert-action.ts");
      const output = openOutput(context, globalOptions(self));
      await importForeign(context, output, file, { from, strict: strict === true });
    });
  return withManual(command, {
    examples: [
      {
        command: "countersign policy import /etc/containers/policy.json > policy.yaml",
        purpose: "what podman asks of images, for every door",
      },
      {
        command: "countersign policy import --strict cluster-image-policies.yaml --output-file policy.yaml",
        purpose: "only if nothing is lost",
      },
    ],
    notes: [
      NEVER_MORE,
      "What accepts anything becomes a rule that warns: images are let through, and every verdict says that nobody had to sign" +
        " them. Keys in files stay in files; keys in the policy are in the new one.",
      "Where several policies of a cluster have to be met for one image, the rule for it asks what all of them ask.",
    ],
    seeAlso: ["countersign policy export"],
  });
}

interface ExportOptions {
  readonly as: string;
  readonly policy: string;
  readonly strict?: boolean;
  readonly to?: string;
  readonly force?: boolean;
}

export function exportCommand(context: Context): Command {
  const command = new Command("export")
    .description("Writes a policy for another enforcer, with the keys that it names in it.")
    .addOption(new Option("--as <kind>", `for whom: ${KINDS}`).makeOptionMandatory())
    .addOption(new Option("--policy <file>", "the policy that is written").makeOptionMandatory())
    .addOption(new Option("--strict", "fail where anything is lost"))
    .addOption(new Option("--to <path>", "write into this folder, or into this file where it is one file"))
    .addOption(new Option("--force", "replace files that are there"))
    .action(async ({ as, policy, strict, to, force }: ExportOptions, self: Command) => {
      const { exportForeign } = await import("../convert-action.ts");
      const flags = { as, policy, strict: strict === true, to, force: force === true };
      await exportForeign(context, openOutput(context, globalOptions(self)), flags);
    });
  return withManual(command, {
    examples: [
      {
        command: "countersign policy export --as containers --policy policy.yaml --to /etc/containers --force",
        purpose: "policy.json, and registries.d/countersign.yaml that has signatures looked for",
      },
      {
        command: "countersign policy export --as kyverno --policy policy.yaml | kubectl apply -f -",
        purpose: "the same policy in a cluster",
      },
    ],
    notes: [
      NEVER_MORE,
      "podman, skopeo, buildah and CRI-O read signatures in the form cosign-legacy alone, Kyverno and policy-controller bundles:" +
        " countersign sign writes both with --format bundle --format cosign-legacy.",
      "No other enforcer knows lists of withdrawn digests: from a policy with one, nothing is accepted anywhere else.",
    ],
    seeAlso: ["countersign policy import", "countersign sign"],
  });
}
