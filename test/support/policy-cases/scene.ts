import { formatPem } from "../../../src/core/crypto/pem.ts";
import { makeLegacyPayload } from "../../../src/core/formats/cosign-legacy.ts";
import type { UntrustedCandidate } from "../../../src/core/formats/envelope.ts";
import { makeAttestation, makeStatement } from "../../../src/core/formats/intoto.ts";
import { resolveType } from "../../../src/core/formats/predicates.ts";
import type { Annotations } from "../../../src/core/oci/descriptor.ts";
import { type Digest, digestOf } from "../../../src/core/oci/digest.ts";
import type { ImageIndex, Manifest } from "../../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { GITHUB_ISSUER } from "../../../src/core/trust/identity.ts";
import { describeAs, makeImage, makeManifest, type TestImage } from "../images.ts";
import type { IssueOptions } from "../sigstore/authority.ts";
import { type FakeKey, fakeKey, withKeysFrom } from "../sigstore/keys.ts";
import {
  bundleCandidate,
  type FakeSigstore,
  fakeSigstore,
  legacyAttestation,
  legacyCandidate,
  type Signable,
  type Signed,
  type SignOptions,
  signKeyless,
} from "../sigstore/sign.ts";
import { NOW } from "../sigstore/times.ts";
import { fixedKeys } from "./fixed-keys.ts";
import { REPOSITORY } from "./spec.ts";

export const PEOPLE = ["alice", "bob", "carol", "mallory", "scanner", "bob-2026"] as const;
export type Person = (typeof PEOPLE)[number];

const OTHER: Digest = digestOf(new TextEncoder().encode("another image"));

/** What a signature says, and how it is made. */
export interface Saying {
  readonly about?: Digest;
  readonly annotations?: Annotations;
  /** cosign's older forms, which name a repository. */
  readonly legacy?: boolean;
  readonly repository?: string;
  /** It claims to be by another one. */
  readonly hintOf?: Person;
  /** It is recorded in the log of the acme instance, or vouched for by its authority, at this time. */
  readonly provenAt?: number;
}

export interface Attesting extends Saying {
  readonly predicate?: unknown;
}

/** Everything that evidence is made of: the same keys, instances and images in every run. */
export class Scene {
  readonly image: Manifest;
  readonly index: ImageIndex;
  readonly emptyIndex: ImageIndex;
  readonly other = OTHER;
  readonly now = NOW;
  #acme: FakeSigstore | undefined;
  #evil: FakeSigstore | undefined;

  constructor({ image, children }: Images) {
    this.image = image.manifest;
    this.index = indexOf(children);
    this.emptyIndex = indexOf([]);
  }

  /** An instance counts what it issues: each case has it as new, so that none depends on the one before it. */
  get acme(): FakeSigstore {
    this.#acme ??= instanceNamed("acme");
    return this.#acme;
  }

  /** Another one, which nobody believes. */
  get evil(): FakeSigstore {
    this.#evil ??= instanceNamed("evil");
    return this.#evil;
  }

  get digest(): Digest {
    return this.image.descriptor.digest;
  }

  key(person: Person): FakeKey {
    const key =
      people.get(person) ?? withKeysFrom(fixedKeys(person), () => fakeKey(person === "carol" ? "ed25519" : "p256"));
    people.set(person, key);
    return key;
  }

  pem(person: Person): string {
    return formatPem({ label: "PUBLIC KEY", content: this.key(person).spki });
  }

  /** A signature of the image by a key. */
  signed(by: Person, saying: Saying = {}): UntrustedCandidate {
    const { about = this.digest, annotations = {}, repository = REPOSITORY } = saying;
    const what: Signable =
      saying.legacy === true
        ? { payload: makeLegacyPayload(repository, about, annotations) }
        : { statement: makeStatement(about, annotations) };
    const signed = this.#byKey(by, what, saying);
    return saying.legacy === true ? legacyCandidate(signed) : bundleCandidate(signed);
  }

  /** A statement about the image by a key. */
  attested(by: Person, type: string, attesting: Attesting = {}): UntrustedCandidate {
    const what = { statement: statementOf(type, this.digest, attesting) };
    const signed = this.#byKey(by, what, attesting);
    return attesting.legacy === true ? legacyAttestation(signed, uriOf(type)) : bundleCandidate(signed);
  }

  /** A signature of the image, or what else is said, with a certificate. */
  keyless(who: Partial<IssueOptions>, options: SignOptions = {}, sigstore = this.acme): UntrustedCandidate {
    const what = options.what ?? { statement: makeStatement(this.digest) };
    return bundleCandidate(signKeyless(sigstore, { certificate: who, ...options, what }));
  }

  /** Any signature by a key, to be broken. */
  #byKey(by: Person, what: Signable, { provenAt, hintOf }: Saying): Signed {
    const isTimed = provenAt !== undefined;
    const signed = signKeyless(isTimed ? this.acme : unused, {
      key: this.key(by),
      certificate: "none",
      what,
      logs: [],
      timestampAuthorities: isTimed ? [this.acme.timestampAuthority] : [],
      at: provenAt ?? NOW,
    });
    return hintOf === undefined ? signed : { ...signed, key: this.key(hintOf) };
  }

  /** A file that a key signed, as a bundle. */
  signedFile(by: Person, file: Uint8Array): Uint8Array {
    const signed = signKeyless(unused, {
      key: this.key(by),
      certificate: "none",
      what: { file },
      logs: [],
      timestampAuthorities: [],
    });
    const candidate = bundleCandidate(signed);
    if (candidate.format !== "bundle") throw new Error("not a bundle");
    return candidate.bytes;
  }
}

/** Whom an authority vouches for. */
export const ERIN = { subject: { email: "erin@example.com" }, issuer: "https://login.example.com" } as const;

/** A run of a workflow on GitHub. */
export function workflow(
  ref = "refs/tags/v1.4.2",
  file = "release.yml",
  repository = "acme/app",
): Partial<IssueOptions> {
  const [owner = ""] = repository.split("/");
  return {
    subject: { uri: `https://github.com/${repository}/.github/workflows/${file}@${ref}` },
    issuer: GITHUB_ISSUER,
    claims: {
      "source-repository-uri": `https://github.com/${repository}`,
      "source-repository-ref": ref,
      "source-repository-owner-uri": `https://github.com/${owner}`,
      "build-config-uri": `https://github.com/${repository}/.github/workflows/${file}@${ref}`,
    },
  };
}

export function statementOf(type: string, digest: Digest, { about = digest, predicate = {} }: Attesting): Uint8Array {
  return makeAttestation({
    digest: about,
    repository: undefined,
    annotations: {},
    predicateType: uriOf(type),
    predicate: Buffer.from(typeof predicate === "string" ? predicate : JSON.stringify(predicate)),
  });
}

function uriOf(type: string): string {
  return resolveType(type)[0].uri;
}

// --- what does not change ---------------------------------------------------------------------------------------------

const people = new Map<Person, FakeKey>();
/** Of what a bare key signs, nothing goes to an instance. */
const unused = fakeSigstore();

function instanceNamed(name: string): FakeSigstore {
  return withKeysFrom(fixedKeys(name), () => fakeSigstore());
}

interface Images {
  readonly image: TestImage;
  readonly children: readonly TestImage[];
}

export async function makeScene(): Promise<Scene> {
  return new Scene(await images);
}

const PLATFORMS = ["amd64", "arm64"] as const;

const images = (async () => ({
  image: await uncompressed("amd64", "app"),
  children: await Promise.all(PLATFORMS.map((architecture) => uncompressed(architecture, "index"))),
}))();

/** Compressors differ between versions of Node. */
async function uncompressed(architecture: string, name: string): Promise<TestImage> {
  const bytes = Buffer.alloc(1024);
  const layer = { bytes, diffId: digestOf(bytes), descriptor: describeAs(bytes, MEDIA_TYPES.ociLayer) };
  return await makeImage({ name, platform: { os: "linux", architecture }, layers: [layer] });
}

function indexOf(children: readonly TestImage[]): ImageIndex {
  const manifests = children.map(({ manifest }, at) => ({
    ...manifest.descriptor,
    platform: { os: "linux", architecture: PLATFORMS[at] ?? "amd64" },
  }));
  const index = makeManifest({ mediaType: MEDIA_TYPES.ociIndex, manifests });
  if (index.kind !== "index") throw new Error("not an index");
  return index;
}
