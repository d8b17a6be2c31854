import { gzipSync } from "node:zlib";
import { encodeUtf8 } from "../core/bytes.ts";
import { type PublicKey, publicKeyFrom } from "../core/crypto/public-key.ts";
import { signData } from "../core/crypto/signature.ts";
import { CountersignError } from "../core/errors.ts";
import { describe } from "../core/oci/descriptor.ts";
import { type Digest, digestOf } from "../core/oci/digest.ts";
import { parseManifest } from "../core/oci/manifest.ts";
import { MEDIA_TYPES } from "../core/oci/media-types.ts";
import { parseReference } from "../core/oci/reference.ts";
import type { ContentStore, Signer } from "../core/ports.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import { layerDigesters } from "../io/disk/decompress.ts";
import { gather } from "../io/disk/files.ts";
import { generateKey } from "../io/keys/keyfile.ts";
import { bytesSource } from "../io/layout/files.ts";
import { packTar } from "../io/layout/tar-writer.ts";
import { sourceOf } from "../ops/prepare-signature.ts";
import { pullImage } from "../ops/pull.ts";
import { keySignatory, signImage } from "../ops/sign.ts";
import { type VerifiedImage, verifyImage } from "../ops/verify.ts";
import { type Registry, startRegistry } from "../testbed/registry.ts";
import { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";

/** An image of the demo, as its publisher left it. */
export interface DemoImage {
  readonly repository: string;
  readonly tag: string;
  readonly manifest: Digest;
  readonly layer: Digest;
  /** Look at it by digest, not by tag. */
  readonly byDigest?: boolean;
}

/** A registry, a publisher, a stranger and a consumer: the real adapters on an embedded registry. */
export class DemoWorld {
  readonly #context: Context;
  readonly #registry: Registry;
  readonly #wiring: Wiring;
  readonly #publisher: Signer;
  readonly #stranger: Signer;
  #pulls = 0;

  private constructor(context: Context, folder: string, registry: Registry, signers: readonly [Signer, Signer]) {
    this.#context = context;
    this.#registry = registry;
    [this.#publisher, this.#stranger] = signers;
    const { env, signal, homeDirectory } = context;
    const surroundings = { env: { ...env, XDG_CACHE_HOME: folder }, signal, homeDirectory, workingDirectory: folder };
    this.#wiring = new Wiring(surroundings, { retries: 0 });
  }

  static async open(context: Context, folder: string): Promise<DemoWorld> {
    const signers = await Promise.all([newSigner("publisher.pub"), newSigner("stranger.pub")]);
    return new DemoWorld(context, folder, await startRegistry(), signers);
  }

  get address(): string {
    return this.#registry.address;
  }

  async close(): Promise<void> {
    await this.#wiring.close();
    await this.#registry.close();
  }

  /** Makes an image, pushes it and signs it with the publisher's key. */
  async publish(repository: string, tag: string): Promise<DemoImage> {
    const image = await this.#push(repository, tag, `hello from ${repository}\n`);
    await this.#sign(image, this.#publisher);
    return image;
  }

  async publishAsStranger(repository: string, tag: string): Promise<DemoImage> {
    const image = await this.#push(repository, tag, "hello from a stranger\n");
    await this.#sign(image, this.#stranger);
    return image;
  }

  /** The signature of one image, made to point at another: everything but the signed digest fits. */
  async publishWithCopiedSignature(repository: string, tag: string): Promise<DemoImage> {
    const signed = await this.publish(repository, "signed");
    const image = await this.#push(repository, tag, "hello from somewhere else\n");
    const { control } = this.#registry;
    for (const signature of control.referrers(repository, signed.manifest)) {
      const text = new TextDecoder().decode(await control.read(signature.digest));
      const size = (await control.read(image.manifest))?.byteLength ?? 0;
      const manifest = { ...JSON.parse(text), subject: { ...SUBJECT, size, digest: image.manifest } };
      control.putManifest(repository, encodeUtf8(JSON.stringify(manifest)), MEDIA_TYPES.ociManifest);
    }
    return image;
  }

  /** Changes one byte of what is stored, as whoever runs the registry can. */
  async flipByte(digest: Digest): Promise<void> {
    const bytes = Uint8Array.from((await this.#registry.control.read(digest)) ?? []);
    const middle = bytes.byteLength >> 1;
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    this.#registry.control.replaceBytes(digest, bytes);
  }

  /** Pushes an image of one's own under somebody else's tag. */
  async pushOver(image: DemoImage): Promise<void> {
    await this.#push(image.repository, image.tag, "hello from whoever could push\n");
  }

  strip({ repository, manifest }: DemoImage): void {
    const { control } = this.#registry;
    for (const signature of control.referrers(repository, manifest))
      control.deleteManifest(repository, signature.digest);
  }

  throttleReferrers(): void {
    this.#registry.faults.when(({ path }) => path.includes("/referrers/"), { kind: "status", status: 429 });
  }

  async verify(image: DemoImage): Promise<readonly Verdict[]> {
    return (await this.#verified(image)).verdicts;
  }

  /** Verifies and, where that is accepted, pulls into an OCI layout. @throws CountersignError where the pull refuses. */
  async pull(image: DemoImage): Promise<readonly Verdict[]> {
    const verified = await this.#verified(image);
    if (!verified.accepted || verified.root === undefined) return verified.verdicts;
    const path = `pulled-${++this.#pulls}`;
    const destination = await this.#wiring.destination({ kind: "oci-layout", path }, image.tag);
    const source = await this.#store(image.repository);
    await pullImage({ source, root: verified.root, destination, openLayerDigester: layerDigesters() });
    return verified.verdicts;
  }

  async #verified(image: DemoImage): Promise<VerifiedImage> {
    const suffix = image.byDigest === true ? `@${image.manifest}` : `:${image.tag}`;
    const target = await this.#wiring.target(`${this.address}/${image.repository}${suffix}`);
    const keys: readonly PublicKey[] = [this.#publisher.publicKey];
    return verifyImage(target, {
      requirement: {
        keys,
        identities: [],
        threshold: 1,
        annotations: {},
        signedAs: [],
        now: this.#context.referenceTime,
      },
    });
  }

  async #sign(image: DemoImage, signer: Signer): Promise<void> {
    const target = await this.#wiring.target(`${this.address}/${image.repository}:${image.tag}`, "write");
    const createdAt = this.#context.referenceTime;
    const signed = await signImage(target, {
      signatory: keySignatory(signer),
      formats: ["bundle"],
      annotations: {},
      createdAt,
      now: createdAt,
    });
    const { finding } = signed;
    if (finding !== undefined) throw new CountersignError(finding.code, finding.message, finding);
  }

  #store(repository: string): Promise<ContentStore> {
    return this.#wiring.registry(parseReference(`${this.address}/${repository}`));
  }

  async #push(repository: string, tag: string, greeting: string): Promise<DemoImage> {
    const store = await this.#store(repository);
    const tar = await gather(packTar([{ ...bytesSource(encodeUtf8(greeting)), name: "hello.txt" }]));
    const layerBytes = new Uint8Array(gzipSync(tar));
    const configBytes = encodeUtf8(
      JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [digestOf(tar)] } }),
    );
    const layer = describe(layerBytes, MEDIA_TYPES.ociLayerGzip);
    const config = describe(configBytes, MEDIA_TYPES.ociConfig);
    const text = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [layer] });
    const manifest = parseManifest(encodeUtf8(text), MEDIA_TYPES.ociManifest);
    await store.pushBlob(layer, sourceOf(layerBytes));
    await store.pushBlob(config, sourceOf(configBytes));
    await store.pushManifest(manifest, tag);
    return { repository, tag, manifest: manifest.descriptor.digest, layer: layer.digest };
  }
}

const SUBJECT = { mediaType: MEDIA_TYPES.ociManifest };

async function newSigner(label: string): Promise<Signer> {
  const privateKey = await generateKey("ecdsa-p256");
  return { publicKey: publicKeyFrom(privateKey, label), sign: async (data) => signData(privateKey, data) };
}
