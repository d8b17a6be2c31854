import { createInterface } from "node:readline/promises";
import { CountersignError } from "../core/errors.ts";
import { isLoopback } from "../core/oci/reference.ts";
import { printable } from "../core/printable.ts";
import type { Context } from "./context.ts";
import type { SigningServices } from "./services.ts";

/** What is about to be published, and by whom. */
export interface Publication {
  readonly services: SigningServices;
  /** What the logs are shown of who signs: certificates that are there already, perhaps among keys. */
  readonly signer: "key" | "certificate" | "any";
  /** Whom a new certificate will name. */
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
  const published = publishedBy(publication);
  if (published.length === 0 || yes) return;
  if (context.stdin.isTTY !== true) {
    throw new CountersignError("consent-missing", "signing publishes something for ever, and there is nobody to ask", {
      found: published.join("; "),
      wanted: "--yes, or a terminal to ask at",
    });
  }
  const lines = [
    "Signing publishes for ever, to everybody who can read there:",
    ...published.map((line) => `  ${line}`),
    "Neither the image nor its name is in it; who knows the image's digest can find its signature there.",
  ];
  context.stderr.stream.write(`${lines.map(printable).join("\n")}\n`);
  if (/^y(?:es)?$/i.test((await ask(context, "Sign and publish this? [y/N] ")).trim())) return;
  throw new CountersignError("consent-missing", "the answer was no; nothing was signed");
}

/** One line from who sits there. @throws CountersignError `interrupted`. */
export async function ask({ stdin, stderr, signal }: Context, question: string): Promise<string> {
  const reader = createInterface({ input: stdin, output: stderr.stream, terminal: false });
  try {
    return await reader.question(question, { signal });
  } catch (cause) {
    throw new CountersignError("interrupted", "stopped while asking", { cause });
  } finally {
    reader.close();
  }
}

/**
 * What leaves this machine for good (Fulcio with RFC 6962; Rekor's hashedrekord): certificates go to the certificate log of
 * their authority, and with the signature and a hash to the transparency log. Empty where nothing is published.
 */
export function publishedBy({ services, signer, identity, isPrivate }: Publication): readonly string[] {
  const { authority, logs } = services;
  const isIssued = identity !== undefined && authority !== undefined && !isLoopback(authority.host);
  const elsewhere = logs.services.map(({ url }) => url.host).filter((host) => !isLoopback(host));
  if (!isIssued && elsewhere.length === 0) return [];
  const certificate = `a certificate that names ${identity}, and of a pipeline what its token says of the run`;
  return [
    ...(isIssued ? [`by ${authority.host} and the certificate log that it writes to: ${certificate}`] : []),
    ...(elsewhere.length === 0
      ? []
      : [`in ${elsewhere.join(" or ")}: ${SIGNERS[signer]}, the signature, a hash of what is signed`]),
    ...(isPrivate === true ? ["the repository in this name is private: everybody can know of it then"] : []),
  ];
}

const SIGNERS: Readonly<Record<Publication["signer"], string>> = {
  key: "the public key",
  certificate: "the certificate",
  any: "the certificate or public key of who signed",
};
