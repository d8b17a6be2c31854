/** An entry of a tar archive with every field free to be wrong. */
export interface RawEntry {
  readonly name: string;
  readonly content?: string | Uint8Array;
  readonly type?: string;
  readonly linkName?: string;
  readonly prefix?: string;
  /** The size field, where it shall not be the content's. */
  readonly size?: string | Uint8Array;
  readonly checksum?: string;
  readonly magic?: string;
}

const BLOCK = 512;
export const END: Uint8Array = new Uint8Array(2 * BLOCK);

/** Headers and contents, without the end of the archive. */
export function rawTar(...entries: readonly RawEntry[]): Buffer {
  return Buffer.concat(entries.flatMap((entry) => [header(entry), content(entry)]));
}

/** A whole archive. */
export function tarOf(...entries: readonly RawEntry[]): Buffer {
  return Buffer.concat([rawTar(...entries), END]);
}

/** A pax extended header with these records. */
export function pax(records: Readonly<Record<string, string>>, type = "x"): RawEntry {
  return { name: "PaxHeader", type, content: Object.entries(records).map(record).join("") };
}

function record([keyword, value]: [string, string]): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (String(length).length + Buffer.byteLength(rest) !== length) {
    length = String(length).length + Buffer.byteLength(rest);
  }
  return `${length}${rest}`;
}

function content(entry: RawEntry): Buffer {
  const bytes = Buffer.from(entry.content ?? "");
  return Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.byteLength % BLOCK)) % BLOCK)]);
}

function header(entry: RawEntry): Buffer {
  const block = Buffer.alloc(BLOCK);
  const size = Buffer.byteLength(Buffer.from(entry.content ?? ""));
  block.write(entry.name, 0, 100, "utf8");
  block.write("0000644\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  Buffer.from(entry.size ?? `${size.toString(8).padStart(11, "0")}\0`).copy(block, 124);
  block.write("00000000000\0", 136);
  block.write("        ", 148);
  block.write(entry.type ?? "0", 156);
  block.write(entry.linkName ?? "", 157, 100, "utf8");
  block.write(entry.magic ?? "ustar\x0000", 257, "latin1");
  block.write(entry.prefix ?? "", 345, 155, "utf8");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(entry.checksum ?? `${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
