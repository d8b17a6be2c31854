import { Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { trustGcCommand } from "./trust-gc.ts";
import { trustInitCommand, trustPinCommand } from "./trust-init.ts";
import { trustKeyCommand } from "./trust-key.ts";
import { trustInspectCommand } from "./trust-look.ts";
import { trustMigrateCommand } from "./trust-migrate.ts";
import { trustAuditCommand, trustDiffCommand } from "./trust-review.ts";
import { trustApproveCommand, trustRevokeCommand, trustSignCommand } from "./trust-sign.ts";
import { trustSignerCommand } from "./trust-signer.ts";
import { trustRefreshCommand, trustRotateCommand } from "./trust-upkeep.ts";

/** `countersign trust …`: signed tags, for those who publish them and those who rely on them. */
export function trustCommand(context: Context): Command {
  const command = new Command("trust")
    .description(
      "Signed tags: a publisher signs what each tag stands for, in the image's own repository, and whoever has pinned the" +
        " publisher's root pulls that and nothing else. What Docker Content Trust gave, without a server beside the registry.",
    )
    .addCommand(trustInitCommand(context).summary("set up signed tags for a repository"))
    .addCommand(trustSignCommand(context).summary("sign what tags stand for"))
    .addCommand(trustRevokeCommand(context).summary("take a tag or a digest back"))
    .addCommand(trustRefreshCommand(context).summary("keep it current: for a timer"))
    .addCommand(trustInspectCommand(context).summary("show what is signed, by whom, until when"))
    .addCommand(trustPinCommand(context).summary("choose whose root to believe"))
    .addCommand(trustSignerCommand(context).summary("say who may sign which tags"))
    .addCommand(trustKeyCommand(context).summary("make and keep the keys of roles"))
    .addCommand(trustRotateCommand(context).summary("replace keys, renew what expires"))
    .addCommand(trustApproveCommand(context).summary("add a signature to what waits for it"))
    .addCommand(trustDiffCommand(context).summary("show what would change, or has changed"))
    .addCommand(trustAuditCommand(context).summary("look over signed tags as their publisher"))
    .addCommand(trustGcCommand(context).summary("remove old metadata from the registry"))
    .addCommand(trustMigrateCommand(context).summary("take a repository over from Docker Content Trust"));
  return withManual(command, {
    examples: [
      { command: "countersign trust init registry.example/acme/app", purpose: "once, by the publisher" },
      { command: "countersign trust sign registry.example/acme/app:1.4.2", purpose: "with each release" },
      { command: "countersign trust refresh registry.example/acme/app", purpose: "every day, by a timer" },
      {
        command: "countersign trust pin registry.example/acme/app --root-checksum sha256:4f0c…",
        purpose: "once, by who relies on it; then pull, verify, copy and pin obey",
      },
    ],
    notes: [
      "What is signed lies under the tag countersign-trust of the repository itself. docs/signed-tags.md tells of publishers," +
        " consumers, storage, recovery and registries.",
    ],
    seeAlso: ["countersign pull", "countersign verify", "docs/signed-tags.md"],
  });
}
