import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRateOption, addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addPinOptions } from "../pin-options.ts";
import { addSourceOptions } from "../source-options.ts";
import { addVerifyOptions } from "../verify-options.ts";

export function pinCommand(context: Context): Command {
  const command = new Command("pin")
    .description(
      "Writes digests behind the tags in files, only those of images that are accepted, and remembers in a lock file who" +
        " vouched for them. Nothing else in the files changes. With --check it says offline what is not pinned.",
    )
    .addArgument(
      new Argument("<source...>", "files and folders: manifests, Compose files, Dockerfiles, pipelines, lists"),
    )
    .action(async (sources: readonly string[], options: RawOptions, self: Command) => {
      const { pin } = await import("../pin-action.ts");
      const isOnLine = (name: string): boolean => self.getOptionValueSource(name) === "cli";
      await pin(context, openOutput(context, globalOptions(self)), sources, options, isOnLine);
    });
  addPinOptions(command);
  addSourceOptions(command);
  addVerifyOptions(command);
  addRegistryOptions(command);
  addRateOption(command);
  return withManual(command, {
    examples: [
      { command: "countersign pin --key cosign.pub deploy/", purpose: "pin what this key has signed" },
      { command: "countersign pin --policy policy.yaml compose.yaml Dockerfile", purpose: "by a policy" },
      { command: "countersign pin --check .", purpose: "in CI: is everything pinned, and as the lock file says?" },
      {
        command: "countersign pin --policy policy.yaml --update --cool-down 3d deploy/",
        purpose: "move pins to what their tags name now, where it was accepted for three days",
      },
      {
        command: "countersign pin --policy policy.yaml --update --diff deploy/",
        purpose: "only show what would change",
      },
    ],
    notes: [
      "What is accepted is pinned, as name:tag@digest; what is not stays as it is, and the exit code says so: 1 where an" +
        " image was refused or cannot be pinned at its place, 3 where something could not be determined or read. All files and" +
        " the lock file are written together or not at all; a call that is killed is finished or taken back by the next one.",
      "A reference is judged as it will stand in the file, with its digest: a rule of a policy for a tag alone does not apply." +
        " Of an image with several platforms the index is pinned, and the lock file has each platform's digest.",
      "A tag that the lock file knows is pinned to the digest there, and a pin that stands in a file already is verified and" +
        " kept: only --update asks what tags name now. All mentions of a name move together. With --cool-down, a digest has to be" +
        " known to be accepted for that long: since its signature's proven time, or since it was first seen here, which" +
        " the lock file remembers.",
      "--check asks nobody: flags that say who must have signed change nothing. It fails on tags without a digest and on" +
        " digests that the lock file does not have, a line for each, and writes nothing but what an interrupted call had begun.",
      "--diff prints what would be written; its exit code is that of the call without it.",
    ],
    seeAlso: ["countersign verify", "countersign audit", "countersign policy", "countersign help reasons"],
  });
}
