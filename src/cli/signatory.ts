import { refusePublishedKeys } from "../core/crypto/published.ts";
import type { SignatureFormat } from "../core/formats/envelope.ts";
import type { Signatory } from "../core/ports.ts";
import { loadSigner } from "../io/keys/load.ts";
import { keySignatory } from "../ops/sign.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { placesOf } from "./images.ts";
import type { Output } from "./output.ts";
import type { SignatoryOptions } from "./signatory-options.ts";

/** What a command that signs says of it. */
export interface SignatoryWish extends SignatoryOptions {
  /** Nothing is asked of any service, and nobody has to agree to anything. */
  readonly dryRun?: boolean | undefined;
  /** How signatures are to be stored: not each has a place for what every service gives. */
  readonly formats?: readonly SignatureFormat[] | undefined;
}

/**
 * Who signs, from the flags: a key, with services where some are named, or an identity. What is published for ever is
 * agreed to here, before anything is sent.
 *
 * @throws CountersignError `key-…`, `token-invalid`, `identity-missing`, `trust-invalid`, `consent-missing`, `usage`, and what
 * the services that give tokens fail with.
 */
export async function openSignatory(
  context: Context,
  output: Output,
  wiring: Wiring,
  wish: SignatoryWish,
  images: readonly string[],
): Promise<Signatory> {
  const signer = wish.key === undefined ? undefined : await loadSigner(wish.key, { ...context, warn: output.warn });
  if (signer !== undefined) {
    refusePublishedKeys([signer.publicKey], placesOf(images));
    if (wish.services.kind === "none") return keySignatory(signer);
  }
  const { openKeyWithServices, openKeyless } = await import("./service-signatory.ts");
  return signer === undefined
    ? await openKeyless(context, output, wiring, wish)
    : await openKeyWithServices(context, output, wiring, wish, signer);
}
