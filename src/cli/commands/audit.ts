import { Argument, Command } from "commander";
import { AUDIT_FORMATS, addAuditOptions } from "../audit-options.ts";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRateOption, addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addSharingOptions } from "../queue-options.ts";
import { addClusterOptions, addSourceOptions } from "../source-options.ts";
import { addJudgingOptions } from "../verify-options.ts";
import { auditDiffCommand } from "./audit-diff.ts";
import { auditMergeCommand } from "./audit-merge.ts";
import { auditPlanCommand } from "./audit-plan.ts";
import { auditSignedByCommand } from "./audit-signed-by.ts";
import { SOURCE_ARGUMENT } from "./audit-sources.ts";
import { auditWorkerCommand } from "./audit-worker.ts";

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
  addSourceOptions(command);
  addClusterOptions(command);
  addSharingOptions(command);
  addJudgingOptions(command);
  addRegistryOptions(command);
  addRateOption(command);
  command
    .addCommand(auditPlanCommand(context).summary("write down what an audit looks at"))
    .addCommand(auditMergeCommand(context).summary("put the parts of an audit together"))
    .addCommand(auditWorkerCommand(context).summary("examine images for audits on other machines"))
    .addCommand(auditDiffCommand(context).summary("say what is different between two audits"))
    .addCommand(auditSignedByCommand(context).summary("say what somebody signed, and where it runs"));
  return withManual(command, {
    formats: AUDIT_FORMATS,
    examples: [
      { command: "countersign audit --policy policy.yaml deploy/", purpose: "everything that these manifests run" },
      {
        command: "countersign audit --policy policy.yaml cluster:// -o html --output-file audit.html",
        purpose: "everything that runs in a cluster, as a page",
      },
      { command: "countersign audit --key cosign.pub images.txt -o json", purpose: "a list of images, for a script" },
      {
        command: "countersign audit --policy policy.yaml --fail-on refused,undetermined,unpinned deploy/ -o sarif",
        purpose: "for a pipeline: unpinned images fail it too",
      },
      {
        command: "countersign audit --policy policy.yaml --journal audit.journal registry://registry.example/acme",
        purpose: "a run that may be killed: the next one goes on where it was",
      },
      {
        command:
          "countersign audit --policy policy.yaml --plan plan.json --shard 2/4 -o json --output-file shard-2.json",
        purpose: "a quarter of a plan, for audit merge",
      },
    ],
    notes: [
      "Each reference is resolved once and each digest judged once, whatever names it. What could not be looked at for a reason" +
        " that may pass is tried again after the rest, and is undetermined where that does not help: never unsigned.",
      "Exit code 1: something is refused, or unpinned or drifted where --fail-on asks for that. 3: nothing is, but an image could" +
        " not be looked at, or a source not be read. 2: no image is named at all. drift: an image is pinned and its tag names" +
        " another digest now.",
      "--journal FILE keeps what is determined, line by line. The next run with the same images and the same requirements takes it" +
        " from there and judges as of the first run's time; the file is removed when all is done. One of other images, of other" +
        " requirements or of a newer version, and one that is older than a day, is an error.",
      "--shard i/n takes part i of the images, counted from 1; auto/n takes it from JOB_COMPLETION_INDEX, which an Indexed Job of" +
        " Kubernetes counts from 0. All parts need one --plan: it holds the time that they judge by.",
      "--queue ADDRESS has countersign audit worker, on other machines, ask the registries; the result is the same. A run that was" +
        " killed goes on when it is started again with the same --plan.",
    ],
    seeAlso: [
      "countersign audit plan",
      "countersign audit merge",
      "countersign audit worker",
      "countersign verify",
      "countersign help reasons",
      "docs/audits-at-scale.md",
    ],
  });
}
