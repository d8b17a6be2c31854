import { dirname } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { RootPin } from "../../core/tags/pin.ts";
import { formatPins, NO_PINS, type PinsFile, parsePins } from "../../core/tags/pins-file.ts";
import { writeFileAtomic } from "../disk/atomic.ts";
import { endOfLink } from "../disk/files.ts";
import { withLock } from "../disk/lock.ts";
import { readNamedFile } from "../disk/named.ts";
import { makePrivateFolder } from "../disk/whole.ts";
import type { Pins } from "./client.ts";

export interface PinsPlace {
  /** Absolute. */
  readonly path: string;
  /** How the user called it. */
  readonly label: string;
  /** Somebody has named it, so that it has to be there: without it, nothing would be demanded of anything. */
  readonly isNamed: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** The file of pins, read once. Every change reads it anew, so that what somebody else has written stays. */
export class PinsOnDisk implements Pins {
  readonly #place: PinsPlace;
  #file: Promise<PinsFile> | undefined;

  constructor(place: PinsPlace) {
    this.#place = place;
  }

  /** Everything in it. @throws CountersignError `configuration-invalid`, `disk-error`, `limit-reached`. */
  async all(): Promise<PinsFile> {
    this.#file ??= this.#load().then((file) => file ?? this.#absent());
    return await this.#file;
  }

  async find(gun: string): Promise<RootPin | undefined> {
    return (await this.all()).pins.find((pin) => pin.gun === gun);
  }

  async originOf(repository: string): Promise<string> {
    const { pins, mirrors } = await this.all();
    const names = spellings(repository);
    const mirror = names.find((name) => Object.hasOwn(mirrors, name));
    if (mirror !== undefined) return mirrors[mirror] ?? repository;
    return names.find((name) => pins.some(({ gun }) => gun === name)) ?? repository;
  }

  /** @throws CountersignError `write-conflict` where somebody has pinned another root since this file was read. */
  async put(pin: RootPin): Promise<void> {
    const read = await this.#file;
    const before = read?.pins.find(({ gun }) => gun === pin.gun);
    await this.#change((file) => {
      const at = file.pins.findIndex(({ gun }) => gun === pin.gun);
      const there = file.pins[at];
      if (there === undefined) return { ...file, pins: [...file.pins, pin] };
      const isNew = read !== undefined && there.root !== before?.root;
      if (isNew && there.root !== pin.root) throw overtaken(there, pin, this.#place.label);
      // What somebody has compared meanwhile stays more than what was seen first.
      return isNew && pin.mode === "tofu" ? file : { ...file, pins: file.pins.with(at, pin) };
    });
  }

  /** Whether there was one. */
  async remove(gun: string): Promise<boolean> {
    if ((await this.find(gun)) === undefined) return false;
    await this.#change((file) => ({ ...file, pins: file.pins.filter((pin) => pin.gun !== gun) }));
    return true;
  }

  /** From now on the one is asked for as the other. */
  async putMirror(mirror: string, origin: string): Promise<void> {
    await this.#change((file) => ({ ...file, mirrors: { ...file.mirrors, [mirror]: origin } }));
  }

  /** Whether it was one. */
  async removeMirror(mirror: string): Promise<boolean> {
    if (!Object.hasOwn((await this.all()).mirrors, mirror)) return false;
    await this.#change(({ pins, mirrors }) => {
      return { pins, mirrors: Object.fromEntries(Object.entries(mirrors).filter(([name]) => name !== mirror)) };
    });
    return true;
  }

  async #change(change: (file: PinsFile) => PinsFile): Promise<void> {
    const { path, signal } = this.#place;
    await makePrivateFolder(dirname(path));
    // Whoever names it by another link waits for the same lock.
    const target = await endOfLink(path);
    await withLock(`${target}.lock`, { signal }, async () => {
      const next = change((await this.#load()) ?? NO_PINS);
      await writeFileAtomic(target, formatPins(next), { mode: 0o644, signal });
      this.#file = Promise.resolve(next);
    });
  }

  async #load(): Promise<PinsFile | undefined> {
    const { path, label } = this.#place;
    const bytes = await readNamedFile({ path, label }, LIMITS.pinsFileBytes);
    return bytes === undefined ? undefined : parsePins(bytes, label);
  }

  #absent(): PinsFile {
    if (!this.#place.isNamed) return NO_PINS;
    throw new CountersignError("configuration-invalid", "there is no such file of pins", {
      found: `nothing at ${this.#place.label}`,
      wanted: "a file that countersign trust pin has written",
    });
  }
}

function overtaken(there: RootPin, pin: RootPin, label: string): CountersignError {
  return new CountersignError("write-conflict", `another process has pinned another root of ${pin.gun} meanwhile`, {
    found: `${there.root}, version ${there.rootVersion}, in ${label}`,
    wanted: `${pin.root}, version ${pin.rootVersion}`,
    next: "find out which of them is the publisher's; the pin that is there stays",
  });
}

/** The port that HTTPS has anyway makes no other repository: a name with it must not be one without a pin. */
function spellings(repository: string): readonly string[] {
  const [, host, port, path] = /^([^/]+?)(:443)?(\/.*)$/.exec(repository) ?? [];
  if (host === undefined || (port === undefined && /:[0-9]+$/.test(host))) return [repository];
  return [repository, port === undefined ? `${host}:443${path}` : `${host}${path}`];
}
