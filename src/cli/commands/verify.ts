import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addContentTrustOption } from "../signed-tag-options.ts";
import { addVerifyOptions } from "../verify-options.ts";

export const IMAGE_ARGUMENT = "[registry/]repository[:tag][@digest], oci:DIR, oci-archive:FILE or docker-archive:FILE";

export function verifyCommand(context: Context): Command {
  const command = new Command("verify")
    .description(
      "Judges images by their signatures: accepted, refused, or undetermined where it could not look. Sigstore bundles and" +
        " cosign's legacy signatures are both looked for. Every image is judged, whatever becomes of the others.",
    )
    .addArgument(new Argument("<image...>", IMAGE_ARGUMENT))
    .action(async (images: readonly string[], options: RawOptions, self: Command) => {
      const { verify } = await import("../verify-action.ts");
      await verify(context, openOutput(context, globalOptions(self)), images, options);
    });
  addVerifyOptions(command);
  addContentTrustOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      {
        command: "countersign verify --key cosign.pub registry.example/acme/app:1.4.2",
        purpose: "was it signed with this key?",
      },
      {
        command: "countersign verify --policy policy.yaml registry.example/acme/app:1.4.2 registry.example/acme/db:9",
        purpose: "does each meet the rule that was written down for it?",
      },
      {
        command: "countersign verify --policy policy.yaml --as registry.example/acme/app:1.4.2 oci:build/out",
        purpose: "what a build left here, as it would be judged in the registry",
      },
      {
        command:
          "countersign verify --certificate-identity https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.4.2" +
          " --certificate-oidc-issuer https://token.actions.githubusercontent.com registry.example/acme/app:1.4.2",
        purpose: "was it signed, without a key, by this workflow at this tag?",
      },
      {
        command: "countersign verify --repo acme/app registry.example/acme/app:1.4.2",
        purpose: "by any workflow of this repository on GitHub",
      },
      {
        command:
          "countersign verify --trusted-root trusted_root.json --certificate-identity release@acme.example" +
          " --certificate-oidc-issuer https://login.acme.example registry.example/acme/app:1.4.2",
        purpose: "by somebody for whom a private authority vouches",
      },
      {
        command: "countersign verify --key alice.pub --key bob.pub --threshold 2 registry.example/acme/app:1.4.2",
        purpose: "did both sign?",
      },
      {
        command: "countersign verify --key cosign.pub -a env=prod -r registry.example/acme/app:1.4.2",
        purpose: "with an annotation, on the index and on every platform",
      },
      {
        command: "countersign verify --key cosign.pub --signed-as docker.io/acme/app mirror.example/acme/app:1.4.2",
        purpose: "a mirror of an image that was signed elsewhere",
      },
      {
        command:
          "countersign verify --repo acme/app --type slsaprovenance1 --where" +
          ` 'predicate.runDetails.builder.id.startsWith("https://github.com/acme/")' registry.example/acme/app:1.4.2`,
        purpose: "an attestation of how it was built, and what it has to say",
      },
      {
        command:
          "countersign verify --key scanner.pub --type vuln --where 'now - timestamp(predicate.metadata.scanFinishedOn) <" +
          ' duration("168h")\' registry.example/acme/app:1.4.2',
        purpose: "was it scanned within a week? by an attestation, not by its signature",
      },
      {
        command:
          "countersign verify --repo acme/app --type slsaprovenance1 --github-api https://api.github.com" +
          " registry.example/acme/app:1.4.2",
        purpose: "by the provenance that GitHub keeps",
      },
      {
        command: "countersign verify registry.example/acme/app:1.4.2",
        purpose: "is it what the publisher signed the tag for? where a root of the repository is pinned",
      },
      { command: "countersign verify --key cosign.pub oci:build/out -o json", purpose: "an OCI layout, for a script" },
    ],
    notes: [
      "--policy FILE takes the place of every flag that says who must have signed, what, and what proves it: the most specific" +
        " of its rules that matches an image's name decides, and an image that none matches is refused (no-policy). A policy" +
        " that cannot be used, or names a key that cannot be read, ends the call with exit code 2 before anything is looked at." +
        " --trusted-root, --trust and --config choose whom to believe where the policy does not say.",
      "COUNTERSIGN_POLICY names a policy for every call. What is on the command line goes before the environment: --policy" +
        " there before COUNTERSIGN_KEY, --key before COUNTERSIGN_POLICY, with a warning. On one command line both are an error.",
      "With a public key alone, the signature is checked and nothing else can be: no transparency log, no time of signing." +
        " The verdict lists what was not checked. With --trusted-root too, a log of that root has to hold the signature.",
      "A keyless signature is accepted when its certificate leads to the trust root and names the identity and the issuer" +
        " that were asked for, both of them; keys and an identity together are alternatives unless --threshold asks for more." +
        " countersign help identities says how they are named and what has to be proven.",
      "--type asks for an attestation and does not ask for the image's signature: to want both, verify twice. It is accepted" +
        " when one attestation of the type, by a wanted signer and about this digest, meets every --where; others beside it," +
        " older ones too, change nothing. pull and copy judge in the same way.",
      "--where is CEL over statement, subject, predicateType, predicate and now. It has to come to true: a member that is not" +
        " there, a comparison of different types or too much work is a refusal or undetermined, never met. matches takes RE2's" +
        " patterns, which a part of the text may meet.",
      "Where a root of the repository is pinned (countersign trust pin), a tag means what its publisher signed, whatever else is" +
        " asked for, and the registry's own tag is not looked at. That is enough by itself: without key, identity and policy" +
        " the signed tag decides. With one of them both have to hold. countersign pull, copy and save do likewise.",
      "DOCKER_CONTENT_TRUST=1 and COUNTERSIGN_TRUST=1 are --signed-tag required for everything that an environment runs.",
      "The signature of an index covers its platforms: --platform accepts a platform through a signed index that lists it.",
    ],
    seeAlso: [
      "countersign sign",
      "countersign pull",
      "countersign policy",
      "countersign trust",
      "countersign help identities",
      "countersign help attestations",
      "countersign help reasons",
    ],
  });
}
