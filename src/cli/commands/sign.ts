import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addDryRun, addFinish, addSigningOptions } from "../sign-options.ts";
import { addTagStatementOptions } from "../tag-statement.ts";
import { addPinsOption } from "../tags-options.ts";
import { IMAGE_ARGUMENT } from "./verify.ts";

export function signCommand(context: Context): Command {
  const command = new Command("sign")
    .description(
      "Signs images and stores the signatures beside them. A tag is resolved once, and the digest that was signed is" +
        " printed. Signing the same image as the same signer with the same annotations twice changes nothing.",
    )
    .addArgument(new Argument("<image...>", IMAGE_ARGUMENT))
    .action(async (images: readonly string[], options: RawOptions, self: Command) => {
      const act =
        options["finish"] === true
          ? (await import("../finish-action.ts")).finish
          : (await import("../sign-action.ts")).sign;
      await act(context, openOutput(context, globalOptions(self)), images, options);
    });
  addSigningOptions(command);
  addDryRun(command);
  addFinish(command);
  addTagStatementOptions(command);
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign sign --key cosign.key registry.example/acme/app@sha256:9f2c…",
        purpose: "what a build has just pushed",
      },
      {
        command: "countersign sign -y registry.example/acme/app:1.4.2",
        purpose: "in a pipeline, as the workflow that runs it: no key to keep",
      },
      {
        command: "countersign sign --key env://SIGNING_KEY -y registry.example/acme/app:1.4.2",
        purpose: "in CI, with the key in a variable and its password in COSIGN_PASSWORD",
      },
      {
        command: "countersign sign --key cosign.key -r -a env=prod registry.example/acme/app:1.4.2",
        purpose: "the index and every platform, with an annotation",
      },
      {
        command:
          "countersign sign --key cosign.key --format bundle --format cosign-legacy registry.example/acme/app:1.4.2",
        purpose: "for new and for old verifiers",
      },
      {
        command: "countersign sign --key cosign.key --for podman,kyverno registry.example/acme/app:1.4.2",
        purpose: "what these verifiers read, whatever it is called",
      },
      {
        command:
          "countersign sign --signing-config signing_config.json --trusted-root trusted_root.json --log-later registry.example/acme/app:1.4.2",
        purpose: "with the services of a private Sigstore, and without waiting for its log",
      },
      {
        command:
          "countersign sign --finish --signing-config signing_config.json --trusted-root trusted_root.json registry.example/acme/app:1.4.2",
        purpose: "adds the log entry that was left out",
      },
      {
        command: "countersign sign --key cosign.key --dry-run registry.example/acme/app:1.4.2",
        purpose: "what would be done",
      },
    ],
    notes: [
      "A bundle (Sigstore bundle v0.3 as an OCI 1.1 referrer) is what cosign 3 writes and reads; cosign-legacy is the .sig" +
        " tag of cosign 1 and 2, which podman and skopeo read too.",
      "--for writes exactly the forms that the named verifiers read, for every platform where one of them judges platforms," +
        " refuses keys that they cannot verify, and looks afterwards whether they will accept the image.",
      "The signature of an index covers the platforms it lists. --platform signs one platform's image instead, -r all of" +
        " them and the index.",
      "The password of an encrypted key comes from COSIGN_PASSWORD, a question on the terminal, or standard input.",
      "Without --key, a certificate authority vouches for an identity: the one that --identity-token names, else the one" +
        " that the pipeline or the machine offers, else a person who signs in. Each image gets a key and a certificate of" +
        " its own, and the key is forgotten at once. Before anything is stored, the signature is verified with the trust root.",
      "What certificate authorities and logs elsewhere than on this machine will publish is said, and asked, before it is" +
        " sent: the identity, and of what is signed a hash. -y agrees, and has to where there is no terminal.",
      "A signature that waits for its log entry lies in the registry as a bundle, marked on its manifest, with all that is" +
        " needed to finish it: --finish needs no key and no identity, only for signatures by a key its public half with --key." +
        " Verifiers that ask for a log entry refuse it until then.",
    ],
    seeAlso: ["countersign key generate", "countersign verify"],
  });
}
