import { bundleFromJSON } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { toSignedEntity, toTrustMaterial, Verifier, type VerifierOptions } from "@sigstore/verify";

export interface LibraryQuestion {
  readonly bundle: Uint8Array;
  readonly trustedRoot: Uint8Array;
  /** Where a file was signed. */
  readonly file?: Uint8Array | undefined;
  readonly thresholds?: VerifierOptions;
}

/**
 * What the field's own verifier says, with its own readers: thrown where it refuses. It checks less than we do
 * (it compares no key with a log's, no origin with a log's name), so it tells right from broken and not broken from right.
 */
export function verifyByLibrary({ bundle, trustedRoot, file, thresholds }: LibraryQuestion): void {
  const material = toTrustMaterial(TrustedRoot.fromJSON(parse(trustedRoot)));
  const entity = toSignedEntity(bundleFromJSON(parse(bundle)), file === undefined ? undefined : Buffer.from(file));
  new Verifier(material, thresholds).verify(entity);
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString("utf8"));
}
