import type { Command } from "commander";
import { bashScript } from "./completion/bash.ts";
import { fishScript } from "./completion/fish.ts";
import { type CompletableCommand, describeCommand } from "./completion/tree.ts";
import { zshScript } from "./completion/zsh.ts";

export type Shell = "bash" | "zsh" | "fish";

const WRITERS: Readonly<Record<Shell, (root: CompletableCommand) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** The script that completes this command tree in a shell. */
export function completionScript(shell: Shell, root: Command): string {
  return WRITERS[shell](describeCommand(root));
}
