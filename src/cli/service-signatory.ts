import { CountersignError } from "../core/errors.ts";
import { loggedAlgorithm } from "../core/formats/log-record.ts";
import type { Signatory, Signer } from "../core/ports.ts";
import { type Instant, instant } from "../core/time.ts";
import { foreseenIdentities, isOfPrivateRepository } from "../core/trust/foreseen.ts";
import type { IdentityToken } from "../core/trust/token.ts";
import { findIdentityToken } from "../io/identity/find.ts";
import { fulcio } from "../io/sigstore/fulcio.ts";
import { keylessSignatory, provesWithoutLogs } from "../io/sigstore/keyless.ts";
import { sigstoreWitness } from "../io/sigstore/witness.ts";
import { keySignatory } from "../ops/sign.ts";
import type { Wiring } from "../wire.ts";
import { type Publication, requireConsent } from "./consent.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import {
  certificateDemands,
  demandsOf,
  promising,
  readServices,
  type SigningServices,
  tellingTime,
  witnesses,
} from "./services.ts";
import type { SignatoryWish } from "./signatory.ts";
import type { SignatoryOptions } from "./signatory-options.ts";
import { openTrust } from "./trust.ts";

// --- keys -------------------------------------------------------------------------------------------------------------

/** A key, and services that vouch for what it signs. */
export async function openKeyWithServices(
  context: Context,
  output: Output,
  wiring: Wiring,
  wish: SignatoryWish,
  signer: Signer,
): Promise<Signatory> {
  const services = await servicesFor(context, output, wiring, wish);
  if (services.logs.count > 0) loggedAlgorithm(signer.publicKey);
  const trust = await openTrust(context, output, wish.trust, wiring);
  const demands = demandsOf(services);
  if (wish.dryRun !== true) await requireConsent(context, { services, signer: "key" }, wish.yes);
  const witness = sigstoreWitness({
    ...witnesses(services, wiring.services),
    check: provesWithoutLogs({ trust, demands }, clockFrom(context.referenceTime)),
    logLater: wish.logLater,
  });
  return keySignatory(signer, { witness, proof: { trust, demands } });
}

async function servicesFor(
  context: Context,
  output: Output,
  wiring: Wiring,
  wish: SignatoryWish,
): Promise<SigningServices> {
  const services = await readServices(context, output, wiring, wish);
  return wish.formats?.includes("cosign-legacy") === true ? promising(services) : services;
}

// --- identities -------------------------------------------------------------------------------------------------------

/** An identity that a token names and a certificate is made for. */
export async function openKeyless(
  context: Context,
  output: Output,
  wiring: Wiring,
  wish: SignatoryWish,
): Promise<Signatory> {
  const services = tellingTime(await servicesFor(context, output, wiring, wish), wish);
  const authority = requireAuthority(services);
  const trust = await openTrust(context, output, wish.trust, wiring);
  const demands = certificateDemands(services, trust);
  const now = clockFrom(context.referenceTime);
  const token = tokenSource(context, wiring, wish, services, now);
  if (wish.dryRun !== true) await requireConsent(context, await publication(services, token), wish.yes);
  const witness = sigstoreWitness({
    ...witnesses(services, wiring.services),
    check: provesWithoutLogs({ trust, demands }, now),
    logLater: wish.logLater,
  });
  return keylessSignatory({
    authority: fulcio((request) => wiring.services.ask(request), authority, now),
    token: wish.dryRun === true && wish.identityToken === undefined ? undefined : token,
    trust,
    demands,
    witness,
    oneCertificate: wish.oneCertificate,
    now,
  });
}

function requireAuthority({ authority }: SigningServices): URL {
  if (authority !== undefined) return authority;
  throw new CountersignError("usage", "nothing says who gives the certificate to sign with", {
    found: "no certificate authority among the services",
    wanted: "--fulcio-url URL, or a signing configuration with one; or --key KEY",
  });
}

async function publication(services: SigningServices, token: () => Promise<IdentityToken>): Promise<Publication> {
  const found = await token();
  const [foreseen] = foreseenIdentities(found);
  return {
    services,
    signer: "certificate",
    identity: foreseen?.subject.text ?? found.subjectForProof,
    isPrivate: isOfPrivateRepository(found),
  };
}

/** The present: the time at the door, and what has passed since. */
function clockFrom(referenceTime: Instant): () => Instant {
  const started = performance.now();
  return () => instant(referenceTime + Math.round(performance.now() - started));
}

/** The token while it is valid, then another one: what a pipeline gives lives for minutes. */
function tokenSource(
  context: Context,
  wiring: Wiring,
  wish: SignatoryOptions,
  services: SigningServices,
  now: () => Instant,
): () => Promise<IdentityToken> {
  let current: Promise<IdentityToken> | undefined;
  const find = async (): Promise<IdentityToken> => (await findToken(context, wiring, wish, services, now())).token;
  return async () => {
    const before = current;
    if (before !== undefined && (await before).expiresAt > now()) return await before;
    if (current === before) current = find();
    return await (current ?? find());
  };
}

async function findToken(
  context: Context,
  wiring: Wiring,
  { identityToken, issuer, clientId }: SignatoryOptions,
  services: SigningServices,
  now: Instant,
): ReturnType<typeof findIdentityToken> {
  const { env, stdin, stderr, workingDirectory, signal } = context;
  return await findIdentityToken({
    env,
    stdin,
    workingDirectory,
    signal,
    service: wiring.services,
    given: identityToken,
    issuer: issuer ?? services.issuer,
    clientId,
    audience: clientId,
    interactive: { stderr: stderr.stream, isTerminal: stdin.isTTY === true && stderr.isTerminal },
    now,
  });
}
