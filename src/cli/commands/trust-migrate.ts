import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, grouped, once, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import {
  addFirstWriterOption,
  addPinsOption,
  addYesOption,
  KEY_FORMS,
  PASSPHRASE_NOTE,
  REPOSITORY_ARGUMENT,
} from "../tags-options.ts";

/** `countersign trust migrate REPO`: from Docker Content Trust to signed tags. */
export function trustMigrateCommand(context: Context): Command {
  const command = new Command("migrate")
    .description(
      "Takes a repository over from Docker Content Trust: verifies the old data, shows what each tag stood for and what differs in the" +
        " registry, and sets up signed tags that say the same, with the same signers. The old root's key vouches for the new root, so" +
        " that who trusts the one can go over to the other.",
    )
    .addArgument(new Argument("<repository>", REPOSITORY_ARGUMENT))
    .action(async (repository: string, options: RawOptions, self: Command) => {
      const { migrateTags } = await import("../tags-migrate-action.ts");
      await migrateTags(context, openOutput(context, globalOptions(self)), repository, options);
    });
  grouped(command, "Source:", [
    new Option("--from-notary <url>", "a Notary server, whose data is verified by the root that Docker trusted here"),
    new Option("--from-dct", "what Docker kept on this machine: no server is asked"),
    new Option("--trust-dir <folder>", "Docker's trust folder (default: ~/.docker/trust)"),
    new Option("--dct-root <file>", "believe the root in this file, root.json of Docker Content Trust"),
    new Option("--tofu", "believe the root that the server has now, where none is known: trust on first use"),
    new Option("--allow-expired", "take data that has expired"),
    new Option("-n, --dry-run", "verify and show, and write nothing"),
  ]);
  addYesOption(command);
  grouped(command, "Keys:", [
    new Option("--root-key <key>", `the new root's key: ${KEY_FORMS} (default: Docker's)`).argParser(
      once("--root-key"),
    ),
    new Option("--targets-key <key>", "the new targets key (default: Docker's, else a new one)").argParser(
      once("--targets-key"),
    ),
    new Option("--online-key <key>", "the key of snapshots and timestamps (default: a new one)").argParser(
      once("--online-key"),
    ),
    new Option("--new-keys", "make new root and targets keys; Docker's root key vouches for them once"),
    new Option("--allow-no-continuity", "set up without Docker's root key: every consumer has to pin the new root"),
  ]);
  grouped(command, "Publishing:", [
    new Option("--strict", "timestamps live 24h instead of 7d, to be refreshed every hour"),
  ]);
  addFirstWriterOption(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign trust migrate registry.example/acme/app --from-notary https://notary.example --dry-run",
        purpose: "what would be taken over",
      },
      {
        command: "countersign trust migrate registry.example/acme/app --from-dct",
        purpose: "from this machine's ~/.docker/trust alone, when the server is gone",
      },
      {
        command: "countersign trust migrate acme/app --from-notary https://notary.docker.io --new-keys",
        purpose: "a repository on Docker Hub, with new root and targets keys",
      },
    ],
    notes: [
      "The old data is verified as Notary's own client did, by the root that Docker trusted on this machine. Versions that went back," +
        " roots of another repository and files that do not belong together are refused. Of Docker's own cache the timestamp may have" +
        " expired, which is said.",
      "Docker's keys are opened with DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE, DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE, Notary's own" +
        " variables, or a question. They are kept under the same passphrase where COUNTERSIGN_KEY_PASSPHRASE names no other. Signers" +
        " whose keys are not here take them over themselves: countersign trust key load ~/.docker/trust/private/ID.key --name NAME.",
      PASSPHRASE_NOTE,
      "A tag counts as Docker's pull read it: targets/releases first, then targets. What is no longer in the registry is left out." +
        " RSA keys cannot sign signed tags: new ones are made, and an RSA root key still vouches.",
      "Consumers who trusted the old root: countersign trust pin REPOSITORY --from-dct. All others pin the new root by its checksum.",
    ],
    seeAlso: ["countersign trust inspect --dct", "countersign trust pin", "docs/docker-content-trust.md"],
  });
}
