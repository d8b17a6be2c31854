import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCertificate } from "../../../../src/core/crypto/certificate.ts";
import { parseTrustedRoot } from "../../../../src/core/trust/root.ts";
import { proveCertificateLogs } from "../../../../src/core/trust/scts.ts";
import { thrownBy } from "../../../support/codes.ts";
import { prove, unproven } from "../../../support/prove.ts";
import { FakeAuthority, type IssueOptions } from "../../../support/sigstore/authority.ts";
import { FakeCertificateLog, sctList } from "../../../support/sigstore/certificate-log.ts";
import { octets } from "../../../support/sigstore/der.ts";
import { fakeKey } from "../../../support/sigstore/keys.ts";
import { fakeSigstore, signKeyless } from "../../../support/sigstore/sign.ts";
import { FROM, MINUTE, NOW } from "../../../support/sigstore/times.ts";
import { type TrustedRootParts, trustedRoot } from "../../../support/sigstore/trusted-root.ts";

const log = new FakeCertificateLog();
const authority = new FakeAuthority({ certificateLogs: [log] });
const { publicKey } = fakeKey();

type Listed = NonNullable<TrustedRootParts["certificateLogs"]>;

/** Host names of the logs that vouch for a certificate. */
function names(issue: Partial<IssueOptions> = {}, listed: Listed = [log], by = authority): readonly string[] {
  const { chain } = by.issue({ publicKey, ...issue });
  const [leaf, issuer] = chain.map((der) => parseCertificate(der, "it", "certificate-untrusted"));
  const { certificateLogs } = parseTrustedRoot(trustedRoot({ certificateLogs: listed }));
  assert.ok(leaf && issuer);
  return proveCertificateLogs(leaf, issuer, certificateLogs).map(({ name }) => name);
}

function refusal(issue: Partial<IssueOptions>, listed?: Listed): string {
  const { message, found, wanted } = thrownBy(() => names(issue, listed), "certificate-untrusted");
  assert.ok(found !== undefined && wanted !== undefined, message);
  return `${message} / ${found} / ${wanted}`;
}

/** A log that vouches for something else than it is asked about. */
class LyingLog extends FakeCertificateLog {
  override vouch(precertificate: Parameters<FakeCertificateLog["vouch"]>[0]): Buffer {
    return super.vouch({ ...precertificate, tbs: Buffer.from("another certificate") });
  }
}

describe("certificate timestamps (RFC 6962 §3.3)", () => {
  it("prove that a log knows the certificate", () => assert.deepEqual(names(), ["ctfe.example.com"]));

  for (const key of ["p384", "rsa2048"] as const) {
    it(`are taken of a log with a key of kind ${key}`, () => {
      const other = new FakeCertificateLog({ key: fakeKey(key) });
      assert.equal(names({ sctBy: [other] }, [other]).length, 1);
    });
  }

  it("may be absent: how many there have to be is another matter", () => assert.deepEqual(names({ sctBy: [] }), []));

  it("cover every other extension, unknown ones included", () => {
    const behind = { id: "1.2.3.4", value: octets(Buffer.from("behind")) };
    assert.deepEqual(names({ extensions: [behind] }), ["ctfe.example.com"]);
  });

  it("of logs that are not in the trust root are passed over", () => {
    const stranger = new FakeCertificateLog({ name: "elsewhere.example.com" });
    assert.deepEqual(names({ sctBy: [stranger] }), []);
    assert.deepEqual(names({ sctBy: [stranger, log] }), ["ctfe.example.com"]);
  });

  it("of one log count once (CVE-2026-49834)", () => {
    assert.deepEqual(names({ sctBy: [log, log] }), ["ctfe.example.com"]);
  });

  it("are refused where a known log vouches for another certificate, or another issuer", () => {
    const lying = new LyingLog();
    assert.match(refusal({ sctBy: [lying] }, [lying]), /does not verify/);
    assert.match(refusal({ sctIssuer: fakeKey().spki }), /does not verify/);
  });

  it("are refused where they are signed with another key in a log's name", () => {
    const listed = { of: log, with: { logId: { keyId: new FakeCertificateLog().logId.toString("base64") } } };
    const impostor = new FakeCertificateLog();
    const claimed = { of: log, with: { logId: { keyId: impostor.logId.toString("base64") } } };
    assert.match(refusal({ sctBy: [impostor] }, [claimed]), /does not verify/);
    assert.deepEqual(names({}, [listed]), []);
  });

  it("are of a time when the log was believed, ends included (CVE-2026-54787)", () => {
    const at = NOW - MINUTE;
    assert.equal(names({ sctAt: at }, [{ of: log, validFor: { start: at, end: at } }]).length, 1);
    for (const validFor of [{ start: FROM, end: at - 1000 }, { start: at + 1000 }]) {
      assert.match(
        refusal({ sctAt: at }, [{ of: log, validFor }]),
        /not believed when.*ctfe\.example\.com, believed from/,
      );
    }
  });

  it("are refused where the list cannot be read", () => {
    for (const value of [octets(Buffer.from("0003ffff", "hex")), octets(Buffer.from("00", "hex")), Buffer.alloc(0)]) {
      assert.match(refusal({ sctBy: [], extensions: [{ ...sctList([]), value }] }), /cannot be read/);
    }
    const [sct] = [log.vouch({ issuerSpki: publicKey.export({ type: "spki", format: "der" }), tbs: Buffer.of(0) })];
    assert.ok(sct);
    assert.match(refusal({ sctBy: [], extensions: [sctList([sct.subarray(0, 20)])] }), /cannot be read/);
  });
});

describe("enough certificate logs", () => {
  const sigstore = fakeSigstore();

  it("are one, as the public instance has it", () => {
    assert.deepEqual(prove(sigstore, signKeyless(sigstore)).certificateLogs, ["ctfe.example.com"]);
    const unlogged = signKeyless(sigstore, { certificate: { sctBy: [] } });
    const { found, wanted } = unproven(sigstore, unlogged, "certificate-untrusted");
    assert.deepEqual([found, wanted], ["none that the trust root knows", "1 certificate log of the trust root"]);
  });

  it("are none where a private instance has none", () => {
    const unlogged = signKeyless(sigstore, { certificate: { sctBy: [] } });
    assert.deepEqual(prove(sigstore, unlogged, { demands: { certificateLogs: 0 } }).certificateLogs, []);
  });

  it("are not two timestamps of one", () => {
    const { certificateLog } = sigstore;
    const twice = signKeyless(sigstore, { certificate: { sctBy: [certificateLog, certificateLog] } });
    unproven(sigstore, twice, "certificate-untrusted", { demands: { certificateLogs: 2 } });
  });
});
