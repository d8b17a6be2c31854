import type { JsonObject } from "../json.ts";
import type { Instant } from "../time.ts";
import type { Binding } from "./binding.ts";

/** Metadata of signed tags as publishers write it: TUF 1.0.34 with one member of our own in the root. */

/** A public key as TUF writes it. Its id is the SHA-256 of this object's canonical JSON (TUF 1.0.34, 4.2). */
export interface TufKey {
  readonly keytype: "ed25519" | "ecdsa";
  readonly scheme: "ed25519" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384";
  readonly keyval: { readonly public: string };
}

/** Whose signatures a role needs, and how many of them. */
export interface RoleKeys {
  readonly keyids: readonly string[];
  readonly threshold: number;
}

/** `x-countersign` in the root: which repository this is, and how long anything in it may claim to live. */
export interface RootProfile {
  readonly profile: 1;
  /** The canonical name of the repository: `registry.example/acme/app`. */
  readonly gun: string;
  /** Other names under which the same metadata may be served: mirrors. */
  readonly aliases: readonly string[];
  /** The longest lifetime of each role, in milliseconds. */
  readonly ceilings: Ceilings;
  /** How the metadata is found: by a tag. Another way would be another word here, which clients of today refuse. */
  readonly store: "tag";
}

export interface Ceilings {
  readonly timestamp: number;
  readonly snapshot: number;
  readonly targets: number;
}

export interface RootRole {
  readonly kind: "root";
  readonly version: number;
  readonly expires: Instant;
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly roles: Readonly<Record<"root" | "targets" | "snapshot" | "timestamp", RoleKeys>>;
  readonly profile: RootProfile;
}

/** One signer, in the order of priority. */
export interface Delegation extends RoleKeys {
  readonly name: string;
  /** Patterns of target paths: literals, `*` and `?`. */
  readonly paths: readonly string[];
  /** No later role is asked for what these paths cover. */
  readonly terminating: boolean;
}

/** Hash bins below a role (TAP 15): `2 ** bitLength` roles `PREFIX-00` that share one set of keys. */
export interface Bins extends RoleKeys {
  readonly prefix: string;
  readonly bitLength: number;
}

/** The targets role, a signer's or a bin's. */
export interface TargetsRole {
  readonly kind: "targets";
  readonly version: number;
  readonly expires: Instant;
  readonly bindings: readonly Binding[];
  /** Keys of those below. */
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly delegations: readonly Delegation[];
  readonly bins: Bins | undefined;
  /** Of a bin: how many there are with it, in bits. A bin of eight is not one of sixteen, though it may be called the same. */
  readonly binBits?: number | undefined;
}

/** A file of metadata as the one that lists it describes it: always all three. */
export interface ListedFile {
  readonly version: number;
  readonly length: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface SnapshotRole {
  readonly kind: "snapshot";
  readonly version: number;
  readonly expires: Instant;
  /** By role, without `.json`. */
  readonly roles: ReadonlyMap<string, ListedFile>;
}

export interface TimestampRole {
  readonly kind: "timestamp";
  readonly version: number;
  readonly expires: Instant;
  readonly snapshot: ListedFile;
}

export type Role = RootRole | TargetsRole | SnapshotRole | TimestampRole;

/** Metadata with the bytes that were signed; `signed` is the whole signed part, members that are not known included. */
export interface SignedRole<Body extends Role = Role> {
  readonly body: Body;
  readonly signed: JsonObject;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
  /** The file as a whole: what is stored and hashed. */
  readonly bytes: Uint8Array;
}
