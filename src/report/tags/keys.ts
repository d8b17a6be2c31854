import type { PublicKey } from "../../core/crypto/public-key.ts";
import { publicKeyPem } from "../../core/crypto/public-key.ts";
import { printable } from "../../core/printable.ts";
import { formatInstant, type Instant } from "../../core/time.ts";
import { plural } from "../amounts.ts";
import { formatDocument } from "../json.ts";
import { PLAIN, type Style } from "../style.ts";
import { formatBlock, HEADING_WIDTH, type Row } from "../text.ts";

/** A role's key as it is known without its passphrase. */
export interface ShownKey {
  readonly keyId: string;
  readonly name: string;
  readonly gun: string | undefined;
  readonly publicKey: PublicKey;
  /** Where the private half is, where not in the folder. */
  readonly reference: string | undefined;
  readonly createdAt: Instant;
}

export interface KeysReport {
  /** `key generate`, `key load` or `key list`. */
  readonly command: "generate" | "load" | "list";
  readonly folder: string;
  readonly keys: readonly ShownKey[];
  /** Where a public half was written. */
  readonly publicFile?: string | undefined;
}

const WORDS: Readonly<Record<KeysReport["command"], string>> = { generate: "made", load: "taken in", list: "key" };

export function keysText({ command, folder, keys, publicFile }: KeysReport, style: Style = PLAIN): string {
  if (keys.length === 0) return `no keys in ${printable(folder)}\n`;
  const paint = command === "list" ? style.heading : style.accepted;
  const blocks = keys.map((key) => {
    const heading = `${paint(WORDS[command].padEnd(HEADING_WIDTH))}${printable(key.name)}`;
    return formatBlock(heading, [...keyRows(key), ...fileRows(publicFile)], style);
  });
  return `${blocks.join("\n")}\n${printable(`${plural(keys.length, "key")} ${command === "list" ? "in" : "kept in"} ${folder}`)}\n`;
}

function keyRows({ keyId, gun, publicKey, reference, createdAt }: ShownKey): readonly Row[] {
  return [
    ["id", keyId],
    ["algorithm", publicKey.algorithm],
    ...(gun === undefined ? [] : [["made for", gun] as const]),
    ...(reference === undefined ? [] : [["is in", reference] as const]),
    ["since", formatInstant(createdAt)],
  ];
}

function fileRows(file: string | undefined): readonly Row[] {
  return file === undefined
    ? []
    : [
        ["public half", file],
        ["next", `give it to who holds the targets key: countersign trust signer add --key ${file} NAME REPOSITORY`],
      ];
}

/** docs/schemas/trust-key.json. */
export function keysDocument({ command, folder, keys, publicFile }: KeysReport): string {
  return formatDocument(`trust key ${command}`, {
    folder,
    keys: keys.map(({ keyId, name, gun, publicKey, reference, createdAt }) => ({
      keyId,
      name,
      gun,
      algorithm: publicKey.algorithm,
      publicKey: publicKeyPem(publicKey),
      reference,
      createdAt: formatInstant(createdAt),
    })),
    publicFile,
  });
}
