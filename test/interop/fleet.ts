import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cosignSign } from "./cosign.ts";
import {
  digestOf,
  OCI_INDEX,
  OCI_MANIFEST,
  type PushedImage,
  pushBlob,
  pushImage,
  pushJson,
  pushManifest,
} from "./images.ts";
import type { RegistryKind } from "./servers.ts";
import type { KeyPair, Workplace } from "./workplace.ts";

/**
 * Thousands of images in a registry, most of them signed well and each of the others wrong in a way of its own, so that it
 * is known of every one what an audit has to say about it.
 */

export interface FleetImage {
  /** `127.0.0.1:PORT/fleet/NAME:TAG`, with the digest where the image itself was altered: by its tag it would be another image. */
  readonly reference: string;
  readonly digest: string;
  /** A verdict, and the reasons one of which has to be the first. */
  readonly expected: "accepted" | "refused";
  readonly reasons: readonly string[];
}

export interface FleetOptions {
  readonly work: Workplace;
  readonly kind: Pick<RegistryKind, "hasReferrersApi">;
  readonly address: string;
  /** Where the registry keeps its content: manifests are altered there. */
  readonly storage: string;
  readonly count: number;
  /** Whose signatures are wanted, and whose are not. */
  readonly wanted: KeyPair;
  readonly other: KeyPair;
  /** How many of the good ones real cosign signs. */
  readonly byCosign: number;
}

/** Of twenty images one is not signed, one is signed by another key, and one is tampered with: 5 % each. */
const CYCLE = 20;
const REPOSITORIES = 20;
const PER_CALL = 250;

type Fate = "good" | "unsigned" | "other-key" | "tampered";

interface Planned {
  readonly image: PushedImage;
  readonly repository: string;
  readonly fate: Fate;
  readonly at: number;
}

/** Makes the fleet. Takes about a minute for 2,000 images. */
export async function makeFleet(options: FleetOptions): Promise<readonly FleetImage[]> {
  const planned = await pushAll(options);
  const good = planned.filter(({ fate }) => fate === "good");
  const [cosigned, ours] = [good.slice(0, options.byCosign), good.slice(options.byCosign)];
  await signEach(options, options.wanted, ours);
  await signEach(
    options,
    options.other,
    planned.filter(({ fate }) => fate === "other-key"),
  );
  for (const [at, { image }] of cosigned.entries()) {
    await cosignSign(options.work, options.wanted, image.tagged, { format: at % 2 === 0 ? "bundle" : "legacy" });
  }
  return [
    ...good.map((one) => expecting(one, "accepted", [])),
    ...planned.filter(({ fate }) => fate === "unsigned").map((one) => expecting(one, "refused", ["unsigned"])),
    ...planned.filter(({ fate }) => fate === "other-key").map((one) => expecting(one, "refused", ["wrong-key"])),
    ...(await tamperAll(
      options,
      planned.filter(({ fate }) => fate === "tampered"),
      ours,
    )),
  ];
}

function fateOf(at: number): Fate {
  return (["unsigned", "other-key", "tampered"] as const)[at % CYCLE] ?? "good";
}

function expecting({ image }: Planned, expected: FleetImage["expected"], reasons: readonly string[]): FleetImage {
  return { reference: image.tagged, digest: image.digest, expected, reasons };
}

/** Images that share a layer and a configuration and differ in an annotation: one request each. */
async function pushAll({ address, count }: FleetOptions): Promise<readonly Planned[]> {
  const planned: Planned[] = [];
  for (let number = 0; number < Math.min(REPOSITORIES, count); number++) {
    const repository = `fleet/app-${String(number).padStart(2, "0")}`;
    const base = await pushImage(address, `${repository}:base`);
    const manifest = await readManifest(address, repository, base.digest);
    const own = Array.from({ length: count }, (_, at) => at).filter((at) => at % REPOSITORIES === number);
    for (const [order, at] of own.entries()) {
      const annotations = { "org.opencontainers.image.title": `image ${at}` };
      const image = await pushManifest(address, repository, `v${at}`, { ...manifest, annotations });
      planned.push({ image, repository, fate: fateOf(order + number), at });
    }
  }
  return planned;
}

/** Formats are mixed: bundles, cosign's legacy form, and both. */
async function signEach({ work }: FleetOptions, key: KeyPair, planned: readonly Planned[]): Promise<void> {
  const forms = [["bundle"], ["cosign-legacy"], ["bundle", "cosign-legacy"]];
  for (const [number, formats] of forms.entries()) {
    const images = planned.filter(({ at }) => at % forms.length === number).map(({ image }) => image.tagged);
    const flags = ["sign", "--key", key.secret, "-y", ...formats.flatMap((format) => ["--format", format])];
    for (let from = 0; from < images.length; from += PER_CALL) {
      await work.expect(0, [...flags, ...images.slice(from, from + PER_CALL)]);
    }
  }
}

// --- what is wrong ----------------------------------------------------------------------------------------------------

/** Three ways in turn: the bundle of another image, a good bundle with a bit flipped, the image itself altered on disk. */
async function tamperAll(
  options: FleetOptions,
  planned: readonly Planned[],
  signed: readonly Planned[],
): Promise<readonly FleetImage[]> {
  const donor = signed.find(({ at }) => at % 3 === 0);
  if (donor === undefined) throw new Error("nothing was signed with a bundle");
  const bundle = await bundleOf(options, donor);
  await signEach(
    options,
    options.wanted,
    planned.filter((_, order) => order % 3 === 2),
  );
  const made: FleetImage[] = [];
  for (const [order, one] of planned.entries()) {
    if (order % 3 === 2) {
      alterOnDisk(options, one.image.digest);
      const reference = `${one.image.tagged}@${one.image.digest}`;
      made.push({ ...expecting(one, "refused", ["digest-mismatch", "manifest-invalid"]), reference });
      continue;
    }
    await attach(options, one, order % 3 === 0 ? bundle : withBitFlipped(bundle));
    made.push(expecting(one, "refused", ["wrong-digest", "bad-signature", "malformed-signature"]));
  }
  return made;
}

async function bundleOf({ address, kind }: FleetOptions, { image, repository }: Planned): Promise<Buffer> {
  const list = kind.hasReferrersApi ? `referrers/${image.digest}` : `manifests/${image.digest.replace(":", "-")}`;
  const { manifests } = JSON.parse((await get(address, `${repository}/${list}`, OCI_INDEX)).toString());
  const manifest = await readManifest(address, repository, manifests[0].digest);
  const [layer] = manifest["layers"] as readonly { readonly digest: string }[];
  return await get(address, `${repository}/blobs/${layer?.digest}`, "*/*");
}

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** Stores a bundle beside an image as cosign 3 does: a referrer, and its entry in the tag where there is no API. */
async function attach({ address, kind }: FleetOptions, { image, repository }: Planned, bundle: Buffer): Promise<void> {
  const config = await pushJson(address, repository, "application/vnd.oci.empty.v1+json", {});
  const layer = await pushBlob(address, repository, BUNDLE, bundle);
  const artifact = { schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType: BUNDLE, config, layers: [layer] };
  const manifest = { ...artifact, subject: image.descriptor };
  const pushed = await pushManifest(address, repository, digestOf(Buffer.from(JSON.stringify(manifest))), manifest);
  if (kind.hasReferrersApi) return;
  const entry = { ...pushed.descriptor, artifactType: BUNDLE };
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] };
  await pushManifest(address, repository, image.digest.replace(":", "-"), index);
}

/** In the middle of the signature's base64: it stays a bundle. */
function withBitFlipped(bundle: Buffer): Buffer {
  const text = bundle.toString();
  const at = text.indexOf('"sig":"') + '"sig":"'.length + 20;
  return Buffer.from(`${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`);
}

function alterOnDisk({ kind, storage }: FleetOptions, digest: string): void {
  const hex = digest.replace("sha256:", "");
  const file = kind.hasReferrersApi
    ? join(storage, "blobs/sha256", hex)
    : join(storage, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
  writeFileSync(file, readFileSync(file, "utf8").replace('"image ', '"Image '));
}

async function readManifest(address: string, repository: string, digest: string) {
  const bytes = await get(address, `${repository}/manifests/${digest}`, OCI_MANIFEST);
  return JSON.parse(bytes.toString()) as { readonly mediaType: string } & Readonly<Record<string, unknown>>;
}

async function get(address: string, path: string, accept: string): Promise<Buffer> {
  const response = await fetch(`http://${address}/v2/${path}`, { headers: { accept } });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw new Error(`${response.status} from ${response.url}: ${bytes}`);
  return bytes;
}
