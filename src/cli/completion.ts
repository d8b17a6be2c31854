import type { Command } from "commander";

export type Shell = "bash" | "zsh" | "fish";

export function completionScript(shell: Shell, root: Command): string {
  return `# ${shell} ${root.name()}\n`;
}
