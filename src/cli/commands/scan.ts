import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addScanOptions } from "../scan-options.ts";
import { IMAGE_ARGUMENT } from "./verify.ts";

export function scanCommand(context: Context): Command {
  const command = new Command("scan")
    .description(
      "Has an installed scanner look for vulnerabilities in images: in exactly the bytes that the digest names, fetched and" +
        " checked here. With --attest, what it found is signed and stored beside the image, where a trust policy can ask for it.",
    )
    .addArgument(new Argument("<image...>", IMAGE_ARGUMENT))
    .action(async (images: readonly string[], options: RawOptions, self: Command) => {
      const { scan } = await import("../scan-action.ts");
      const isOnLine = (name: string): boolean => self.getOptionValueSource(name) === "cli";
      await scan(context, openOutput(context, globalOptions(self)), images, options, isOnLine);
    });
  addScanOptions(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign scan --scanner trivy registry.example/acme/app:1.4.2",
        purpose: "what Trivy finds in it",
      },
      {
        command: "countersign scan --scanner grype --attest --key cosign.key registry.example/acme/app:1.4.2",
        purpose: "signed and stored beside it",
      },
      {
        command:
          "countersign scan --scanner trivy --verify-key release.pub --attest --key scanner.key registry.example/acme/app:1.4.2",
        purpose: "only where the release is signed",
      },
      {
        command: "countersign scan --scanner osv-scanner -r --attest -y registry.example/acme/app:1.4.2",
        purpose: "every platform of it, in a pipeline, as the workflow that runs it",
      },
      {
        command:
          "countersign scan --scanner osv-scanner --scanner-arg=--offline --fail-on high registry.example/acme/app:1.4.2",
        purpose: "with the databases on this machine; 1 where there is something high or critical",
      },
    ],
    notes: [
      "The image is pulled into a folder of its own below TMPDIR, and the scanner gets that copy, never the name. It runs in that" +
        " folder too: settings and lists of exceptions in the current folder are not read, and --scanner-arg takes absolute paths.",
      "A scanner gets PATH, HOME, proxies, and the variables that say where its database is. Passwords and tokens stay here," +
        " and so do variables that change what is found, such as TRIVY_SEVERITY: as --scanner-arg they are part of what is signed.",
      "A scanner that is missing, fails, takes too long or prints something else than a scan is scanner-error, and nothing is" +
        " signed. So is a result of nothing where nothing was looked up: OSV-Scanner prints an empty list where osv.dev does not" +
        " answer, so it gets its databases downloaded, and is believed where it says that it has loaded them.",
      "Where a root of the repository is pinned, what is signed for the tag is scanned, whatever the registry's own tag names, and what" +
        " its publisher does not list or has taken back is refused.",
      "Of an index, the platform of --platform is scanned, else the one of this machine, and what is attested is said of that" +
        " platform's own digest. With -r every platform is, and then the index: of everything that was found in any of them." +
        " A rule of a policy with platforms: index asks for the latter, one with platforms: each for the former.",
      "With --verify-key, --certificate-identity or --policy, only what is accepted is scanned. A policy that asks for scans is" +
        " not one to scan by: what it refuses as scanned too long ago would not be scanned again.",
      "A scan is attested as the scanner printed it, in cosign's type vuln. --reduced keeps what it is judged by, in in-toto's" +
        " vulns/v0.2, and is a fraction of the size; an index of several platforms always gets that.",
      "What is unknown counts as critical, for --fail-on as for policies. Scans add up: an older one is not removed.",
    ],
    seeAlso: ["countersign attest", "countersign verify", "countersign policy", "countersign help attestations"],
  });
}
