import type { Diagnosis } from "../core/compat/diagnosis.ts";
import type { PeerName } from "../core/compat/peer.ts";
import { refusePublishedKeys } from "../core/crypto/published.ts";
import type { Acceptance } from "../core/ports.ts";
import { diagnose } from "../ops/doctor.ts";
import { diagnosisDocument, diagnosisText } from "../report/doctor.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit-codes.ts";
import { readIdentityOptions } from "./identity-options.ts";
import { openWiring, placesOf } from "./images.ts";
import { list, type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { readPeers } from "./peer-options.ts";
import { openPins, readTagFlags } from "./signed-tags.ts";
import { namesTrust, readProofOptions, readSignerOptions } from "./signer-options.ts";
import { readTrustOptions, refuseRegistriesOffline } from "./trust-options.ts";

/** `countersign doctor IMAGE`: who will accept it, why not, and what to add. */
export async function doctor(context: Context, output: Output, image: string, raw: RawOptions): Promise<void> {
  const registry = readRegistryOptions(raw);
  const required = readPeers(raw, "require", "--require");
  const proof = readProofOptions(raw);
  const told = {
    ignoresLog: proof.ignoreLog,
    ignoresScts: proof.ignoreCertificateLog,
    takesTimestamps: proof.signedTimestamps,
  };
  refuseRegistriesOffline(readTrustOptions(raw), [image]);
  const wiring = await openWiring(context, output, registry, [image]);
  try {
    const acceptance = await readAcceptance(context, output, wiring, image, raw);
    const tags = await openPins({ context, output, wiring }, readTagFlags(raw), { checkTag: true });
    const { cache } = wiring;
    const { platform } = registry;
    const asked = { acceptance, told, cache, tags, platform, now: context.referenceTime };
    const diagnosis = await diagnose(await wiring.target(image), asked);
    await output.result({
      text: (style) => diagnosisText(diagnosis, style),
      json: () => diagnosisDocument(diagnosis),
    });
    context.exitCode = exitCodeOf(diagnosis, required);
  } finally {
    await wiring.close();
  }
}

/** Whose signatures the verifiers ask for; nobody's in particular where no flag says. */
async function readAcceptance(
  context: Context,
  output: Output,
  wiring: Wiring,
  image: string,
  raw: RawOptions,
): Promise<Acceptance | undefined> {
  const isNamed = list(raw, "key").length > 0 || readIdentityOptions(raw) !== undefined;
  if (!isNamed && !namesTrust(readTrustOptions(raw))) return undefined;
  const { readSigners } = await import("./signers.ts");
  const signers = await readSigners(context, output, readSignerOptions(raw), wiring);
  refusePublishedKeys(signers.keys, placesOf([image]));
  return signers;
}

/** What is required and not known is no success; a refusal is what counts before that. */
function exitCodeOf({ predictions, obstacles }: Diagnosis, required: readonly PeerName[]): ExitCode {
  const verdicts = predictions.flatMap(({ peer, verdict }) => (required.includes(peer) ? [verdict] : []));
  if (verdicts.includes("refuses")) return EXIT_CODES.refused;
  const isUnknown = verdicts.includes("unknown") || verdicts.includes("depends");
  return isUnknown || obstacles.length > 0 ? EXIT_CODES.undetermined : EXIT_CODES.done;
}
