import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions, grouped, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addSignatoryOptions } from "../signatory-options.ts";

export function signBlobCommand(context: Context): Command {
  const command = new Command("sign-blob")
    .description(
      "Signs files and writes a Sigstore bundle for each: the signature, who made it, and what proves it, in one file that" +
        " travels beside the other. The bundle is verified before it is written.",
    )
    .addArgument(new Argument("<file...>", "the files to sign"))
    .action(async (files: readonly string[], options: RawOptions, self: Command) => {
      const { signBlobs } = await import("../sign-blob-action.ts");
      await signBlobs(context, openOutput(context, globalOptions(self)), files, options);
    });
  grouped(command, "Bundles:", [
    new Option("--bundle <file>", "where to write the bundle (default: the file's name and .sigstore.json)"),
    new Option("--in-toto", "each file is an in-toto statement: sign it as the attestation that it is"),
  ]);
  addSignatoryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign sign-blob --key cosign.key app-1.4.2.tar.gz",
        purpose: "writes app-1.4.2.tar.gz.sigstore.json",
      },
      {
        command: "countersign sign-blob -y --bundle app.sigstore.json app-1.4.2.tar.gz",
        purpose: "in a pipeline, as the workflow that runs it",
      },
      {
        command: "countersign sign-blob --key cosign.key --in-toto provenance.json",
        purpose: "an attestation that is kept in a file",
      },
    ],
    notes: [
      "A bundle that is there already is replaced with -y only.",
      "cosign verify-blob and other Sigstore clients read these bundles.",
    ],
    seeAlso: ["countersign verify-blob", "countersign sign"],
  });
}
