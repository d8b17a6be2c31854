import { Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { exportCommand, importCommand } from "./policy-convert.ts";
import { withdrawCommand } from "./policy-withdraw.ts";

/** `countersign policy …`: what is written down once and obeyed by every door. */
export function policyCommand(context: Context): Command {
  const command = new Command("policy")
    .description(
      "Works on trust policies: who must have signed what, for which images. verify, pull, copy, push and all others obey one by --policy.",
    )
    .addCommand(importCommand(context).summary("read the policy of another enforcer"))
    .addCommand(exportCommand(context).summary("write the policy for another enforcer"))
    .addCommand(withdrawCommand(context).summary("take digests back: add them to a signed list"));
  return withManual(command, {
    examples: [],
    notes: [],
    seeAlso: ["countersign verify"],
  });
}
