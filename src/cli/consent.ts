import { createInterface } from "node:readline/promises";
import { CountersignError } from "../core/errors.ts";
import { isLoopback } from "../core/oci/reference.ts";
import { printable } from "../core/printable.ts";
import type { Context } from "./context.ts";
import type { SigningServices } from "./services.ts";

/** What is about to be published, and by whom. */
export interface Publication {
  readonly services: SigningServices;
  /** Whom the certificate will name; absent for a key. */
  readonly identity?: string | undefined;
  /** The identity is of a repository that not everybody may see. */
  readonly isPrivate?: boolean | undefined;
}

/**
 * Says what certificate authority and logs will make public, and asks whether to go on. Services on this machine publish
 * nothing.
 *
 * @throws CountersignError `consent-missing` where the answer is no, or where there is nobody to ask; `interrupted`.
 */
export async function requireConsent(context: Context, publication: Publication, yes: boolean): Promise<void> {
  const lines = publicationLines(publication);
  if (lines.length === 0 || yes) return;
  if (context.stdin.isTTY !== true) {
    throw new CountersignError(
      "consent-missing",
      "signing would publish something for ever, and there is nobody to ask",
      {
        found: lines.join(" "),
        wanted: "--yes, or a terminal to ask at",
      },
    );
  }
  context.stderr.stream.write(`${lines.map(printable).join("\n")}\n`);
  if (/^y(?:es)?$/i.test((await ask(context, "Sign and publish this? [y/N] ")).trim())) return;
  throw new CountersignError("consent-missing", "the answer was no; nothing was signed", {});
}

async function ask({ stdin, stderr, signal }: Context, question: string): Promise<string> {
  const reader = createInterface({ input: stdin, output: stderr.stream });
  try {
    return await reader.question(question, { signal });
  } catch (cause) {
    throw new CountersignError("interrupted", "stopped while asking", { cause });
  } finally {
    reader.close();
  }
}

/**
 * What leaves this machine for good (Fulcio and RFC 6962; Rekor's hashedrekord): a certificate goes to the authority's
 * certificate log, and with the signature and a hash to the transparency log. Empty where nothing is published.
 */
export function publicationLines({ services, identity, isPrivate }: Publication): readonly string[] {
  const { authority, logs } = services;
  const isIssuedElsewhere = identity !== undefined && authority !== undefined && !isLoopback(authority.host);
  const elsewhere = logs.services.map(({ url }) => url.host).filter((host) => !isLoopback(host));
  if (!isIssuedElsewhere && elsewhere.length === 0) return [];
  const who = identity === undefined ? "the public key" : "the certificate";
  return [
    "Signing publishes for ever, to everybody who can read the logs:",
    ...(isIssuedElsewhere
      ? [
          `  by ${authority.host}: a certificate that names ${identity} and what its issuer says of it (for a pipeline:` +
            " repository, branch, commit, run)",
        ]
      : []),
    ...(elsewhere.length > 0
      ? [`  in ${elsewhere.join(" or ")}: ${who}, the signature, and a hash of what is signed`]
      : []),
    "Neither the image nor its name is published; whoever knows the image's digest can find out that it was signed.",
    ...(isPrivate === true ? ["The repository is private: its name becomes public with the certificate."] : []),
  ];
}
