import { Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addQueueOption } from "../queue-options.ts";
import { addJudgingOptions } from "../verify-options.ts";

export function auditWorkerCommand(context: Context): Command {
  const command = new Command("worker")
    .description(
      "Examines images for audits that are run with the same --queue, beside any number of other workers. Each registry has" +
        " a queue with one rate for all machines, and where a registry asks one of them to wait, all of them do.",
    )
    .action(async (options: RawOptions, self: Command) => {
      const { auditWorker } = await import("../audit-worker-action.ts");
      await auditWorker(context, openOutput(context, globalOptions(self)), options);
    });
  addQueueOption(command, "the Redis or Valkey server: redis://HOST[:PORT][/DATABASE], rediss://… for TLS");
  command.addOption(
    new Option("--once", "end when the first audit has no work left, and fail where it cannot be worked on").helpGroup(
      "Many machines:",
    ),
  );
  addJudgingOptions(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign audit worker --queue redis://queue.example --policy policy.yaml",
        purpose: "until it is interrupted",
      },
      {
        command: "countersign audit worker --queue redis://queue.example --once --policy policy.yaml",
        purpose: "for one audit: in a pipeline",
      },
      {
        command: "countersign audit --queue redis://queue.example --policy policy.yaml cluster:// -o json",
        purpose: "the audit that they work on, on another machine",
      },
    ],
    notes: [
      "Keys, policy, trust roots and flags are those of the audit: a worker that would judge by anything else does not work on" +
        " it. Results, the order of the images and the exit code are those of the same audit in one process.",
      "COUNTERSIGN_QUEUE_SECRET is the same text on every machine of the audit, 32 characters at least: openssl rand -hex 32." +
        " What goes through the queue is sealed with it, so that who can write to the server cannot turn a refusal into an" +
        " acceptance. Reading there shows names of images and what was found out about them.",
      "An address with a password is given as COUNTERSIGN_QUEUE: other users of a machine can read command lines.",
      "A worker that is killed costs nothing but time: within half a minute its images are given to another. SIGINT and SIGTERM" +
        " end it with exit code 0; what it has in hand goes back into the queue. A server that is gone for two minutes ends it" +
        " with exit code 3.",
      "Nothing outside of keys that begin with countersign: is read or written there. What belongs to an audit is removed when" +
        " it ends, and a day after its last machine was killed.",
    ],
    seeAlso: ["countersign audit", "docs/audits-at-scale.md"],
  });
}
