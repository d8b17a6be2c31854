import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endsOf } from "../../../../src/core/trust/ends.ts";
import { parseTrustedRoot } from "../../../../src/core/trust/root.ts";
import { fakeSigstore } from "../../../support/sigstore/sign.ts";
import { DAY, FROM, NOW } from "../../../support/sigstore/times.ts";
import { type Listed, type TrustedRootParts, trustedRoot } from "../../../support/sigstore/trusted-root.ts";

const sigstore = fakeSigstore();

function until<T>(of: T, end: number): Listed<T> {
  return { of, validFor: { start: FROM, end } };
}

function ends(parts: TrustedRootParts): readonly (readonly [string, number])[] {
  return endsOf(parseTrustedRoot(trustedRoot(parts))).map(({ kind, until: at }) => [kind, at]);
}

describe("when a trust root believes nobody any longer", () => {
  it("is never, where there is somebody of each kind without an end, or nobody at all", () => {
    assert.deepEqual(ends({}), []);
    assert.deepEqual(
      ends({ authorities: [sigstore.authority], logs: [sigstore.log], certificateLogs: [sigstore.certificateLog] }),
      [],
    );
  });

  it("is when the last of a kind ends, whatever ends before", () => {
    const logs = [until(sigstore.log, NOW + DAY), until(sigstore.log2, NOW + 5 * DAY)];
    assert.deepEqual(ends({ logs }), [["logs", NOW + 5 * DAY]]);
    assert.deepEqual(ends({ logs: [...logs, sigstore.log] }), []);
  });

  it("is told for each kind, the first end first, past ones too", () => {
    const parts = {
      authorities: [until(sigstore.authority, NOW + 3 * DAY)],
      logs: [until(sigstore.log, NOW + DAY)],
      certificateLogs: [until(sigstore.certificateLog, NOW - DAY)],
      timestampAuthorities: [until(sigstore.timestampAuthority, NOW + 2 * DAY)],
    };
    assert.deepEqual(ends(parts), [
      ["certificate logs", NOW - DAY],
      ["logs", NOW + DAY],
      ["timestamp authorities", NOW + 2 * DAY],
      ["authorities", NOW + 3 * DAY],
    ]);
  });
});
