import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { addIdentityOptions, readIdentityOptions } from "../identity-options.ts";
import { withManual } from "../manual.ts";
import { collect, globalOptions, once, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";

const POLICY = "policy.yaml";

interface InitOptions {
  readonly key?: readonly string[];
  readonly file?: string;
  readonly schema: boolean;
}

export function initCommand(context: Context): Command {
  const command = new Command("init")
    .description(
      "Writes a first policy: the images named have to be signed by one of those named. It says in comments what else a" +
        " policy can ask for. Replaces nothing.",
    )
    .addArgument(
      new Argument("<image...>", "registry/repository, registry/ or registry/path/ for all below, or a glob"),
    )
    .addOption(new Option("-f, --file <file>", `the policy to write (default: ${POLICY})`).argParser(once("--file")))
    .addOption(
      new Option(
        "--key <key>",
        "a public key: a file, which the policy will name, or another KEY, which it will hold (repeatable)",
      ).argParser(collect),
    )
    .addOption(new Option("--no-schema", "write no JSON Schema beside it, by which editors complete it"));
  addIdentityOptions(command).action(
    async (images: readonly string[], options: InitOptions & RawOptions, self: Command) => {
      const { initPolicy } = await import("../policy-init-action.ts");
      await initPolicy(context, openOutput(context, globalOptions(self)), {
        images,
        keys: options.key ?? [],
        identity: readIdentityOptions(options),
        file: options.file ?? POLICY,
        schema: options.schema,
      });
    },
  );
  return withManual(command, {
    examples: [
      { command: "countersign policy init --key cosign.pub registry.example/acme/", purpose: "policy.yaml, by a key" },
      {
        command: "countersign policy init --repo acme/app registry.example/acme/app",
        purpose: "by the workflows of a repository of GitHub",
      },
      {
        command:
          "countersign policy init -f prod.yaml --certificate-identity dana@example.com" +
          " --certificate-oidc-issuer https://accounts.google.com registry.example/acme/app",
        purpose: "by a person",
      },
    ],
    notes: [
      "Who may sign can be given several times and together: any of them will do. For two of them, or for one thing from each," +
        " edit what was written: docs/policy.md.",
    ],
    seeAlso: ["countersign policy check", "countersign verify", "docs/policy.md"],
  });
}
