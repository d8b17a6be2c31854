import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { Manifest } from "../../core/oci/manifest.ts";
import type { ContentStore } from "../../core/ports.ts";
import type { HeadFile, HeadFiles, HeadListing } from "../../core/tags/head.ts";
import { pinOf, type RootPin } from "../../core/tags/pin.ts";
import { readTrust, type TrustReading } from "../../core/tags/trust-view.ts";
import type { Instant } from "../../core/time.ts";
import { mapConcurrently } from "../concurrency.ts";
import type { Publisher } from "./publisher.ts";
import { MetadataReader } from "./reader.ts";

/** Whose signed tags are looked at, and where they are. */
export interface TrustPlace {
  readonly store: ContentStore;
  /** The canonical name of the repository that the tags are of. */
  readonly gun: string;
  /** The tag of the head. */
  readonly head: string;
  /** undefined: the first root that is served vouches for itself. */
  readonly pin?: RootPin | undefined;
}

/** A head with all that it names, as it is served. */
export interface WholeHead {
  readonly manifest: Manifest;
  readonly listing: HeadListing;
  readonly files: HeadFiles;
}

/**
 * Everything that the head names, verified: what is shown, compared and audited. Publishers read less.
 *
 * @param at The digest of an older head; undefined: the one that counts now.
 * @throws CountersignError `signed-tags-missing`, or `signed-tags-vanished` where a root is pinned; what the store and
 * `readTrust` throw.
 */
export async function readWholeTrust(place: TrustPlace, now: Instant, at?: Digest): Promise<TrustReading> {
  const { manifest, listing, files } = await readWholeHead(place, at);
  const { gun, pin } = place;
  return readTrust(files, gun, { now, pin, head: manifest, history: listing.history, isComplete: true });
}

/** The same, unverified. */
export async function readWholeHead(place: TrustPlace, at?: Digest): Promise<WholeHead> {
  const reader = new MetadataReader(place.store);
  const manifest = at === undefined ? await reader.tag(place.head) : await place.store.resolve(at);
  if (manifest === undefined) throw noHead(place, at);
  const listing = await reader.listing(manifest);
  const described = new Map([...listing.files, ...(await reader.sets(listing))]);
  requireFew(described);
  const files = await mapConcurrently([...described], LIMITS.tagWorkers, async ([name, file]) => {
    return [name, await reader.content(file, LIMITS.tufTargetsBytes)] as const;
  });
  return { manifest, listing, files: new Map(files) };
}

/** Somebody without keys who looks at what is staged too; where no root is pinned, the first one vouches for itself. */
export function onlooker(place: TrustPlace, { roots }: TrustReading, now: Instant): Publisher {
  const { store, gun, head, pin } = place;
  const clock = { now: () => now, sleep: () => Promise.resolve(), random: () => 0 };
  const ring = { signer: () => Promise.resolve(undefined) };
  return { store, gun, head, pin: pin ?? firstRootPin(gun, roots, now), ring, clock, writers: "one" };
}

function firstRootPin(gun: string, [first]: TrustReading["roots"], now: Instant): RootPin {
  if (first === undefined) throw new CountersignError("internal", "trust without a root");
  return pinOf(first, { gun, mode: "tofu", firstSeen: now });
}

function requireFew({ size }: ReadonlyMap<string, HeadFile>): void {
  const most = LIMITS.tagRoleFiles + LIMITS.tufRootSteps;
  if (size <= most) return;
  throw new CountersignError("limit-reached", "the head names too many files", {
    found: String(size),
    wanted: `at most ${most}`,
  });
}

function noHead({ store, gun, head, pin }: TrustPlace, at: Digest | undefined): CountersignError {
  const found = `no ${at ?? head} in ${store.location}`;
  if (at !== undefined) return new CountersignError("not-found", "there is no such head", { found });
  const code = pin === undefined ? "signed-tags-missing" : "signed-tags-vanished";
  const message = pin === undefined ? `${gun} has no signed tags` : `the signed tags of ${gun} are gone`;
  return new CountersignError(code, message, { found });
}
