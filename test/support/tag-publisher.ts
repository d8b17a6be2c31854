import { generateKeyPairSync } from "node:crypto";
import { publicKeyFrom } from "../../src/core/crypto/public-key.ts";
import { signData } from "../../src/core/crypto/signature.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import type { ContentStore, Signer } from "../../src/core/ports.ts";
import type { InitResult } from "../../src/core/tags/admin-results.ts";
import { USUAL_CEILINGS, USUAL_LIFETIMES } from "../../src/core/tags/lifetimes.ts";
import { HEAD_TAG } from "../../src/core/tags/names.ts";
import type { PublisherClock, RoleKeyring } from "../../src/core/tags/ports.ts";
import { DEFAULT_TAG_DEMAND } from "../../src/core/tags/signed-tag.ts";
import type { TrustReading } from "../../src/core/tags/trust-view.ts";
import { keyIdOf, tufKeyOf } from "../../src/core/tags/tuf-key.ts";
import { type Instant, instant } from "../../src/core/time.ts";
import { openSignedTags } from "../../src/io/tags/client.ts";
import { type InitWish, initTrust } from "../../src/ops/tags/init.ts";
import type { Publisher } from "../../src/ops/tags/publisher.ts";
import { signTags } from "../../src/ops/tags/sign.ts";
import { readWholeTrust } from "../../src/ops/tags/whole.ts";
import { makeImage, pushImage } from "./images.ts";
import { MemoryStore } from "./memory-store.ts";
import { temporaryFolder } from "./temp.ts";

export const NOW = instant(Date.UTC(2026, 0, 2, 3, 4, 5, 678));

/** A signer with a fresh Ed25519 key. */
export function roleSigner(label = "role.pub", curve?: "P-256" | "P-384" | "P-521"): Signer {
  const { privateKey } =
    curve === undefined ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: curve });
  return { publicKey: publicKeyFrom(privateKey, label), sign: async (data) => signData(privateKey, data) };
}

export function idOf(signer: Signer): string {
  return keyIdOf(tufKeyOf(signer.publicKey));
}

/** The keys of one machine. */
export class TestRing implements RoleKeyring {
  readonly signers = new Map<string, Signer>();

  constructor(...signers: readonly Signer[]) {
    this.add(...signers);
  }

  add(...signers: readonly Signer[]): this {
    for (const signer of signers) this.signers.set(idOf(signer), signer);
    return this;
  }

  without(...signers: readonly Signer[]): TestRing {
    const lost = new Set(signers.map(idOf));
    return new TestRing(...[...this.signers].filter(([id]) => !lost.has(id)).map(([, signer]) => signer));
  }

  async signer(keyId: string): Promise<Signer | undefined> {
    return this.signers.get(keyId);
  }
}

/** A clock that only waiting moves, and a second with every look. */
export class TestPublisherClock implements PublisherClock {
  at: Instant;
  readonly slept: number[] = [];

  constructor(at: Instant = NOW) {
    this.at = at;
  }

  now(): Instant {
    return this.at;
  }

  async sleep(milliseconds: number): Promise<void> {
    this.slept.push(milliseconds);
    this.pass(milliseconds);
  }

  pass(milliseconds: number): void {
    this.at = instant(this.at + milliseconds);
  }

  random(): number {
    return 0.5;
  }
}

/** A repository with signed tags, and every key that it was set up with. */
export interface TestTrust {
  readonly store: MemoryStore;
  readonly gun: string;
  readonly head: string;
  readonly clock: TestPublisherClock;
  readonly root: Signer;
  readonly targets: Signer;
  readonly online: Signer;
  /** All three. */
  readonly ring: TestRing;
  readonly result: InitResult;
}

export function initWish(store: ContentStore, more: Partial<InitWish> = {}): InitWish {
  const one = () => ({ signers: [roleSigner()], threshold: 1 });
  return {
    store,
    gun: store.repository ?? "registry.example/app",
    head: HEAD_TAG,
    aliases: [],
    roles: { root: one(), targets: one(), snapshot: one(), timestamp: one() },
    lifetimes: USUAL_LIFETIMES,
    ceilings: USUAL_CEILINGS,
    now: NOW,
    keep: async () => undefined,
    ...more,
  };
}

export async function initialised(more: Partial<InitWish> = {}): Promise<TestTrust> {
  const store = (more.store as MemoryStore | undefined) ?? new MemoryStore();
  const [root, targets, online] = [roleSigner("root.pub"), roleSigner("targets.pub"), roleSigner("online.pub")];
  const by = (signer: Signer) => ({ signers: [signer], threshold: 1 });
  const roles = { root: by(root), targets: by(targets), snapshot: by(online), timestamp: by(online) };
  const wish = initWish(store, { roles, ...more });
  const result = await initTrust(wish);
  const clock = new TestPublisherClock(wish.now);
  clock.pass(1000);
  const ring = new TestRing(root, targets, online);
  return { store, gun: wish.gun, head: wish.head, clock, root, targets, online, ring, result };
}

/** Whoever has these keys, at work on the repository. */
export function publisherOf(
  trust: TestTrust,
  ring: RoleKeyring = trust.ring,
  more: Partial<Publisher> = {},
): Publisher {
  const { store, gun, head, clock, result } = trust;
  return { store, gun, head, pin: result.pin, ring, clock, writers: "one", ...more };
}

/** Everything that the head names, verified from the first root on. */
export async function wholeTrust({ store, gun, head, clock, result }: TestTrust): Promise<TrustReading> {
  return await readWholeTrust({ store, gun, head, pin: result.pin }, clock.now());
}

/** An image under a tag, and the tag signed with the keys of `ring`. */
export async function released(trust: TestTrust, tag: string, ring: RoleKeyring = trust.ring): Promise<Digest> {
  const { descriptor } = await pushImage(trust.store, await makeImage({ name: `${tag} of ${trust.clock.at}` }), tag);
  await signTags(publisherOf(trust, ring), { images: trust.store, tags: [tag] });
  trust.clock.pass(1000);
  return descriptor.digest;
}

/** What a consumer makes of tags who has pinned the first root; it remembers what it has seen. */
export async function consumerOf(
  scope: Parameters<typeof temporaryFolder>[0],
  trust: TestTrust,
): Promise<(tag: string) => Promise<Digest | undefined>> {
  const stateFolder = await temporaryFolder(scope);
  const { pin } = trust.result;
  const pins = { find: async () => pin, put: async () => undefined, originOf: async (name: string) => name };
  return async (tag) => {
    const tags = openSignedTags({ pins, stateFolder, now: trust.clock.now() });
    const question = { store: trust.store, tag, digest: undefined, demand: DEFAULT_TAG_DEMAND };
    return (await tags.resolve(question)).signedTag?.binding.digest;
  };
}
