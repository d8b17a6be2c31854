import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { UntrustedDescription } from "../../../src/core/results.ts";
import { instant } from "../../../src/core/time.ts";
import { finishedDocument } from "../../../src/report/finish.ts";
import { inspectionDocument } from "../../../src/report/inspect.ts";
import { errorDocument, verdictsDocument } from "../../../src/report/json.ts";
import { signedDocument } from "../../../src/report/sign.ts";
import { movedDocument } from "../../../src/report/transfer.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { digest, keylessSignature, REFUSED, signature, UNDETERMINED, verdict } from "../../support/verdicts.ts";

function schemaOf(name: string): Schema {
  return JSON.parse(readFileSync(new URL(`../../../docs/schemas/${name}.json`, import.meta.url), "utf8"));
}

const FINDING = { code: "throttled", message: "m", found: "f", wanted: "w" } as const;
const UNRESOLVED = verdict({ status: "undetermined", digest: undefined, reasons: [FINDING] });
const PLATFORM = verdict({
  platform: "linux/arm64",
  index: digest("1"),
  because: "b",
  weakened: ["--allow-http-registry"],
});
const REJECTED = { ...REFUSED, signatures: [signature({ accepted: false, signedBy: undefined, finding: FINDING })] };
const KEYLESS = verdict({
  signatures: [
    keylessSignature(),
    keylessSignature({ predicateType: "https://slsa.dev/provenance/v1", statement: {} }),
  ],
});
const SUMMARY = { manifests: 1, blobs: 2, movedBytes: 3, presentBytes: 0, notChecked: ["x"] };
const NODE = {
  kind: "index" as const,
  digest: digest("1"),
  mediaType: "application/vnd.oci.image.index.v1+json",
  size: 10,
  signatures: [],
  problems: [FINDING],
  manifests: [],
};
const DESCRIPTION: UntrustedDescription = {
  format: "bundle",
  hasCertificate: false,
  logEntries: 0,
  timestamps: 0,
  keyHint: "x",
  annotations: {},
};
const AT = instant(Date.UTC(2026, 0, 1));
const CLAIMED: UntrustedDescription = {
  ...DESCRIPTION,
  hasCertificate: true,
  claimed: {
    identity: { subject: "dev@example.com", subjectKind: "email", issuer: "", claims: {} },
    validity: { from: AT, until: AT },
    logIndexes: ["1"],
    times: [{ by: "log", at: AT }],
  },
};
const UNUSABLE: UntrustedDescription = { ...CLAIMED, claimed: { problem: FINDING, logIndexes: [], times: [] } };

const { signedBy, proof } = keylessSignature();
const SIGNED = { digest: digest("1"), format: "bundle", state: "signed", signedBy, proof } as const;

const DOCUMENTS: readonly (readonly [string, string])[] = [
  ["verdicts", verdictsDocument("verify", [verdict(), REJECTED, UNDETERMINED, UNRESOLVED, PLATFORM, KEYLESS])],
  ["verdicts", verdictsDocument("verify", [])],
  ["error", errorDocument("verify", FINDING)],
  [
    "transfer",
    movedDocument("copy", [
      {
        verdicts: [verdict(), PLATFORM, KEYLESS],
        destination: "oci:out",
        summary: { ...SUMMARY, attached: 1, skipped: [FINDING], notes: ["n"] },
      },
      { verdicts: [REFUSED] },
    ]),
  ],
  [
    "sign",
    signedDocument([
      {
        image: "i",
        name: "n",
        digest: digest("1"),
        outcomes: [
          { digest: digest("1"), format: "bundle", state: "signed", manifest: digest("2"), tag: "t" },
          { ...SIGNED, postponed: FINDING },
          { ...SIGNED, signedBy: { kind: "key", label: "k.pub", fingerprint: `SHA256:${"0".repeat(64)}` } },
        ],
      },
      { image: "i", name: "i", outcomes: [], finding: FINDING },
    ]),
  ],
  [
    "finish",
    finishedDocument([
      {
        image: "i",
        name: "n",
        digest: digest("1"),
        outcomes: [
          { digest: digest("1"), postponed: digest("2"), state: "finished-before", manifest: digest("3") },
          { digest: digest("1"), postponed: digest("2"), state: "failed", finding: FINDING },
          { digest: digest("1"), postponed: digest("2"), state: "finished", manifest: digest("3"), signedBy, proof },
        ],
      },
      { image: "i", name: "i", outcomes: [], finding: FINDING },
    ]),
  ],
  [
    "inspect",
    inspectionDocument({
      image: "i",
      name: "n",
      incomplete: true,
      root: {
        ...NODE,
        attached: [
          { ...NODE, kind: "signature", via: "layout", signatures: [DESCRIPTION, CLAIMED, UNUSABLE], attached: [] },
        ],
      },
    }),
  ],
];

describe("JSON documents", () => {
  it("have whole identities and proofs, their times in RFC 3339", () => {
    const { signatures } = JSON.parse(verdictsDocument("verify", [KEYLESS])).images[0];
    assert.deepEqual(signatures[0].signedBy.identity.claims, {
      "source-repository-uri": "https://github.com/acme/app",
    });
    assert.equal(signatures[0].proof.signedAt, "2025-12-29T00:00:00Z");
    assert.equal(signatures[0].proof.logs[0].index, "2938471");
  });

  for (const [name, text] of DOCUMENTS) {
    it(`fit docs/schemas/${name}.json and are one document, ended by a line break`, () => {
      assert.deepEqual(violations(JSON.parse(text), schemaOf(name)), []);
      assert.ok(text.endsWith("}\n"));
    });
  }

  it("are refused by their schema when a member is lacking, unexpected or of another type", () => {
    const good = JSON.parse(verdictsDocument("verify", [verdict()]));
    const schema = schemaOf("verdicts");
    for (const broken of [
      { ...good, images: undefined },
      { ...good, more: 1 },
      { ...good, schemaVersion: 2 },
      { ...good, images: [{ ...good.images[0], verdict: "fine" }] },
      { ...good, images: [{ ...good.images[0], digest: "sha256:00" }] },
    ]) {
      assert.notEqual(violations(JSON.parse(JSON.stringify(broken)), schema).length, 0);
    }
  });

  it("say the next step of every reason, and null where there is no digest", () => {
    const document = JSON.parse(verdictsDocument("verify", [UNRESOLVED]));
    assert.equal(document.images[0].digest, null);
    assert.match(document.images[0].reasons[0].next, /try again later/);
  });

  it("count the verdicts", () => {
    const document = JSON.parse(verdictsDocument("verify", [verdict(), REFUSED, UNDETERMINED, verdict()]));
    assert.deepEqual(document.summary, { accepted: 2, refused: 1, undetermined: 1 });
  });
});
