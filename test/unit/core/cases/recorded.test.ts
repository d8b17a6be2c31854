import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import { parseRecorded } from "../../../../src/core/cases/parse-recorded.ts";
import { formatRecorded, type RecordedImage } from "../../../../src/core/cases/recorded.ts";
import type { Finding } from "../../../../src/core/errors.ts";
import { candidateBytes, type UntrustedCandidate } from "../../../../src/core/formats/envelope.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { instant } from "../../../../src/core/time.ts";
import { makeImage, makeIndex } from "../../../support/images.ts";
import { bundleOf, legacyOf, testSigner, testSubject } from "../../../support/signatures.ts";
import { bundleCandidate, fakeSigstore, legacyAttestation, signKeyless } from "../../../support/sigstore/sign.ts";

const alice = testSigner("alice.pub");
const { manifest } = await makeImage();
const { digest } = manifest.descriptor;
const throttled: Finding = { code: "throttled", message: "too many requests", found: "429", next: "try later" };

function record(candidates: readonly UntrustedCandidate[] = [], more: Partial<RecordedImage> = {}): RecordedImage {
  return {
    repository: "registry.example/acme/app",
    tag: "1.4.2",
    recordedAt: instant(Date.UTC(2026, 5, 1)),
    trust: [
      { demands: { logs: 1, certificateLogs: 1, timestamps: 0 } },
      { name: "acme", demands: { logs: 0, certificateLogs: 0, timestamps: 1 } },
    ],
    manifest,
    subjects: [{ digest, candidates, obstacles: [] }],
    ...more,
  };
}

function again(recorded: RecordedImage): RecordedImage {
  return parseRecorded(formatRecorded(recorded), "evidence.json");
}

/** The file with one thing in it changed. */
function changed(change: (json: Record<string, unknown>) => void, candidates: readonly UntrustedCandidate[] = []) {
  const json = JSON.parse(Buffer.from(formatRecorded(record(candidates))).toString()) as Record<string, unknown>;
  change(json);
  return encodeUtf8(JSON.stringify(json));
}

function refuses(bytes: Uint8Array, why: RegExp, code = "configuration-invalid"): void {
  assert.throws(
    () => parseRecorded(bytes, "evidence.json"),
    (error: Error & { code?: string; found?: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(`${error.message}: ${error.found}`, why);
      assert.match(error.message, /^evidence\.json: /);
      return true;
    },
  );
}

const DEMANDS = { logs: 1, certificateLogs: 1, timestamps: 0 };

interface Loose {
  subjects: { digest: string; candidates: Record<string, unknown>[]; obstacles: unknown[]; [more: string]: unknown }[];
  manifest: Record<string, unknown>;
  image: Record<string, unknown>;
}
const loose = (json: Record<string, unknown>) => json as unknown as Loose;

describe("recorded evidence", () => {
  it("is read back as it was, of every format, with its obstacles", () => {
    const attested = signKeyless(fakeSigstore());
    const candidates = [
      bundleOf(alice, digest, { env: "prod" }),
      bundleCandidate(attested, "0.1"),
      legacyOf(alice, digest),
      legacyAttestation(attested, "https://slsa.dev/provenance/v1"),
    ];
    const recorded = record(candidates, { subjects: [{ digest, candidates, obstacles: [throttled] }] });
    const read = again(recorded);
    assert.deepEqual(
      read.subjects.map(({ candidates: each }) => each.map((one) => Buffer.from(candidateBytes(one)).toString())),
      [candidates.map((one) => Buffer.from(candidateBytes(one)).toString())],
    );
    assert.deepEqual(read.subjects[0]?.obstacles, [throttled]);
    assert.deepEqual(
      read.subjects[0]?.candidates.map(({ format, origin }) => ({ format, origin })),
      candidates.map(({ format, origin }) => ({ format, origin })),
    );
    assert.deepEqual({ ...read, subjects: [], manifest: 0 }, { ...recorded, subjects: [], manifest: 0 });
    assert.deepEqual(Buffer.from(read.manifest.bytes), Buffer.from(manifest.bytes));
    assert.deepEqual(Buffer.from(formatRecorded(read)), Buffer.from(formatRecorded(recorded)));
  });

  it("keeps bytes exactly that are no JSON, no compact JSON, no text at all, or would be drawn otherwise", () => {
    const texts = [
      '{"a": 1}',
      '{"a":1e2}',
      '{"a":1,"a":2}',
      "null",
      "",
      "text",
      '{"2":1,"1":2}',
      '"\\u0041"',
      '"\u202e"',
    ];
    const contents = [...texts.map(encodeUtf8), Uint8Array.of(0xff, 0, 0xfe)];
    const candidates = contents.map(
      (bytes): UntrustedCandidate => ({ format: "bundle", origin: { via: "file" }, bytes }),
    );
    const read = again(record(candidates)).subjects[0]?.candidates ?? [];
    assert.deepEqual(
      read.map((one) => Buffer.from(candidateBytes(one)).toString("hex")),
      contents.map((bytes) => Buffer.from(bytes).toString("hex")),
    );
    assert.doesNotMatch(Buffer.from(formatRecorded(record(candidates))).toString(), /\u202e/);
  });

  it("keeps what is as deep as JSON is read at all", () => {
    const bytes = encodeUtf8("[".repeat(LIMITS.jsonDepth) + "]".repeat(LIMITS.jsonDepth));
    const [one] = again(record([{ format: "bundle", origin: { via: "file" }, bytes }])).subjects[0]?.candidates ?? [];
    assert.equal(one?.format === "bundle" && Buffer.from(one.bytes).equals(bytes), true);
  });

  it("holds an index with what was found about each of its manifests", async () => {
    const { manifest: index } = await makeIndex();
    assert.ok(index.kind === "index");
    const listed = index.manifests.map((entry) => entry.digest);
    const subjects = [index.descriptor.digest, ...listed].map((each) => ({
      digest: each,
      candidates: [bundleOf(alice, each)],
      obstacles: [],
    }));
    assert.equal(again(record([], { manifest: index, subjects })).subjects.length, listed.length + 1);
  });

  it("has no repository and no tag where the image was in a file", () => {
    const read = again(record([], { repository: undefined, tag: undefined }));
    assert.deepEqual([read.repository, read.tag], [undefined, undefined]);
  });
});

describe("recorded evidence that is refused", () => {
  it("what is not strict JSON, or of another version", () => {
    refuses(encodeUtf8(""), /not strict JSON/);
    refuses(encodeUtf8('{"a":1,"a":2}'), /duplicate/);
    refuses(encodeUtf8("[]"), /not a JSON object/);
    refuses(encodeUtf8("{}"), /another version: nothing/);
    refuses(
      changed((json) => {
        json["recordedVersion"] = 2;
      }),
      /another version: version 2/,
    );
  });

  it("unknown members, anywhere", () => {
    const places: readonly ((json: Loose) => Record<string, unknown> | undefined)[] = [
      (json) => json as unknown as Record<string, unknown>,
      (json) => json.image,
      (json) => json.manifest,
      (json) => json.subjects[0],
      (json) => json.subjects[0]?.candidates[0],
      (json) => json.subjects[0]?.candidates[0]?.["origin"] as Record<string, unknown>,
    ];
    for (const place of places) {
      refuses(
        changed((json) => Object.assign(place(loose(json)) ?? {}, { verdict: "accepted" }), [bundleOf(alice, digest)]),
        /unknown member/,
      );
    }
  });

  it("bytes that are not those of the digest: of the manifest, and of a candidate", () => {
    const other = testSubject("other").descriptor.digest;
    refuses(
      changed((json) => Object.assign(loose(json).manifest, { json: { schemaVersion: 2, layers: [] } })),
      /size|digest/,
    );
    refuses(
      changed(
        (json) => Object.assign(loose(json).subjects[0]?.candidates[0] ?? {}, { digest: other }),
        [bundleOf(alice, digest)],
      ),
      /does not match its digest/,
    );
    refuses(
      changed(
        (json) => Object.assign(loose(json).subjects[0]?.candidates[0] ?? {}, { json: { a: 1 } }),
        [bundleOf(alice, digest)],
      ),
      /does not match its digest/,
    );
  });

  it("evidence about something that is not of this image, twice, or none of the image itself", () => {
    const other = { digest: testSubject("other").descriptor.digest, candidates: [], obstacles: [] };
    refuses(
      changed((json) => loose(json).subjects.push(other)),
      /not of this image/,
    );
    refuses(
      changed((json) => loose(json).subjects.unshift(other)),
      /not of this image/,
    );
    refuses(
      changed((json) => loose(json).subjects.push({ digest, candidates: [], obstacles: [] })),
      /not of this image/,
    );
    refuses(
      changed((json) => {
        loose(json).subjects = [];
      }),
      /no subject/,
    );
  });

  it("content in no form, in two forms, and in lax base64", () => {
    const edit = (more: object) =>
      changed((json) => Object.assign(loose(json).subjects[0]?.candidates[0] ?? {}, more), [bundleOf(alice, digest)]);
    refuses(edit({ json: undefined }), /exactly one of json, text, base64/);
    refuses(edit({ text: "a" }), /exactly one of json, text, base64/);
    refuses(edit({ json: undefined, base64: "YQ" }), /not base64/);
  });

  it("names, codes, places and times that are none", () => {
    const edits: readonly (readonly [(json: Loose) => unknown, RegExp])[] = [
      [(json) => Object.assign(json.image, { repository: "nginx" }), /repository of/],
      [(json) => Object.assign(json.image, { tag: "a b" }), /./],
      [(json) => Object.assign(json, { recordedAt: "yesterday" }), /not a time/],
      [(json) => Object.assign(json, { trust: [{ name: "../a", demands: DEMANDS }] }), /none of a trust instance/],
      [(json) => Object.assign(json, { trust: [{ demands: { ...DEMANDS, logs: -1 } }] }), /no number/],
      [(json) => json.subjects[0]?.obstacles.push({ code: "fine", message: "it is" }), /code of .* is unknown/],
      [(json) => json.subjects[0]?.obstacles.push({ code: "throttled" }), /no string "message"/],
      [(json) => Object.assign(json.subjects[0]?.candidates[0] ?? {}, { format: "pgp" }), /format of .* is unknown/],
      [(json) => Object.assign(json.subjects[0]?.candidates[0] ?? {}, { origin: { via: "mail" } }), /"via" of/],
      [(json) => Object.assign(json.subjects[0]?.candidates[0] ?? {}, { origin: { via: "file", layer: -1 } }), /layer/],
    ];
    for (const [edit, why] of edits) {
      refuses(
        changed((json) => edit(loose(json)), [bundleOf(alice, digest)]),
        why,
      );
    }
  });

  it("more candidates than are read of one image, and a file that is too large: a limit", () => {
    const junk: UntrustedCandidate = { format: "bundle", origin: { via: "file" }, bytes: encodeUtf8("{}") };
    const many = Array.from({ length: LIMITS.candidates + 1 }, () => junk);
    refuses(formatRecorded(record(many)), /too long/, "limit-reached");
    refuses(new Uint8Array(LIMITS.recordedBytes + 1), /too large/, "limit-reached");
    const large = Array.from({ length: 5 }, () => ({ ...junk, bytes: Buffer.alloc(LIMITS.recordedBytes / 9, '"') }));
    assert.throws(() => formatRecorded(record(large)), { code: "limit-reached" });
  });
});
