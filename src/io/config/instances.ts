import type { Instant } from "../../core/time.ts";
import type { Demands } from "../../core/trust/material.ts";

/** As it is typed after `--trust`, and printed. */
export const INSTANCE_NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62})$/;

/** A file that is named in the configuration: where it is, and how the user called it. */
export interface NamedFile {
  /** Absolute. */
  readonly path: string;
  readonly label: string;
}

/** A TUF repository that gives a `trusted_root.json`, and signing configurations beside it. */
export interface TufTrust {
  readonly kind: "tuf";
  readonly mirror: URL;
  /** The root that it starts from: one that is built in, a file, or the SHA-256 of one in hexadecimal digits. */
  readonly root: (() => Promise<Uint8Array>) | NamedFile | { readonly sha256: string };
  /** What came with the program: for a machine without a network that has never fetched anything. */
  readonly seed?: Seed | undefined;
}

/** A trust root as a file. */
export interface FileTrust {
  readonly kind: "file";
  readonly trustedRoot: NamedFile;
}

/** Targets that came with the program. */
export interface Seed {
  /** When they were current. */
  readonly at: Instant;
  /** When the root that came with them expires: nobody vouches for them any longer. */
  readonly expires: Instant;
  /** By the path of the target; undefined where it did not come along. */
  read(target: string): Promise<Uint8Array | undefined>;
}

/** Whom to believe, by a name that the user chooses. Nothing that was signed has a say in it. */
export interface TrustInstance {
  readonly name: string;
  readonly origin: "built-in" | "configuration";
  readonly source: TufTrust | FileTrust;
  /** A file instead of the signing configuration that the repository has. */
  readonly signingConfig?: NamedFile | undefined;
  /** What its signatures have to bring, where no flag says otherwise. */
  readonly demands: Demands;
}
