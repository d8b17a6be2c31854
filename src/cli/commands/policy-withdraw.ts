import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addPinsOption } from "../tags-options.ts";
import { addWithdrawOptions } from "../withdraw-options.ts";

export function withdrawCommand(context: Context): Command {
  const command = new Command("withdraw")
    .description(
      "Takes digests back: adds them to a list, says when it was issued, and signs it. A policy that names the list under" +
        " withdrawn refuses every image on it, whoever has signed it; where the list is missing, changed or too old it" +
        " accepts nothing.",
    )
    .addArgument(new Argument("[digest...]", "what must not be run any more: sha256:…"))
    .action(async (digests: readonly string[], options: RawOptions, self: Command) => {
      const { withdraw } = await import("../withdraw-action.ts");
      await withdraw(context, openOutput(context, globalOptions(self)), digests, options);
    });
  addWithdrawOptions(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command:
          "countersign policy withdraw --key dana.key --list withdrawn.json --reason 'CVE-2024-3094 in xz' sha256:4f0c…",
        purpose: "writes withdrawn.json and withdrawn.json.sigstore.json",
      },
      {
        command: "countersign policy withdraw --key dana.key --list withdrawn.json --refresh",
        purpose: "in a nightly job, so that the list does not grow older than the policy's maxAge",
      },
      {
        command:
          "countersign policy withdraw --key dana.key --list withdrawn.json --refresh --push oci://registry.example/policies/withdrawn:1",
        purpose: "for policies that name it as artifact: oci://registry.example/policies/withdrawn:1",
      },
      {
        command: "countersign policy withdraw --key new.key --previous-key old.pub --list withdrawn.json --refresh",
        purpose: "from one key to the next",
      },
    ],
    notes: [
      "The list is added to only where whoever signs now, or --previous-key, has signed it as it is. Its file and the bundle" +
        " beside it belong together: carry both. A run that was cut short is finished by the next one.",
      "An older list with its bundle is as well signed as the newest: maxAge in the policy is what keeps it from being put back," +
        " or in a registry a signed tag (countersign trust sign) where the root is pinned.",
      "To take a digest off the list, edit the file and sign it with countersign sign-blob.",
    ],
    seeAlso: ["countersign sign-blob", "countersign verify"],
  });
}
