import type { TestContext } from "node:test";
import type { Digest } from "../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import type { Signer } from "../../src/core/ports.ts";
import type { RootPin } from "../../src/core/tags/pin.ts";
import type { RoleKeyring } from "../../src/core/tags/ports.ts";
import { NOTHING_REMEMBERED, type Remembered } from "../../src/core/tags/remembered.ts";
import { DEFAULT_TAG_DEMAND, type TagAnswer } from "../../src/core/tags/signed-tag.ts";
import { openSignedTags } from "../../src/io/tags/client.ts";
import type { SignerWish } from "../../src/ops/tags/delegations.ts";
import type { Publisher, PublisherMemory } from "../../src/ops/tags/publisher.ts";
import { addSigner } from "../../src/ops/tags/signers.ts";
import type { MemoryStore } from "./memory-store.ts";
import { initialised, TestRing, type TestTrust } from "./tag-publisher.ts";
import { temporaryFolder } from "./temp.ts";

/** A repository with signed tags in memory, its images, and consumers who have its root pinned. */
export interface PublishingScene extends TestTrust {
  readonly pin: RootPin;
  /** Somebody who publishes with these keys; all three where none are given. */
  publisher(more?: Partial<Publisher>): Publisher;
  /** Puts an image under a tag of the registry. */
  image(tag: string, content?: string): Digest;
}

export async function publishingScene(more: Parameters<typeof initialised>[0] = {}): Promise<PublishingScene> {
  const made = await initialised(more);
  const { store, gun, head, ring, clock, result } = made;
  const base: Publisher = { store, gun, head, pin: result.pin, ring, clock, writers: "unknown" };
  return {
    ...made,
    pin: result.pin,
    publisher: (changes = {}) => ({ ...base, ...changes }),
    image: (tag, content = tag) => addImage(store, tag, content),
  };
}

/** A small image; the same content is the same digest. */
export function addImage(store: MemoryStore, tag: string, content: string): Digest {
  const config = store.addBlob(Buffer.from(JSON.stringify({ content })), MEDIA_TYPES.ociConfig);
  const json = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [] };
  return store.addManifest(json, MEDIA_TYPES.ociManifest, tag).descriptor.digest;
}

/** Makes somebody a signer: published with the keys of the scene. */
export async function becomesSigner(
  scene: PublishingScene,
  name: string,
  signers: readonly Signer[],
  more: Partial<SignerWish> = {},
): Promise<void> {
  const keys = signers.map(({ publicKey }) => publicKey);
  await addSigner(scene.publisher(), { name, keys, takesOver: false, ...more });
}

export function rememberer(): PublisherMemory {
  let seen: Remembered = NOTHING_REMEMBERED;
  return {
    recall: async () => seen,
    note: async (_gun, next) => {
      seen = next;
    },
    placeOf: () => "published.json",
  };
}

/** Somebody who pulls, with the root pinned and a memory of their own. */
export class Consumer {
  readonly #scene: PublishingScene;
  readonly #folder: Promise<string>;

  constructor(t: TestContext, scene: PublishingScene) {
    this.#scene = scene;
    this.#folder = temporaryFolder(t);
  }

  async ask(tag: string | undefined, digest?: Digest): Promise<TagAnswer> {
    const { pin, store, clock } = this.#scene;
    const pins = {
      find: async () => pin,
      put: async () => undefined,
      originOf: async (name: string) => name,
    };
    const tags = openSignedTags({ pins, stateFolder: await this.#folder, now: clock.now() });
    return await tags.resolve({ store, tag, digest, demand: DEFAULT_TAG_DEMAND });
  }

  async digestOf(tag: string): Promise<Digest | undefined> {
    return (await this.ask(tag)).signedTag?.binding.digest;
  }
}

export function ringOf(...signers: readonly Signer[]): RoleKeyring {
  return new TestRing(...signers);
}
