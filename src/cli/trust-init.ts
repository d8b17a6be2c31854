import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { configurationFile, readConfigurationFile } from "../io/config/configuration.ts";
import { withInstance } from "../io/config/edit.ts";
import { INSTANCE_NAME } from "../io/config/instances.ts";
import { writeFileAtomic } from "../io/disk/atomic.ts";
import { onDisk } from "../io/disk/errors.ts";
import { lockBeside, removeAll } from "../io/disk/files.ts";
import { withLock } from "../io/disk/lock.ts";
import { hashOf } from "../io/tuf/hashes.ts";
import type { Anchor, TufRepository } from "../io/tuf/repository.ts";
import { consult } from "../io/tuf/repository.ts";
import { parseMirror } from "../io/tuf/source.ts";
import { TufStore } from "../io/tuf/store.ts";
import { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import { readTrustFile, repositoryOf, TRUSTED_ROOT } from "./trust-instances.ts";
import { updateTrust } from "./trusted-root-action.ts";

export interface InitFlags {
  readonly mirror: string;
  /** A file, or an address that is only believed with a checksum. */
  readonly root: string | undefined;
  /** `sha256:HEX`, or the digits alone as cosign has it. */
  readonly rootChecksum: string | undefined;
  readonly makeDefault: boolean;
  readonly force: boolean;
  readonly config: string | undefined;
}

/**
 * `trusted-root init`: sets up an instance whose root the user has got from somewhere else than the repository itself.
 * Nothing is written before the repository was verified from that root on.
 */
export async function initTrust(context: Context, output: Output, name: string, flags: InitFlags): Promise<void> {
  if (!INSTANCE_NAME.test(name)) {
    throw new CountersignError("usage", "not a name for an instance", {
      found: name,
      wanted: "lower-case letters, digits and ._-",
    });
  }
  const wiring = new Wiring(context);
  try {
    const anchor = await readAnchor(context, flags, wiring);
    const source = { mirror: parseMirror(flags.mirror), root: "root" in anchor ? async () => anchor.root : anchor };
    const repository = await repositoryOf(context, source, wiring);
    await tryOut(context, { ...repository, anchor });
    await writeDown(context, name, anchor, flags);
    await repository.store.forget();
  } finally {
    await wiring.close();
  }
  await updateTrust(context, output, [name], flags.config);
}

/** An instance that nobody has given a name is called after its mirror's host. @throws CountersignError `usage`. */
export function nameOfMirror(mirror: string | undefined): string {
  if (mirror !== undefined) return parseMirror(mirror).hostname;
  throw new CountersignError("usage", "a root without the repository that it is for", { wanted: "--mirror URL too" });
}

async function readAnchor(context: Context, { root, rootChecksum }: InitFlags, wiring: Wiring): Promise<Anchor> {
  const sha256 = rootChecksum === undefined ? undefined : readChecksum(rootChecksum);
  if (root === undefined) return sha256 === undefined ? noRoot() : { sha256 };
  const bytes = /^https?:\/\//.test(root) ? await download(root, sha256, wiring) : await readRoot(context, root);
  const found = hashOf(bytes, "sha256");
  if (sha256 === undefined || sha256 === found) return { root: bytes };
  throw new CountersignError("trust-rejected", "the root is another one than its checksum says", {
    found: `sha256:${found}`,
    wanted: `sha256:${sha256}`,
    next: "get the root and its checksum from whoever runs the repository, on two ways",
  });
}

function noRoot(): never {
  throw new CountersignError("usage", "nothing says which root to start from", {
    found: "neither --root nor --root-checksum",
    wanted: "--root FILE, got from whoever runs the repository: what the mirror says of itself proves nothing",
  });
}

function readChecksum(text: string): string {
  const sha256 = /^(?:sha256:)?([0-9a-f]{64})$/.exec(text.toLowerCase())?.[1];
  if (sha256 !== undefined) return sha256;
  throw new CountersignError("usage", "not a checksum", { found: text, wanted: "sha256: and 64 hexadecimal digits" });
}

async function download(address: string, sha256: string | undefined, wiring: Wiring): Promise<Uint8Array> {
  if (sha256 === undefined) {
    throw new CountersignError("usage", "a root from the network is only believed with its checksum", {
      found: `--root ${address}`,
      wanted: "--root-checksum too, or a file",
    });
  }
  const answer = await wiring.services.ask({ url: new URL(address), what: "the root", maxBytes: LIMITS.tufRootBytes });
  return answer.bytes;
}

async function readRoot(context: Context, root: string): Promise<Uint8Array> {
  return await readTrustFile({ path: resolve(context.workingDirectory, root), label: root }, LIMITS.tufRootBytes);
}

/** In a place of its own: what was known of the repository stays until the new root has proven good. */
async function tryOut(context: Context, repository: TufRepository): Promise<void> {
  const folder = await onDisk("make a temporary folder", () => mkdtemp(join(tmpdir(), "countersign-")));
  try {
    const store = new TufStore(repository.store.location, {
      cache: join(folder, "cache"),
      marks: join(folder, "marks"),
    });
    const now = context.referenceTime;
    const found = await consult({ ...repository, store }, [{ path: TRUSTED_ROOT }], { now, mode: "now" });
    if (found.targets.has(TRUSTED_ROOT)) return;
  } finally {
    await removeAll(folder);
  }
  throw new CountersignError("trust-invalid", `${repository.name} lists no ${TRUSTED_ROOT}`, {
    next: "check the address with whoever runs the repository",
  });
}

/** The root beside the configuration, the instance in it. */
async function writeDown(context: Context, name: string, anchor: Anchor, flags: InitFlags): Promise<void> {
  const { config, mirror, makeDefault, force } = flags;
  const path = config === undefined ? configurationFile(context) : resolve(context.workingDirectory, config);
  const file = { path, label: config ?? path };
  // Named by its content: until the configuration names the new one, it names the one that there was.
  const root = "root" in anchor ? `roots/${name}.${hashOf(anchor.root, "sha256")}.json` : `sha256:${anchor.sha256}`;
  const added = async () =>
    withInstance(await readConfigurationFile(file), { name, mirror, root, makeDefault, replace: force }, file);
  // What is refused leaves no folder behind.
  await added();
  await onDisk(`write ${path}`, () => mkdir(join(dirname(path), "roots"), { recursive: true, mode: 0o700 }));
  await withLock(lockBeside(path), { signal: context.signal }, async () => {
    const written = await added();
    if ("root" in anchor) await writeFileAtomic(join(dirname(path), root), anchor.root, { mode: 0o644 });
    await writeFileAtomic(path, written, { mode: 0o644 });
  });
}
