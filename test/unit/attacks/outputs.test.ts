import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../src/core/bytes.ts";
import type { UntrustedCandidate } from "../../../src/core/formats/envelope.ts";
import { readClaimedMaterial } from "../../../src/core/trust/claimed-material.ts";
import { pattern } from "../../../src/core/trust/pattern.ts";
import { describeChecks } from "../../../src/core/verify/checks.ts";
import type { Verdict } from "../../../src/core/verify/verdict.ts";
import { descriptionMember } from "../../../src/report/inspect.ts";
import { formatDocument, verdictsDocument } from "../../../src/report/json.ts";
import { formatRows, verdictText } from "../../../src/report/text.ts";
import { IMAGE_SUBJECT, judged, sigstore, type Wanted, wanting } from "../../support/attacks.ts";
import { FakeAuthority } from "../../support/sigstore/authority.ts";
import { FakeLog } from "../../support/sigstore/log.ts";
import {
  bundleCandidate,
  IMAGE,
  legacyCandidate,
  legacyPayload,
  loggedFrom,
  signKeyless,
} from "../../support/sigstore/sign.ts";
import { trustedRoot } from "../../support/sigstore/trusted-root.ts";

/** What a hostile signer writes is never acted on by a terminal, nor read as something that we say. */

const RAW = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/u;
/** Clears the line, goes back to its beginning, reorders, ends the line, hides. */
const EVIL = "x\u001b[2K\raccepted\u0007\u009b31m\n  because     signed\u202egnp\u2066\u200b\u2028\u0000\u007f";
/** The same as far as names in a certificate may have it. */
const EVIL_NAME = "x\u202egnp\u2066\u200b\u2028\ufeff\u00ad\u{e0001}";

/** What a verdict comes to on a terminal and in a document. */
function printed(candidate: UntrustedCandidate, wanted?: Wanted): { readonly text: string; readonly json: string } {
  const judgement = judged([candidate], wanted);
  const requirement = wanting(wanted);
  const surroundings = { repository: undefined, contentFollows: false };
  const verdict: Verdict = {
    ...judgement,
    ...describeChecks(judgement, requirement, "image", surroundings),
    image: "image",
    name: IMAGE_SUBJECT.name,
    digest: IMAGE,
    weakened: [],
    judgedAt: requirement.now,
  };
  return { text: verdictText(verdict), json: verdictsDocument("verify", [verdict]) };
}

function isSafe({ text, json }: { readonly text: string; readonly json: string }): void {
  for (const line of [...text.split("\n"), ...json.split("\n")]) assert.doesNotMatch(line, RAW);
  // Every line of the block is one of ours: a heading, or a label and its value.
  for (const line of text.trimEnd().split("\n").slice(1)) assert.match(line, /^ {2}[a-z]/);
  assert.doesNotThrow(() => JSON.parse(json));
}

const ANYBODY = { subject: await pattern("(?s).*"), issuer: await pattern("(?s).*"), claims: [] };
const statement = (predicateType: string, more: object = {}): Uint8Array =>
  encodeUtf8(
    JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ digest: { sha256: IMAGE.slice(7) } }],
      predicateType,
      predicate: {},
      ...more,
    }),
  );
const SIGNATURE = "https://sigstore.dev/cosign/sign/v1";

describe("what is printed of", () => {
  const named = signKeyless(sigstore, {
    certificate: {
      subject: { otherName: EVIL_NAME },
      issuer: `https://${EVIL_NAME}`,
      claims: { "source-repository-uri": EVIL_NAME, "github-workflow-name": EVIL_NAME },
    },
  });

  it("a name, an issuer and claims that reorder or hide: accepted and refused", () => {
    const good = printed(bundleCandidate(named), { condition: ANYBODY });
    assert.match(good.text, /^accepted/);
    assert.match(good.text, /\\u\{202e\}/);
    isSafe(good);
    const refusal = printed(bundleCandidate(named));
    assert.match(refusal.text, /^refused/);
    isSafe(refusal);
  });

  it("a name with control characters, which is none", () => {
    for (const subject of [
      { email: EVIL },
      { uri: EVIL },
      { otherName: EVIL },
      { dns: EVIL },
      { email: "\u001b[2J" },
    ]) {
      isSafe(printed(bundleCandidate(signKeyless(sigstore, { certificate: { subject } })), { condition: ANYBODY }));
      isSafe(printed(bundleCandidate(signKeyless(sigstore, { certificate: { subject: [subject, subject] } }))));
    }
    for (const certificate of [{ issuer: EVIL }, { oldIssuer: EVIL }, { claims: { "build-trigger": EVIL } }]) {
      isSafe(printed(bundleCandidate(signKeyless(sigstore, { certificate })), { condition: ANYBODY }));
    }
  });

  it("a type of statement, annotations and subjects", () => {
    const sign = (bytes: Uint8Array): UntrustedCandidate =>
      bundleCandidate(signKeyless(sigstore, { what: { statement: bytes } }));
    isSafe(printed(sign(statement(EVIL))));
    isSafe(printed(sign(statement(SIGNATURE, { subject: [{ digest: { sha256: EVIL } }] }))));
    isSafe(printed(sign(statement(SIGNATURE, { _type: EVIL }))));
    isSafe(printed(sign(statement(SIGNATURE, { [EVIL]: 1, Subject: [] }))));
    const annotations = { [EVIL]: EVIL };
    const noted = printed(
      sign(statement(SIGNATURE, { subject: [{ digest: { sha256: IMAGE.slice(7) }, annotations }] })),
    );
    assert.match(noted.text, /^accepted/);
    isSafe(noted);
    const attestation = { predicateTypes: [{ uri: EVIL, hasVersions: false }], conditions: [] };
    const attested = printed(sign(statement(EVIL, { predicate: { [EVIL]: EVIL } })), { more: { attestation } });
    assert.match(attested.text, /^accepted/);
    isSafe(attested);
  });

  it("a type of payload, a repository, a member of JSON", () => {
    isSafe(
      printed(bundleCandidate(signKeyless(sigstore, { what: { statement: statement(SIGNATURE), payloadType: EVIL } }))),
    );
    const payload = Buffer.from(legacyPayload())
      .toString()
      .replace("registry.example.com/team/app", JSON.stringify(EVIL).slice(1, -1));
    isSafe(printed(legacyCandidate(signKeyless(sigstore, { what: { payload: encodeUtf8(payload) } }))));
    const member = encodeUtf8(`{${JSON.stringify(EVIL)}:1}`);
    isSafe(printed({ format: "bundle", origin: { via: "file" }, bytes: member }));
    isSafe(
      printed({ format: "bundle", origin: { via: "file" }, bytes: encodeUtf8(JSON.stringify({ mediaType: EVIL })) }),
    );
  });

  it("an entry, its kind, its checkpoint's origin and witnesses", () => {
    const signed = signKeyless(sigstore);
    const [entry] = signed.logEntries;
    assert.ok(entry?.proof);
    const logged = loggedFrom(signed);
    const entries = [
      { ...entry, kind: EVIL },
      { ...entry, version: EVIL },
      sigstore.log.record(logged, { origin: EVIL.replaceAll("\n", " ") }),
      sigstore.log.record(logged, { signerName: "x\u001b[2K\u202e" }),
      { ...entry, proof: { ...entry.proof, checkpoint: EVIL } },
      { ...entry, proof: { ...entry.proof, checkpoint: entry.proof.checkpoint.replace("\u2014", `\u2014 ${EVIL}`) } },
      sigstore.log.include({
        kind: EVIL,
        version: EVIL,
        body: encodeUtf8(JSON.stringify({ kind: EVIL, apiVersion: EVIL, spec: {} })),
      }),
    ];
    for (const each of entries) {
      const { text, json } = printed(bundleCandidate({ ...signed, logEntries: [each] }));
      assert.match(text, /^refused/);
      isSafe({ text, json });
    }
  });

  it("the authority that a certificate is said to be by, and those of the trust root", () => {
    const authority = new FakeAuthority({
      name: EVIL,
      uri: "https://ca.example.com",
      certificateLogs: [sigstore.certificateLog],
    });
    const signed = signKeyless({ ...sigstore, authority });
    isSafe(printed(bundleCandidate(signed)));
    const root = trustedRoot({
      authorities: [authority],
      logs: [sigstore.log],
      certificateLogs: [sigstore.certificateLog],
    });
    isSafe(printed(bundleCandidate(signKeyless(sigstore)), { root }));
    isSafe(printed(bundleCandidate(signed), { root }));
  });

  it("a log whose address is in another script: it is written in ASCII", () => {
    const log = new FakeLog({ name: "xn--rkor-vpa.example.com", baseUrl: "https://r\u00e9kor.example.com" });
    const root = trustedRoot({
      authorities: [sigstore.authority],
      logs: [log],
      certificateLogs: [sigstore.certificateLog],
    });
    const { text, json } = printed(bundleCandidate(signKeyless({ ...sigstore, log })), { root });
    isSafe({ text, json });
    assert.doesNotMatch(text, /\u00e9/);
  });

  it("what lies beside a signature, before anything is proven", () => {
    for (const certificate of [
      named.certificates[0],
      signKeyless(sigstore, { certificate: { subject: { email: EVIL } } }).certificates[0],
    ]) {
      assert.ok(certificate);
      const claimed = readClaimedMaterial({
        certificates: [certificate],
        logEntries: named.logEntries,
        timestamps: [encodeUtf8(EVIL)],
      });
      const json = formatDocument("inspect", { claimed: descriptionMember({ ...DESCRIPTION, claimed }) });
      const { found = "", message = "" } = claimed.problem ?? {};
      const text = `x\n${formatRows([["by", `${claimed.identity?.subject} ${claimed.identity?.issuer} ${found} ${message}`]])}`;
      isSafe({ text, json });
    }
  });

  it("is bounded, however long a peer's words are", () => {
    const long = "x".repeat(100_000);
    const subject = Array(1024).fill({ digest: { sha256: "0".repeat(64) } });
    for (const bytes of [
      statement(SIGNATURE, { subject }),
      statement(long),
      statement(SIGNATURE, { _type: long }),
      statement(SIGNATURE, { [long]: 1, Subject: 1 }),
    ]) {
      const { text } = printed(bundleCandidate(signKeyless(sigstore, { what: { statement: bytes } })));
      assert.ok(text.length < 8_000, `${text.length}`);
    }
  });
});

const DESCRIPTION = { format: "bundle", hasCertificate: true, logEntries: 1, timestamps: 1 } as const;
