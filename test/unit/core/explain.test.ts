import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  describeSigner,
  describeTally,
  explainBriefly,
  explainFinding,
  explainVerdict,
  nextStep,
} from "../../../src/core/explain.ts";
import { REFUSED, signature, UNDETERMINED, verdict } from "../../support/verdicts.ts";

describe("explainFinding", () => {
  const cases: readonly (readonly [string, Parameters<typeof explainFinding>[0], string])[] = [
    ["says the message and the code", { code: "unsigned", message: "not signed" }, "not signed [unsigned]"],
    ["adds what was found", { code: "unsigned", message: "m", found: "f" }, "m: found f [unsigned]"],
    ["adds what was wanted", { code: "unsigned", message: "m", wanted: "w" }, "m: wanted w [unsigned]"],
    ["adds both", { code: "unsigned", message: "m", found: "f", wanted: "w" }, "m: found f, wanted w [unsigned]"],
  ];
  for (const [what, finding, line] of cases) it(what, () => assert.equal(explainFinding(finding), line));
});

describe("explainBriefly", () => {
  const finding = { code: "unsigned", message: "m" } as const;

  it("says everything where that is short", () => {
    assert.equal(explainBriefly({ ...finding, found: "f", wanted: "w" }), "m: found f, wanted w [unsigned]");
  });

  it("leaves out what was wanted where both together are too long, and never the code", () => {
    assert.equal(explainBriefly({ ...finding, found: "f", wanted: "w".repeat(160) }), "m: found f [unsigned]");
  });

  it("leaves out both where what was found is too long by itself", () => {
    assert.equal(explainBriefly({ ...finding, found: "f".repeat(161), wanted: "w" }), "m [unsigned]");
  });
});

describe("nextStep", () => {
  it("is the finding's own where it has one", () => {
    assert.equal(nextStep({ code: "throttled", message: "m", next: "wait 40 s" }), "wait 40 s");
  });

  it("is the reason's otherwise, and never suggests loosening anything", () => {
    const step = nextStep({ code: "unsigned", message: "m" });
    assert.match(step, /sign/);
    assert.doesNotMatch(step, /--insecure|--allow/);
  });
});

describe("explainVerdict", () => {
  it("is one line with status, image and the nearest reason", () => {
    assert.match(
      explainVerdict(REFUSED),
      /^refused: registry\.example\/acme\/app:1\.4\.2@sha256:\S+: the signature .* \[wrong-key\]$/,
    );
    assert.match(explainVerdict(UNDETERMINED), /^undetermined: .*\[throttled\]$/);
  });
});

describe("describeSigner", () => {
  it("shortens the fingerprint visibly", () => {
    assert.equal(describeSigner(signature()), "release.pub (SHA256:abababababababab…)");
  });

  it("knows no signer where the signature did not verify", () => {
    assert.equal(describeSigner(signature({ accepted: false, signedBy: undefined })), undefined);
  });
});

describe("describeTally", () => {
  it("counts each verdict and leaves out what did not occur", () => {
    assert.equal(describeTally([verdict(), REFUSED, verdict()]), "2 accepted, 1 refused");
    assert.equal(describeTally([]), "");
  });
});
