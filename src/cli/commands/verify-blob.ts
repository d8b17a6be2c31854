import { Argument, Command, Option } from "commander";
import { addAttestationOptions } from "../attestation-options.ts";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { collect, count, globalOptions, grouped, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addSignerOptions } from "../signer-options.ts";

export function verifyBlobCommand(context: Context): Command {
  const command = new Command("verify-blob")
    .description(
      "Judges a file by the Sigstore bundles beside it. Where the file is elsewhere, its digest is enough: what is written" +
        " like a digest and names no file is one.",
    )
    .addArgument(new Argument("<file>", "the file, or its digest: sha256:…"))
    .action(async (file: string, options: RawOptions, self: Command) => {
      const { verifyBlobFile } = await import("../verify-blob-action.ts");
      await verifyBlobFile(context, openOutput(context, globalOptions(self)), file, options);
    });
  grouped(command, "Bundles:", [
    new Option(
      "--bundle <file>",
      "a bundle to judge by (repeatable; default: the file's name and .sigstore.json)",
    ).argParser(collect),
    new Option("--threshold <n>", "how many distinct keys and identities must have signed (default: 1)").argParser(
      count("--threshold", 1),
    ),
  ]);
  addSignerOptions(command);
  addAttestationOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign verify-blob --key cosign.pub app-1.4.2.tar.gz",
        purpose: "by app-1.4.2.tar.gz.sigstore.json",
      },
      {
        command:
          "countersign verify-blob --repo acme/app --bundle app.sigstore.json" +
          " sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        purpose: "a file that is elsewhere, signed by a workflow of this repository",
      },
    ],
    notes: [
      "A signature of another file is refused, whoever made it; so is an attestation, unless --type asks for it.",
      "Files larger than 128 MiB are judged by their digests and never held in memory.",
    ],
    seeAlso: ["countersign sign-blob", "countersign verify"],
  });
}
