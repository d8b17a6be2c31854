import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readClaimedMaterial } from "../../../../src/core/trust/claimed-material.ts";
import { fakeSigstore, signKeyless } from "../../../support/sigstore/sign.ts";
import { MINUTE, NOW } from "../../../support/sigstore/times.ts";

const sigstore = fakeSigstore();
const NOTHING = { certificates: [], logEntries: [], timestamps: [] };

describe("what lies beside a signature", () => {
  it("says whom the certificate names and how long it lasts, where it is logged and when", () => {
    const signed = signKeyless(sigstore);
    const claimed = readClaimedMaterial(signed);
    assert.equal(claimed.identity?.subject, "dev@example.com");
    assert.deepEqual(claimed.validity, { from: NOW - MINUTE, until: NOW + 9 * MINUTE });
    assert.deepEqual(
      claimed.logIndexes,
      signed.logEntries.map(({ logIndex }) => String(logIndex)),
    );
    assert.deepEqual(claimed.times, [{ by: "log", at: NOW }]);
  });

  it("says when a timestamp authority is said to have seen it, the earliest first", () => {
    const { timestamps } = signKeyless(sigstore, { logs: [sigstore.log2] });
    const { logEntries } = signKeyless(sigstore, { at: NOW + MINUTE });
    assert.deepEqual(readClaimedMaterial({ ...NOTHING, timestamps, logEntries }).times, [
      { by: "authority", at: NOW },
      { by: "log", at: NOW + MINUTE },
    ]);
  });

  it("is nothing where there is nothing", () => {
    assert.deepEqual(readClaimedMaterial(NOTHING), { logIndexes: [], times: [] });
  });

  it("says why a certificate names nobody, and reads the rest", () => {
    const signed = signKeyless(sigstore, { certificate: { subject: [] } });
    const { identity, problem, validity, logIndexes } = readClaimedMaterial(signed);
    assert.equal(identity, undefined);
    assert.match(problem?.message ?? "", /names nobody/);
    assert.ok(validity !== undefined && logIndexes.length === 1);
  });

  const junk: readonly (readonly [string, Uint8Array])[] = [
    ["empty", new Uint8Array()],
    ["a text", Buffer.from("certificate")],
    ["cut short", signKeyless(sigstore).certificates[0]?.subarray(0, 200) ?? new Uint8Array()],
  ];
  for (const [what, bytes] of junk) {
    it(`is not read where it is ${what}, and nothing is thrown`, () => {
      const { identity, problem, times } = readClaimedMaterial({
        ...NOTHING,
        certificates: [bytes],
        timestamps: [bytes],
      });
      assert.equal(identity, undefined);
      assert.equal(problem?.code, "certificate-untrusted");
      assert.deepEqual(times, []);
    });
  }

  it("has no time that no calendar has", () => {
    const [entry] = signKeyless(sigstore).logEntries;
    assert.ok(entry !== undefined);
    const logEntries = [{ ...entry, integratedTime: 2n ** 63n - 1n }];
    assert.deepEqual(readClaimedMaterial({ ...NOTHING, logEntries }).times, []);
  });
});
