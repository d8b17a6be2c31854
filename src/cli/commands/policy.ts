import { Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { checkCommand } from "./policy-check.ts";
import { exportCommand, importCommand } from "./policy-convert.ts";
import { explainCommand } from "./policy-explain.ts";
import { initCommand } from "./policy-init.ts";
import { learnCommand } from "./policy-learn.ts";
import { publishCommand } from "./policy-publish.ts";
import { testCommand } from "./policy-test.ts";
import { whichCommand } from "./policy-which.ts";
import { withdrawCommand } from "./policy-withdraw.ts";

/** `countersign policy …`: what is written down once and obeyed by every door. */
export function policyCommand(context: Context): Command {
  const command = new Command("policy")
    .description(
      "Works on trust policies: who must have signed what, for which images. verify, pull, copy, push and all others obey one by --policy.",
    )
    .addCommand(initCommand(context).summary("write a first policy"))
    .addCommand(checkCommand(context).summary("say all that is wrong with policies"))
    .addCommand(whichCommand(context).summary("say by which rule images are judged"))
    .addCommand(explainCommand(context).summary("say why an image is accepted or refused"))
    .addCommand(testCommand(context).summary("run recorded cases, without a network"))
    .addCommand(learnCommand(context).summary("propose the narrowest rules for images"))
    .addCommand(importCommand(context).summary("read the policy of another enforcer"))
    .addCommand(exportCommand(context).summary("write the policy for another enforcer"))
    .addCommand(publishCommand(context).summary("store a policy in a registry, signed"))
    .addCommand(withdrawCommand(context).summary("take digests back: add them to a signed list"));
  return withManual(command, {
    examples: [
      { command: "countersign policy init --key cosign.pub registry.example/acme/", purpose: "a first policy" },
      { command: "countersign policy check policy.yaml", purpose: "what is wrong with it" },
      { command: "countersign verify --policy policy.yaml registry.example/acme/app:1.4", purpose: "to judge by it" },
    ],
    notes: [
      "A policy is never picked up unasked: it is named by --policy or COUNTERSIGN_POLICY. What no rule of it is for is" +
        " refused. docs/policy.md has the language, docs/schemas/policy.json its JSON Schema.",
    ],
    seeAlso: ["countersign verify", "docs/policy.md"],
  });
}
