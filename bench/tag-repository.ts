import { join } from "node:path";
import { encodeUtf8 } from "../src/core/bytes.ts";
import { CountersignError } from "../src/core/errors.ts";
import type { Digest } from "../src/core/oci/digest.ts";
import { parseReference } from "../src/core/oci/reference.ts";
import type { Binding } from "../src/core/tags/binding.ts";
import { wholeSecond } from "../src/core/tags/lifetimes.ts";
import { HEAD_TAG } from "../src/core/tags/names.ts";
import { instant } from "../src/core/time.ts";
import { openRegistry } from "../src/io/registry/store.ts";
import { KeyRing, ringFolder } from "../src/io/tags/key-ring.ts";
import { PinsOnDisk } from "../src/io/tags/pins.ts";
import { editRoles } from "../src/ops/tags/edit-roles.ts";
import { publishChange } from "../src/ops/tags/publish.ts";
import type { Publisher } from "../src/ops/tags/publisher.ts";
import { pushImage, pushManifest } from "../test/interop/images.ts";
import type { Workplace } from "../test/interop/workplace.ts";

export const PASSPHRASE = "bench";

export interface PushedTag {
  readonly tag: string;
  readonly digest: Digest;
  readonly length: number;
  readonly mediaType: string;
}

/** An image for every tag: they share a layer and differ in an annotation. */
export async function pushTags(address: string, repository: string, tags: readonly string[]): Promise<PushedTag[]> {
  const base = await pushImage(address, `${repository}:base`);
  const response = await fetch(`http://${address}/v2/${repository}/manifests/base`, {
    headers: { accept: base.descriptor.mediaType },
  });
  const manifest = (await response.json()) as { readonly mediaType: string };
  const pushed: PushedTag[] = [];
  for (const tag of tags) {
    const annotations = { "org.opencontainers.image.title": tag };
    const { descriptor } = await pushManifest(address, repository, tag, { ...manifest, annotations });
    const { digest, size, mediaType } = descriptor;
    pushed.push({ tag, digest: digest as Digest, length: size, mediaType });
  }
  return pushed;
}

/** Binds every tag to its image in one publish, where `countersign trust sign` binds the tags of one image. */
export async function bindTags(work: Workplace, repository: string, tags: readonly PushedTag[]): Promise<void> {
  const publisher = await openPublisher(work, repository);
  const signedAt = wholeSecond(publisher.clock.now());
  const bindings = tags.flatMap(({ tag, ...image }): Binding[] => {
    const release = { ...image, signedAt, requires: [] };
    return [
      { ...release, tag },
      { ...release, tag: undefined },
    ];
  });
  try {
    await publishChange(publisher, {
      edit: (editing) =>
        editRoles(publisher, editing, ["targets"], {
          paths: () => undefined,
          change: (book) => (book.bindings.length === 0 ? book.withBindings(bindings) : undefined),
        }),
    });
  } finally {
    await publisher.store.close();
  }
}

/** Who set the repository up in this home, by `countersign trust init`. */
async function openPublisher(work: Workplace, repository: string): Promise<Publisher> {
  const env = work.environment;
  const home = env["HOME"] ?? "";
  const path = join(env["XDG_CONFIG_HOME"] ?? "", "countersign/pins.json");
  const pin = await new PinsOnDisk({ path, label: path, isNamed: true }).find(repository);
  if (pin === undefined) throw new CountersignError("no-pin", "the bench set no repository up", { found: repository });
  const [stderr, { signal }] = [{ stream: process.stderr }, new AbortController()];
  const surroundings = { env, workingDirectory: home, stdin: process.stdin, stderr, signal };
  const passphrases = { of: () => async () => encodeUtf8(PASSPHRASE), environmentOf: () => env };
  return {
    store: openRegistry(parseReference(repository), { env: {}, homeDirectory: home }),
    gun: repository,
    head: HEAD_TAG,
    pin,
    ring: new KeyRing(ringFolder(env, home), surroundings, passphrases),
    clock: { now: () => instant(Date.now()), sleep: () => Promise.resolve(), random: Math.random },
    writers: "one",
  };
}
