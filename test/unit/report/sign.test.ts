import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FinishedImage, SignedImage, SignOutcome } from "../../../src/core/results.ts";
import { finishedState, finishedText } from "../../../src/report/finish.ts";
import { signedText } from "../../../src/report/sign.ts";
import { digest, keylessSignature } from "../../support/verdicts.ts";

const { signedBy, proof } = keylessSignature();
const KEY = { kind: "key", label: "release.pub", fingerprint: `SHA256:${"ab".repeat(32)}` } as const;
const OUTAGE = {
  code: "unreachable",
  message: "no log recorded the signature",
  found: "nobody",
  next: "wait",
} as const;

function image(...outcomes: readonly Partial<SignOutcome>[]): SignedImage {
  const outcome: SignOutcome = { digest: digest("9f"), format: "bundle", state: "signed", manifest: digest("c") };
  return {
    image: "app:1",
    name: `registry.example/app:1@${digest("9f")}`,
    digest: digest("9f"),
    outcomes: outcomes.map((each) => ({ ...outcome, ...each })),
  };
}

describe("what was signed", () => {
  it("says as whom, with which log entry and whose time", () => {
    assert.equal(
      signedText([image({ signedBy, proof })]),
      `signed        registry.example/app:1@${digest("9f")}
  signed as     release.yml of acme/app at refs/tags/v1.4.2 (GitHub Actions)
  stored        Sigstore bundle in ${digest("c")}, log entry 2938471 in log.example.com, time by CN=tsa
`,
    );
  });

  it("names an identity once, however many manifests it signed, and no key: who gave it knows", () => {
    const text = signedText([image({ signedBy, proof }, { signedBy, proof, digest: digest("1") }, { signedBy: KEY })]);
    assert.equal(text.match(/signed as/g)?.length, 1);
    assert.doesNotMatch(text, /release\.pub/);
  });

  it("says who has signed already: the same identity, or the same key", () => {
    assert.match(signedText([image({ state: "unchanged", signedBy })]), /: the same identity has signed it already/);
    assert.match(signedText([image({ state: "unchanged", signedBy: KEY })]), /: the same key has signed it already/);
  });

  it("says what lacks its log entry, why, and the command that adds it", () => {
    const text = signedText(
      [image({ signedBy, postponed: OUTAGE }, { signedBy, postponed: OUTAGE, digest: digest("1") })],
      undefined,
      { finish: "countersign sign --finish --signing-config f" },
    );
    assert.equal(text.match(/no log entry {2}/g)?.length, 1);
    assert.match(text, /no log entry {2}no log recorded the signature: found nobody \[unreachable\]/);
    assert.match(text, /next +when the log answers: countersign sign --finish --signing-config f registry\.example/);
  });
});

describe("what was finished", () => {
  const outcome = { digest: digest("9f"), postponed: digest("c") } as const;
  const finished = (...outcomes: FinishedImage["outcomes"]): FinishedImage => ({ ...image(), outcomes });

  it("says whose signature, its log entry, and what it replaces", () => {
    const text = finishedText([finished({ ...outcome, state: "finished", manifest: digest("d"), signedBy, proof })]);
    assert.match(text, /^finished {6}registry/);
    assert.match(
      text,
      /by release\.yml of acme\/app .*, log entry 2938471 in log\.example\.com, .*it replaces sha256:c/,
    );
  });

  it("says that there is nothing to finish, or that it is finished already", () => {
    assert.match(finishedText([finished()]), /unchanged {5}no signature waits for its log entry/);
    const before = finished({ ...outcome, state: "finished-before", manifest: digest("d") });
    assert.match(finishedText([before]), /unchanged {5}.*complete in sha256:d+ already/);
  });

  it("failed where any of its signatures could not be finished, and says why", () => {
    const failed = { ...outcome, state: "failed", finding: OUTAGE } as const;
    const partly = finished({ ...outcome, state: "finished", manifest: digest("d") }, failed);
    assert.equal(finishedState(partly), "failed");
    assert.match(finishedText([partly]), /^failed .* {3}unreachable\n/);
    assert.match(finishedText([partly]), /next +wait/);
  });

  it("would be finished in a dry run", () => {
    const dry = finished({ ...outcome, state: "would-finish", signedBy: KEY });
    assert.equal(finishedState(dry), "would-finish");
    assert.match(finishedText([dry]), /would store .*by release\.pub/);
  });
});
