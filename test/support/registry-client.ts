import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { CountersignError } from "../../src/core/errors.ts";
import { type Descriptor, describe } from "../../src/core/oci/descriptor.ts";
import { type Manifest, parseManifest } from "../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import { parseReference } from "../../src/core/oci/reference.ts";
import type { BlobSource, ContentStore } from "../../src/core/ports.ts";
import type { ReasonCode } from "../../src/core/reasons.ts";
import type { Credential, CredentialSource } from "../../src/io/http/auth.ts";
import type { Clock } from "../../src/io/http/clock.ts";
import { openRegistry, type RegistryOptions } from "../../src/io/registry/store.ts";
import { type Handler, httpServer, type TestServer } from "./http-server.ts";

/** A clock that only sleeping moves, and chance that is always a half. */
export class TestClock implements Clock {
  readonly slept: number[] = [];
  #now = Date.UTC(2026, 0, 1);

  now(): number {
    return this.#now;
  }

  random(): number {
    return 0.5;
  }

  async sleep(milliseconds: number): Promise<void> {
    this.slept.push(milliseconds);
    this.#now += milliseconds;
  }
}

/** A store of `HOST/acme/app` with no configuration of this machine in it. */
export function openTestStore(host: string, options: Partial<RegistryOptions> = {}): ContentStore {
  const shared = { env: {}, homeDirectory: "/nonexistent", certificateFolders: [], clock: new TestClock() };
  return openRegistry(parseReference(`${host}/acme/app:1`), { ...shared, ...options });
}

/** A store against a server that answers as the test says; both end with the test. */
export async function openAgainst(
  t: TestContext,
  handler: Handler,
  options: Partial<RegistryOptions> = {},
): Promise<{ store: ContentStore; server: TestServer }> {
  const server = await httpServer(handler);
  const store = openTestStore(server.host, options);
  t.after(async () => {
    await store.close();
    await server.close();
  });
  return { store, server };
}

export function credentialSource(credential: Credential | undefined): CredentialSource {
  return { find: () => Promise.resolve(credential), searched: ["a test"] };
}

export const alice: CredentialSource = credentialSource({
  kind: "password",
  username: "alice",
  password: "open:sesame",
  source: "a test",
});

/** A manifest of nothing much; `over` may add a subject or annotations. */
export function testManifest(over: object = {}): Manifest {
  const config = describe(Buffer.from("{}"), MEDIA_TYPES.ociEmpty);
  const json = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [], ...over };
  return parseManifest(Buffer.from(JSON.stringify(json)), MEDIA_TYPES.ociManifest);
}

export function testBlob(size: number, seed = 1): { bytes: Buffer; descriptor: Descriptor; source: BlobSource } {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at++) bytes[at] = (at * 31 + (at >> 8) * 7 + seed) & 0xff;
  return { bytes, descriptor: describe(bytes, "application/octet-stream"), source: sourceOf(bytes) };
}

export function sourceOf(bytes: Uint8Array, chunkBytes = 16_384): BlobSource {
  return {
    async *open(offset) {
      for (let at = offset; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
  };
}

export async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The error that `work` ends in; it must be one of the family, with this code. */
export async function failure(code: ReasonCode, work: Promise<unknown>): Promise<CountersignError> {
  const thrown = await work.then(
    () => assert.fail(`expected ${code}`),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof CountersignError, String(thrown));
  assert.equal(thrown.code, code, `${thrown.message}: ${thrown.found}`);
  return thrown;
}
