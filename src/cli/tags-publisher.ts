import { CountersignError } from "../core/errors.ts";
import { explainFinding } from "../core/explain.ts";
import { HEAD_TAG } from "../core/tags/names.ts";
import type { RootPin } from "../core/tags/pin.ts";
import type { PublisherClock } from "../core/tags/ports.ts";
import { instant } from "../core/time.ts";
import { stateFolder } from "../io/disk/paths.ts";
import { systemClock } from "../io/http/clock.ts";
import type { KeyRing } from "../io/tags/key-ring.ts";
import { PinsOnDisk } from "../io/tags/pins.ts";
import { PublisherMemory } from "../io/tags/publisher-memory.ts";
import type { Publisher } from "../ops/tags/publisher.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { list, type RawOptions, readRegistryOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { readPublishFlags } from "./tags-options.ts";
import { openRepository, pinsPlace, type Repository, whereMetadataIs } from "./tags-repository.ts";
import { openRing } from "./tags-ring.ts";

/** What a command that publishes works with, for any number of repositories. */
export interface Publishing {
  readonly context: Context;
  readonly output: Output;
  readonly wiring: Wiring;
  readonly raw: RawOptions;
  readonly ring: KeyRing;
}

/**
 * The connections and the keys of a call, those that the command line names among them; `except` are flags that name other
 * keys. The caller closes the wiring.
 *
 * @throws CountersignError as `loadSigner`, `usage`.
 */
export async function openPublishing(
  context: Context,
  output: Output,
  repositories: readonly Pick<Repository, "gun">[],
  raw: RawOptions,
  except: readonly string[] = [],
): Promise<Publishing> {
  readPublishFlags(raw);
  const guns = repositories.map(({ gun }) => gun);
  const wiring = await openWiring(context, output, readRegistryOptions(raw), guns);
  try {
    const ring = openRing(context, output);
    await useNamedKeys(ring, raw, except);
    return { context, output, wiring, raw, ring };
  } catch (thrown) {
    await wiring.close();
    throw thrown;
  }
}

/**
 * One repository to publish to, from the pinned root on: who publishes builds on nothing else.
 *
 * @throws CountersignError `no-pin`, `usage`, `configuration-invalid`.
 */
export async function openPublisher(publishing: Publishing, repository: Repository): Promise<Publisher> {
  const { context, output, wiring, raw, ring } = publishing;
  const { settle, allowsExpired } = readPublishFlags(raw);
  const { gun } = repository;
  const pin = await pinOf(context, raw, gun);
  return {
    store: await openRepository(wiring, whereMetadataIs(repository, pin), "write"),
    gun,
    head: HEAD_TAG,
    pin,
    ring,
    clock: publisherClock(context),
    writers: settle === undefined ? "unknown" : settle ? "several" : "one",
    allowsExpired,
    memory: new PublisherMemory(stateFolder(context.env, context.homeDirectory), context.signal),
    warn: (finding) => output.warn(`${gun}: ${explainFinding(finding)}`),
  };
}

async function pinOf(context: Context, raw: RawOptions, gun: string): Promise<RootPin> {
  const place = pinsPlace(context, raw);
  const pin = await new PinsOnDisk(place).find(gun);
  if (pin !== undefined) return pin;
  throw new CountersignError("no-pin", `no root of ${gun} is pinned, and a publisher builds on no other`, {
    found: `no pin of it in ${place.label}`,
    wanted: "the root that its publishers use",
    next: `where it has no signed tags yet: countersign trust init ${gun}; else countersign trust pin ${gun} --root-checksum sha256:…`,
  });
}

/** Versions and expiries are of the time at the door, and go on from there. */
export function publisherClock({ referenceTime, signal }: Context): PublisherClock {
  const started = performance.now();
  return {
    now: () => instant(referenceTime + Math.round(performance.now() - started)),
    sleep: (milliseconds) => systemClock.sleep(milliseconds, signal),
    random: () => systemClock.random(),
  };
}

/** Which flag names keys, and by which name their passphrase is asked for. */
const KEY_FLAGS: readonly (readonly [option: string, name: string])[] = [
  ["rootKey", "root"],
  ["targetsKey", "targets"],
  ["key", "signer"],
  ["onlineKey", "online"],
];

/** The keys that the command line names count beside those of this machine. @throws CountersignError as `loadSigner`. */
async function useNamedKeys(ring: KeyRing, raw: RawOptions, except: readonly string[]): Promise<void> {
  for (const [option, name] of KEY_FLAGS) {
    if (except.includes(option)) continue;
    const one = text(raw, option);
    for (const reference of one === undefined ? list(raw, option) : [one]) await ring.use(reference, { name });
  }
}
