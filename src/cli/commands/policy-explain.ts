import { Argument, Command, Option } from "commander";
import { addCaseOptions } from "../case-options.ts";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions, once, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { IMAGE_ARGUMENT } from "./verify.ts";

export function explainCommand(context: Context): Command {
  const command = new Command("explain")
    .description(
      "Says why a policy says what it says of an image: which rule decides, everything that is stored as evidence and whom" +
        " it carries, what became of each requirement, and where one is not met the nearest evidence and the one field in" +
        " which it differs. Looks at everything, also where less would be enough.",
    )
    .addArgument(new Argument("[image]", IMAGE_ARGUMENT))
    .addOption(
      new Option("--case <dir>", "explain a case that was recorded, without a network").argParser(once("--case")),
    )
    .action(async (image: string | undefined, options: RawOptions, self: Command) => {
      const { explain } = await import("../policy-explain-action.ts");
      await explain(context, openOutput(context, globalOptions(self)), image, options);
    });
  addCaseOptions(command, "the policy: a file, or oci://registry/repository");
  return withManual(command, {
    examples: [
      {
        command: "countersign policy explain --policy policy.yaml registry.example/acme/app:1.4.2",
        purpose: "why was it refused?",
      },
      { command: "countersign policy explain --case cases/unsigned", purpose: "the same of a case of policy test" },
    ],
    notes: [
      "The exit code is that of countersign verify: 0 accepted, 1 refused, 3 undetermined.",
      "Evidence is said to be by somebody only where that is proven: by a key that the policy names anywhere, or by a" +
        " certificate that one of its trust roots vouches for. Of other evidence it is said what it claims, and why that" +
        " proves nothing.",
    ],
    seeAlso: ["countersign policy which", "countersign policy test", "countersign verify", "countersign inspect"],
  });
}
