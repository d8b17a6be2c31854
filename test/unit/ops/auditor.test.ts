import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ImageFacts } from "../../../src/core/audit/audit.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { readPredicate } from "../../../src/core/formats/predicate-file.ts";
import { resolveType } from "../../../src/core/formats/predicates.ts";
import { type Digest, digestOf } from "../../../src/core/oci/digest.ts";
import { instant } from "../../../src/core/time.ts";
import type { Requirement } from "../../../src/core/verify/requirement.ts";
import { attestImage } from "../../../src/ops/attest.ts";
import { type AuditJudging, type ImageAuditor, openAuditor } from "../../../src/ops/audit.ts";
import { keySignatory, signImage } from "../../../src/ops/sign.ts";
import { rejectedBy } from "../../support/codes.ts";
import { makeImage, makeIndex, pushImage, type TestImage } from "../../support/images.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { rulebookOf } from "../../support/policies.ts";
import { cosignRecord, scanVector } from "../../support/scans.ts";
import { requirementOf, type TestSigner, testSigner } from "../../support/signatures.ts";

const alice = testSigner("alice.pub");
const bob = testSigner("bob.pub");
const KEYS = { "alice.pub": alice.publicKey, "bob.pub": bob.publicKey };
const NAME = "registry.example/app";
const PEOPLE = "apiVersion: countersign/v1\nidentities: {alice: {key: alice.pub}, bob: {key: bob.pub}}\n";

async function sign(store: MemoryStore, digest: Digest, ...signers: readonly TestSigner[]): Promise<void> {
  const now = instant(0);
  for (const signer of signers) {
    const options = { signatory: keySignatory(signer), annotations: {}, createdAt: now, now };
    await signImage({ image: digest, store, digest }, { ...options, formats: ["bundle"] });
  }
}

/** An image under these tags. */
async function stored(
  tags: readonly string[],
  image?: TestImage,
  ...signers: readonly TestSigner[]
): Promise<MemoryStore> {
  const store = new MemoryStore("registry", NAME);
  const made = image ?? (await makeImage());
  for (const tag of tags) await pushImage(store, made, tag);
  await sign(store, made.manifest.descriptor.digest, ...signers);
  store.calls.length = 0;
  return store;
}

function auditorOf(
  store: MemoryStore,
  requirement: AuditJudging["requirement"],
  more: Partial<AuditJudging> = {},
): ImageAuditor {
  return openAuditor({ open: async () => store }, { requirement, ...more });
}

function byPolicy(rules: string): AuditJudging["requirement"] {
  return rulebookOf(`${PEOPLE}rules:\n${rules}`, { keys: KEYS });
}

const BY_ALICE: Requirement = requirementOf([alice]);
const ALICES = byPolicy(`  - images: ${NAME}\n    require: {signature: {by: alice}}\n`);

function requests(store: MemoryStore): Readonly<Record<string, number>> {
  const kinds = store.calls.map((call) => call.split(" ", 1)[0] ?? "");
  return Object.fromEntries([...new Set(kinds)].map((kind) => [kind, kinds.filter((each) => each === kind).length]));
}

function tagsOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `t${at}`);
}

async function examineAll(auditor: ImageAuditor, tags: readonly string[]): Promise<readonly ImageFacts[]> {
  return await Promise.all(tags.map((tag) => auditor.examine(`${NAME}:${tag}`)));
}

describe("fifty tags of one digest", () => {
  for (const [what, requirement] of [
    ["by flags", BY_ALICE],
    ["by a policy", ALICES],
  ] as const) {
    it(`are resolved each and gathered for once, ${what}`, async () => {
      const store = await stored(tagsOf(50), undefined, alice);
      const facts = await examineAll(auditorOf(store, requirement), tagsOf(50));
      assert.deepEqual(new Set(facts.map(({ verdict }) => verdict)), new Set(["accepted"]));
      assert.deepEqual(requests(store), { resolve: 50, referrers: 1, manifest: 1, openBlob: 1 });
    });
  }

  it("are gathered for once too where they come one after the other, and are refused", async () => {
    const store = await stored(tagsOf(50), undefined, bob);
    const auditor = auditorOf(store, ALICES);
    for (const tag of tagsOf(50)) assert.equal((await auditor.examine(`${NAME}:${tag}`)).verdict, "refused");
    assert.equal(requests(store)["referrers"], 1);
  });

  it("are told by their own names", async () => {
    const store = await stored(["a", "b"], undefined, alice);
    const facts = await examineAll(auditorOf(store, ALICES), ["a", "b"]);
    assert.deepEqual(
      facts.map(({ image, name, digest }) => [image, name.replace(`@${digest}`, "")]),
      [
        [`${NAME}:a`, `${NAME}:a`],
        [`${NAME}:b`, `${NAME}:b`],
      ],
    );
  });

  it("are judged each by the rule for its tag, and by one rule together", async () => {
    const rules =
      `  - images: ${NAME}\n    require: {signature: {by: alice}}\n` +
      `  - images: ${NAME}:dev\n    require: {signature: {by: bob}}\n`;
    const store = await stored(["dev", "a", "b"], undefined, bob);
    const facts = await examineAll(auditorOf(store, byPolicy(rules)), ["dev", "a", "b"]);
    assert.deepEqual(
      facts.map(({ verdict, rule }) => `${verdict} ${rule?.place}`),
      ["accepted policy.yaml:6", "refused policy.yaml:4", "refused policy.yaml:4"],
    );
    assert.equal(requests(store)["referrers"], 2);
  });

  it("are excepted each by its own name, also where one rule is for all", async () => {
    const exception = (tag: string): string =>
      `      - {images: "${NAME}:${tag}", owner: ops, reason: known, expires: 2030-01-01T00:00:00Z}\n`;
    const rules =
      `  - images: ${NAME}\n    require: {signature: {by: alice}}\n` +
      `    exceptions:\n${exception("a")}${exception("b")}`;
    const store = await stored(["a", "b", "c"], undefined);
    const facts = await examineAll(auditorOf(store, byPolicy(rules)), ["a", "b", "c"]);
    assert.deepEqual(
      facts.map(({ verdict }) => verdict),
      ["accepted", "accepted", "refused"],
    );
    assert.match(facts[0]?.because ?? "", /policy\.yaml:7/);
    assert.match(facts[1]?.because ?? "", /policy\.yaml:8/);
  });

  it("are told by their own names where no rule is for them", async () => {
    const store = await stored(["a", "b"], undefined, alice);
    const facts = await examineAll(
      auditorOf(store, byPolicy("  - images: other.example/\n    require: {signature: {by: alice}}\n")),
      ["a", "b"],
    );
    assert.deepEqual(
      facts.map(({ reasons }) => `${reasons[0]?.code} ${reasons[0]?.found?.split("@", 1)[0]}`),
      [`no-policy ${NAME}:a`, `no-policy ${NAME}:b`],
    );
  });
});

describe("a reference with tag and digest", () => {
  async function pinned(): Promise<{ readonly store: MemoryStore; readonly image: string; readonly digest: Digest }> {
    const image = await makeImage();
    const { digest } = image.manifest.descriptor;
    return { store: await stored(["1"], image, alice), image: `${NAME}:1@${digest}`, digest };
  }

  it("is judged by its digest, and its tag is looked at", async () => {
    const { store, image, digest } = await pinned();
    const facts = await auditorOf(store, BY_ALICE).examine(image);
    assert.equal(facts.verdict, "accepted");
    assert.equal(facts.tagDigest, digest);
  });

  it("is told where its tag names something else now; the verdict is that of the digest", async () => {
    const { store, image } = await pinned();
    const moved = await makeImage({ layers: [] });
    await pushImage(store, moved, "1");
    const facts = await auditorOf(store, BY_ALICE).examine(image);
    assert.deepEqual([facts.verdict, facts.tagDigest], ["accepted", moved.manifest.descriptor.digest]);
  });

  it("costs the registry's word alone where that names the digest, and bytes where it names another", async () => {
    const { store, image, digest } = await pinned();
    let claims: Digest | undefined = digest;
    const claiming = Object.assign(store, { claimedDigest: async () => claims });
    await auditorOf(claiming, BY_ALICE).examine(image);
    assert.deepEqual(store.callsOf("resolve"), [digest]);
    for (const claim of [undefined, digestOf(new Uint8Array([1]))]) {
      claims = claim;
      store.calls.length = 0;
      const facts = await auditorOf(claiming, BY_ALICE).examine(image);
      assert.equal(facts.tagDigest, digest, "a header is no proof that a tag moved");
      assert.deepEqual(store.callsOf("resolve").toSorted(), ["1", digest].toSorted());
    }
  });

  it("is told where its tag is gone, or could not be looked at", async () => {
    const { store, image } = await pinned();
    store.names.delete("1");
    const gone = await auditorOf(store, BY_ALICE).examine(image);
    assert.deepEqual([gone.verdict, gone.tagDigest, gone.tagFinding?.code], ["accepted", undefined, "not-found"]);
    store.misbehaviour = {
      before: (call) => {
        if (call === "resolve 1") throw new CountersignError("throttled", "429");
      },
    };
    const unseen = await auditorOf(store, BY_ALICE).examine(image);
    assert.deepEqual([unseen.verdict, unseen.tagFinding?.code], ["accepted", "throttled"]);
  });

  it("is not looked at by its tag where it has none, nor where it is no digest that is named", async () => {
    const { store, digest } = await pinned();
    await auditorOf(store, BY_ALICE).examine(`${NAME}@${digest}`);
    await auditorOf(store, BY_ALICE).examine(`${NAME}:1`);
    assert.deepEqual(store.callsOf("resolve"), [digest, "1"]);
  });
});

describe("what could not be looked at", () => {
  it("is undetermined, and looked at again when it is asked for again", async () => {
    const store = await stored(["1"], undefined, alice);
    const auditor = auditorOf(store, ALICES);
    store.misbehaviour = {
      before: (call) => {
        if (call.startsWith("referrers")) throw new CountersignError("throttled", "429");
      },
    };
    assert.equal((await auditor.examine(`${NAME}:1`)).verdict, "undetermined");
    store.misbehaviour = {};
    assert.equal((await auditor.examine(`${NAME}:1`)).verdict, "accepted");
  });

  it("is not asked for again where that would say the same", async () => {
    const store = await stored(["1", "2"], undefined, alice);
    const auditor = auditorOf(store, ALICES);
    store.misbehaviour = {
      before: (call) => {
        if (call.startsWith("referrers")) throw new CountersignError("denied", "403");
      },
    };
    await auditor.examine(`${NAME}:1`);
    assert.equal((await auditor.examine(`${NAME}:2`)).verdict, "undetermined");
    assert.equal(requests(store)["referrers"], 1);
  });

  it("is looked for again where another signature did: the same ones are told whatever the network did", async () => {
    const image = await makeImage();
    const store = await stored(["1"], image, alice);
    const { digest } = image.manifest.descriptor;
    const options = { signatory: keySignatory(alice), annotations: {}, createdAt: instant(0), now: instant(0) };
    await signImage({ image: digest, store, digest }, { ...options, formats: ["cosign-legacy"] });
    const formatsWith = async (failures: number) => {
      let left = failures;
      store.misbehaviour = {
        before: (call) => {
          if (call.startsWith("referrers") && left-- > 0) throw new CountersignError("timeout", "nothing came");
        },
      };
      const { verdict, signers } = await auditorOf(store, BY_ALICE).examine(`${NAME}:1`);
      return [verdict, ...signers.map(({ format }) => format)];
    };
    assert.deepEqual(await formatsWith(0), ["accepted", "bundle"]);
    assert.deepEqual(await formatsWith(1), ["accepted", "bundle"]);
    assert.deepEqual(await formatsWith(2), ["accepted", "bundle"]);
    assert.deepEqual(await formatsWith(3), ["accepted", "cosign-legacy"], "it is not looked for without an end");
  });

  it("is a repository that cannot be opened; the others are not its fault", async () => {
    let opened = 0;
    const store = await stored(["1"], undefined, alice);
    const open = async (): Promise<MemoryStore> => {
      opened++;
      if (opened === 1) throw new CountersignError("disk-error", "no more files");
      return store;
    };
    const auditor = openAuditor({ open }, { requirement: BY_ALICE });
    const facts = await auditor.examine(`${NAME}:1`);
    assert.deepEqual([facts.verdict, facts.reasons[0]?.code], ["undetermined", "disk-error"]);
    assert.equal((await auditor.examine(`${NAME}:1`)).verdict, "accepted");
  });

  it("ends the audit where that says that nothing can be: configuration, interruption, a policy", async () => {
    for (const code of ["configuration-invalid", "interrupted"] as const) {
      const failing = openAuditor(
        { open: () => Promise.reject(new CountersignError(code, "no")) },
        { requirement: BY_ALICE },
      );
      await rejectedBy(() => failing.examine(`${NAME}:1`), code);
    }
    const unusable = byPolicy(`  - images: ${NAME}\n    require: {signature: {by: carol}}\n`.replace("carol", "alice"));
    const rulebook = "rulingOf" in unusable ? unusable : assert.fail();
    const broken = {
      ...rulebook,
      now: rulebook.now,
      rulingOf: () => Promise.reject(new CountersignError("policy-invalid", "no")),
    };
    await rejectedBy(async () => auditorOf(await stored(["1"]), broken).examine(`${NAME}:1`), "policy-invalid");
  });
});

describe("an index that is audited with its platforms", () => {
  it("is as its worst platform is, and told by the digest that its tag names", async () => {
    const index = await makeIndex();
    const store = await stored(["1"], index, alice);
    const { digest } = index.manifest.descriptor;
    assert.equal((await auditorOf(store, BY_ALICE).examine(`${NAME}:1`)).verdict, "accepted");
    const facts = await auditorOf(store, BY_ALICE, { recursive: true }).examine(`${NAME}:1`);
    assert.deepEqual([facts.verdict, facts.digest, facts.name], ["refused", digest, `${NAME}:1@${digest}`]);
    assert.match(facts.reasons[0]?.message ?? "", /: the image is not signed$/);
  });
});

describe("the age of scans", () => {
  const at = (day: number) => instant(Date.UTC(2026, 0, day));

  async function scan(store: MemoryStore, digest: Digest, signer: TestSigner, finishedOn: string): Promise<void> {
    const predicate = JSON.stringify(cosignRecord(scanVector("trivy/image"), finishedOn));
    const predicateType = resolveType("vuln")[0].uri;
    const options = { signatory: keySignatory(signer), annotations: {}, createdAt: at(1), now: at(1), predicateType };
    await attestImage(
      { image: digest, store, digest },
      {
        ...options,
        formats: ["bundle"],
        predicate: readPredicate(Buffer.from(predicate), "vuln", predicateType, at(1)),
      },
    );
  }

  async function scanned(
    ...scans: readonly (readonly [signer: TestSigner, finishedOn: string])[]
  ): Promise<MemoryStore> {
    const image = await makeImage();
    const store = await stored(["1"], image, alice);
    for (const [signer, time] of scans) await scan(store, image.manifest.descriptor.digest, signer, time);
    store.calls.length = 0;
    return store;
  }

  const NOW: Requirement = requirementOf([alice], { now: at(20) });

  it("is that of the newest by a wanted signer, where it is asked for", async () => {
    const store = await scanned(
      [alice, "2026-01-03T00:00:00Z"],
      [alice, "2026-01-09T00:00:00Z"],
      [bob, "2026-01-12T00:00:00Z"],
      [alice, "2026-03-01T00:00:00Z"],
    );
    const facts = await auditorOf(store, NOW, { lookForScans: true }).examine(`${NAME}:1`);
    assert.deepEqual([facts.verdict, facts.scannedAt], ["accepted", at(9)]);
    const plain = await auditorOf(store, NOW).examine(`${NAME}:1`);
    assert.equal(plain.scannedAt, undefined);
  });

  it("costs nothing where the scan was read for the verdict", async () => {
    const store = await scanned([alice, "2026-01-09T00:00:00Z"]);
    const attestation = { predicateTypes: resolveType("vuln"), conditions: [] };
    const facts = await auditorOf(store, { ...NOW, attestation }).examine(`${NAME}:1`);
    assert.deepEqual([facts.verdict, facts.scannedAt], ["accepted", at(9)]);
    assert.equal(requests(store)["referrers"], 1);
  });

  it("is unknown where there is none, or it cannot be looked at; the verdict stays", async () => {
    const none = await auditorOf(await scanned(), NOW, { lookForScans: true }).examine(`${NAME}:1`);
    assert.deepEqual([none.verdict, none.scannedAt], ["accepted", undefined]);
    const store = await scanned([alice, "2026-01-09T00:00:00Z"]);
    let listings = 0;
    store.misbehaviour = {
      before: (call) => {
        if (call.startsWith("referrers") && ++listings > 1) throw new CountersignError("throttled", "429");
      },
    };
    const unseen = await auditorOf(store, NOW, { lookForScans: true }).examine(`${NAME}:1`);
    assert.deepEqual([unseen.verdict, unseen.scannedAt], ["accepted", undefined]);
  });
});
