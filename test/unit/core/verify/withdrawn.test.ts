import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { formatWithdrawn } from "../../../../src/core/policy/withdrawn.ts";
import { instant } from "../../../../src/core/time.ts";
import { proveWithdrawn } from "../../../../src/core/verify/withdrawn.ts";
import { signBlob } from "../../../../src/ops/blob.ts";
import { keySignatory } from "../../../../src/ops/sign.ts";
import { thrownBy } from "../../../support/codes.ts";
import { requirementOf, testSigner } from "../../../support/signatures.ts";

const alice = testSigner("alice.pub");
const bob = testSigner("bob.pub");
const NOW = instant(Date.parse("2026-09-01T12:00:00Z"));
const DAY = 24 * 60 * 60 * 1000;
const GONE = digestOf(encodeUtf8("gone"));
const LIST = formatWithdrawn({ issued: instant(NOW - DAY), digests: [{ digest: GONE, reason: "a backdoor" }] });
const TERMS = { maxAge: 7 * DAY };
const BY_ALICE = { ...requirementOf([alice]), now: NOW };

async function signed(bytes: Uint8Array, signer = alice) {
  const { bundle } = await signBlob("withdrawn.json", bytes, { signatory: keySignatory(signer), now: NOW });
  return { label: "withdrawn.json", bytes, bundles: [bundle] };
}

describe("a signed list of withdrawn digests", () => {
  it("counts where one of its bundles is by somebody who is named", async () => {
    const { bundles, ...list } = await signed(LIST);
    const others = await signed(LIST, bob);
    const found = { ...list, bundles: [encodeUtf8("{"), ...others.bundles, ...bundles] };
    assert.deepEqual([...proveWithdrawn(found, TERMS, BY_ALICE).keys()], [GONE]);
  });

  it("does not count by somebody else, without a bundle, or with a broken one", async () => {
    const list = await signed(LIST, bob);
    const error = thrownBy(() => proveWithdrawn(list, TERMS, BY_ALICE), "policy-untrusted");
    assert.match(`${error.found} ${error.wanted}`, /another key.*alice\.pub/);
    for (const bundles of [[], [new Uint8Array()], [encodeUtf8("{}")]]) {
      thrownBy(() => proveWithdrawn({ ...list, bundles }, TERMS, BY_ALICE), "policy-untrusted");
    }
  });

  it("does not count with one digest less, or with the bundle of an older list", async () => {
    const empty = formatWithdrawn({ issued: instant(NOW - DAY), digests: [] });
    const list = await signed(LIST);
    thrownBy(() => proveWithdrawn({ ...list, bytes: empty }, TERMS, BY_ALICE), "policy-untrusted");
    const older = await signed(formatWithdrawn({ issued: instant(NOW - 2 * DAY), digests: [] }));
    thrownBy(() => proveWithdrawn({ ...list, bundles: older.bundles }, TERMS, BY_ALICE), "policy-untrusted");
  });

  it("does not count where another name is asked for, though the same person signed it", async () => {
    const named = (name?: string) => signed(formatWithdrawn({ ...(name && { name }), issued: NOW, digests: [] }));
    const terms = { ...TERMS, name: "production" };
    assert.equal(proveWithdrawn(await named("production"), terms, BY_ALICE).size, 0);
    for (const other of ["staging", "Production", undefined]) {
      const list = await named(other);
      const error = thrownBy(() => proveWithdrawn(list, terms, BY_ALICE), "policy-untrusted");
      assert.match(error.wanted ?? "", /production/);
      assert.equal(proveWithdrawn(list, TERMS, BY_ALICE).size, 0);
    }
  });

  it("does not count when it is too old, whoever has signed it", async () => {
    const old = await signed(formatWithdrawn({ issued: instant(NOW - 8 * DAY), digests: [] }));
    thrownBy(() => proveWithdrawn(old, TERMS, BY_ALICE), "trust-stale");
    assert.equal(proveWithdrawn(old, { maxAge: undefined }, BY_ALICE).size, 0);
  });

  it("is not read before its signature holds, and has to be a list then", async () => {
    const junk = encodeUtf8("{{{");
    const list = await signed(junk);
    thrownBy(() => proveWithdrawn({ ...list, bundles: [] }, TERMS, BY_ALICE), "policy-untrusted");
    thrownBy(() => proveWithdrawn(list, TERMS, BY_ALICE), "policy-invalid");
  });
});
