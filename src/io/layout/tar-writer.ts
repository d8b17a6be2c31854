import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";
import type { FileSource } from "./files.ts";

export interface NewTarEntry extends FileSource {
  readonly name: string;
}

/** Every archive of the same content is the same file. */
const EPOCH = new Date(0);

/** A tar archive of regular files in the order given, without times, owners or anything else of this machine. */
export async function* packTar(entries: Iterable<NewTarEntry>): AsyncGenerator<Uint8Array, void, undefined> {
  const archive = pack();
  const feeding = feed(archive, entries);
  // Its failure ends the archive's stream, and is thrown from there.
  feeding.catch(() => undefined);
  for await (const chunk of archive) yield chunk as Uint8Array;
  await feeding;
}

async function feed(archive: Pack, entries: Iterable<NewTarEntry>): Promise<void> {
  try {
    for (const entry of entries) {
      const sink = archive.entry({ name: entry.name, size: entry.size, mode: 0o644, mtime: EPOCH });
      await pipeline(Readable.from(entry.open(), { objectMode: true }), sink);
    }
    archive.finalize();
  } catch (thrown) {
    archive.destroy(thrown instanceof Error ? thrown : new Error(String(thrown)));
    throw thrown;
  }
}
