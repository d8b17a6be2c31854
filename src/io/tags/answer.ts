import { CountersignError } from "../../core/errors.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { ContentStore } from "../../core/ports.ts";
import type { Binding } from "../../core/tags/binding.ts";
import type { SignedTag, TagAnswer, TagQuestion } from "../../core/tags/signed-tag.ts";
import { checkBinding } from "../../core/tags/signed-tag-words.ts";
import { formatInstant, type Instant } from "../../core/time.ts";
import type { Found, TrustSession } from "./session.ts";

export interface AnswerOptions {
  readonly now: Instant;
  /** Asks for the registry's own tag as well. */
  readonly checkTag?: boolean | undefined;
}

/** What a repository's signed tags say of a reference. @throws CountersignError where they refuse it. */
export async function answer(
  session: TrustSession,
  { store, tag, digest, demand }: TagQuestion,
  { now, checkTag = false }: AnswerOptions,
): Promise<TagAnswer> {
  const found = tag === undefined ? await release(session, digest) : await binding(session, tag, digest);
  if (found === undefined) {
    if (demand.digestPulls !== "listed") return { signedTag: undefined, requires: [] };
    throw digestUnlisted(session, digest);
  }
  const registryDigest = tag !== undefined && checkTag ? await registryTag(store, tag) : undefined;
  const { maxBindingAgeMs } = demand;
  const signedTag: SignedTag = { ...session.standing, ...found, registryDigest };
  const old = checkBinding(signedTag, maxBindingAgeMs, now);
  if (old !== undefined) throw new CountersignError(old.code, old.message, old);
  return { signedTag, requires: found.binding.requires };
}

/** A tag's binding; neither it nor the digest that it names may have been taken back. */
async function binding(session: TrustSession, tag: string, digest: Digest | undefined): Promise<Found> {
  const found = await session.find({ tag });
  if (found === undefined) throw await tagUnlisted(session, tag);
  refuseRevoked(found.binding, `the tag ${tag} of ${session.name}`);
  if (digest !== undefined && digest !== found.binding.digest) throw mismatch(session, tag, digest, found.binding);
  const released = await session.find({ digest: found.binding.digest });
  if (released !== undefined) refuseRevoked(released.binding, `what the tag ${tag} of ${session.name} is bound to`);
  return found;
}

async function release(session: TrustSession, digest: Digest | undefined): Promise<Found | undefined> {
  const found = digest === undefined ? undefined : await session.find({ digest });
  if (found !== undefined) refuseRevoked(found.binding, `${digest} of ${session.name}`);
  return found;
}

/** By the registry's word where that is cheaper: it decides nothing here. */
async function registryTag(store: ContentStore, tag: string): Promise<Digest | undefined> {
  return (await store.claimedDigest?.(tag)) ?? (await store.resolve(tag))?.descriptor.digest;
}

function refuseRevoked({ revoked }: Binding, what: string): void {
  if (revoked === undefined) return;
  throw new CountersignError("revoked", `the publisher has revoked ${what}`, {
    found: `revoked at ${formatInstant(revoked.at)}: ${revoked.reason}`,
    wanted: "a release that was not taken back",
  });
}

async function tagUnlisted(session: TrustSession, tag: string): Promise<CountersignError> {
  const outsider = await session.outsider(tag);
  return new CountersignError("tag-unlisted", `the tag ${tag} is unlisted: no publisher of ${session.name} binds it`, {
    found: outsider === undefined ? "no binding" : `a binding by ${outsider}, whose patterns do not cover the tag`,
    wanted: `a signed binding of ${tag}`,
  });
}

function digestUnlisted(session: TrustSession, digest: Digest | undefined): CountersignError {
  return new CountersignError(
    "digest-unlisted",
    `this digest is unlisted: no publisher of ${session.name} released it`,
    {
      found: "no entry",
      wanted: `a signed entry for ${digest}`,
    },
  );
}

function mismatch(session: TrustSession, tag: string, digest: Digest, { digest: bound }: Binding): CountersignError {
  return new CountersignError("binding-mismatch", `the tag ${tag} of ${session.name} is bound to another digest`, {
    found: `${digest} in the reference`,
    wanted: `${bound}, which is what the publisher signed`,
  });
}
