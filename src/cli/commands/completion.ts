import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions } from "../options.ts";
import { openOutput } from "../output.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

export function completionCommand(context: Context): Command {
  const command = new Command("completion")
    .description("Prints a script that completes commands and flags in your shell.")
    .addArgument(new Argument("<shell>", "bash, zsh or fish").choices(SHELLS))
    .action(async (shell: (typeof SHELLS)[number], _options: unknown, self: Command) => {
      const { completionScript } = await import("../completion.ts");
      const script = completionScript(shell, self.parent ?? self);
      await openOutput(context, globalOptions(self)).result({ text: () => script, json: () => script });
    });
  return withManual(command, {
    formats: ["text"],
    examples: [
      {
        command: "countersign completion bash >~/.local/share/bash-completion/completions/countersign",
        purpose: "bash",
      },
      { command: "countersign completion zsh >~/.zfunc/_countersign", purpose: "zsh, with ~/.zfunc in its fpath" },
      { command: "countersign completion fish >~/.config/fish/completions/countersign.fish", purpose: "fish" },
    ],
  });
}
