import { decodeBase64 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

/** RFC 7468: one block of text that holds DER. */
export interface PemBlock {
  /** Between `BEGIN` and the dashes: `PUBLIC KEY`, `ENCRYPTED SIGSTORE PRIVATE KEY`. */
  readonly label: string;
  readonly content: Uint8Array;
}

const WANTED = "one PEM block and nothing else";
const BLOCK = /^-----BEGIN ([A-Z0-9 ]{1,64})-----\n([A-Za-z0-9+/=\n]+)\n-----END ([A-Z0-9 ]{1,64})-----$/;
/** Traditional encryption (RFC 1421 headers): its key derivation is one round of MD5. */
const LEGACY_ENCRYPTION = /^Proc-Type: 4,ENCRYPTED$/m;

/**
 * Exactly one block: text around it, a second block or lax base64 would be read differently by other tools.
 * `what` names the text in errors; its content never appears in them.
 *
 * @throws CountersignError `key-invalid`.
 */
export function parsePem(input: Uint8Array | string, what: string): PemBlock {
  const text = typeof input === "string" ? input : new TextDecoder("utf-8", { ignoreBOM: true }).decode(input);
  if (text.length > LIMITS.keyFileBytes) {
    throw notPem(what, "more than a key needs", `at most ${LIMITS.keyFileBytes} bytes`);
  }
  const trimmed = text.replace(/\r\n/g, "\n").replace(/^[ \t\n]+|[ \t\n]+$/g, "");
  const [, label, body, end] = BLOCK.exec(trimmed) ?? [];
  if (label === undefined || body === undefined || label !== end) throw notPem(what, describeText(trimmed), WANTED);
  const content = decodeBase64(body.replaceAll("\n", ""));
  if (content === undefined) throw notPem(what, "a PEM block whose content is not base64", WANTED);
  return { label, content };
}

/** Some blocks and nothing but white space around them: a chain of certificates. undefined for anything else. */
export function parsePemBlocks(text: string, most: number): readonly PemBlock[] | undefined {
  const parts = text
    .replace(/\r\n/g, "\n")
    .trim()
    .split(/(?<=^-----END [A-Z0-9 ]{1,64}-----)\s*\n/m, most + 1);
  if (parts.length > most) return undefined;
  const blocks = parts.map(parseBlock);
  return blocks.every((block) => block !== undefined) ? blocks : undefined;
}

function parseBlock(text: string): PemBlock | undefined {
  const [, label, body, end] = BLOCK.exec(text) ?? [];
  const content = body === undefined ? undefined : decodeBase64(body.replaceAll("\n", ""));
  return label === undefined || label !== end || content === undefined ? undefined : { label, content };
}

/** DER as a PEM block with lines of 64 characters. */
export function formatPem(block: PemBlock): string {
  const lines =
    Buffer.from(block.content)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${block.label}-----\n${lines.join("\n")}\n-----END ${block.label}-----\n`;
}

function describeText(text: string): string {
  const blocks = text.match(/^-----BEGIN /gm)?.length ?? 0;
  if (text === "") return "nothing";
  if (text.startsWith("\u{feff}")) return "a byte order mark before the text";
  if (text.includes("\0") && text.replaceAll("\0", "").includes("-----BEGIN ")) return "UTF-16 text";
  if (/^(?:ssh|ecdsa|sk)-[a-z0-9@.-]+ AAAA/.test(text)) return "an OpenSSH public key";
  if (blocks === 0) return "no PEM block";
  if (blocks > 1) return `${blocks} PEM blocks`;
  if (LEGACY_ENCRYPTION.test(text)) return "a PEM block with traditional encryption, which is too weak to keep a key";
  return "a broken PEM block, or one with other text around it";
}

function notPem(what: string, found: string, wanted: string): CountersignError {
  return new CountersignError("key-invalid", `${what} is not a key`, { found, wanted });
}
