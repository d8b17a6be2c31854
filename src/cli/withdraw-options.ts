import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { type Digest, isDigest } from "../core/oci/digest.ts";
import { flag, grouped, once, type RawOptions, text } from "./options.ts";
import { addSignatoryOptions, readSignatoryOptions, type SignatoryOptions } from "./signatory-options.ts";

export function addWithdrawOptions(command: Command): Command {
  grouped(command, "The list:", [
    new Option("--list <file>", "the list to add to; it is begun where there is none").argParser(once("--list")),
    new Option(
      "--name <name>",
      "what a new list is called, for policies that name it: whoever keeps several lists needs it",
    ).argParser(once("--name")),
    new Option("--reason <text>", "why, for those whose images are refused").argParser(once("--reason")),
    new Option("--refresh", "add nothing; say again, as of now, that the list is complete"),
    new Option(
      "--previous-key <key>",
      "the public key that the list is signed with so far, where that is not who signs now",
    ).argParser(once("--previous-key")),
    new Option(
      "--push <place>",
      "store it in a registry too, with its bundle: oci://registry/repository:tag",
    ).argParser(once("--push")),
  ]);
  return addSignatoryOptions(command);
}

export interface WithdrawOptions {
  /** As the user called it. */
  readonly list: string;
  /** What it is called; as before where nothing is said. */
  readonly name: string | undefined;
  /** None where the list is only issued again. */
  readonly digests: readonly Digest[];
  readonly reason: string;
  /** A file or `env://NAME`. */
  readonly previousKey: string | undefined;
  /** `oci://registry/repository:tag`. */
  readonly push: string | undefined;
  readonly signatory: SignatoryOptions;
}

/** @throws CountersignError `usage`. */
export function readWithdrawOptions(digests: readonly string[], raw: RawOptions): WithdrawOptions {
  const list = text(raw, "list") ?? "";
  if (list === "") throw wrong("nothing says which list", "no --list", "--list FILE");
  const options = {
    list,
    name: text(raw, "name"),
    digests: [...new Set(digests.map(readDigest))],
    reason: text(raw, "reason") ?? "",
    previousKey: text(raw, "previousKey"),
    push: text(raw, "push"),
    signatory: readSignatoryOptions(raw),
  };
  requireSense(options, flag(raw, "refresh"));
  return options;
}

/** `sha256:…`, or an image with it: what people have at hand to paste. */
function readDigest(given: string): Digest {
  const digest = given.slice(given.lastIndexOf("@") + 1);
  if (isDigest(digest)) return digest;
  throw wrong("not a digest", given, "sha256:…, perhaps behind a name and an @; countersign inspect IMAGE shows it");
}

function requireSense({ digests, reason, signatory }: WithdrawOptions, isRefresh: boolean): void {
  if (isRefresh && digests.length > 0) {
    throw wrong("--refresh adds nothing", "--refresh and a digest", "one of them: adding issues the list again too");
  }
  if (!isRefresh && digests.length === 0) {
    throw wrong(
      "nothing says what is withdrawn",
      "no digest",
      "digests, sha256:…; or --refresh to issue the list again",
    );
  }
  if (digests.length > 0 && reason.trim() === "") throw wrong("nothing says why", "no --reason", "--reason TEXT");
  if (reason.length > LIMITS.withdrawnReasonCharacters) {
    throw wrong(
      "the reason is too long",
      `${reason.length} characters`,
      `at most ${LIMITS.withdrawnReasonCharacters} characters`,
    );
  }
  if (!signatory.logLater) return;
  throw wrong(
    "a list is signed completely or not at all",
    "--log-later",
    "the log to be reachable, or services without one",
  );
}

function wrong(message: string, found: string, wanted: string): CountersignError {
  return new CountersignError("usage", message, { found, wanted });
}
