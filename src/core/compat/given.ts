/** What a verifier is thought to be told beside what its rule is. */
export interface Given {
  /** Who is asked for: then only their signatures count. undefined: whoever made what is there. */
  readonly signer: "key" | "identity" | undefined;
  /** It is told to do without log entries of keys. */
  readonly ignoresLog: boolean;
  /** It is told to do without certificate logs. */
  readonly ignoresScts: boolean;
  /** It is told to take timestamps for the time of signing. */
  readonly takesTimestamps: boolean;
  /** As the image is called where it is pulled from: `registry/repository`; undefined for files. */
  readonly repository: string | undefined;
  /** As the user wrote it: for commands that they can copy. */
  readonly image: string;
}
