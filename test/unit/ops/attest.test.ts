import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Finding } from "../../../src/core/errors.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { readPredicate } from "../../../src/core/formats/predicate-file.ts";
import { resolveType } from "../../../src/core/formats/predicates.ts";
import { makeReferrerManifest } from "../../../src/core/formats/sigstore-bundle.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { type ImageManifest, parseManifest } from "../../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { cosignTag } from "../../../src/core/oci/referrers.ts";
import type { EvidencePage, EvidenceSource } from "../../../src/core/ports.ts";
import type { SignedImage } from "../../../src/core/results.ts";
import { type Instant, instant } from "../../../src/core/time.ts";
import { exactly } from "../../../src/core/trust/identity.ts";
import type { Requirement } from "../../../src/core/verify/requirement.ts";
import type { Verdict } from "../../../src/core/verify/verdict.ts";
import { rekor } from "../../../src/io/sigstore/rekor.ts";
import { recorder } from "../../../src/io/sigstore/witness.ts";
import { type AttestOptions, attestImage, attestImages } from "../../../src/ops/attest.ts";
import { finishImages } from "../../../src/ops/finish.ts";
import { listAttestations } from "../../../src/ops/list-attestations.ts";
import { sourceOf } from "../../../src/ops/prepare-signature.ts";
import { keySignatory, signImage } from "../../../src/ops/sign.ts";
import { type Target, type VerifyOptions, verifyImage } from "../../../src/ops/verify.ts";
import { rejectedBy } from "../../support/codes.ts";
import { makeImage, makeIndex, pushImage } from "../../support/images.ts";
import { keyless } from "../../support/keyless-signing.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { bundleOver, requirementOf, testSigner } from "../../support/signatures.ts";
import { useSigstore } from "../../support/sigstore-clients.ts";

const alice = testSigner("alice.pub");
const bob = testSigner("bob.pub");
const SLSA = JSON.stringify({
  buildDefinition: { buildType: "https://example.com/b", externalParameters: { n: 1.1 } },
  runDetails: { builder: { id: "https://example.com/builder" } },
});

function target(store: MemoryStore, tag = "1.0"): Target {
  return { image: `registry.example/app:${tag}`, store, tag };
}

interface Wish extends Partial<AttestOptions> {
  readonly type?: string;
  readonly file?: string;
}

function options({ type = "slsaprovenance1", file = SLSA, ...more }: Wish = {}): AttestOptions {
  const predicateType = resolveType(type)[0].uri;
  const createdAt = more.createdAt ?? instant(0);
  return {
    signatory: keySignatory(alice),
    formats: ["bundle"],
    annotations: {},
    createdAt,
    now: instant(0),
    predicateType,
    predicate: readPredicate(Buffer.from(file), type, predicateType, createdAt),
    ...more,
  };
}

const now = () => Date.now() as Instant;
const BOTH = { formats: ["bundle", "cosign-attestation"] } as const;

async function storeWithImage(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await pushImage(store, await makeImage(), "1.0");
  store.calls.length = 0;
  return store;
}

function writes(store: MemoryStore): readonly string[] {
  return store.calls.filter((call) => call.startsWith("push"));
}

function states({ outcomes, finding }: SignedImage): readonly string[] {
  return finding === undefined ? outcomes.map(({ state }) => state) : [finding.code];
}

function wanting(type: string, more: Partial<Requirement> = {}): Requirement {
  const attestation = { predicateTypes: resolveType(type), conditions: [] };
  return { ...requirementOf([alice]), attestation, ...more };
}

async function verdict(
  store: MemoryStore,
  requirement: Requirement,
  more: Partial<VerifyOptions> = {},
): Promise<Verdict> {
  const [first] = (await verifyImage(target(store), { requirement, ...more })).verdicts;
  assert.ok(first !== undefined);
  return first;
}

async function outcome(...wanted: Parameters<typeof verdict>): Promise<string> {
  const { status, reasons } = await verdict(...wanted);
  return status === "accepted" ? status : `${status} ${reasons[0]?.code}`;
}

describe("attesting an image", () => {
  it("stores a statement about its digest, in version 1, with the predicate as it is in the file", async () => {
    const store = await storeWithImage();
    const file = ' {"b": 1.10,\n"a":[]} ';
    const attested = await attestImage(target(store), options({ type: "https://acme.example/t", file }));
    assert.deepEqual(states(attested), ["signed"]);
    const [found] = (await listAttestations(target(store), resolveType("https://acme.example/t"))).attestations;
    assert.equal(
      Buffer.from(found?.envelope.payload ?? []).toString(),
      `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"registry.example/app","digest":{"sha256":"${attested.digest?.slice(7)}"}}],` +
        `"predicateType":"https://acme.example/t","predicate":${file}}`,
    );
  });

  it("is what verification by type asks for, in both forms", async () => {
    for (const format of BOTH.formats) {
      const store = await storeWithImage();
      await attestImage(target(store), options({ formats: [format] }));
      assert.equal(await outcome(store, wanting("slsaprovenance1")), "accepted");
      assert.equal(await outcome(store, wanting("spdxjson")), "refused unattested");
      assert.equal(await outcome(store, wanting("slsaprovenance1", { keys: [bob.publicKey] })), "refused wrong-key");
    }
  });

  it("is no signature of the image", async () => {
    const store = await storeWithImage();
    await attestImage(target(store), options(BOTH));
    assert.equal(await outcome(store, requirementOf([alice])), "refused not-a-signature");
  });

  it("again with the same changes nothing, in either form", async () => {
    const store = await storeWithImage();
    await attestImage(target(store), options(BOTH));
    store.calls.length = 0;
    assert.deepEqual(states(await attestImage(target(store), options(BOTH))), ["unchanged", "unchanged"]);
    const reordered = JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(SLSA)).toReversed()));
    assert.deepEqual(states(await attestImage(target(store), options({ file: reordered }))), ["unchanged"]);
    assert.deepEqual(writes(store), []);
  });

  it("again with another predicate, type, annotation or signer is another statement, and the first one stays", async () => {
    const store = await storeWithImage();
    await attestImage(target(store), options());
    for (const other of [
      options({ file: SLSA.replace("1.1", "1.2") }),
      options({ type: "https://acme.example/t" }),
      options({ annotations: { env: "prod" } }),
      options({ signatory: keySignatory(bob) }),
    ]) {
      assert.deepEqual(states(await attestImage(target(store), other)), ["signed"]);
      assert.deepEqual(states(await attestImage(target(store), other)), ["unchanged"]);
    }
    const { attestations } = await listAttestations(target(store), resolveType("slsaprovenance1"));
    assert.equal(attestations.length, 4);
  });

  it("of a text at another time is the same statement", async () => {
    const store = await storeWithImage();
    const custom = { type: "custom", file: "hello" };
    assert.deepEqual(states(await attestImage(target(store), options(custom))), ["signed"]);
    const later = { ...custom, createdAt: instant(86_400_000) };
    assert.deepEqual(states(await attestImage(target(store), options(later))), ["unchanged"]);
    assert.deepEqual(states(await attestImage(target(store), options({ ...later, file: "hi" }))), ["signed"]);
  });

  it("does not take the same words about another image for the same", async () => {
    const store = await storeWithImage();
    await attestImage(target(store), options());
    await pushImage(store, await makeImage({ name: "another" }), "2.0");
    assert.deepEqual(states(await attestImage(target(store, "2.0"), options())), ["signed"]);
  });

  it("with -r attests the index and every manifest in it", async () => {
    const store = new MemoryStore();
    await pushImage(store, await makeIndex({ attestation: true }), "1.0");
    const attested = await attestImage(target(store), options({ recursive: true }));
    assert.equal(new Set(attested.outcomes.map(({ digest }) => digest)).size, 5);
    const { attestations } = await listAttestations(target(store), resolveType("slsaprovenance1"));
    assert.deepEqual(
      new Set(attestations.map(({ beside }) => beside)),
      new Set(attested.outcomes.map((one) => one.digest)),
    );
    for (const { beside, description } of attestations) assert.deepEqual(description.subjects, [beside]);
  });

  it("with --dry-run writes nothing", async () => {
    const store = await storeWithImage();
    assert.deepEqual(states(await attestImage(target(store), options({ ...BOTH, dryRun: true }))), [
      "would-sign",
      "would-sign",
    ]);
    assert.deepEqual(writes(store), []);
  });

  it("of a layout names no repository, unless it is told one", async () => {
    for (const [signAs, name] of [
      [undefined, undefined],
      ["registry.example/told", "registry.example/told"],
    ] as const) {
      const store = new MemoryStore("oci-layout");
      await pushImage(store, await makeImage(), "1.0");
      await attestImage(target(store), options({ signAs }));
      const [found] = (await listAttestations(target(store), resolveType("slsaprovenance1"))).attestations;
      const [subject] = (found?.statement["subject"] ?? []) as readonly JsonObject[];
      assert.equal(subject?.["name"], name);
    }
  });

  it("stores nothing that does not verify", async () => {
    const store = await storeWithImage();
    const broken = { publicKey: alice.publicKey, sign: (data: Uint8Array) => bob.sign(data) };
    for (const format of BOTH.formats) {
      const attested = await attestImage(
        target(store),
        options({ signatory: keySignatory(broken), formats: [format] }),
      );
      assert.deepEqual(states(attested), ["internal"]);
    }
    assert.deepEqual(writes(store), []);
  });

  it("refuses the type of signatures: whoever reads those would take it for one", async () => {
    const store = await storeWithImage();
    const predicateType = "https://sigstore.dev/cosign/sign/v1";
    await rejectedBy(() => attestImage(target(store), { ...options(), predicateType }), "usage");
    assert.deepEqual(writes(store), []);
  });

  it("refuses a statement that would be too large to be read again, before it is signed", async () => {
    const store = await storeWithImage();
    const json = Buffer.from(JSON.stringify("x".repeat(LIMITS.statementBytes - 10)));
    const signatory = keySignatory({ ...alice, sign: () => assert.fail("it was signed") });
    const attested = await attestImage(target(store), options({ signatory, predicate: { json, isWrapped: false } }));
    assert.deepEqual(states(attested), ["limit-reached"]);
  });

  it("takes one that is just not too large, and reads it again", async () => {
    const store = await storeWithImage();
    const file = `{"x":"${"x".repeat(LIMITS.statementBytes - 300)}"}`;
    const wish = { type: "https://acme.example/t", file, ...BOTH };
    assert.deepEqual(states(await attestImage(target(store), options(wish))), ["signed", "signed"]);
    assert.equal(await outcome(store, wanting("https://acme.example/t")), "accepted");
  });

  it("of several images goes on after one that fails", async () => {
    const store = await storeWithImage();
    const results = await attestImages([target(store, "gone"), target(store)], options());
    assert.deepEqual(results.map(states), [["not-found"], ["signed"]]);
  });

  it("refuses cosign's old form with services: what they give has another meaning there", async () => {
    const store = await storeWithImage();
    const signer = { ...alice, certificates: [new Uint8Array([1])] };
    const attested = await attestImage(
      target(store),
      options({ signatory: keySignatory(signer), formats: ["cosign-attestation"] }),
    );
    assert.deepEqual(states(attested), ["unsupported"]);
    assert.deepEqual(writes(store), []);
  });

  it("keeps what others store under the .att tag", async () => {
    const store = await storeWithImage();
    const legacy = { formats: ["cosign-attestation"] } as const;
    await attestImage(target(store), options({ ...legacy, signatory: keySignatory(bob) }));
    const { digest } = await attestImage(target(store), options(legacy));
    assert.ok(digest !== undefined);
    const manifest = await store.resolve(cosignTag(digest, "att"));
    assert.deepEqual(
      (manifest as ImageManifest).layers.map(({ mediaType, annotations }) => [
        mediaType,
        annotations?.["predicateType"],
      ]),
      [
        [MEDIA_TYPES.dsse, "https://slsa.dev/provenance/v1"],
        [MEDIA_TYPES.dsse, "https://slsa.dev/provenance/v1"],
      ],
    );
  });

  it("does not attest where it could not see whether it has already", async () => {
    const store = await storeWithImage();
    store.misbehaviour = {
      before: (call) => {
        if (call.endsWith(".att")) throw new CountersignError("throttled", "too many requests");
      },
    };
    assert.deepEqual(states(await attestImage(target(store), options(BOTH))), ["throttled"]);
    assert.deepEqual(writes(store), []);
  });
});

describe("looking for attestations", () => {
  it("reads the wanted type first, and stops at it", async () => {
    const store = await storeWithImage();
    for (let at = 0; at < 12; at++) {
      await attestImage(target(store), options({ type: `https://acme.example/${at}`, file: `{"n":${at}}` }));
    }
    await signImage(target(store), { ...options(), formats: ["bundle", "cosign-legacy"] });
    await attestImage(target(store), options({ file: SLSA.replace("1.1", `"${"x".repeat(5000)}"`) }));
    for (const requirement of [wanting("slsaprovenance1"), requirementOf([alice])]) {
      store.calls.length = 0;
      assert.equal(await outcome(store, requirement), "accepted");
      assert.deepEqual(
        store.calls.map((call) => call.split(" ")[0]),
        ["resolve", "referrers", "manifest", "openBlob"],
      );
    }
  });

  it("believes no hint: what says that it is another type is read too", async () => {
    const store = await storeWithImage();
    const root = await store.resolve("1.0");
    assert.ok(root !== undefined);
    const statement = Buffer.from(
      `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"${root.descriptor.digest.slice(7)}"}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{}}`,
    );
    const candidate = bundleOver(alice, statement);
    assert.ok(candidate.format === "bundle");
    for (const predicateType of ["https://sigstore.dev/cosign/sign/v1", "https://spdx.dev/Document"]) {
      const parts = { bundle: candidate.bytes, subject: root.descriptor, created: instant(0), predicateType };
      const { manifest, blobs } = makeReferrerManifest(parts);
      for (const { descriptor, bytes } of blobs) await store.pushBlob(descriptor, sourceOf(bytes));
      await store.pushManifest(manifest);
      assert.equal(await outcome(store, wanting("slsaprovenance1")), "accepted");
    }
  });

  it("reads GitHub's referrers: no type on the configuration, the bundle in the first layer", async () => {
    const store = await storeWithImage();
    await attestImage(target(store), options());
    const [found] = (await listAttestations(target(store), resolveType("slsaprovenance1"))).attestations;
    const ours = await store.resolve(found?.origin.manifest);
    assert.ok(ours !== undefined);
    const { config, annotations, ...rest } = JSON.parse(Buffer.from(ours.bytes).toString());
    const { artifactType: _, ...plain } = config;
    const theirs = { ...rest, config: plain, annotations: { ...annotations, "org.opencontainers.image.created": "x" } };
    for (const digest of store.manifests.keys()) if (digest === ours.descriptor.digest) store.manifests.delete(digest);
    await store.pushManifest(parseManifest(Buffer.from(JSON.stringify(theirs)), MEDIA_TYPES.ociManifest));
    assert.equal(await outcome(store, wanting("slsaprovenance1")), "accepted");
  });

  it("looks at .att for attestations and at .sig for signatures, never at both", async () => {
    const store = await storeWithImage();
    for (const [requirement, suffix] of [
      [wanting("slsaprovenance1"), "att"],
      [requirementOf([alice]), "sig"],
    ] as const) {
      store.calls.length = 0;
      await outcome(store, requirement);
      const tags = store.calls.filter((call) => /\.(?:att|sig)$/.test(call)).map((call) => call.slice(-3));
      assert.deepEqual(tags, [suffix]);
    }
  });

  it("says undetermined where a place could not be looked at, and accepts what was found elsewhere", async () => {
    const store = await storeWithImage();
    store.misbehaviour = {
      before: (call) => {
        if (call.endsWith(".att")) throw new CountersignError("throttled", "too many requests");
      },
    };
    assert.equal(await outcome(store, wanting("slsaprovenance1")), "undetermined throttled");
    await attestImage(target(store), options());
    assert.equal(await outcome(store, wanting("slsaprovenance1")), "accepted");
  });
});

describe("attesting without a key", () => {
  const scene = useSigstore();

  it("is accepted by the identity that attested, and by no other; again, it changes nothing", async () => {
    const { signatory } = await keyless(scene);
    const store = await storeWithImage();
    assert.deepEqual(states(await attestImage(target(store), options({ signatory, now: now() }))), ["signed"]);
    assert.deepEqual(states(await attestImage(target(store), options({ signatory, now: now() }))), ["unchanged"]);
    const acceptance = await signatory.foresees?.();
    assert.ok(acceptance !== undefined);
    const wanted = { ...wanting("slsaprovenance1"), ...acceptance, now: now() };
    const accepted = await verdict(store, wanted);
    assert.equal(accepted.status, "accepted");
    assert.equal(accepted.signatures[0]?.signedBy?.kind, "identity");
    const nobody = acceptance.identities.map((one) => ({
      ...one,
      condition: { ...one.condition, subject: exactly("nobody@example.com") },
    }));
    assert.equal(await outcome(store, { ...wanted, identities: nobody }), "refused wrong-identity");
  });

  it("may wait for its log entry, which is added later like a signature's", async () => {
    const { signatory, trust, demands } = await keyless(scene, { logLater: true });
    const store = await storeWithImage();
    scene.sigstore.fail("rekor2", { status: 503 });
    const later = { signatory, now: now(), logLater: true };
    const [postponed] = (await attestImage(target(store), options(later))).outcomes;
    assert.equal(postponed?.postponed?.code, "server-error");
    scene.sigstore.heal("rekor2");
    const acceptance = await signatory.foresees?.();
    assert.ok(acceptance !== undefined);
    const wanted = { ...wanting("slsaprovenance1"), ...acceptance, now: now() };
    assert.equal(await outcome(store, wanted), "refused log-entry-missing");
    const record = recorder({ clients: [rekor(scene.ask, scene.base("rekor2"), 2)], count: 1 });
    const finishing = { record, trust, demands, keys: [], createdAt: instant(0), now: now() };
    const [finished] = await finishImages([target(store)], finishing);
    assert.deepEqual(
      finished?.outcomes.map(({ state }) => state),
      ["finished"],
    );
    assert.equal(await outcome(store, wanted), "accepted");
  });

  it("stores nothing where a service fails", async () => {
    const { signatory } = await keyless(scene);
    const store = await storeWithImage();
    scene.sigstore.fail("tsa", { status: 400 });
    const attested = await attestImage(target(store), options({ signatory, now: now() }));
    assert.notEqual(attested.finding, undefined);
    assert.deepEqual(writes(store), []);
  });
});

describe("another place than the registry", () => {
  const page = (bundles: readonly Uint8Array[], obstacles: readonly Finding[] = []): EvidencePage => {
    return {
      candidates: bundles.map((bytes) => ({ format: "bundle", origin: { via: "github-api" }, bytes })),
      obstacles,
    };
  };
  const source = (...pages: readonly (EvidencePage | CountersignError)[]): EvidenceSource => ({
    async *look() {
      for (const one of pages) {
        if (one instanceof CountersignError) throw one;
        yield one;
      }
    },
  });
  const throttled = { code: "throttled", message: "too many requests" } as const;

  async function bundleFor(store: MemoryStore): Promise<Uint8Array> {
    const root = await store.resolve("1.0");
    const statement = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"${root?.descriptor.digest.slice(7)}"}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{}}`;
    const candidate = bundleOver(alice, Buffer.from(statement));
    assert.ok(candidate.format === "bundle");
    return candidate.bytes;
  }

  it("is looked at after the registry, and says where it was", async () => {
    const store = await storeWithImage();
    const sources = [source(page([Buffer.from("junk")]), page([await bundleFor(store)]))];
    const accepted = await verdict(store, wanting("slsaprovenance1"), { sources });
    assert.equal(accepted.status, "accepted");
    assert.equal(accepted.signatures.find((report) => report.accepted)?.origin.via, "github-api");
  });

  it("is not asked where the registry has what is wanted", async () => {
    const store = await storeWithImage();
    await attestImage(target(store), options());
    const never: EvidenceSource = { look: () => assert.fail("it was asked") };
    assert.equal(await outcome(store, wanting("slsaprovenance1"), { sources: [never] }), "accepted");
  });

  it("that has none leaves the image unattested; that could not be looked at leaves it undetermined", async () => {
    const store = await storeWithImage();
    const judge = (...pages: readonly (EvidencePage | CountersignError)[]) =>
      outcome(store, wanting("slsaprovenance1"), { sources: [source(...pages)] });
    assert.equal(await judge(), "refused unattested");
    assert.equal(await judge(page([])), "refused unattested");
    assert.equal(await judge(page([], [throttled])), "undetermined throttled");
    assert.equal(await judge(new CountersignError("denied", "no")), "undetermined denied");
    assert.equal(await judge(page([], [throttled]), page([await bundleFor(store)])), "accepted");
  });

  it("is bounded like the registry", async () => {
    const store = await storeWithImage();
    const junk = Array<Uint8Array>(LIMITS.candidates + 1).fill(Buffer.from("x"));
    assert.equal(
      await outcome(store, wanting("slsaprovenance1"), { sources: [source(page(junk))] }),
      "undetermined limit-reached",
    );
    const large = Array<Uint8Array>(17).fill(Buffer.alloc(LIMITS.signatureBytes));
    assert.equal(
      await outcome(store, wanting("slsaprovenance1"), { sources: [source(page(large))] }),
      "undetermined limit-reached",
    );
  });
});

describe("listing attestations", () => {
  it("shows all of the types, sorted, and nothing else; junk is a problem", async () => {
    const store = await storeWithImage();
    await attestImage(target(store), options(BOTH));
    await attestImage(target(store), options({ type: "https://acme.example/t" }));
    const list = await listAttestations(target(store), resolveType("slsaprovenance1"));
    assert.deepEqual(
      list.attestations.map(({ origin }) => origin.via),
      list.attestations.map(({ origin }) => origin.via).toSorted(() => 0),
    );
    assert.equal(list.attestations.length, 2);
    assert.deepEqual(list.problems, []);
    const [first] = list.attestations;
    for (const [digest, bytes] of store.blobs) {
      if (Buffer.from(bytes).includes("payloadType")) store.blobs.set(digest, Buffer.from(bytes).fill(0x20));
    }
    const broken = await listAttestations(target(store), resolveType("slsaprovenance1"));
    assert.equal(broken.attestations.length, 0);
    assert.ok(first !== undefined && broken.problems.length > 0);
  });

  it("says what could not be looked at", async () => {
    const store = await storeWithImage();
    store.misbehaviour = {
      before: (call) => {
        if (call.endsWith(".att")) throw new CountersignError("denied", "no");
      },
    };
    const { problems } = await listAttestations(target(store), resolveType("vuln"));
    assert.deepEqual(
      problems.map(({ code }) => code),
      ["denied"],
    );
  });
});
