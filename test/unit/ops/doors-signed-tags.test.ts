import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../src/core/bytes.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import type { Platform } from "../../../src/core/oci/descriptor.ts";
import type { Manifest } from "../../../src/core/oci/manifest.ts";
import { parsePolicy } from "../../../src/core/policy/parse.ts";
import type { ScanAttestation } from "../../../src/core/results.ts";
import { instant } from "../../../src/core/time.ts";
import { openRulebook } from "../../../src/core/verify/rulebook.ts";
import { diagnose } from "../../../src/ops/doctor.ts";
import { acceptedBy, gatherImages } from "../../../src/ops/learn.ts";
import { reachRecordable, recordImage } from "../../../src/ops/recorded.ts";
import { type ScanOptions, scanImage } from "../../../src/ops/scan.ts";
import { readImageScan } from "../../../src/ops/scan-attestation.ts";
import { reachNarrowed, type Target } from "../../../src/ops/verify.ts";
import { diagnosisDocument, diagnosisText } from "../../../src/report/doctor.ts";
import { rejectedBy } from "../../support/codes.ts";
import { bindingOf, FakeTags } from "../../support/fake-tags.ts";
import { MemoryDestination, MemoryStore } from "../../support/memory-store.ts";
import { addImage, addIndex, gzipLayer } from "../../support/sample-image.ts";
import { TRIVY_CLEAN } from "../../support/scanners.ts";

/** Doors that judge nothing: what they look at is what the signed tag is for, where a root is pinned. */

const NOW = instant(0);
const DAY = 86_400_000;
const AMD: Platform = { os: "linux", architecture: "amd64" };
const REPOSITORY = "registry.example/acme/app";

interface Scene {
  readonly store: MemoryStore;
  readonly signed: Manifest;
  readonly moved: Manifest;
  readonly tags: FakeTags;
}

/** The tag 1.0 is signed for one image, and the registry's own names another. */
function scene(): Scene {
  const store = new MemoryStore("registry", REPOSITORY);
  const signed = addImage(store, [gzipLayer()], { tag: "1.0" });
  const moved = addImage(store, [gzipLayer(), gzipLayer()], { tag: "1.0" });
  assert.notEqual(signed.descriptor.digest, moved.descriptor.digest);
  const tags = new FakeTags();
  tags.bind(REPOSITORY, { tag: "1.0", digest: signed.descriptor.digest, length: signed.bytes.byteLength });
  return { store, signed, moved, tags };
}

function named({ store }: Pick<Scene, "store">, tag = "1.0"): Target {
  return { image: `${REPOSITORY}:${tag}`, store, tag };
}

function scanning(more: Partial<ScanOptions> = {}): ScanOptions {
  return {
    platform: AMD,
    examine: async (store) => {
      await store(new MemoryDestination());
      const about = { uri: "pkg:generic/trivy", version: "1", database: undefined, parameters: [] };
      return readImageScan({ ...about, startedAt: NOW, finishedAt: NOW }, Buffer.from(TRIVY_CLEAN));
    },
    ...more,
  };
}

function rulebook(terms: string) {
  const document = parsePolicy(
    encodeUtf8(`apiVersion: countersign/v1\nrules:\n  - images: ${REPOSITORY}\n${terms}`),
    "policy.yaml",
  );
  const nothing = new Error("the rule names nothing beside itself");
  return openRulebook(
    document,
    {
      keysOf: () => Promise.reject(nothing),
      trustFor: () => Promise.reject(nothing),
      withdrawnBy: async () => new Map(),
    },
    NOW,
  );
}

/** For a rule that is about what is stored beside the image, where nothing else is said. */
async function recordable(target: Target, tags: FakeTags | undefined, terms = "    require: {never: no}\n") {
  return await reachRecordable(target, { tags: tags?.judging(), requirement: rulebook(terms) });
}

/** Each looks at one image and says at which. */
const DOORS: Readonly<Record<string, (target: Target, tags: FakeTags | undefined) => Promise<string | undefined>>> = {
  scan: async (target, tags) => {
    const [scanned] = await scanImage(target, scanning({ tags: tags?.judging() }));
    const { finding, digest } = scanned ?? assert.fail();
    if (finding !== undefined) throw new CountersignError(finding.code, finding.message, finding);
    return digest;
  },
  doctor: async (target, tags) => (await diagnose(target, { now: NOW, tags: tags?.judging() })).digest,
  "inspect --attestation": async (target, tags) =>
    (await reachNarrowed(target, undefined, { tags: tags?.judging() })).root.descriptor.digest,
  "policy test --record": async (target, tags) =>
    (await recordImage(await recordable(target, tags), { now: NOW })).manifest.descriptor.digest,
  "policy learn": async (target, tags) => {
    const { gathered, unlearned } = await gatherImages([target], { now: NOW, tags: tags?.judging() });
    const [failed] = unlearned;
    if (failed !== undefined) throw new CountersignError(failed.finding.code, failed.finding.message, failed.finding);
    return gathered[0]?.recorded.manifest.descriptor.digest;
  },
};

for (const [door, look] of Object.entries(DOORS)) {
  describe(`${door}, where a root is pinned`, () => {
    it("looks at what the tag is signed for, whatever the registry's own names", async () => {
      const on = scene();
      assert.equal(await look(named(on), on.tags), on.signed.descriptor.digest);
    });

    it("refuses what is unlisted, by tag and by digest, and a digest that the tag is not signed for", async () => {
      const on = scene();
      const { digest } = on.moved.descriptor;
      on.store.names.set("2.0", digest);
      await rejectedBy(() => look(named(on, "2.0"), on.tags), "tag-unlisted");
      await rejectedBy(() => look({ ...named(on), tag: undefined, digest }, on.tags), "digest-unlisted");
      await rejectedBy(() => look({ ...named(on), digest }, on.tags), "binding-mismatch");
    });

    for (const code of ["rollback", "frozen", "revoked", "signed-tags-vanished", "unreachable"] as const) {
      it(`ends with ${code} as verify does`, async () => {
        const on = scene();
        on.tags.misbehaviour = () => {
          throw new CountersignError(code, "as the test says");
        };
        await rejectedBy(() => look(named(on), on.tags), code);
      });
    }

    it("refuses what the registry has in place of what is signed", async () => {
      const on = scene();
      on.store.manifests.delete(on.signed.descriptor.digest);
      await rejectedBy(() => look(named(on), on.tags), "not-found");
    });
  });

  describe(`${door}, where no root is pinned`, () => {
    it("goes by the registry's own tag, with no request more", async () => {
      const on = scene();
      const unpinned = new FakeTags();
      assert.equal(await look(named(on), unpinned), on.moved.descriptor.digest);
      const withTags = [...on.store.calls];
      on.store.calls.length = 0;
      assert.equal(await look(named(on), undefined), on.moved.descriptor.digest);
      assert.deepEqual(withTags, on.store.calls);
    });
  });
}

describe("a scan of an index whose tag is signed", () => {
  function withIndex() {
    const store = new MemoryStore("registry", REPOSITORY);
    const platforms = [addImage(store, [gzipLayer()]), addImage(store, [gzipLayer(), gzipLayer()])] as const;
    const index = addIndex(store, platforms, "1.0");
    const tags = new FakeTags();
    tags.bind(REPOSITORY, { tag: "1.0", digest: index.descriptor.digest, length: index.bytes.byteLength });
    addImage(store, [gzipLayer(), gzipLayer(), gzipLayer()], { tag: "1.0" });
    return { store, platforms, index, tags };
  }

  it("is of the platforms that it lists, and attested of each of them and of it", async () => {
    const { store, platforms, index, tags } = withIndex();
    const attested: (string | undefined)[] = [];
    const attest: ScanOptions["attest"] = async ({ digest, bound }, _scans) => {
      assert.equal(bound, undefined);
      attested.push(digest);
      return { predicateType: "x", outcomes: [] } as unknown as ScanAttestation;
    };
    const options = scanning({ tags: tags.judging(), recursive: true, attest });
    const scanned = await scanImage({ image: `${REPOSITORY}:1.0`, store, tag: "1.0" }, options);
    const digests = [...platforms, index].map(({ descriptor }) => descriptor.digest);
    assert.deepEqual(
      scanned.map(({ digest, finding }) => [digest, finding]),
      digests.map((digest) => [digest, undefined]),
    );
    assert.deepEqual(attested, digests);
  });

  it("has the doctor look at one platform of it by that platform's own digest", async () => {
    const { store, platforms, tags } = withIndex();
    const target = { image: `${REPOSITORY}:1.0`, store, tag: "1.0" };
    const { root } = await reachNarrowed(target, AMD, { tags: tags.judging() });
    assert.ok(platforms.some(({ descriptor }) => descriptor.digest === root.descriptor.digest));
    const diagnosis = await diagnose(target, { now: NOW, platform: AMD, tags: tags.judging() });
    assert.equal(diagnosis.digest, root.descriptor.digest);
    await rejectedBy(
      () => diagnose(target, { now: NOW, platform: { os: "plan9", architecture: "mips" }, tags: tags.judging() }),
      "platform-missing",
    );
  });
});

describe("what policy learn takes for known, where a root is pinned", () => {
  async function known(on: Scene, tags: FakeTags, terms: string) {
    const judging = { tags: tags.judging() };
    const { gathered } = await gatherImages([named(on)], { now: NOW, ...judging });
    return [...(await acceptedBy(gathered, rulebook(terms), judging))];
  }

  it("is what a rule accepts by the signed tag, which no record holds", async () => {
    const on = scene();
    assert.deepEqual(await known(on, on.tags, "    signedTag: required\n"), [`${REPOSITORY}:1.0`]);
  });

  it("is not what the rule has no signed tag of, nor one that is bound too long ago", async () => {
    const on = scene();
    assert.deepEqual(await known(on, new FakeTags(), "    signedTag: required\n"), []);
    const late = { ...on.tags.bind(REPOSITORY, bindingOf(on.signed.descriptor)).binding, signedAt: instant(-3 * DAY) };
    on.tags.bind(REPOSITORY, { ...late, length: on.signed.bytes.byteLength });
    assert.deepEqual(await known(on, on.tags, "    signedTag: required\n    maxBindingAge: 2d\n"), []);
    assert.deepEqual(await known(on, on.tags, "    signedTag: required\n    maxBindingAge: 4d\n"), [
      `${REPOSITORY}:1.0`,
    ]);
  });
});

describe("a case of an image whose rule asks for a signed tag", () => {
  const REQUIRED = "    signedTag: required\n";
  const ANY = `${REQUIRED}    digestPulls: any\n    require: {never: no}\n`;

  it("is not made where one would decide: of a tag, and of a digest that the rule exempts", async () => {
    const on = scene();
    const { digest } = on.signed.descriptor;
    await rejectedBy(() => recordable(named(on), on.tags, REQUIRED), "unsupported");
    // With nothing recorded of signed tags, the exemption would not be there either.
    await rejectedBy(() => recordable({ ...named(on), tag: undefined, digest }, on.tags, ANY), "unsupported");
  });

  it("is not made where the binding asks for a signature beside it", async () => {
    const on = scene();
    const requires = [{ identity: "ci@example.com", issuer: "https://issuer.example.com" }];
    on.tags.bind(REPOSITORY, { ...bindingOf(on.signed.descriptor), length: on.signed.bytes.byteLength, requires });
    await rejectedBy(() => recordable(named(on), on.tags), "unsupported");
  });

  it("is made where no root is pinned: it says what the image is refused for", async () => {
    const on = scene();
    const { resolved } = await recordable(named(on), new FakeTags(), REQUIRED);
    assert.equal(resolved?.descriptor.digest, on.moved.descriptor.digest);
  });
});

describe("what the doctor says of a signed tag", () => {
  it("is by whom it is bound, and where the others get another image", async () => {
    const on = scene();
    const signedTag = on.tags.bind(REPOSITORY, {
      tag: "1.0",
      digest: on.signed.descriptor.digest,
      length: on.signed.bytes.byteLength,
    });
    on.tags.pinned.get(REPOSITORY)?.set("1.0", { ...signedTag, registryDigest: on.moved.descriptor.digest });
    const diagnosis = await diagnose(named(on), { now: NOW, tags: on.tags.judging() });
    const text = diagnosisText(diagnosis);
    assert.match(text, /signed +bound by targets, root sha256:e+… pinned, current until/);
    // By the tag, somebody would sign the other image.
    assert.match(text, new RegExp(`add +countersign sign .*${REPOSITORY}@${on.signed.descriptor.digest}`));
    assert.doesNotMatch(text, new RegExp(`add +countersign sign .*${REPOSITORY}:1.0`));
    assert.match(text, /warning .*the registry's tag names another digest.*\[tag-moved\]/);
    const { signedTag: member } = JSON.parse(diagnosisDocument(diagnosis));
    assert.equal(member.digest, on.signed.descriptor.digest);
  });

  it("is nothing where no root is pinned", async () => {
    const diagnosis = await diagnose(named(scene()), { now: NOW, tags: new FakeTags().judging() });
    assert.doesNotMatch(diagnosisText(diagnosis), /signed +bound/);
    assert.equal(JSON.parse(diagnosisDocument(diagnosis)).signedTag, undefined);
  });
});
