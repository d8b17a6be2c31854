import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions } from "../options.ts";
import { type Output, openOutput } from "../output.ts";

/** `countersign key …`: make keys, bring keys along, look at keys. */
export function keyCommand(context: Context): Command {
  const command = new Command("key")
    .description(
      "Makes, imports and shows the keys that images are signed with. Key files are cosign's: they work in both.",
    )
    .addCommand(generateCommand(context, "generate").summary("make a new key pair"))
    .addCommand(importCommand(context, "import").summary("turn a private key in PEM form into a key pair"))
    .addCommand(publicCommand(context, "public").summary("print the public half of a key"))
    .addCommand(inspectCommand(context).summary("show which key it is"));
  return withManual(command, {
    examples: [
      { command: "countersign key generate", purpose: "cosign.key and cosign.pub in this folder" },
      { command: "countersign key public cosign.key > cosign.pub", purpose: "the public half, to give away" },
    ],
    notes: [KEY_NOTE, PASSWORD_NOTE],
    seeAlso: ["countersign sign", "countersign verify"],
  });
}

/** The names that these commands have in cosign, at the top of the tree. */
export function keyAliases(context: Context): Command[] {
  return [
    generateCommand(context, "generate-key-pair"),
    importCommand(context, "import-key-pair"),
    publicCommand(context, "public-key"),
  ];
}

const PASSWORD_NOTE =
  "The password of a private key comes from COSIGN_PASSWORD (which may be set and empty), else from a question on the" +
  " terminal, else from all of standard input.";

const KEY_ARGUMENT = "a file in PEM form, env://NAME, pkcs11:…, or a key in a KMS: awskms://…";

const KEY_NOTE =
  "A KEY is a file, env://NAME for the content of a variable, a pkcs11: URI for a key in a token, or NAME:// and the" +
  " key's name there for one in a KMS: awskms://, gcpkms://, azurekms://, hashivault:// and all others for which" +
  " Sigstore's plug-in sigstore-kms-NAME is installed. docs/kms-and-hsm.md has the details.";

function generateCommand(context: Context, name: string): Command {
  const command = new Command(name)
    .description("Makes a new key pair: PREFIX.key, encrypted with a password, and PREFIX.pub.")
    .addOption(prefixOption("cosign"))
    .addOption(new Option("--algorithm <name>", "ecdsa-p256, ecdsa-p384, ed25519 or rsa-3072").default("ecdsa-p256"))
    .addOption(forceOption())
    .action(async (options: PrefixOptions & { readonly algorithm: string }, self: Command) => {
      const { generatePair, readAlgorithm } = await import("../key-actions.ts");
      const algorithm = readAlgorithm(options.algorithm);
      await generatePair(context, outputOf(context, self), { ...pairOptions(options), algorithm });
    });
  return withManual(command, {
    examples: [
      { command: `countersign ${pathOf(name)}`, purpose: "ECDSA P-256, which every tool reads" },
      {
        command: `COSIGN_PASSWORD=… countersign ${pathOf(name)} --output-key-prefix release`,
        purpose: "release.key and release.pub, without a question",
      },
    ],
    notes: [PASSWORD_NOTE],
    seeAlso: ["countersign sign"],
  });
}

function importCommand(context: Context, name: string): Command {
  const command = new Command(name)
    .description(
      "Writes a private key that you have as a key pair: PREFIX.key, encrypted with a password, and PREFIX.pub.",
    )
    .addArgument(
      new Argument("[file]", "a private key: PKCS#8 (encrypted or not), SEC1 or PKCS#1 in PEM form, or a cosign key"),
    )
    .addOption(new Option("-k, --key <file>", "the same, as cosign spells it"))
    .addOption(prefixOption("import-cosign"))
    .addOption(forceOption())
    .action(async (file: string | undefined, options: PrefixOptions & KeyOption, self: Command) => {
      const { importPair, oneKey } = await import("../key-actions.ts");
      await importPair(context, outputOf(context, self), {
        ...pairOptions(options),
        file: oneKey(file, keyOption(self, file, options)),
      });
    });
  return withManual(command, {
    examples: [
      { command: `countersign ${pathOf(name)} ec.pem`, purpose: "import-cosign.key and import-cosign.pub" },
      { command: `countersign ${pathOf(name)} old.key --output-key-prefix release`, purpose: "under another name" },
    ],
    notes: [
      PASSWORD_NOTE,
      "Where the file is encrypted too, a terminal asks for both passwords; COSIGN_PASSWORD and standard input stand for both.",
    ],
    seeAlso: ["countersign key generate"],
  });
}

function publicCommand(context: Context, name: string): Command {
  const command = new Command(name)
    .description("Prints the public key (PEM) that belongs to a private key.")
    .addArgument(new Argument("[key]", KEY_ARGUMENT))
    .addOption(new Option("--key <key>", "the same, as cosign spells it"))
    .action(async (key: string | undefined, options: KeyOption, self: Command) => {
      const { oneKey, printPublicKey } = await import("../key-actions.ts");
      await printPublicKey(context, outputOf(context, self), oneKey(key, keyOption(self, key, options)));
    });
  return withManual(command, {
    examples: [
      { command: `countersign ${pathOf(name)} cosign.key > cosign.pub`, purpose: "the public half, to give away" },
      { command: `countersign ${pathOf(name)} env://SIGNING_KEY`, purpose: "of a key in a variable" },
      { command: `countersign ${pathOf(name)} awskms:///alias/release`, purpose: "of a key in a KMS" },
    ],
    notes: [KEY_NOTE, PASSWORD_NOTE],
    seeAlso: ["countersign key inspect"],
  });
}

function inspectCommand(context: Context): Command {
  const command = new Command("inspect")
    .description("Shows which key it is: form, algorithm, fingerprint and hint. Secrets are never shown.")
    .addArgument(new Argument("<key>", KEY_ARGUMENT))
    .action(async (key: string, _options: unknown, self: Command) => {
      const { inspectKey } = await import("../key-actions.ts");
      await inspectKey(context, outputOf(context, self), key);
    });
  return withManual(command, {
    examples: [
      { command: "countersign key inspect cosign.pub", purpose: "is this the publisher's key?" },
      { command: "countersign key inspect cosign.pub -o json", purpose: "the fingerprint, for a script" },
    ],
    notes: [
      `An encrypted private key is opened to name it. ${PASSWORD_NOTE}`,
      "A KMS or a token is asked for its public key; a token that hides it asks for the PIN.",
    ],
    seeAlso: ["countersign key public"],
  });
}

interface PrefixOptions {
  readonly outputKeyPrefix: string;
  readonly force?: boolean;
}

interface KeyOption {
  readonly key?: string;
}

/** A key that COUNTERSIGN_KEY names for other commands gives way to an argument. */
function keyOption(command: Command, argument: string | undefined, { key }: KeyOption): string | undefined {
  return argument !== undefined && command.getOptionValueSource("key") === "env" ? undefined : key;
}

function pairOptions({ outputKeyPrefix, force }: PrefixOptions): { outputKeyPrefix: string; force: boolean } {
  return { outputKeyPrefix, force: force === true };
}

function prefixOption(prefix: string): Option {
  return new Option("--output-key-prefix <prefix>", "what the two files are called").default(prefix);
}

function forceOption(): Option {
  return new Option("--force", "replace key files that are there: what they signed stays signed by the old key");
}

function outputOf(context: Context, command: Command): Output {
  return openOutput(context, globalOptions(command));
}

function pathOf(name: string): string {
  return name.includes("-") ? name : `key ${name}`;
}
