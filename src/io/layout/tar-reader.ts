import type { FileHandle } from "node:fs/promises";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { onDisk, throwIfAborted } from "../disk/errors.ts";
import { type OpenFile, readRange } from "../disk/files.ts";
import { type FileSource, type LayoutFiles, notARegularFile, notInLayout } from "./files.ts";

/** POSIX pax, "ustar Interchange Format": everything comes in blocks of this size. */
const BLOCK = 512;
const WINDOW_BYTES = 16 * 1024;

export interface TarFile {
  readonly kind: "file";
  /** Where its bytes begin in the archive. */
  readonly offset: number;
  readonly size: number;
}

export interface TarLink {
  readonly kind: "link";
  readonly target: string;
}

type TarEntry = TarFile | TarLink;

/**
 * A tar archive as files that can be read in any order: the headers are walked once, the content stays where it is.
 * Reads ustar, pax and GNU's long names, and refuses whatever two readers could take for two things: duplicate names,
 * names that lead outside, sizes where none belong, a missing end. Links and folders are known but never followed.
 */
export class TarFiles implements LayoutFiles {
  /** By name: without `./` in front, without doubled slashes. Folders and devices are left out. */
  readonly entries: ReadonlyMap<string, TarEntry>;
  readonly #handle: FileHandle;
  readonly #signal: AbortSignal | undefined;

  private constructor(handle: FileHandle, entries: ReadonlyMap<string, TarEntry>, signal: AbortSignal | undefined) {
    this.#handle = handle;
    this.entries = entries;
    this.#signal = signal;
  }

  /**
   * Takes over the file: `close` ends it, and so does a failure here.
   *
   * @throws CountersignError `layout-invalid`, `limit-reached`, `disk-error`.
   */
  static async read(file: OpenFile, signal?: AbortSignal): Promise<TarFiles> {
    try {
      return new TarFiles(file.handle, await new Walk(file, signal).entries(), signal);
    } catch (thrown) {
      await file.handle.close();
      throw thrown;
    }
  }

  async size(path: string): Promise<number | undefined> {
    return this.#file(path)?.size;
  }

  async *open(path: string): AsyncGenerator<Uint8Array, void, undefined> {
    const file = this.#file(path);
    if (file === undefined) throw notInLayout(path);
    yield* this.source(file).open();
  }

  /** The content of an entry. */
  source(file: TarFile): FileSource {
    return {
      size: file.size,
      open: () => readRange(this.#handle, file.offset, file.offset + file.size, this.#signal),
    };
  }

  async list(): Promise<readonly string[]> {
    return [...this.entries].flatMap(([name, entry]) => (entry.kind === "file" ? [name] : [])).sort();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  #file(path: string): TarFile | undefined {
    const entry = this.entries.get(path);
    if (entry?.kind === "link") throw notARegularFile(path, "a link");
    return entry;
  }
}

/** What extended headers say about the entry that follows them. */
interface Extension {
  name?: string;
  linkName?: string;
  size?: number;
}

interface Header {
  readonly type: string;
  readonly name: string;
  readonly linkName: string;
  readonly size: number;
}

/** One pass over the headers. */
class Walk {
  readonly #file: OpenFile;
  readonly #signal: AbortSignal | undefined;
  readonly #entries = new Map<string, TarEntry>();
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;
  #seen = 0;

  constructor(file: OpenFile, signal: AbortSignal | undefined) {
    this.#file = file;
    this.#signal = signal;
  }

  async entries(): Promise<ReadonlyMap<string, TarEntry>> {
    let at = 0;
    let extension: Extension | undefined;
    for (;;) {
      throwIfAborted(this.#signal);
      const block = await this.#read(at, BLOCK);
      if (isZero(block)) {
        if (!isZero(await this.#read(at + BLOCK, BLOCK))) throw invalid("a header is empty", `at byte ${at}`);
        if (extension !== undefined) throw invalid("it ends after an extended header", `at byte ${at}`);
        this.#refuseFilesBelowFiles();
        return this.#entries;
      }
      const header = parseHeader(block, at);
      this.#countEntry();
      const content = at + BLOCK;
      if (isExtension(header.type)) {
        extension = mergeExtension(extension, await this.#extension(header, content), at);
        at = content + padded(header.size);
      } else {
        const size = this.#add(header, extension ?? {}, content);
        extension = undefined;
        at = content + padded(size);
      }
    }
  }

  /** @returns how many bytes of content follow. */
  #add(header: Header, extension: Extension, offset: number): number {
    const raw = extension.name ?? header.name;
    const size = extension.size ?? header.size;
    const name = safeName(raw, offset - BLOCK);
    const isFolder = header.type === "5" || raw.endsWith("/");
    if (header.type === "0" && !isFolder) {
      if (offset + size > this.#file.size) throw truncated(name);
      this.#put(name, { kind: "file", offset, size });
      return size;
    }
    // Some readers skip a size stated here and others do not, so they would not see the same entries after it.
    if (size !== 0) throw invalid("an entry that is no file has a size", name);
    if (header.type === "1" || header.type === "2") {
      this.#put(name, { kind: "link", target: extension.linkName ?? header.linkName });
    }
    return 0;
  }

  #put(name: string, entry: TarEntry): void {
    if (name === "") throw invalid("an entry has no name", `"${name}"`);
    if (this.#entries.has(name)) throw invalid("it holds an entry twice", name);
    this.#entries.set(name, entry);
  }

  async #extension(header: Header, at: number): Promise<Extension> {
    if (header.size > LIMITS.tarExtensionBytes) throw tooMuch("an extended header", LIMITS.tarExtensionBytes, "bytes");
    const bytes = await this.#read(at, header.size);
    if (header.type === "L") return { name: untilNul(bytes) };
    if (header.type === "K") return { linkName: untilNul(bytes) };
    const extension = parsePax(bytes, at);
    if (header.type === "g" && Object.keys(extension).length > 0) {
      throw invalid("a header for all entries names a path or a size", `at byte ${at - BLOCK}`);
    }
    return extension;
  }

  #countEntry(): void {
    this.#seen++;
    if (this.#seen > LIMITS.tarEntries) throw tooMuch("the archive", LIMITS.tarEntries, "entries");
  }

  /** An archive in which `a` is a file or a link and `a/b` exists too means different things to different readers. */
  #refuseFilesBelowFiles(): void {
    for (const name of this.#entries.keys()) {
      for (let slash = name.indexOf("/"); slash !== -1; slash = name.indexOf("/", slash + 1)) {
        if (this.#entries.has(name.slice(0, slash))) throw invalid("a file lies below what is not a folder", name);
      }
    }
  }

  async #read(at: number, length: number): Promise<Uint8Array> {
    if (at + length > this.#file.size) throw truncated(`byte ${at}`);
    const start = at - this.#windowAt;
    if (start >= 0 && start + length <= this.#window.byteLength) return this.#window.subarray(start, start + length);
    const buffer = Buffer.alloc(Math.max(length, Math.min(WINDOW_BYTES, this.#file.size - at)));
    const { handle } = this.#file;
    let filled = 0;
    while (filled < buffer.byteLength) {
      const rest = buffer.byteLength - filled;
      const { bytesRead } = await onDisk("read an archive", () => handle.read(buffer, filled, rest, at + filled));
      if (bytesRead === 0) throw truncated(`byte ${at + filled}`);
      filled += bytesRead;
    }
    this.#window = buffer;
    this.#windowAt = at;
    return buffer.subarray(0, length);
  }
}

function isExtension(type: string): boolean {
  return type === "x" || type === "g" || type === "L" || type === "K";
}

/** Two sources for one name are two names. */
function mergeExtension(before: Extension | undefined, added: Extension, at: number): Extension {
  for (const key of ["name", "linkName", "size"] as const) {
    if (before?.[key] !== undefined && added[key] !== undefined) {
      throw invalid("two extended headers say the same of one entry", `at byte ${at}`);
    }
  }
  return { ...before, ...added };
}

/** Regular files, links, folders, devices and FIFOs (POSIX "typeflag"); '7' and NUL are regular files too. */
const ENTRY_TYPES = "0123456";

function parseHeader(block: Uint8Array, at: number): Header {
  const where = `at byte ${at}`;
  if (octal(block.subarray(148, 156), where) !== checksum(block)) {
    throw invalid("a header's checksum is wrong", where);
  }
  const flag = block[156] ?? 0;
  const type = flag === 0 || flag === 0x37 ? "0" : String.fromCharCode(flag);
  if (!ENTRY_TYPES.includes(type) && !isExtension(type)) {
    throw invalid("an entry is of an unknown kind", `${JSON.stringify(type)} ${where}`);
  }
  const magic = untilNul(block.subarray(257, 263));
  const prefix = magic === "ustar" ? untilNul(block.subarray(345, 500)) : "";
  const name = untilNul(block.subarray(0, 100));
  return {
    type,
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkName: untilNul(block.subarray(157, 257)),
    size: parseSize(block.subarray(124, 136), where),
  };
}

/** The sum of all bytes of the header, its checksum field taken as spaces. */
function checksum(block: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  return sum;
}

/** Octal digits, or GNU's and star's base 256 for sizes of 8 GiB and more. */
function parseSize(field: Uint8Array, where: string): number {
  if (((field[0] ?? 0) & 0x80) === 0) return octal(field, where);
  if (field[0] !== 0x80) throw invalid("a size is negative", where);
  const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
  if (!Number.isSafeInteger(value)) throw invalid("a size is out of range", where);
  return value;
}

function octal(field: Uint8Array, where: string): number {
  const digits = /^ *([0-7]*)[ \0]*$/.exec(Buffer.from(field).toString("latin1"))?.[1];
  if (digits === undefined) throw invalid("a number is malformed", where);
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

/** POSIX pax Extended Header: records of `LENGTH KEYWORD=VALUE\n`, LENGTH counting the whole record. */
function parsePax(bytes: Uint8Array, at: number): Extension {
  const extension: Extension = {};
  let rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  while (rest.byteLength > 0) {
    const digits = /^([1-9][0-9]{0,8}) /.exec(rest.subarray(0, 10).toString("latin1"))?.[1];
    const length = Number(digits);
    const record = digits === undefined ? "" : rest.subarray(digits.length + 1, length).toString("utf8");
    const equals = record.indexOf("=");
    if (equals < 1 || length > rest.byteLength || !record.endsWith("\n")) {
      throw invalid("an extended header is malformed", `at byte ${at}`);
    }
    setPax(extension, record.slice(0, equals), record.slice(equals + 1, -1), at);
    rest = rest.subarray(length);
  }
  return extension;
}

function setPax(extension: Extension, keyword: string, value: string, at: number): void {
  if (keyword.startsWith("GNU.sparse.")) throw invalid("an entry is sparse", `at byte ${at}`);
  const field = keyword === "path" ? "name" : keyword === "linkpath" ? "linkName" : keyword;
  if (field !== "name" && field !== "linkName" && field !== "size") return;
  if (extension[field] !== undefined) throw invalid("an extended header says one thing twice", `at byte ${at}`);
  if (field !== "size") {
    extension[field] = value;
    return;
  }
  if (!/^[0-9]{1,15}$/.test(value)) throw invalid("a size is malformed", `at byte ${at}`);
  extension.size = Number(value);
}

/** One spelling for one file. Nothing is ever extracted, but other readers of the same archive will. */
function safeName(raw: string, at: number): string {
  if (Buffer.byteLength(raw) > LIMITS.tarNameBytes) throw tooMuch("a name", LIMITS.tarNameBytes, "bytes");
  const parts = raw.split("/").filter((part) => part !== "" && part !== ".");
  if (raw.startsWith("/") || raw.includes("\0") || parts.includes("..")) {
    throw invalid("a name leads outside", `${raw} at byte ${at}`);
  }
  return parts.join("/");
}

function untilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end)).toString("utf8");
}

function isZero(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function invalid(why: string, found: string): CountersignError {
  return new CountersignError("layout-invalid", `the archive is not a valid one: ${why}`, { found });
}

function truncated(where: string): CountersignError {
  return new CountersignError("layout-invalid", "the archive ends too early", {
    found: `the end of the file at ${where}`,
    wanted: "two empty blocks at the end",
  });
}

function tooMuch(what: string, limit: number, unit: string): CountersignError {
  return new CountersignError("limit-reached", `${what} is too large`, { wanted: `at most ${limit} ${unit}` });
}
