import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DctMade, DctTestKey } from "./publisher.ts";

/** A trust folder as Docker leaves it: what it verified, and the keys of who publishes. */
export function writeTrustFolder(folder: string, made: DctMade, keys: readonly WrittenKey[] = []): void {
  const { gun, roots, listings, targets } = made;
  const files = new Map([
    ["root", roots.at(-1) ?? new Uint8Array()],
    ["timestamp", listings.timestamp],
    ["snapshot", listings.snapshot],
  ]);
  for (const [role, bytes] of [...files, ...targets]) {
    const path = join(folder, "tuf", gun, "metadata", `${role}.json`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  for (const key of keys) writeKey(folder, key, gun);
}

export interface WrittenKey {
  readonly key: DctTestKey;
  readonly role: string;
  readonly passphrase: string;
}

function writeKey(folder: string, { key, role, passphrase }: WrittenKey, gun: string): void {
  const pem = key.key.privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase }).toString();
  const headers = role === "root" ? ["role: root"] : [`gun: ${gun}`, `role: ${role}`];
  const [begin = "", ...rest] = pem.split("\n");
  mkdirSync(join(folder, "private"), { recursive: true });
  const text = [begin, ...headers, "", ...rest].join("\n");
  writeFileSync(join(folder, "private", `${key.plainId}.key`), text, { mode: 0o600 });
}
