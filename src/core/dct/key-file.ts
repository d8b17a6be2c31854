import { LIMITS } from "../limits.ts";

/** A private key as Notary keeps it: PEM with headers that say what it is for. */
export interface DctKeyFile {
  /** `root`, `targets`, `snapshot`, or a signer's name; undefined in files of early versions. */
  readonly role: string | undefined;
  /** The repository, of all but root keys. */
  readonly gun: string | undefined;
  /** The same block without these headers, as any tool reads it. */
  readonly pem: string;
  /** Encrypted as OpenSSL did before PKCS#8 (RFC 1421 headers): what Docker wrote until 2017. */
  readonly isTraditional: boolean;
}

const BLOCK =
  /^(-----BEGIN ([A-Z0-9 ]{1,64})-----)\n((?:[A-Za-z-]{1,32}: [^\n]{0,1024}\n){1,8})\n([A-Za-z0-9+/=\n]+\n-----END \2-----)$/;
/** What belongs to the encryption of the block; the other headers are Notary's own. */
const ENCRYPTION: readonly string[] = ["Proc-Type", "DEK-Info"];

/** Recognises such a file; undefined for PEM without headers, and for everything else. */
export function parseDctKeyFile(content: Uint8Array | string): DctKeyFile | undefined {
  const text = typeof content === "string" ? content : Buffer.from(content).toString("latin1");
  if (text.length > LIMITS.keyFileBytes) return undefined;
  const [, begin, , headerLines = "", rest] = BLOCK.exec(text.replace(/\r\n/g, "\n").trim()) ?? [];
  if (begin === undefined || rest === undefined) return undefined;
  const headers = new Map(headerLines.trimEnd().split("\n").map(splitHeader));
  const kept = ENCRYPTION.flatMap((name) => (headers.has(name) ? [`${name}: ${headers.get(name)}`] : []));
  return {
    role: headers.get("role"),
    gun: headers.get("gun"),
    pem: `${[begin, ...kept, ...(kept.length > 0 ? [""] : []), rest].join("\n")}\n`,
    isTraditional: kept.length > 0,
  };
}

function splitHeader(line: string): readonly [string, string] {
  const colon = line.indexOf(": ");
  return [line.slice(0, colon), line.slice(colon + 2)];
}
