import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../src/core/bytes.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import { accepted, DEV, judged, refused, signFully, sigstore } from "../../support/attacks.ts";
import { fakeKey } from "../../support/sigstore/keys.ts";
import { bundleCandidate, fakeSigstore, loggedFrom, type Signed, signKeyless } from "../../support/sigstore/sign.ts";

/** formats/sigstore.md, section 9: material of one signature beside another (CVE-2022-23649, CVE-2026-22703, CVE-2022-36056). */

const key = fakeKey();
const stranger = fakeSigstore();
const others: Readonly<Record<string, Signed>> = {
  "the same person's, of another image": signFully({ what: { image: digestOf(encodeUtf8("another")) } }),
  "the same person's, of this image once more": signFully(),
  "the same key's, of this image once more": signFully({ key }),
  "somebody else's, of this image": signFully({ certificate: { subject: { email: "eve@example.com" } } }),
  "a bare key's, of this image": signFully({ certificate: "none" }),
  "another instance's": signKeyless(stranger, { timestampAuthorities: [stranger.timestampAuthority] }),
};
const mine = signFully({ key });

const PARTS = ["certificates", "signature", "statement", "logEntries", "timestamps"] as const;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(hex(a)) === JSON.stringify(hex(b));
function hex(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map(hex);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, hex(each)]));
}

describe("a part of one signature beside another", () => {
  it("is not there to begin with", () => {
    accepted(mine);
  });

  for (const [name, other] of Object.entries(others)) {
    for (const part of PARTS) {
      if (same(mine[part], other[part])) continue;
      it(`proves nothing: ${part} of ${name}`, () => {
        const mixed = { ...mine, [part]: other[part] };
        assert.notEqual(judged([bundleCandidate(mixed)]).status, "accepted");
      });
    }
    for (const first of PARTS) {
      for (const second of PARTS.slice(PARTS.indexOf(first) + 1)) {
        const mixed: Signed = { ...mine, [first]: other[first], [second]: other[second] };
        if (same(mixed, mine) || same(mixed, other) || same(mixed[first], mine[first])) continue;
        if (same(mixed[second], mine[second])) continue;
        it(`proves nothing: ${first} and ${second} of ${name}`, () => {
          assert.notEqual(judged([bundleCandidate(mixed)]).status, "accepted");
        });
      }
    }
  }

  it("is told for what it is, by its kind", () => {
    const other = signFully();
    const eve = signFully({ certificate: { subject: { email: "eve@example.com" } } });
    assert.match(refused({ ...mine, logEntries: other.logEntries }, "log-entry-invalid"), /another signature/);
    assert.match(refused({ ...mine, timestamps: other.timestamps }, "timestamp-invalid"), /something else/);
    refused({ ...mine, certificates: eve.certificates, logEntries: [] }, "bad-signature");
    refused({ ...mine, signature: other.signature, logEntries: [], timestamps: [] }, "bad-signature");
  });

  it("does not get a log's word for a certificate that it did not see, though the key is the same", () => {
    const eve = { certificates: sigstore.authority.issue({ ...key, subject: { email: "eve@example.com" } }).chain };
    const theirs = { ...mine, ...eve, logEntries: [sigstore.log.record(loggedFrom({ ...mine, ...eve }))] };
    assert.match(refused({ ...mine, logEntries: theirs.logEntries }, "log-entry-invalid"), /another certificate/);
    refused(theirs, "wrong-identity", { condition: DEV });
  });

  it("does not get the time of one entry for the proof of another", () => {
    const other = signKeyless(sigstore, { key, entry: { withoutProof: true } });
    const [promised] = other.logEntries;
    const [proven, second] = mine.logEntries;
    assert.ok(promised && proven && second);
    const mixed = { ...second, promise: promised.promise, integratedTime: promised.integratedTime };
    refused({ ...mine, logEntries: [mixed], timestamps: [] }, "log-entry-invalid");
    refused({ ...mine, logEntries: [{ ...proven, promise: promised.promise }] }, "log-entry-invalid");
  });
});
