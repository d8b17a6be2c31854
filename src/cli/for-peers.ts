import { type Command, Option } from "commander";
import { type Choice, chooseFor, requireReadableKey } from "../core/compat/choose.ts";
import { PEER_NAMES, type PeerName } from "../core/compat/peer.ts";
import { rowsOf } from "../core/compat/peers.ts";
import type { Prediction } from "../core/compat/prediction.ts";
import { CountersignError, findingUnlessInterrupted } from "../core/errors.ts";
import { explainBriefly } from "../core/explain.ts";
import type { SignatureFormat } from "../core/formats/envelope.ts";
import type { Acceptance, ContentCache, Signatory } from "../core/ports.ts";
import type { Instant } from "../core/time.ts";
import type { Target } from "../ops/verify.ts";
import { collect, grouped, type RawOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { readPeers } from "./peer-options.ts";
import type { SignatoryOptions } from "./signatory-options.ts";

/** `--for NAME,…` where images are signed: what has to be written for these verifiers, and whether they will accept it. */

export function addFor(command: Command): Command {
  return grouped(command, "Signing:", [
    new Option(
      "--for <peers>",
      `write what these verifiers read: ${PEER_NAMES.join(", ")} (repeatable, or separated by commas)`,
    ).argParser(collect),
  ]);
}

export interface PeerChoice extends Choice {
  readonly peers: readonly PeerName[];
}

/**
 * undefined without `--for`. Formats that are named too have to be enough.
 *
 * @throws CountersignError `usage`, `unsupported`.
 */
export function readFor(raw: RawOptions, named: readonly SignatureFormat[]): PeerChoice | undefined {
  const peers = readPeers(raw, "for", "--for");
  if (peers.length === 0) return undefined;
  const choice = chooseFor(peers);
  const missing = named.length === 0 ? [] : choice.formats.filter((format) => !named.includes(format));
  if (missing.length === 0) return { ...choice, peers, formats: named.length === 0 ? choice.formats : named };
  throw new CountersignError("usage", "the formats that are named are not all that these verifiers need", {
    found: `--for ${peers.join(",")} and --format ${named.join(" --format ")}`,
    wanted: `--format ${missing.join(" --format ")} too, or --for alone`,
  });
}

/**
 * Says what `--for` came to, and that of a key before anything is signed with it.
 *
 * @throws CountersignError `unsupported` for a key that one of the verifiers cannot verify.
 */
export async function prepareFor(
  output: Output,
  { peers, formats, recursive }: PeerChoice,
  signatory: Signatory,
  { signatory: { key, services }, dryRun }: { readonly signatory: SignatoryOptions; readonly dryRun: boolean },
): Promise<void> {
  if (key !== undefined) requireReadableKey(peers, (await signatory.signer()).publicKey.algorithm);
  const each = recursive ? ", for every platform of an index too" : "";
  output.note(`for ${peers.join(", ")}: ${formats.join(" and ")}${each}`);
  if (!dryRun || services.kind !== "none") return;
  const wanting = rowsOf(peers).filter(({ wantsLog }) => wantsLog.ofKeys);
  for (const { title, versions, withoutLog = "it is told otherwise" } of wanting) {
    output.warn(
      `${title} ${versions} asks for a log entry unless ${withoutLog}, and no service that keeps a log is named`,
    );
  }
}

/** How it is looked at. */
export interface Look {
  /** Who signed. */
  readonly acceptance: Acceptance | undefined;
  readonly cache: ContentCache | undefined;
  readonly now: Instant;
}

/**
 * Looks at what is stored now as those verifiers would, and warns of each that would not accept it: a log entry may be
 * missing, or a bundle by somebody else hide what was written. What was signed stays signed, whatever comes of it.
 */
export async function warnOfRefusals(
  output: Output,
  peers: readonly PeerName[],
  targets: readonly Target[],
  look: Look,
): Promise<void> {
  const { diagnose } = await import("../ops/doctor.ts");
  for (const target of targets) {
    try {
      const { name, predictions } = await diagnose(target, { ...look, peers: rowsOf(peers) });
      for (const prediction of predictions) warnOf(output, name, prediction);
    } catch (error) {
      output.warn(`${target.image}: ${explainBriefly(findingUnlessInterrupted(error))}`);
    }
  }
}

function warnOf(output: Output, name: string, { title, versions, verdict, because }: Prediction): void {
  if (verdict !== "accepts") output.warn(`${name}: ${title} ${versions} ${WARNINGS[verdict]}: ${because}`);
}

const WARNINGS = {
  refuses: "will refuse it by default",
  depends: "may refuse it",
  unknown: "could not be foreseen",
} as const;
