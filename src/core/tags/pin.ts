import { type Digest, digestOf } from "../oci/digest.ts";
import type { Instant } from "../time.ts";
import type { RootRole, SignedRole } from "./metadata.ts";

/** A root that somebody has chosen for a repository: where all of its signed tags are verified from. */
export interface RootPin {
  /** The canonical name of the repository that the root is for: `registry.example/acme/app`. */
  readonly gun: string;
  readonly rootVersion: number;
  /** Of that root's bytes. */
  readonly root: Digest;
  /** For people who compare: the ids of its keys, and how many of them sign. */
  readonly rootKeyIds: readonly string[];
  readonly threshold: number;
  /** `pinned`: chosen by a person or a file; `tofu`: seen first and asked for; `dct`: vouched for by a Docker Content Trust root. */
  readonly mode: "pinned" | "tofu" | "dct";
  readonly firstSeen: Instant;
  /** Where its trust metadata is, where that is another repository than the one of the images: `registry.example/acme/app-trust`. */
  readonly location?: string | undefined;
}

/** The pin of a root. */
export function pinOf(
  { body, bytes }: Pick<SignedRole<RootRole>, "body" | "bytes">,
  terms: Pick<RootPin, "gun" | "mode" | "firstSeen" | "location">,
): RootPin {
  const { keyids: rootKeyIds, threshold } = body.roles.root;
  return { rootVersion: body.version, root: digestOf(bytes), rootKeyIds, threshold, ...terms };
}
