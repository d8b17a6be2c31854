import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions, once, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { askedStore, storeOption } from "../store-option.ts";

export function auditSignedByCommand(context: Context): Command {
  const command = new Command("signed-by")
    .description(
      "Says what somebody signed since a time, and where it runs: what is asked when a key or an account was stolen. Answers" +
        " from audits that were made. Opens no connection.",
    )
    .addArgument(
      new Argument(
        "<who>",
        "a subject, ISSUER and SUBJECT with a space between, a key's fingerprint or its beginning, a file with a public key, or what the policy calls them",
      ),
    )
    .addArgument(new Argument("[audit...]", "files with audits, as audit -o json prints them; - is standard input"))
    .addOption(
      new Option("--since <time>", "2026-09-01, 2026-09-01T12:00:00Z, or how long ago: 30d").argParser(once("--since")),
    )
    .addOption(storeOption("ask the audits in this store: the last ones, and what earlier ones saw"))
    .action(async (who: string, files: readonly string[], options: RawOptions, self: Command) => {
      const { askSignedBy } = await import("../audit-signed-by-action.ts");
      const store = askedStore(self, options, files);
      await askSignedBy(context, openOutput(context, globalOptions(self)), who, files, { ...options, store });
    });
  return withManual(command, {
    examples: [
      { command: "countersign audit signed-by release.pub --since 2026-09-01 audit.json", purpose: "a key" },
      { command: "countersign audit signed-by ops@example.com --since 30d --store audits.db", purpose: "an account" },
    ],
    notes: [
      "A time counts as far as a timestamp or a log proves it. What is signed at a time that nothing proves is listed as such, since" +
        " whoever has a key can claim any time.",
      "Audits know of signatures that were accepted. Of somebody whom the policy does not name, and of a signature beside one" +
        " that was enough, they say nothing; countersign inspect shows everything that an image has.",
      "Exit code 2: nobody of that name is known, which may be a slip of the pen; a whole fingerprint, a file, and ISSUER with" +
        " SUBJECT are answered with nothing instead. 3: something could not be looked at, and may be theirs as well.",
    ],
    seeAlso: ["countersign audit", "countersign inspect", "docs/audits.md"],
  });
}
