import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  certificateDemands,
  demandsOf,
  promising,
  type SigningServices,
  tellingTime,
} from "../../../src/cli/services.ts";
import type { SignatoryOptions } from "../../../src/cli/signatory-options.ts";
import { loadTrustMaterial } from "../../../src/core/trust/load.ts";
import { thrownBy } from "../../support/codes.ts";
import { fakeSigstore } from "../../support/sigstore/sign.ts";
import { trustedRoot } from "../../support/sigstore/trusted-root.ts";

type Version = number | undefined;

function services(
  versions: readonly Version[],
  { count = Math.min(versions.length, 1), timestamps = 0 } = {},
): SigningServices {
  const url = new URL("https://service.example.com");
  return {
    authority: url,
    issuer: undefined,
    logs: { services: versions.map((majorApiVersion) => ({ url, majorApiVersion })), count },
    timestampAuthorities: { services: Array(timestamps).fill({ url, majorApiVersion: 1 }), count: timestamps },
  };
}

const NOW: SignatoryOptions = {
  key: undefined,
  identityToken: undefined,
  issuer: undefined,
  clientId: "sigstore",
  oneCertificate: false,
  services: { kind: "usual" },
  trust: { trustedRoot: undefined, instance: undefined, offline: false, config: undefined },
  logLater: false,
  yes: false,
};
const LATER = { ...NOW, logLater: true };
const versionsOf = ({ logs }: SigningServices): readonly Version[] => logs.services.map((log) => log.majorApiVersion);

describe("services of a certificate's signature", () => {
  it("tell the time by a timestamp authority, whatever the log, now or later", () => {
    for (const version of [1, 2, undefined]) {
      const given = services([version], { timestamps: 1 });
      assert.equal(tellingTime(given, NOW), given);
      assert.equal(tellingTime(given, LATER), given);
    }
    assert.doesNotThrow(() => tellingTime(services([], { timestamps: 1 }), NOW));
  });

  it("tell it by a Rekor 1 log, which one that only an address is known of then has to be", () => {
    assert.deepEqual(versionsOf(tellingTime(services([1]), NOW)), [1]);
    assert.deepEqual(versionsOf(tellingTime(services([undefined]), NOW)), [1]);
  });

  for (const [title, given, wish] of [
    ["a Rekor 2 log alone", services([2]), NOW],
    ["nothing", services([]), NOW],
    ["a Rekor 1 log later, when the certificate has expired", services([1]), LATER],
    ["a log of unknown version later", services([undefined]), LATER],
  ] as const) {
    it(`are refused where the time is told by ${title}`, () => {
      thrownBy(() => tellingTime(given, wish), "trust-invalid");
    });
  }

  it("have to be there for whoever verifies, with the certificate logs that the trust root names", async () => {
    const sigstore = fakeSigstore();
    const trust = await loadTrustMaterial(sigstore.trustedRoot, "root");
    const given = services([2, 2, 2], { count: 3, timestamps: 2 });
    const common = { logs: 1, timestamps: 1, currentTime: false };
    assert.deepEqual(certificateDemands(given, trust), { ...common, certificateLogs: 1, times: 1 });
    assert.deepEqual(demandsOf(given), { ...common, certificateLogs: 0, times: 0 });
    const without = await loadTrustMaterial(trustedRoot({ authorities: [sigstore.authority] }), "root");
    assert.equal(certificateDemands(given, without).certificateLogs, 0);
    assert.deepEqual(demandsOf(services([])), { ...common, logs: 0, timestamps: 0, certificateLogs: 0, times: 0 });
  });
});

describe("services of a legacy signature", () => {
  it("promise their entry, or there is no log", () => {
    assert.deepEqual(versionsOf(promising(services([1]))), [1]);
    assert.deepEqual(versionsOf(promising(services([undefined]))), [1]);
    assert.deepEqual(versionsOf(promising(services([]))), []);
  });

  it("are refused where the log only proves it", () => {
    thrownBy(() => promising(services([2])), "unsupported");
  });
});
