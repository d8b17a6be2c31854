import type { Finding } from "../errors.ts";
import type { Instant } from "../time.ts";
import type { TrustRoot } from "./root.ts";

/** What one trust instance holds on this machine, and for how long that will do. */
export interface TrustStatus {
  readonly name: string;
  readonly origin: "built-in" | "configuration";
  /** It is used where none is named. */
  readonly isDefault: boolean;
  /** Where it comes from: the address of a TUF repository, or a file as the user called it. */
  readonly source: { readonly kind: "tuf"; readonly mirror: string } | { readonly kind: "file"; readonly file: string };
  /**
   * - `current`: confirmed lately, or a file
   * - `due`: still valid; the next command that needs it asks again
   * - `seed`: nothing was fetched yet; this is what came with the program
   * - `unusable`: expired, damaged or not there; `problem` says which
   */
  readonly state: "current" | "due" | "seed" | "unusable";
  /** When it was last confirmed; of a seed, when it was current. */
  readonly refreshedAt?: Instant | undefined;
  /** Until when it may be used without asking again; absent for a file, which has no such thing. */
  readonly expires?: Instant | undefined;
  /** The TUF metadata that it rests on. */
  readonly roles: readonly { readonly role: string; readonly version: number; readonly expires: Instant }[];
  /** Whose word it takes; absent where there is no material. */
  readonly root?: TrustRoot | undefined;
  readonly problem?: Finding | undefined;
}
