import { Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions } from "../options.ts";
import { openOutput } from "../output.ts";

/** `countersign demo`: the promise, shown in a few seconds. */
export function demoCommand(context: Context): Command {
  const command = new Command("demo")
    .description(
      "Signs, verifies and pulls an image on an embedded registry, then tampers with it in every way and shows each refusal.",
    )
    .action(async (_flags: unknown, self: Command) => {
      const { runDemo } = await import("../demo.ts");
      context.exitCode = await runDemo(context, openOutput(context, globalOptions(self)));
    });
  return withManual(command, {
    examples: [{ command: "countersign demo", purpose: "no account, no network, a few seconds" }],
    notes: [
      "Everything happens in memory and in a temporary folder that is removed. It ends with 1 if anything that must be" +
        " refused was not.",
    ],
    seeAlso: ["countersign registry", "countersign sign", "countersign verify"],
  });
}
