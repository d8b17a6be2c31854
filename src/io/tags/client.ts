import { CountersignError, type Finding } from "../../core/errors.ts";
import type { ContentStore } from "../../core/ports.ts";
import type { RootPin } from "../../core/tags/pin.ts";
import type { PinBook } from "../../core/tags/ports.ts";
import type { SignedTags, TagAnswer, TagQuestion } from "../../core/tags/signed-tag.ts";
import type { Instant } from "../../core/time.ts";
import type { TrustSession } from "./session.ts";

/** Whom to believe, by name. */
export interface Pins extends PinBook {
  /** The name that trust is bound to: another one where the repository mirrors it. */
  originOf(repository: string): Promise<string>;
}

export interface SignedTagsOptions {
  readonly pins: Pins;
  /** The user's folder for what must survive every cache; ours are below it. */
  readonly stateFolder: string;
  /** Another repository, where a pin says that its trust metadata is there. */
  readonly open?: ((repository: string) => Promise<ContentStore>) | undefined;
  /** The same for a whole run. */
  readonly now: Instant;
  readonly signal?: AbortSignal | undefined;
  /** Where no root is pinned, the one that is served is, from now on: somebody has asked for that in so many words. */
  readonly tofu?: boolean | undefined;
  /** The registry is not asked about its signed tags: what is kept of them counts as long as it is valid. */
  readonly offline?: boolean | undefined;
  /** The registry's own tag is asked for as well, to show where it names something else. */
  readonly checkTag?: boolean | undefined;
  /** A root was pinned because it was the first one seen. */
  readonly onPinned?: ((pin: RootPin) => void) | undefined;
  /** What people should know and nothing depends on: that the state of a repository could not be kept. */
  readonly warn?: ((finding: Finding) => void) | undefined;
}

/** Nothing is pinned and nothing demanded: the registry's tag counts, unproven. */
const UNPINNED: TagAnswer = { signedTag: undefined, requires: [] };

/**
 * Signed tags by the roots that are pinned on this machine. A repository's metadata is verified once for all the references that
 * are asked about. Without a pin nothing is asked of anybody, and nothing of TUF is loaded.
 */
export function openSignedTags(options: SignedTagsOptions): SignedTags {
  return new Client(options);
}

class Client implements SignedTags {
  readonly #options: SignedTagsOptions;
  readonly #sessions = new Map<string, Promise<TrustSession>>();

  constructor(options: SignedTagsOptions) {
    this.#options = options;
  }

  async resolve(question: TagQuestion): Promise<TagAnswer> {
    const { store, tag, digest, demand } = question;
    if (tag === undefined && (digest === undefined || demand.digestPulls === "any")) return UNPINNED;
    const name = store.repository;
    if (name === undefined) return nameless(store, demand.required);
    const gun = await this.#options.pins.originOf(name);
    const pin = await this.#options.pins.find(gun);
    if (pin === undefined && this.#options.tofu !== true) {
      if (demand.required) throw noPin(gun);
      return UNPINNED;
    }
    const session = await this.#session(gun, pin, store).catch((thrown: unknown) => unlessMissing(thrown, question));
    if (session === undefined) return UNPINNED;
    const { answer } = await import("./answer.ts");
    return await answer(session, question, this.#options);
  }

  async isPinned(repository: string): Promise<boolean> {
    const { pins } = this.#options;
    return (await pins.find(await pins.originOf(repository))) !== undefined;
  }

  async #session(gun: string, pin: RootPin | undefined, images: ContentStore): Promise<TrustSession> {
    const key = `${gun} ${images.location}`;
    const open = this.#sessions.get(key) ?? this.#open(gun, pin, images);
    this.#sessions.set(key, open);
    try {
      const session = await open;
      if (locationFor(pin, images) === undefined) session.use(images);
      return session;
    } catch (thrown) {
      // What could not be looked at may be found out at the next try; what was refused stays so.
      if (!(thrown instanceof CountersignError) || thrown.class !== "refused") this.#sessions.delete(key);
      throw thrown;
    }
  }

  async #open(gun: string, pin: RootPin | undefined, images: ContentStore): Promise<TrustSession> {
    const { openSession } = await import("./opening.ts");
    const location = locationFor(pin, images);
    const store = location === undefined ? images : await this.#elsewhere(location);
    return await openSession({ gun, pin, store, options: this.#options });
  }

  async #elsewhere(repository: string): Promise<ContentStore> {
    const { open } = this.#options;
    if (open !== undefined) return await open(repository);
    throw new CountersignError("unsupported", "signed tags are in another repository, which cannot be opened here", {
      found: repository,
    });
  }
}

/** Another repository, where the pin says so. A kit has the metadata with its images, and no registry is asked for it. */
function locationFor(pin: RootPin | undefined, { kind }: ContentStore): string | undefined {
  return kind === "registry" ? pin?.location : undefined;
}

/** Without a pin or a demand, a repository may have no signed tags; only with a pin is that `signed-tags-vanished`. */
function unlessMissing(thrown: unknown, { demand }: TagQuestion): undefined {
  if (!demand.required && thrown instanceof CountersignError && thrown.code === "signed-tags-missing") return undefined;
  throw thrown;
}

/** Trust is bound to names, and a layout has none of its own. */
function nameless(store: ContentStore, required: boolean): TagAnswer {
  if (!required) return UNPINNED;
  throw new CountersignError("unsupported", "signed tags are demanded of something that is in no repository", {
    found: store.location,
    wanted: "a repository of a registry",
  });
}

function noPin(gun: string): CountersignError {
  return new CountersignError("no-pin", `no root is pinned for ${gun}, and its signed tags are demanded`, {
    found: "no pin",
    wanted: "the root that the publisher names",
    next: `countersign trust pin ${gun} --root-checksum sha256:…, with the checksum that the publisher names`,
  });
}
