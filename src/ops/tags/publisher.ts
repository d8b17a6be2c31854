import type { Finding } from "../../core/errors.ts";
import type { ContentStore } from "../../core/ports.ts";
import type { Lifetimes } from "../../core/tags/lifetimes.ts";
import type { RootPin } from "../../core/tags/pin.ts";
import type { PublisherClock, RoleKeyring } from "../../core/tags/ports.ts";
import type { Remembered } from "../../core/tags/remembered.ts";

/** Where trust metadata is published, and with what. */
export interface Publisher {
  /** Where the metadata lies: the repository itself, or the one that was chosen instead. */
  readonly store: ContentStore;
  /** The canonical name of the repository that the tags are of. */
  readonly gun: string;
  /** The tag of the head. */
  readonly head: string;
  /** The root that all of it is verified from. */
  readonly pin: RootPin;
  readonly ring: RoleKeyring;
  readonly clock: PublisherClock;
  /** undefined: those that go with the root's ceilings. */
  readonly lifetimes?: Lifetimes | undefined;
  /**
   * Whether others may publish at the same time. `several`: wait until all who may have read before us have written, always.
   * `one`: never wait. `unknown`: wait where another one was noticed.
   */
  readonly writers: "one" | "several" | "unknown";
  /** What this machine has seen: what is older is a rollback, on which nobody builds. */
  readonly memory?: PublisherMemory | undefined;
  /**
   * Builds on a head that has expired although this machine remembers nothing of the repository: somebody has made sure that it is
   * no old one which the registry shows again.
   */
  readonly allowsExpired?: boolean | undefined;
  /** Called with what should be known and stops nothing. */
  readonly warn?: ((finding: Finding) => void) | undefined;
}

/** What was verified or published here. */
export interface PublisherMemory {
  /** Nothing in it where nothing was noted. */
  recall(gun: string): Promise<Remembered>;
  note(gun: string, seen: Remembered): Promise<void>;
  /** Where that is, for people. */
  placeOf(gun: string): string;
}
