import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../src/core/errors.ts";
import { REDUCED_PREDICATE, VULN_PREDICATE } from "../../../src/core/formats/vuln-predicate.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import { parsePlatformName } from "../../../src/core/oci/platform.ts";
import type { Destination } from "../../../src/core/ports.ts";
import type { ImageScan } from "../../../src/core/results.ts";
import { instant } from "../../../src/core/time.ts";
import { type Examine, type ScanOptions, scanImage } from "../../../src/ops/scan.ts";
import { readImageScan, scanAttester } from "../../../src/ops/scan-attestation.ts";
import { keySignatory } from "../../../src/ops/sign.ts";
import type { Target } from "../../../src/ops/verify.ts";
import { rejectedBy, thrownBy } from "../../support/codes.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { addImage, addIndex, gzipLayer } from "../../support/sample-image.ts";
import { TRIVY_CLEAN, TRIVY_VULNERABLE } from "../../support/scanners.ts";
import { testSigner } from "../../support/signatures.ts";

const AMD64 = parsePlatformName("linux/amd64");
const RECORD = {
  uri: "pkg:github/aquasecurity/trivy@0.70.0",
  version: "0.70.0",
  database: undefined,
  parameters: [],
  startedAt: instant(0),
  finishedAt: instant(1000),
};

/** A destination in memory, that remembers whether it was made visible. */
function place(): Destination & { readonly store: MemoryStore; committed: boolean } {
  const store = new MemoryStore();
  return {
    store,
    committed: false,
    async commit(root) {
      await store.pushManifest(root);
      this.committed = true;
    },
    discard: async () => undefined,
    suspend: async () => undefined,
  };
}

/** A scanner that prints these results in turn; an error where it is to fail. */
function scanner(...results: readonly (string | CountersignError)[]): Examine & { readonly seen: string[] } {
  const left = [...results];
  const seen: string[] = [];
  const examine: Examine = async (store) => {
    const destination = place();
    await store(destination);
    assert.ok(destination.committed);
    seen.push(...destination.store.calls.filter((call) => call.startsWith("pushManifest")));
    const result = left.shift() ?? TRIVY_CLEAN;
    if (typeof result !== "string") throw result;
    return readImageScan(RECORD, Buffer.from(result));
  };
  return Object.assign(examine, { seen });
}

const BROKEN = new CountersignError("scanner-error", "trivy failed");

function imageTarget(): Target & { readonly store: MemoryStore } {
  const store = new MemoryStore();
  addImage(store, [gzipLayer()], { tag: "1" });
  return { image: "registry.example/app:1", store, tag: "1" };
}

function indexTarget(): Target & { readonly store: MemoryStore } {
  const store = new MemoryStore();
  addIndex(store, [addImage(store, [gzipLayer()]), addImage(store, [gzipLayer()])], "1");
  return { image: "registry.example/app:1", store, tag: "1" };
}

function options(examine: Examine, more: Partial<ScanOptions> = {}): ScanOptions {
  return { examine, platform: AMD64, ...more };
}

function attester(isReduced = false) {
  const signing = {
    signatory: keySignatory(testSigner("a.pub")),
    annotations: {},
    createdAt: instant(0),
    now: instant(0),
  };
  return scanAttester(signing, isReduced);
}

describe("a scan of an image", () => {
  it("is of the bytes that were fetched and checked, and says of which digest", async () => {
    const [scanned, ...others] = await scanImage(imageTarget(), options(scanner(TRIVY_VULNERABLE)));
    assert.equal(others.length, 0);
    assert.equal(scanned?.scan?.scan.vulnerabilities.length, 2);
    assert.ok(scanned?.name.endsWith(`:1@${scanned.digest}`), scanned?.name);
    assert.equal(scanned?.attestation, undefined);
  });

  it("is attested of that digest, as it was printed or reduced", async () => {
    for (const [isReduced, type] of [
      [false, VULN_PREDICATE],
      [true, REDUCED_PREDICATE],
    ] as const) {
      const [scanned] = await scanImage(imageTarget(), options(scanner(), { attest: attester(isReduced) }));
      assert.equal(scanned?.attestation?.predicateType, type);
      assert.deepEqual(
        scanned?.attestation?.outcomes.map(({ digest, state }) => [digest, state]),
        [[scanned.digest, "signed"]],
      );
    }
  });

  it("that fails attests nothing", async () => {
    const target = imageTarget();
    const [scanned] = await scanImage(target, options(scanner(BROKEN), { attest: attester() }));
    assert.equal(scanned?.finding?.code, "scanner-error");
    assert.equal(scanned?.attestation, undefined);
    assert.deepEqual(
      target.store.calls.filter((call) => call.startsWith("push")),
      [],
    );
  });

  it("does not begin where its bytes are wrong", async () => {
    const store = new MemoryStore();
    addImage(store, [{ ...gzipLayer(), diffId: digestOf(Buffer.from("another layer")) }], { tag: "1" });
    const examine = scanner();
    const { layerDigesters } = await import("../../../src/io/disk/decompress.ts");
    const target = { image: "registry.example/app:1", store, tag: "1" };
    const [scanned] = await scanImage(target, options(examine, { openLayerDigester: layerDigesters() }));
    assert.equal(scanned?.finding?.code, "layer-invalid");
    assert.deepEqual(examine.seen, []);
  });

  it("is none of an image that is not there", async () => {
    const target = { image: "registry.example/app:2", store: new MemoryStore(), tag: "2" };
    const [scanned] = await scanImage(target, options(scanner()));
    assert.equal(scanned?.finding?.code, "not-found");
    assert.equal(scanned?.digest, undefined);
  });

  it("is ended by an interruption", async () => {
    const stopped = new CountersignError("interrupted", "stopped");
    await rejectedBy(() => scanImage(imageTarget(), options(scanner(stopped))), "interrupted");
  });
});

describe("a scan of an index", () => {
  it("is of one platform, and attested of that platform's digest alone", async () => {
    const scanned = await scanImage(indexTarget(), options(scanner(), { attest: attester() }));
    assert.equal(scanned.length, 1);
    assert.equal(scanned[0]?.platform, "linux/amd64");
    assert.notEqual(scanned[0]?.index, scanned[0]?.digest);
    assert.equal(scanned[0]?.attestation?.outcomes[0]?.digest, scanned[0]?.digest);
  });

  it("is none of a platform that it does not list, and of an index of nothing", async () => {
    const other = { platform: parsePlatformName("linux/s390x") };
    const [scanned] = await scanImage(indexTarget(), options(scanner(), other));
    assert.equal(scanned?.finding?.code, "platform-missing");
    const store = new MemoryStore();
    addIndex(store, [], "1");
    const [nothing] = await scanImage({ image: "app:1", store, tag: "1" }, options(scanner(), { recursive: true }));
    assert.equal(nothing?.finding?.code, "platform-missing");
  });

  it("of every platform is attested of each, and of the index with what was found in any of them", async () => {
    const recursive = { recursive: true, attest: attester() };
    const scanned = await scanImage(indexTarget(), options(scanner(TRIVY_CLEAN, TRIVY_VULNERABLE), recursive));
    assert.deepEqual(
      scanned.map(({ platform, scan, attestation }) => [
        platform,
        scan?.scan.vulnerabilities.length,
        attestation?.predicateType,
      ]),
      [
        ["linux/amd64", 0, VULN_PREDICATE],
        ["linux/arch1", 2, VULN_PREDICATE],
        [undefined, undefined, REDUCED_PREDICATE],
      ],
    );
    assert.equal(scanned[2]?.digest, scanned[0]?.index);
  });

  it("of which one platform could not be scanned is not attested of the index: a clean one does not speak for the other", async () => {
    const recursive = { recursive: true, attest: attester() };
    const scanned = await scanImage(indexTarget(), options(scanner(TRIVY_CLEAN, BROKEN), recursive));
    assert.deepEqual(
      scanned.map(({ attestation, finding }) => [attestation?.predicateType, finding?.code]),
      [
        [VULN_PREDICATE, undefined],
        [undefined, "scanner-error"],
        [undefined, "scanner-error"],
      ],
    );
    assert.equal(scanned[2]?.finding?.found, "linux/arch1");
  });

  it("does not look into another index in it", async () => {
    const store = new MemoryStore();
    addIndex(store, [addIndex(store, [addImage(store, [gzipLayer()])])], "1");
    const examine = scanner();
    const [scanned] = await scanImage({ image: "app:1", store, tag: "1" }, options(examine));
    assert.equal(scanned?.finding?.code, "unsupported");
    assert.deepEqual(examine.seen, []);
  });
});

describe("what a scanner printed", () => {
  it("is no scan where no verifier could read it", () => {
    const broken = ["{}", '{"results":{}}', '{"SchemaVersion":3,"Results":[]}', '{"SchemaVersion":2,"matches":[]}'];
    for (const result of broken) thrownBy(() => readImageScan(RECORD, Buffer.from(result)), "scanner-error");
  });

  it("is attested up to the size that a statement may have, and what goes beyond is refused with a way out", async () => {
    const padded = (size: number): ImageScan => {
      const { SchemaVersion, Results } = JSON.parse(TRIVY_CLEAN);
      return readImageScan(RECORD, Buffer.from(JSON.stringify({ SchemaVersion, Results, Pad: "x".repeat(size) })));
    };
    const target = imageTarget();
    const attestation = await attester()(target, [padded(LIMITS.statementBytes - 2000)]);
    assert.equal(attestation.finding, undefined);
    const error = await rejectedBy(() => attester()(target, [padded(LIMITS.statementBytes)]), "limit-reached");
    assert.match(error.next, /--reduced/);
    assert.equal((await attester(true)(target, [padded(LIMITS.statementBytes)])).finding, undefined);
  });
});
