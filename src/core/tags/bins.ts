import { createHash } from "node:crypto";
import type { TargetsRole } from "./metadata.ts";

/** Hash bins (TAP 15): the entries of one role in `2 ** bitLength` files, by the hash of each entry's path. */

/** The names of a role's bins begin with this; behind it stand a hyphen and the number of the bin. */
export function binPrefix(role: string): string {
  return `${role}.bin`;
}

const BIN = /^(.+)\.bin-[0-9a-f]+$/;

/** The role that a bin belongs to; a role that is no bin is its own. */
export function ownerOf(role: string): string {
  return BIN.exec(role)?.[1] ?? role;
}

export function isBin(role: string): boolean {
  return BIN.test(role);
}

/** The number of the bin that a path belongs to: the first bits of its SHA-256. */
export function binOf(path: string, bitLength: number): number {
  return createHash("sha256").update(path).digest().readUInt32BE() >>> (32 - bitLength);
}

/** `releases.bin-0f`: as many digits as the last bin has. */
export function binName(role: string, bin: number, bitLength: number): string {
  const digits = (2 ** bitLength - 1).toString(16).length;
  return `${binPrefix(role)}-${bin.toString(16).padStart(digits, "0")}`;
}

/** The bins below a role, in order; none where it has none. */
export function binsBelow(role: string, { bins }: Pick<TargetsRole, "bins">): readonly string[] {
  return bins === undefined ? [] : binNames(role, bins.bitLength);
}

/** All of them, in order. */
export function binNames(role: string, bitLength: number): readonly string[] {
  return Array.from({ length: 2 ** bitLength }, (_, bin) => binName(role, bin, bitLength));
}
