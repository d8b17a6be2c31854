import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JsonObject, JsonValue } from "../../../../src/core/json.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { loadTrustMaterial } from "../../../../src/core/trust/load.ts";
import { parseTrustedRoot, type TrustRoot } from "../../../../src/core/trust/root.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";
import { fakeKey } from "../../../support/sigstore/keys.ts";
import type { FakeLog } from "../../../support/sigstore/log.ts";
import { fakeSigstore } from "../../../support/sigstore/sign.ts";
import { DAY, FROM, NOW } from "../../../support/sigstore/times.ts";
import { type TrustedRootParts, trustedRoot } from "../../../support/sigstore/trusted-root.ts";

const sigstore = fakeSigstore();
const PARTS: TrustedRootParts = {
  authorities: [sigstore.authority],
  logs: [sigstore.log, sigstore.log2],
  certificateLogs: [sigstore.certificateLog],
  timestampAuthorities: [sigstore.timestampAuthority],
};

const make = (parts: Partial<TrustedRootParts>): TrustRoot => parseTrustedRoot(trustedRoot({ ...PARTS, ...parts }));

const DOCUMENT = JSON.parse(Buffer.from(trustedRoot(PARTS)).toString()) as JsonObject;

function parseWith(changes: JsonObject): TrustRoot {
  return parseTrustedRoot(Buffer.from(JSON.stringify({ ...DOCUMENT, ...changes })));
}

/** The message and particulars of a trust root that is refused. */
function refusal(read: () => unknown): string {
  const { message, found, wanted } = thrownBy(read, "trust-invalid");
  return `${message} / ${found} / ${wanted}`;
}

describe("a trust root", () => {
  for (const version of ["0.1", "v0.1", "v0.2"] as const) {
    it(`of version ${version} is read: authorities, logs, their keys and windows`, () => {
      const root = make({ version });
      assert.deepEqual(
        root.logs.map(({ name }) => name),
        ["rekor.example.com", "log2026.rekor.example.com"],
      );
      assert.equal(root.authorities[0]?.chain.length, 2);
      assert.equal(root.timestampAuthorities[0]?.chain.length, 2);
      assert.equal(root.certificateLogs[0]?.name, "ctfe.example.com");
      assert.deepEqual([root.logs[0]?.from, root.logs[0]?.until], [FROM, undefined]);
    });
  }

  it("keeps a key id of four bytes apart from the log's own id (v0.2, checkpointKeyId)", () => {
    const [log] = make({ version: "v0.2" }).logs;
    assert.equal(log?.id.byteLength, 32);
    assert.deepEqual(log?.checkpointKeyId, log?.id.subarray(0, 4));
  });

  it("counts those without an operator by their host", () => {
    const operators = (version: "v0.1" | "v0.2") => make({ version }).logs.map(({ operator }) => operator);
    assert.deepEqual(operators("v0.1"), ["rekor.example.com", "log2026.rekor.example.com"]);
    assert.deepEqual(operators("v0.2"), ["example.com", "example.com"]);
  });

  it("may be of few: a timestamp authority alone", () => {
    const bare = parseTrustedRoot(trustedRoot({ timestampAuthorities: [sigstore.timestampAuthority] }));
    assert.deepEqual([bare.logs.length, bare.authorities.length, bare.timestampAuthorities.length], [0, 0, 1]);
    const mediaType = DOCUMENT["mediaType"] ?? "";
    assert.equal(parseTrustedRoot(Buffer.from(JSON.stringify({ mediaType }))).logs.length, 0);
  });

  it("may name hosts where others have URLs, as GitHub's does", () => {
    const { authorities } = make({ authorities: [{ of: sigstore.authority, with: { uri: "fulcio.example.com" } }] });
    assert.equal(authorities[0]?.operator, "fulcio.example.com");
  });

  it("may have RSA keys as PKCS#1, null for what is absent, and fractions of seconds", () => {
    const rsa = fakeKey("rsa2048");
    const rawBytes = Buffer.from(rsa.publicKey.export({ type: "pkcs1", format: "der" })).toString("base64");
    const validFor = { start: "2024-01-01T00:00:00.123456789Z", end: null };
    const publicKey = { rawBytes, keyDetails: "PKCS1_RSA_PKCS1V5", validFor };
    const [log] = make({
      logs: [{ of: sigstore.log, with: { publicKey, operator: null, checkpointKeyId: null } }],
    }).logs;
    assert.equal(log?.key.asymmetricKeyType, "rsa");
    assert.equal(log?.from, FROM + 123);
  });
});

describe("a trust root that is refused", () => {
  for (const [what, bytes] of [
    ["nothing", ""],
    ["no object", "[]"],
    ["JSON with a member twice", '{"mediaType":"a","mediaType":"b"}'],
    ["a bundle", '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}'],
    ["of a later version", '{"mediaType":"application/vnd.dev.sigstore.trustedroot.v0.3+json"}'],
    [
      "of a version with something behind it",
      '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.11"}',
    ],
  ] as const) {
    it(`is ${what}`, () => {
      refusal(() => parseTrustedRoot(Buffer.from(bytes)));
    });
  }

  it("has an unknown member, which may mean something", () => {
    assert.match(
      refusal(() => parseWith({ revoked: [] })),
      /unknown member.*revoked/,
    );
    assert.match(
      refusal(() => make({ logs: [{ of: sigstore.log, with: { base_url: "x" } }] })),
      /tlogs\[0\].*base_url/,
    );
  });

  it("is too large, or has more entries than will be read", () => {
    thrownBy(() => parseTrustedRoot(new Uint8Array(LIMITS.trustedRootBytes + 1)), "limit-reached");
    const many = Array.from({ length: LIMITS.trustedRootEntries + 1 }, () => ({}));
    for (const name of ["tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities"]) {
      thrownBy(() => parseWith({ [name]: many }), "limit-reached");
    }
    const certificates = Array.from({ length: LIMITS.trustedRootCertificates + 1 }, () => ({}));
    const crowded = { of: sigstore.authority, with: { certChain: { certificates } } };
    thrownBy(() => make({ authorities: [crowded] }), "limit-reached");
  });

  it("has a log whose window has no start: since ever is no window (sigstore_common.proto)", () => {
    for (const validFor of [{}, { end: NOW }]) {
      assert.match(
        refusal(() => make({ logs: [sigstore.log, { of: sigstore.log2, validFor }] })),
        /start.*tlogs\[1\]/,
      );
      assert.match(
        refusal(() => make({ certificateLogs: [{ of: sigstore.certificateLog, validFor }] })),
        /ctlogs\[0\]/,
      );
      assert.match(
        refusal(() => make({ authorities: [{ of: sigstore.authority, validFor }] })),
        /certificateAuthorities\[0\]/,
      );
      assert.match(
        refusal(() => make({ timestampAuthorities: [{ of: sigstore.timestampAuthority, validFor }] })),
        /timestampAuthorities\[0\]/,
      );
    }
  });

  it("has a window that ends before it starts, or times that are none", () => {
    const inverted = { start: NOW, end: NOW - DAY };
    assert.match(
      refusal(() => make({ logs: [{ of: sigstore.log, validFor: inverted }] })),
      /ends before/,
    );
    for (const start of ["", "yesterday", "2026-01-01", "2026-02-31T00:00:00Z", "2026-01-01T00:00:00", 5]) {
      const publicKey = { ...publicKeyOf(sigstore.log), validFor: { start } };
      assert.match(
        refusal(() => make({ logs: [{ of: sigstore.log, with: { publicKey } }] })),
        /not a time/,
      );
    }
  });

  it("has a log without an address, an id or a key", () => {
    const log = (change: Record<string, JsonValue | undefined>) =>
      refusal(() => make({ logs: [{ of: sigstore.log, with: change }] }));
    assert.match(log({ baseUrl: "" }), /tlogs\[0\].*no address/);
    assert.match(log({ baseUrl: "https://" }), /not an address/);
    assert.match(log({ logId: undefined }), /logId of tlogs\[0\]/);
    assert.match(log({ logId: { keyId: "AAAA" } }), /none|names no key/);
    assert.match(log({ checkpointKeyId: { keyId: "AAAA" } }), /names no key/);
    assert.match(log({ hashAlgorithm: "SHA2_512" }), /hashes otherwise/);
    assert.match(log({ publicKey: undefined }), /publicKey of tlogs\[0\]/);
    assert.match(log({ publicKey: { ...publicKeyOf(sigstore.log), rawBytes: "AAAA" } }), /not a key/);
  });

  it("has a log with a weak key", () => {
    const weak = Buffer.from(`305c300d06092a864886f70d0101010500034b003048024100${"c3".repeat(63)}c50203010001`, "hex");
    const details = { ...publicKeyOf(sigstore.log), rawBytes: weak.toString("base64") };
    assert.match(
      refusal(() => make({ logs: [{ of: sigstore.log, with: { publicKey: details } }] })),
      /512 bits/,
    );
  });

  it("has an authority without certificates, or with one that is broken", () => {
    const chain = (certificates: JsonValue) =>
      refusal(() => make({ authorities: [{ of: sigstore.authority, with: { certChain: { certificates } } }] }));
    assert.match(chain([]), /is empty/);
    assert.match(chain([{ rawBytes: "AAAA" }]), /certificate 0 of certificateAuthorities\[0\] of the trust root/);
    assert.match(chain([{ rawBytes: "AA=A" }]), /base64/);
  });

  it("is not believed in any other part either", async () => {
    await rejectedBy(() => loadTrustMaterial(Buffer.from("{}"), "trusted_root.json"), "trust-invalid");
  });
});

describe("loading a trust root", () => {
  it("keeps the label for printing", async () => {
    assert.equal((await loadTrustMaterial(sigstore.trustedRoot, "trusted_root.json")).label, "trusted_root.json");
  });
});

function publicKeyOf(log: FakeLog): JsonObject {
  const logs = DOCUMENT["tlogs"] as readonly JsonObject[];
  const found = logs.find(({ baseUrl }) => baseUrl === log.baseUrl);
  return found?.["publicKey"] as JsonObject;
}
