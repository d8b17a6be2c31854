import { CountersignError } from "../../core/errors.ts";
import { hasHashes, namingHash } from "./hashes.ts";
import type { TufSource } from "./source.ts";

/** A target as trusted metadata lists it. */
export interface Target {
  readonly path: string;
  readonly length: number;
  /** In hexadecimal digits, by algorithm; sha256 or sha512 is among them. */
  readonly hashes: Readonly<Record<string, string>>;
  /** What the role says of it beside. */
  readonly custom: Readonly<Record<string, unknown>>;
}

/**
 * The content of a target, proven by its length and hashes. Its path is asked for and never becomes a path on this machine.
 *
 * @throws CountersignError `limit-reached`, `not-found`, `trust-rejected`, and what the source throws.
 */
export async function fetchTarget(
  source: TufSource,
  target: Target,
  options: { readonly name: string; readonly hashedNames: boolean; readonly maxBytes: number },
): Promise<Uint8Array> {
  const { path, length } = target;
  const { name, maxBytes } = options;
  if (length > maxBytes) {
    throw new CountersignError("limit-reached", `the target ${path} of ${name} is larger than will be read`, {
      found: `${length} bytes`,
      wanted: `at most ${maxBytes} bytes`,
    });
  }
  const bytes = await source.target(placeOf(target, options.hashedNames), length);
  if (bytes === undefined) {
    throw new CountersignError("not-found", `${name} lists the target ${path} and does not have it`, {
      next: "check the address of the trust repository",
    });
  }
  if (isTarget(bytes, target)) return bytes;
  throw new CountersignError("trust-rejected", `what ${name} gives as ${path} is not what its metadata lists`, {
    found: `${bytes.byteLength} bytes with another hash`,
    wanted: `${length} bytes with the listed hash`,
  });
}

/** Whether bytes are the listed target. */
export function isTarget(bytes: Uint8Array, { length, hashes }: Target): boolean {
  return bytes.byteLength === length && hasHashes(bytes, hashes);
}

/** `a/b.json` is at `a/HASH.b.json` where targets are named by their hash (TUF 1.0.34, 6.2). */
function placeOf({ path, hashes }: Target, hashedNames: boolean): readonly string[] {
  const parts = path.split("/");
  const hash = namingHash(hashes);
  return hashedNames && hash !== undefined ? parts.with(-1, `${hash}.${parts.at(-1)}`) : parts;
}
