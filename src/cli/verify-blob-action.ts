import { refusePublishedKeys } from "../core/crypto/published.ts";
import { prepareBundles } from "../core/verify/blob.ts";
import { checkRequirement, type Requirement } from "../core/verify/requirement.ts";
import { verifyBlob } from "../ops/blob.ts";
import { verdictsDocument } from "../report/json.ts";
import { verdictsText } from "../report/text.ts";
import { compileAttestation, readAttestationOptions } from "./attestation-options.ts";
import { bundleBeside, readBlob } from "./blob-files.ts";
import { readBundles } from "./bundles.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { list, number, type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { readSignerOptions, weakenings } from "./signer-options.ts";
import { readSigners } from "./signers.ts";
import { concludeVerdicts } from "./verdicts.ts";

/** `countersign verify-blob FILE`. */
export async function verifyBlobFile(context: Context, output: Output, file: string, raw: RawOptions): Promise<void> {
  const flags = readSignerOptions(raw);
  const wiring = await openWiring(context, output, readRegistryOptions({}), []);
  try {
    const signers = await readSigners(context, output, flags, wiring);
    refusePublishedKeys(signers.keys, [{ name: file, registry: undefined }]);
    const requirement: Requirement = {
      ...signers,
      threshold: number(raw, "threshold") ?? 1,
      annotations: {},
      signedAs: [],
      attestation: await compileAttestation(readAttestationOptions(raw), context.referenceTime),
      now: context.referenceTime,
    };
    checkRequirement(requirement);
    const given = list(raw, "bundle");
    const bundles = (await readBundles(context, given.length === 0 ? [bundleBeside(file)] : given)) ?? [];
    await prepareBundles(bundles);
    const verdict = verifyBlob(await readBlob(context, file), bundles, { requirement, weakened: weakenings(raw) });
    const result = {
      text: (style: Parameters<typeof verdictsText>[1]) => verdictsText([verdict], style),
      json: () => verdictsDocument("verify-blob", [verdict]),
    };
    await concludeVerdicts(context, output, [verdict], result, "countersign");
  } finally {
    await wiring.close();
  }
}
