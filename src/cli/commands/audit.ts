import { Argument, Command } from "commander";
import { AUDIT_FORMATS, addAuditOptions } from "../audit-options.ts";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addJudgingOptions } from "../verify-options.ts";
import { auditDiffCommand } from "./audit-diff.ts";
import { auditSignedByCommand } from "./audit-signed-by.ts";

export const SOURCE_ARGUMENT =
  "a file or folder with manifests, a list of images, registry://HOST[/PREFIX], cluster://[CONTEXT], or - for standard input";

/** `countersign audit SOURCE…`, and what goes with it: subcommands are added here. */
export function auditCommand(context: Context): Command {
  const command = new Command("audit")
    .description(
      "Says of every image that files, a registry or a cluster name whether it is accepted, by whom it is signed, whether it" +
        " is pinned, and what would stop if only accepted images were run. Every image is judged, whatever becomes of the others.",
    )
    .addArgument(new Argument("[source...]", SOURCE_ARGUMENT))
    .action(async (sources: readonly string[], options: RawOptions, self: Command) => {
      const { audit } = await import("../audit-action.ts");
      await audit(context, openOutput(context, globalOptions(self)), sources, options);
    });
  addAuditOptions(command);
  addJudgingOptions(command);
  addRegistryOptions(command);
  command
    .addCommand(auditDiffCommand(context).summary("say what is different between two audits"))
    .addCommand(auditSignedByCommand(context).summary("say what somebody signed, and where it runs"));
  return withManual(command, {
    formats: AUDIT_FORMATS,
    examples: [
      { command: "countersign audit --policy policy.yaml deploy/", purpose: "everything that these manifests run" },
      { command: "countersign audit --key cosign.pub images.txt -o json", purpose: "a list of images, for a script" },
    ],
    seeAlso: ["countersign verify", "countersign policy", "countersign help reasons"],
  });
}
