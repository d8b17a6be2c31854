import type { PasswordSources } from "./passphrase.ts";

/** What loading a key takes from the outside. The command line's context fits, with a `warn` beside it. */
export interface KeySurroundings extends PasswordSources {
  /** What relative paths are relative to. */
  readonly workingDirectory: string;
  /** Told about a key file that others can read. */
  readonly warn?: ((line: string) => void) | undefined;
  /**
   * Set where the reference stands in a file (a policy, a configuration) and not on the command line: it may then name
   * neither native code to load nor a PIN.
   */
  readonly isFromFile?: boolean | undefined;
  /** Milliseconds for one answer: of a pipe, a KMS or an HSM. The table of limits has what is usual. */
  readonly timeoutMs?: number | undefined;
}

/** What a public key takes: the rest is for keys in a KMS or an HSM, which may have to be asked for theirs. */
export type PublicKeySurroundings = Pick<KeySurroundings, "env" | "workingDirectory"> & Partial<KeySurroundings>;
