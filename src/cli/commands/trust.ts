import { Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { trustInitCommand, trustPinCommand } from "./trust-init.ts";
import { trustKeyCommand } from "./trust-key.ts";
import { trustInspectCommand } from "./trust-look.ts";

/** `countersign trust …`: signed tags, for those who publish them and those who rely on them. */
export function trustCommand(context: Context): Command {
  const command = new Command("trust")
    .description(
      "Signed tags: a publisher signs what each tag stands for, in the image's own repository, and whoever has pinned the" +
        " publisher's root pulls that and nothing else. What Docker Content Trust gave, without a server beside the registry.",
    )
    .addCommand(trustInitCommand(context).summary("set up signed tags for a repository"))
    .addCommand(trustInspectCommand(context).summary("show what is signed, by whom, until when"))
    .addCommand(trustPinCommand(context).summary("choose whose root to believe"))
    .addCommand(trustKeyCommand(context).summary("make and keep the keys of roles"));
  return withManual(command, {
    examples: [{ command: "countersign trust key generate alice", purpose: "a key for a signer" }],
    notes: [
      "What is signed lies under the tag countersign-trust of the repository itself. docs/signed-tags.md tells of publishers," +
        " consumers, storage, recovery and registries.",
    ],
    seeAlso: ["countersign pull", "countersign verify", "docs/signed-tags.md"],
  });
}
