import { CountersignError } from "../errors.ts";
import { type Digest, DigestStream, digestAlgorithm, digestOf, parseDigest } from "./digest.ts";
import { MEDIA_TYPES } from "./media-types.ts";

export type Annotations = Readonly<Record<string, string>>;

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
  readonly "os.version"?: string | undefined;
  readonly "os.features"?: readonly string[] | undefined;
}

/** Image-spec, descriptor.md: what content is, how long it is, and its digest. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly artifactType?: string | undefined;
  readonly annotations?: Annotations | undefined;
  readonly platform?: Platform | undefined;
  readonly urls?: readonly string[] | undefined;
}

/** The descriptor of these bytes. */
export function describe(bytes: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
}

/** The descriptor of `EMPTY_JSON` (image-spec, "Guidance for an Empty Descriptor"). */
export const EMPTY_DESCRIPTOR: Descriptor = {
  mediaType: MEDIA_TYPES.ociEmpty,
  digest: parseDigest("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
  size: 2,
};

/** @throws CountersignError `size-mismatch` or `digest-mismatch` unless the bytes are the described ones. */
export function checkBytes(bytes: Uint8Array, wanted: Pick<Descriptor, "digest" | "size">, what: string): void {
  if (bytes.byteLength !== wanted.size) throw sizeMismatch(what, bytes.byteLength, wanted.size);
  const found = digestOf(bytes, digestAlgorithm(wanted.digest));
  if (found !== wanted.digest) throw digestMismatch(what, found, wanted.digest);
}

/**
 * Passes a stream through and ends in an error, never in a plain end, when size or digest disagree with the descriptor.
 * Not one byte beyond `size` is passed on.
 */
export async function* checkedStream(
  source: AsyncIterable<Uint8Array>,
  wanted: Pick<Descriptor, "digest" | "size">,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = new DigestStream(digestAlgorithm(wanted.digest));
  let size = 0;
  for await (const chunk of source) {
    size += chunk.byteLength;
    if (size > wanted.size) throw sizeMismatch(what, `more than ${wanted.size}`, wanted.size);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== wanted.size) throw sizeMismatch(what, size, wanted.size);
  const found = hash.finish();
  if (found !== wanted.digest) throw digestMismatch(what, found, wanted.digest);
}

export function sizeMismatch(what: string, found: number | string, wanted: number): CountersignError {
  return new CountersignError("size-mismatch", `${what} has the wrong size`, {
    found: `${found} bytes`,
    wanted: `${wanted} bytes`,
  });
}

export function digestMismatch(what: string, found: Digest, wanted: Digest): CountersignError {
  return new CountersignError("digest-mismatch", `${what} does not match its digest`, { found, wanted });
}
