import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../src/core/bytes.ts";
import type { JsonValue } from "../../../src/core/json.ts";
import { parseTrustedRoot } from "../../../src/core/trust/root.ts";
import { accepted, refused, sigstore } from "../../support/attacks.ts";
import { thrownBy } from "../../support/codes.ts";
import { processorTime } from "../../support/processor-time.ts";
import { fakeKey } from "../../support/sigstore/keys.ts";
import { FakeLog } from "../../support/sigstore/log.ts";
import { fakeSigstore, loggedFrom, signKeyless } from "../../support/sigstore/sign.ts";
import { DAY, FROM, NOW } from "../../support/sigstore/times.ts";
import { FakeTimestampAuthority } from "../../support/sigstore/timestamp-authority.ts";
import { type TrustedRootParts, trustedRoot } from "../../support/sigstore/trusted-root.ts";

/** Trust roots that are broken, doubled or clumsy: whoever makes one is believed, and must not be misread. */

const { authority, certificateLog, log, log2, timestampAuthority } = sigstore;
const PARTS: TrustedRootParts = {
  authorities: [authority],
  logs: [log, log2],
  certificateLogs: [certificateLog],
  timestampAuthorities: [timestampAuthority],
};
const make = (parts: Partial<TrustedRootParts>): Uint8Array => trustedRoot({ ...PARTS, ...parts });
const withLog = (members: Readonly<Record<string, JsonValue | undefined>>): Uint8Array =>
  make({ logs: [{ of: log, with: members }] });
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

const signed = signKeyless(sigstore);
const second = signKeyless(sigstore, { logs: [log2] });
const text = Buffer.from(make({})).toString();

describe("a trust root that is not read", () => {
  const key = (members: Readonly<Record<string, JsonValue>>): JsonValue => ({
    rawBytes: base64(log.key.spki),
    keyDetails: log.key.keyDetails,
    validFor: { start: "2024-01-01T00:00:00Z" },
    ...members,
  });
  const pss = generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey.export({ type: "spki", format: "der" });
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ type: "spki", format: "der" });
  const ROOTS: Readonly<Record<string, Uint8Array>> = {
    "with a key that is said to be of another kind": withLog({ publicKey: key({ keyDetails: "PKCS1_RSA_PKCS1V5" }) }),
    "with RSA of 1024 bits": withLog({ publicKey: key({ rawBytes: base64(weak) }) }),
    "with RSA for PSS": withLog({ publicKey: key({ rawBytes: base64(pss) }) }),
    "with a key that has something behind it": withLog({
      publicKey: key({ rawBytes: `${base64(Buffer.concat([log.key.spki, Buffer.of(0)]))}` }),
    }),
    "with an unknown member of a key": withLog({ publicKey: key({ revoked: true }) }),
    "with a window that has an unknown member": withLog({
      publicKey: key({ validFor: { start: "2024-01-01T00:00:00Z", until: "2024-02-01T00:00:00Z" } }),
    }),
    "with a window of nothing": withLog({ publicKey: key({ validFor: {} }) }),
    "with a window that ends before it starts": withLog({
      publicKey: key({ validFor: { start: "2024-01-02T00:00:00Z", end: "2024-01-01T00:00:00Z" } }),
    }),
    "with a start that never was": withLog({ publicKey: key({ validFor: { start: "2024-02-30T00:00:00Z" } }) }),
    "with a start in seconds": withLog({ publicKey: key({ validFor: { start: 0 } }) }),
    "with a start beyond all years": withLog({ publicKey: key({ validFor: { start: "+12024-01-01T00:00:00Z" } }) }),
    "with a log's id of four bytes": withLog({ logId: { keyId: "AAAAAA==" } }),
    "with a checkpoint's key id of nothing": withLog({ checkpointKeyId: { keyId: "" } }),
    "with a checkpoint's key id of three bytes": withLog({ checkpointKeyId: { keyId: "AAAA" } }),
    "with a checkpoint's key id of another form": withLog({ checkpointKeyId: "AAAAAA==" }),
    "with a log's address that is none": withLog({ baseUrl: "https://" }),
    "with a log without an address": withLog({ baseUrl: "" }),
    "with a hash that is none": withLog({ hashAlgorithm: "SHA1" }),
    "with a hash as a number": withLog({ hashAlgorithm: 1 }),
    "with snake case": encodeUtf8(text.replace("certificateAuthorities", "certificate_authorities")),
    "with a member twice": encodeUtf8(text.replace("{", '{"tlogs":[],')),
    "with a prototype": encodeUtf8(text.replace("{", '{"__proto__":{"tlogs":[]},')),
    "with the media type in capitals": encodeUtf8(
      text.replace(/"mediaType": "[^"]+"/, (all) => all.toUpperCase().replace("MEDIATYPE", "mediaType")),
    ),
    "with another version": encodeUtf8(text.replace("version=0.1", "version=0.9")),
    "with a byte order mark": encodeUtf8(`\ufeff${text}`),
    "with something behind it": encodeUtf8(`${text}{}`),
    "with an authority of another document": make({
      authorities: [{ of: authority, with: { certChain: { certificates: [{ rawBytes: base64(encodeUtf8(text)) }] } } }],
    }),
    "with an authority's window of nothing": make({ authorities: [{ of: authority, with: { validFor: null } }] }),
    "with nothing": new Uint8Array(),
  };
  for (const [name, root] of Object.entries(ROOTS)) {
    it(`is refused as a whole: ${name}`, () => {
      const { message } = thrownBy(() => parseTrustedRoot(root), "trust-invalid");
      assert.match(message, /trust root/);
    });
  }

  it("is undetermined, and quickly, where it is larger than one is", () => {
    const one = JSON.stringify(JSON.parse(text).tlogs[0]);
    for (const root of [
      `${text}${" ".repeat(5_000_000)}`,
      text.replace(/"tlogs": \[/, `"tlogs": [${Array(10_000).fill(one).join(",")},`),
    ]) {
      const started = processorTime();
      thrownBy(() => parseTrustedRoot(encodeUtf8(root)), "limit-reached");
      assert.ok(processorTime() - started < 5_000);
    }
  });
});

describe("logs that stand in a trust root more than once", () => {
  const windows = { past: { start: FROM, end: NOW - DAY }, now: { start: NOW - DAY }, all: { start: FROM } };

  it("are one log, whatever their windows, and two operators do not make two of one", () => {
    const twice = make({ version: "v0.2", logs: [log, { of: log, with: { operator: "other.example" } }] });
    accepted(signed, { root: twice });
    refused(signed, "log-entry-missing", { root: twice, demands: { logs: 2 } });
    const entries = (["dsse", "hashedrekord"] as const).map((kind) => log.record(loggedFrom(signed), { kind }));
    refused({ ...signed, logEntries: entries }, "log-entry-missing", { root: twice, demands: { logs: 2 } });
  });

  it("are believed where one of overlapping windows fits, in either order, and not between them", () => {
    for (const [first, next] of [
      [windows.past, windows.now],
      [windows.now, windows.past],
      [windows.all, windows.past],
    ] as const) {
      const root = make({ logs: [first, next].map((validFor) => ({ of: log, validFor })) });
      accepted(signed, { root });
    }
    const around = make({ logs: [windows.past, { start: NOW + DAY }].map((validFor) => ({ of: log, validFor })) });
    refused(signed, "log-entry-invalid", { root: around });
  });

  it("do not lend each other their keys: another key under the same id proves nothing", () => {
    const other = new FakeLog({ key: fakeKey() });
    const forged = { ...other.record(loggedFrom(signed)), logId: log.logId };
    const root = make({ logs: [log, { of: other, with: { baseUrl: "https://other.example.com" } }] });
    refused({ ...signed, logEntries: [forged] }, "log-entry-invalid", { root });
  });

  it("may share an address, and keep their keys apart", () => {
    const other = new FakeLog({ key: fakeKey() });
    const root = make({ logs: [other, log] });
    accepted(signed, { root });
    accepted({ ...signed, logEntries: [other.record(loggedFrom(signed))] }, { root });
    const mixed = { ...other.record(loggedFrom(signed)), logId: log.logId };
    refused({ ...signed, logEntries: [mixed] }, "log-entry-invalid", { root });
  });
});

describe("what a trust root says of checkpoints' keys", () => {
  it("is looked for on the line, and decides nothing without the key", () => {
    const keyId = base64(Buffer.from("evil"));
    const root = make({ version: "v0.2", logs: [{ of: log2, with: { checkpointKeyId: { keyId } } }] });
    refused(second, "log-entry-invalid", { root });
    const named = log2.record(loggedFrom(second), { checkpointKeyId: Buffer.from("evil") });
    accepted({ ...second, logEntries: [named] }, { root });
    const forged = log2.record(loggedFrom(second), {
      checkpointKeyId: Buffer.from("evil"),
      checkpointKey: fakeKey("ed25519"),
    });
    refused({ ...second, logEntries: [forged] }, "log-entry-invalid", { root });
  });
});

describe("authorities that stand in the wrong place", () => {
  it("do not issue certificates where they stamp times, nor the reverse", () => {
    const chain = (from: { readonly chain: readonly Uint8Array[] }) => ({
      certChain: { certificates: from.chain.map((each) => ({ rawBytes: base64(each) })) },
    });
    refused(signed, "certificate-untrusted", {
      root: make({ authorities: [{ of: authority, with: chain(timestampAuthority) }] }),
    });
    refused(second, "log-entry-invalid", {
      root: make({ logs: [{ of: log2, validFor: { start: NOW + DAY } }] }),
    });
    refused({ ...second, logEntries: signed.logEntries.slice(0, 0) }, "timestamp-missing", {
      root: make({ timestampAuthorities: [{ of: timestampAuthority, with: chain(authority) }] }),
      demands: { logs: 0 },
    });
  });

  it("do not take a certificate log for a log of signatures, nor the reverse", () => {
    const asLog = new FakeLog({ key: certificateLog.key });
    refused({ ...signed, logEntries: [asLog.record(loggedFrom(signed))] }, "log-entry-missing");
    refused(signed, "certificate-untrusted", { root: make({ certificateLogs: [] }) });
  });

  it("do not do for another instance that calls itself the same", () => {
    const twin = fakeSigstore();
    refused(signKeyless(twin), "certificate-untrusted");
    refused(signKeyless({ ...sigstore, log: twin.log }), "log-entry-missing");
    refused(
      signKeyless(
        { ...sigstore, certificateLog: twin.certificateLog },
        { certificate: { sctBy: [twin.certificateLog] } },
      ),
      "certificate-untrusted",
    );
    const stamped = signKeyless(sigstore, { logs: [log2], timestampAuthorities: [twin.timestampAuthority] });
    refused(stamped, "timestamp-invalid");
  });

  it("are two witnesses of a time only where they are two operators", () => {
    const twin = new FakeTimestampAuthority({ name: "second.example.com" });
    const root = make({ version: "v0.2", timestampAuthorities: [timestampAuthority, twin] });
    const both = signKeyless(sigstore, { logs: [log2], timestampAuthorities: [timestampAuthority, twin] });
    accepted(both, { root });
    refused(both, "timestamp-missing", { root, demands: { timestamps: 2 } });
    refused(both, "timestamp-missing", { root, demands: { times: 2 } });
  });
});
