import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { instant } from "../../../src/core/time.ts";
import { ANSI } from "../../../src/report/style.ts";
import { verdictsText, verdictText } from "../../../src/report/text.ts";
import { digest, keylessSignature, REFUSED, signature, UNDETERMINED, verdict } from "../../support/verdicts.ts";

const NAME = `registry.example/acme/app:1.4.2@${digest("9f")}`;

describe("the text of a verdict", () => {
  it("says of an accepted image who signed it, what was checked, what was not, and what satisfied it", () => {
    assert.equal(
      verdictText(verdict({ because: "signed by the required key" })),
      `accepted      ${NAME}
  signed by     release.pub (SHA256:abababababababab…), Sigstore bundle from the referrers API
  checked       digest, signature
  not checked   transparency log
  because       signed by the required key
`,
    );
  });

  it("says of a keyless signature who made it and when (CLI.md, How a verdict reads)", () => {
    assert.match(
      verdictText(verdict({ signatures: [keylessSignature()] })),
      /^ {2}signed by {5}release\.yml of acme\/app at refs\/tags\/v1\.4\.2 \(GitHub Actions\), 3 days ago, Sigstore bundle /m,
    );
  });

  it("says of what was signed after the call began that it was just now, however long the call has taken", () => {
    const made = keylessSignature();
    const { judgedAt } = verdict();
    const late = keylessSignature({ proof: made.proof && { ...made.proof, signedAt: instant(judgedAt + 18_000) } });
    assert.match(verdictText(verdict({ signatures: [late] })), /\(GitHub Actions\), just now, Sigstore bundle /);
  });

  it("says how far ahead a time is that no call can have taken: one of two clocks is wrong", () => {
    const made = keylessSignature();
    const { judgedAt } = verdict();
    const ahead = instant(judgedAt + 30 * 24 * 60 * 60 * 1000);
    const late = keylessSignature({ proof: made.proof && { ...made.proof, signedAt: ahead } });
    assert.match(verdictText(verdict({ signatures: [late] })), /\(GitHub Actions\), in 30 days, Sigstore bundle /);
  });

  it("says nothing of a time that was not proven", () => {
    const { proof } = keylessSignature();
    const untimed = keylessSignature({ proof: proof && { ...proof, signedAt: undefined } });
    assert.doesNotMatch(verdictText(verdict({ signatures: [untimed] })), /ago/);
  });

  it("escapes what an identity holds", () => {
    const identity = { subject: "a\u202eb\u001b[2J", subjectKind: "other-name", issuer: "i\n", claims: {} } as const;
    const text = verdictText(verdict({ signatures: [keylessSignature({ signedBy: { kind: "identity", identity } })] }));
    assert.match(text, /a\\u\{202e\}b\\x1b\[2J \(i\\n\)/);
  });

  it("names everybody who signed, and counts those that are too many", () => {
    const signers = Array.from({ length: 20 }, (_, at) =>
      signature({ signedBy: { kind: "key", label: `${at}.pub`, fingerprint: `SHA256:${"ab".repeat(32)}` } }),
    );
    const text = verdictText(verdict({ signatures: signers }));
    assert.equal(text.match(/^ {2}signed by /gm)?.length, 17);
    assert.match(text, /^ {2}signed by {5}4 more, all of them with -o json$/m);
  });

  it("says what was attested, where an attestation was asked for", () => {
    const attestation = keylessSignature({ predicateType: "https://slsa.dev/provenance/v1" });
    assert.match(
      verdictText(verdict({ signatures: [attestation] })),
      /^ {2}attested {6}slsaprovenance1 \(https:\/\/slsa\.dev\/provenance\/v1\)$/m,
    );
  });

  it("says of a refused image why, what was found, what was wanted, the next step, and the code first", () => {
    assert.equal(
      verdictText(REFUSED),
      `refused       ${NAME}   wrong-key
  because       the signature is by another key
  found         a signature by key SHA256:77aa03…
  wanted        release.pub (SHA256:abababababababab…)
  next          check that you hold the publisher's current public key
`,
    );
  });

  it("gives the finding's own next step where it has one", () => {
    assert.match(
      verdictText(UNDETERMINED),
      /^undetermined {2}.* {3}throttled$[\s\S]*^ {2}next {10}try again in 40 s$/m,
    );
  });

  it("says only why where nothing else says what was found", () => {
    const text = verdictText(
      verdict({ status: "refused", reasons: [{ code: "unsigned", message: "it is not signed" }] }),
    );
    assert.match(text, /^ {2}because {7}it is not signed$/m);
    assert.doesNotMatch(text, /found/);
  });

  it("lists further reasons, and counts those that are too many", () => {
    const reasons = Array.from({ length: 8 }, (_, at) => ({ code: "wrong-key" as const, message: `key ${at}` }));
    const text = verdictText(verdict({ status: "refused", reasons }));
    assert.equal(text.match(/^ {2}also /gm)?.length, 5);
    assert.match(text, /3 more reasons, all of them with -o json/);
  });

  it("names one signer once, however often it signed, and not those that do not count", () => {
    const other = { kind: "key", label: "eve.pub", fingerprint: `SHA256:${"ee".repeat(32)}` } as const;
    const text = verdictText(
      verdict({ signatures: [signature(), signature(), signature({ accepted: false, signedBy: other })] }),
    );
    assert.equal(text.match(/signed by/g)?.length, 1);
    assert.doesNotMatch(text, /eve/);
  });

  it("shows signed annotations, the platform with its index, and every flag that weakened the check", () => {
    const text = verdictText(
      verdict({
        signatures: [signature({ annotations: { env: "prod" } })],
        platform: "linux/arm64",
        index: digest("1"),
        weakened: ["--insecure-ignore-tlog", "--allow-http-registry"],
      }),
    );
    assert.match(text, /^ {2}annotations {3}env=prod$/m);
    assert.match(text, new RegExp(`^ {2}platform {6}linux/arm64 of index ${digest("1")}$`, "m"));
    assert.match(text, /^ {2}weakened by {3}--insecure-ignore-tlog, --allow-http-registry$/m);
  });

  it("shows what weakened it on a refusal too", () => {
    assert.match(verdictText({ ...REFUSED, weakened: ["--allow-insecure-registry"] }), /weakened by/);
  });

  it("separates images by an empty line, in their order", () => {
    assert.match(verdictsText([REFUSED, verdict()]), /^refused[\s\S]*\n\naccepted/);
  });

  const EVIL = "x\u001b[2K\raccepted\n\u202e";
  it("escapes what peers may have written, wherever it stands", () => {
    const evil = verdict({
      status: "refused",
      name: EVIL,
      platform: EVIL,
      reasons: [
        { code: "wrong-annotations", message: EVIL, found: EVIL, wanted: EVIL, next: EVIL },
        { code: "wrong-key", message: EVIL, found: EVIL },
      ],
      signatures: [],
    });
    const good = verdict({
      signatures: [
        signature({ annotations: { [EVIL]: EVIL }, signedBy: { kind: "key", label: EVIL, fingerprint: EVIL } }),
      ],
      checked: [EVIL],
      because: EVIL,
    });
    for (const text of [verdictText(evil), verdictText(good)]) {
      assert.doesNotMatch(text, /[^\n\P{Cc}]|\p{Cf}/u);
      assert.doesNotMatch(text, /^accepted\n/m);
    }
  });

  it("colours only words of its own", () => {
    const text = verdictText(REFUSED, ANSI);
    assert.match(text, /^\u001b\[31mrefused {7}\u001b\[39m/);
    const colourless = text.replaceAll(/\u001b\[\d+m/g, "");
    assert.equal(colourless, verdictText(REFUSED));
  });
});
