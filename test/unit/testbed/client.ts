import assert from "node:assert/strict";
import { type IncomingHttpHeaders, request as send } from "node:http";
import type { Descriptor } from "../../../src/core/oci/descriptor.ts";
import { describe } from "../../../src/core/oci/descriptor.ts";
import type { Digest } from "../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { type Registry, type RegistryOptions, startRegistry } from "../../../src/testbed/registry.ts";
import { temporaryFolder } from "../../support/temp.ts";

/** Both kinds of storage are held to the same behaviour. */
export const STORAGES = ["memory", "folder"] as const;

/** A registry for the tests of one suite; on a folder, `end` removes the folder too. */
export async function startStored(
  storage: (typeof STORAGES)[number],
  options: RegistryOptions = {},
): Promise<{ registry: Registry; end: () => Promise<void> }> {
  const removals: (() => Promise<void>)[] = [];
  const scope = { after: (work: () => Promise<void>) => void removals.push(work) };
  const root = storage === "folder" ? await temporaryFolder(scope) : undefined;
  const registry = await startRegistry({ ...options, root });
  return {
    registry,
    async end() {
      await registry.close();
      for (const remove of removals) await remove();
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The code in the error body, or undefined. */
  readonly code: string | undefined;
}

export interface Call {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** One request on a connection of its own, with nothing added: paths go out as they are written. */
export async function call(address: string, method: string, path: string, options: Call = {}): Promise<Answer> {
  return await new Promise((done, fail) => {
    const { body } = options;
    const isChunked = options.headers?.["transfer-encoding"] === "chunked";
    const length = body === undefined || isChunked ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const headers = { ...length, ...options.headers };
    const outgoing = send(`http://${address}`, { method, path, headers, agent: false }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", fail);
      incoming.on("end", () => {
        const received = Buffer.concat(chunks);
        const { statusCode: status = 0, headers: answered } = incoming;
        done({ status, headers: answered, body: received, code: errorCode(received) });
      });
    });
    outgoing.on("error", fail);
    outgoing.end(body);
  });
}

function errorCode(body: Buffer): string | undefined {
  try {
    const document = JSON.parse(body.toString("utf8"));
    return document.errors?.[0]?.code;
  } catch {
    return undefined;
  }
}

/** The request must be refused with this status and this code of the specification's table. */
export async function refused(answer: Promise<Answer>, status: number, code: string | undefined): Promise<Answer> {
  const found = await answer;
  assert.deepEqual({ status: found.status, code: found.code }, { status, code }, found.body.toString());
  return found;
}

export async function ok(answer: Promise<Answer>, status: number): Promise<Answer> {
  const found = await answer;
  assert.equal(found.status, status, found.body.toString());
  return found;
}

export async function pushBlob(address: string, repository: string, bytes: Uint8Array | string): Promise<Digest> {
  const { digest } = describe(Buffer.from(bytes), MEDIA_TYPES.ociLayer);
  await ok(call(address, "POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: bytes }), 201);
  return digest;
}

export const MANIFEST_HEADERS = { "content-type": MEDIA_TYPES.ociManifest };

/** An image manifest of two small blobs, as text; the blobs are not pushed. */
export function manifestOf(options: {
  readonly config?: string;
  readonly layers?: readonly string[];
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}): string {
  const { config = "{}", layers = ["layer"], ...rest } = options;
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: describe(Buffer.from(config), MEDIA_TYPES.ociConfig),
    layers: layers.map((layer) => describe(Buffer.from(layer), MEDIA_TYPES.ociLayer)),
    ...rest,
  });
}

/** Pushes `manifestOf` with its blobs; its descriptor as result. */
export async function pushImage(
  address: string,
  repository: string,
  tag: string | undefined,
  options: Parameters<typeof manifestOf>[0] = {},
): Promise<Descriptor> {
  for (const blob of [options.config ?? "{}", ...(options.layers ?? ["layer"])]) {
    await pushBlob(address, repository, blob);
  }
  const body = manifestOf(options);
  const descriptor = describe(Buffer.from(body), MEDIA_TYPES.ociManifest);
  const path = `/v2/${repository}/manifests/${tag ?? descriptor.digest}`;
  await ok(call(address, "PUT", path, { body, headers: MANIFEST_HEADERS }), 201);
  return descriptor;
}
