import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeBase64, encodeUtf8 } from "../../../src/core/bytes.ts";
import type { UntrustedCandidate } from "../../../src/core/formats/envelope.ts";
import { makeStatement } from "../../../src/core/formats/intoto.ts";
import { resolveType } from "../../../src/core/formats/predicates.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { compileCondition } from "../../../src/core/policy/cel.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { examineBlob } from "../../../src/core/verify/blob.ts";
import { accepted, judged, refused, sigstore, type Wanted, wanting } from "../../support/attacks.ts";
import {
  bundleCandidate,
  bundleOf,
  IMAGE,
  legacyAttestation,
  legacyCandidate,
  legacyPayload,
  REPOSITORY,
  type Signable,
  signKeyless,
} from "../../support/sigstore/sign.ts";

/** What was signed by the right identity and does not say that the image is signed (formats/sigstore.md, section 9.1, 4 and 5). */

const HEX = IMAGE.slice("sha256:".length);
const SIGNATURE = "https://sigstore.dev/cosign/sign/v1";
const PROVENANCE = "https://slsa.dev/provenance/v1";
const V1 = "https://in-toto.io/Statement/v1";

const statement = (members: object = {}): Uint8Array =>
  encodeUtf8(
    JSON.stringify({
      _type: V1,
      subject: [{ digest: { sha256: HEX } }],
      predicateType: SIGNATURE,
      predicate: {},
      ...members,
    }),
  );

function over(text: Uint8Array, payloadType?: string): UntrustedCandidate {
  const what: Signable = payloadType === undefined ? { statement: text } : { statement: text, payloadType };
  return bundleCandidate(signKeyless(sigstore, { what }));
}

describe("an envelope of another type (DSSE payloadType)", () => {
  const TYPES: readonly string[] = [
    "",
    "application/vnd.in-toto+json ",
    " application/vnd.in-toto+json",
    "application/vnd.in-toto+json\n",
    "application/vnd.in-toto+json\0",
    "application/vnd.in-toto+json;version=1",
    "application/vnd.in-toto+JSON",
    "Application/vnd.in-toto+json",
    "application/vnd.in-toto.provenance+json",
    "application/json",
    MEDIA_TYPES.simpleSigning,
    "https://in-toto.io/Statement/v1",
    "application/vnd.in-toto+json 1",
    "__proto__",
  ];
  for (const type of TYPES) {
    it(`is no signature of an image: ${JSON.stringify(type)}`, () => {
      refused(over(makeStatement(IMAGE), type), "malformed-signature");
    });
  }

  it("is not made of a legacy payload in an envelope, of either type", () => {
    refused(over(legacyPayload(), MEDIA_TYPES.intoto), "malformed-signature");
    refused(over(legacyPayload(), MEDIA_TYPES.simpleSigning), "malformed-signature");
  });

  it("is not changed after the signing: the type is signed too (PAE)", () => {
    const signed = signKeyless(sigstore, {
      what: { statement: makeStatement(IMAGE), payloadType: "application/json" },
    });
    refused({ ...signed, payloadType: MEDIA_TYPES.intoto }, "bad-signature");
  });

  it("is no legacy payload: not the statement, not what was signed of it", () => {
    for (const payload of [makeStatement(IMAGE), signKeyless(sigstore).signedBytes]) {
      refused(legacyCandidate(signKeyless(sigstore, { what: { payload } })), "malformed-signature");
    }
  });

  it("does not do for a file, nor a file for it", () => {
    const signed = signKeyless(sigstore);
    const file = signKeyless(sigstore, { what: { file: signed.signedBytes } });
    refused({ ...signed, signature: file.signature, logEntries: file.logEntries }, "log-entry-invalid");
    refused({ format: "bundle", origin: { via: "file" }, bytes: bundleOf(file) }, "malformed-signature");
    const blob = {
      name: "file",
      digest: digestOf(signed.signedBytes),
      content: { kind: "bytes", bytes: signed.signedBytes },
    } as const;
    assert.equal(examineBlob(bundleOf(file), blob, wanting()).accepted, true);
    assert.equal(examineBlob(bundleOf(signed), blob, wanting()).finding?.code, "not-a-signature");
  });
});

describe("a statement that does not say it", () => {
  const text = (json: string): Uint8Array => encodeUtf8(json);
  const whole = Buffer.from(statement()).toString();
  const STATEMENTS: Readonly<Record<string, readonly [Uint8Array, ReasonCode]>> = {
    "about another image": [statement({ subject: [{ digest: { sha256: "0".repeat(64) } }] }), "wrong-digest"],
    "about nothing": [statement({ subject: [] }), "malformed-signature"],
    "about nobody knows what": [statement({ subject: undefined }), "malformed-signature"],
    "with its subject twice, the good one last": [
      text(whole.replace('"subject"', '"subject":[{"digest":{"sha256":"00"}}],"subject"')),
      "malformed-signature",
    ],
    "with its subject twice, the good one first": [
      text(whole.replace(/"predicateType"/, '"subject":[{"digest":{"sha256":"00"}}],"predicateType"')),
      "malformed-signature",
    ],
    "with its type twice": [
      text(whole.replace('"predicateType"', `"predicateType":"${PROVENANCE}","predicateType"`)),
      "malformed-signature",
    ],
    "with a member that tools read as another": [
      text(whole.replace('"predicateType"', '"Subject":[],"predicateType"')),
      "malformed-signature",
    ],
    "with a member that Go reads as another": [
      text(whole.replace('"predicateType"', '"\u017fubject":[],"predicateType"')),
      "malformed-signature",
    ],
    "with a prototype": [text(whole.replace("{", '{"__proto__":{"predicateType":"x"},')), "malformed-signature"],
    "with a prototype in its subject": [
      text(whole.replace('{"digest"', '{"__proto__":{},"digest"')),
      "malformed-signature",
    ],
    "with a prototype for a digest": [
      text(whole.replace(/\{"sha256":"[0-9a-f]+"\}/, `{"__proto__":{"sha256":"${HEX}"}}`)),
      "malformed-signature",
    ],
    "with its digest twice": [text(whole.replace('{"sha256"', '{"sha256":"00","sha256"')), "malformed-signature"],
    "with its digest in capitals": [
      statement({ subject: [{ digest: { sha256: HEX.toUpperCase() } }] }),
      "malformed-signature",
    ],
    "with the algorithm in capitals": [statement({ subject: [{ digest: { SHA256: HEX } }] }), "wrong-digest"],
    "with the algorithm before the digest": [
      statement({ subject: [{ digest: { sha256: IMAGE } }] }),
      "malformed-signature",
    ],
    "with a digest that is cut": [
      statement({ subject: [{ digest: { sha256: HEX.slice(2) } }] }),
      "malformed-signature",
    ],
    "with a digest that is too long": [
      statement({ subject: [{ digest: { sha256: `${HEX}00` } }] }),
      "malformed-signature",
    ],
    "with a digest with a line end": [
      statement({ subject: [{ digest: { sha256: `${HEX}\n` } }] }),
      "malformed-signature",
    ],
    "with the digest in a list": [statement({ subject: [{ digest: { sha256: [HEX] } }] }), "malformed-signature"],
    "with the digest as its name": [
      statement({ subject: [{ name: IMAGE, digest: { sha512: "0".repeat(128) } }] }),
      "wrong-digest",
    ],
    "with the digest under another algorithm": [
      statement({ subject: [{ digest: { gitCommit: HEX } }] }),
      "wrong-digest",
    ],
    "with SHA-512 alone": [statement({ subject: [{ digest: { sha512: `${HEX}${HEX}` } }] }), "wrong-digest"],
    "with the digest in its annotations": [
      statement({ subject: [{ digest: { sha512: "0".repeat(128) }, annotations: { sha256: HEX } }] }),
      "wrong-digest",
    ],
    "with the digest in its predicate": [
      statement({ subject: [{ digest: {} }], predicate: { subject: [{ digest: { sha256: HEX } }] } }),
      "wrong-digest",
    ],
    "with a subject that is none among good ones": [
      statement({ subject: [{ digest: { sha256: HEX } }, null] }),
      "malformed-signature",
    ],
    "with a subject that is no list": [statement({ subject: { digest: { sha256: HEX } } }), "malformed-signature"],
    "in a list": [text(`[${whole}]`), "malformed-signature"],
    twice: [text(`${whole}${whole}`), "malformed-signature"],
    "with NUL behind it": [text(`${whole}\0`), "malformed-signature"],
    "with a byte order mark": [text(`\ufeff${whole}`), "malformed-signature"],
    "with comments": [text(`${whole}//`), "malformed-signature"],
    "that is no UTF-8": [
      Buffer.concat([encodeUtf8(whole.slice(0, -1)), Buffer.of(0x2c, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)]),
      "malformed-signature",
    ],
    "in UTF-16": [Buffer.from(whole, "utf16le"), "malformed-signature"],
    "of no version": [statement({ _type: undefined }), "malformed-signature"],
    "of both versions": [statement({ _type: [V1, "https://in-toto.io/Statement/v0.1"] }), "malformed-signature"],
    "of a version to come": [statement({ _type: "https://in-toto.io/Statement/v2" }), "malformed-signature"],
    "of a version with a slash": [statement({ _type: `${V1}/` }), "malformed-signature"],
    "of a version in capitals": [statement({ _type: V1.toUpperCase() }), "malformed-signature"],
    "of another type": [statement({ predicateType: PROVENANCE }), "not-a-signature"],
    "of no type": [statement({ predicateType: undefined }), "malformed-signature"],
    "of an empty type": [statement({ predicateType: "" }), "malformed-signature"],
    "of its type and a blank": [statement({ predicateType: `${SIGNATURE} ` }), "not-a-signature"],
    "of its type in capitals": [statement({ predicateType: SIGNATURE.toUpperCase() }), "not-a-signature"],
    "of its type and a slash": [statement({ predicateType: `${SIGNATURE}/` }), "not-a-signature"],
    "of its type and a version": [statement({ predicateType: `${SIGNATURE}/v2` }), "not-a-signature"],
    "of its type without the scheme": [
      statement({ predicateType: SIGNATURE.replace("https://", "") }),
      "not-a-signature",
    ],
    "of its type and NUL": [statement({ predicateType: `${SIGNATURE}\0` }), "not-a-signature"],
    "of its type in a list": [statement({ predicateType: [SIGNATURE] }), "malformed-signature"],
  };
  for (const [name, [signed, code]] of Object.entries(STATEMENTS)) {
    it(`is refused ${name}`, () => {
      refused(over(signed), code);
    });
  }

  it("is undetermined with more subjects, or digests of one, than are read", () => {
    const many = (count: number) => Array.from({ length: count }, () => ({ digest: { sha256: HEX } }));
    const digests = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`h${at}`, "00"]));
    for (const subject of [many(1025), [{ digest: { ...digests, sha256: HEX } }]]) {
      const { status, reasons } = judged([over(statement({ subject }))]);
      assert.equal(status, "undetermined");
      assert.equal(reasons[0]?.code, "limit-reached");
    }
    accepted(over(statement({ subject: many(1024) })));
  });

  it("is what it is in version 0.1, and with other members", () => {
    accepted(over(statement({ _type: "https://in-toto.io/Statement/v0.1" })));
    accepted(over(statement({ other: 1 })));
  });
});

describe("an attestation where the image's own signature is wanted, and the reverse", () => {
  const provenance: Wanted["more"] = {
    attestation: { predicateTypes: resolveType("slsaprovenance1"), conditions: [] },
  };
  const sign = (predicateType: string) => signKeyless(sigstore, { what: { statement: statement({ predicateType }) } });
  const payload = signKeyless(sigstore, { what: { payload: legacyPayload() } });

  it("does not do in any form of storing it (CVE-2022-35930's family)", () => {
    refused(sign(PROVENANCE), "not-a-signature");
    for (const claimed of [PROVENANCE, SIGNATURE])
      refused(legacyAttestation(sign(PROVENANCE), claimed), "not-a-signature");
  });

  it("does not do as an attestation: a signature, in any form (CVE-2022-35929)", () => {
    for (const candidate of [
      sign(SIGNATURE),
      legacyCandidate(payload),
      legacyAttestation(sign(SIGNATURE), PROVENANCE),
    ]) {
      refused(candidate, "unattested", { more: provenance });
    }
  });

  const NEAR: readonly string[] = [
    `${PROVENANCE} `,
    ` ${PROVENANCE}`,
    `${PROVENANCE}/`,
    `${PROVENANCE}.1`,
    `${PROVENANCE}/v1`,
    PROVENANCE.toUpperCase(),
    PROVENANCE.replace("https", "http"),
    PROVENANCE.replace("https://", ""),
    `${PROVENANCE}#`,
    `${PROVENANCE}?`,
    PROVENANCE.replace("slsa", "s\u217csa"),
    "https://slsa.dev/provenance/v0.2",
    "https://slsa.dev/provenance",
  ];
  for (const type of NEAR) {
    it(`does not do with a type that is nearly the wanted one: ${JSON.stringify(type)}`, () => {
      refused(sign(type), "unattested", { more: provenance });
      refused(legacyAttestation(sign(type), PROVENANCE), "unattested", { more: provenance });
    });
  }

  it("is of a type with versions only where a version follows", () => {
    const more = { attestation: { predicateTypes: resolveType("spdxjson"), conditions: [] } };
    const base = "https://spdx.dev/Document";
    for (const type of [base, `${base}/v2.3`, `${base}/v3`]) accepted(sign(type), { more });
    for (const tail of [
      "/",
      "/v",
      "/v2.3.4.5",
      "/v2.3/",
      "/v2.3\n",
      "/v2.3evil",
      ".evil.example/v1",
      "/2.3",
      "/v2..3",
    ]) {
      refused(sign(`${base}${tail}`), "unattested", { more });
    }
  });

  it("is judged by what was signed and never by what its layer says", async () => {
    const conditions = [await compileCondition("predicate.ok == true")];
    const more = { attestation: { predicateTypes: resolveType("slsaprovenance1"), conditions } };
    const bad = statement({ predicateType: PROVENANCE, predicate: { ok: false } });
    const { annotations, ...rest } = legacyAttestation(signKeyless(sigstore, { what: { statement: bad } }), PROVENANCE);
    refused({ ...rest, annotations: { ...annotations, ok: "true", predicate: '{"ok":true}' } }, "condition-not-met", {
      more,
    });
  });

  it("does not come in the other's layer", () => {
    const { payload: bytes } = legacyCandidate(payload);
    const envelope = legacyAttestation(sign(SIGNATURE), SIGNATURE);
    refused({ ...envelope, envelope: bytes }, "malformed-signature");
    refused({ ...legacyCandidate(payload), payload: envelope.envelope }, "log-entry-invalid");
    refused({ ...envelope, mediaType: MEDIA_TYPES.simpleSigning }, "malformed-signature");
    refused({ ...legacyCandidate(payload), mediaType: MEDIA_TYPES.dsse }, "malformed-signature");
  });
});

describe("an envelope in a layer", () => {
  const more: Wanted["more"] = { attestation: { predicateTypes: resolveType("slsaprovenance1"), conditions: [] } };
  const signed = signKeyless(sigstore, { what: { statement: statement({ predicateType: PROVENANCE }) } });
  const good = legacyAttestation(signed, PROVENANCE);
  const text = Buffer.from(good.envelope).toString();
  const sig = encodeBase64(signed.signature);
  const ENVELOPES: Readonly<Record<string, string>> = {
    "with its payload twice": text.replace('"payloadType"', '"payload":"e30=","payloadType"'),
    "with two signatures": text.replace(/\[(\{.*\})\]/, "[$1,$1]"),
    "with a bad signature before the good one": text.replace(/\[\{/, `[{"sig":"AA=="},{`),
    "without one": text.replace(/\[\{.*\}\]/, "[]"),
    "with an unknown member": text.replace("{", '{"other":1,'),
    "with base64 of URLs": text.replace(sig, `-_${sig.slice(2)}`),
    "with line ends in its base64": text.replace(sig, `${sig.slice(0, 8)}\\n${sig.slice(8)}`),
    "in a list": `[${text}]`,
    "of nothing": "",
    "of null": "null",
  };
  it("is accepted as it is, which shows that the rest is right", () => {
    accepted(good, { more });
  });
  for (const [name, envelope] of Object.entries(ENVELOPES)) {
    it(`is refused ${name}`, () => {
      refused({ ...good, envelope: encodeUtf8(envelope) }, "malformed-signature", { more });
    });
  }

  it("is stamped whole: a timestamp of its signature alone, or of other bytes of the same envelope, does not do", () => {
    const timed = signKeyless(sigstore, {
      what: { statement: statement({ predicateType: PROVENANCE }) },
      timestampAuthorities: [sigstore.timestampAuthority],
    });
    refused(legacyAttestation(timed, PROVENANCE), "timestamp-invalid", { more });
    const envelope = legacyAttestation(timed, PROVENANCE).envelope;
    const timestamps = [sigstore.timestampAuthority.timestamp(envelope)];
    const whole = legacyAttestation({ ...timed, timestamps }, PROVENANCE);
    accepted(whole, { more });
    const spaced = encodeUtf8(` ${Buffer.from(whole.envelope).toString()}`);
    refused({ ...whole, envelope: spaced }, "timestamp-invalid", { more });
  });
});

describe("a legacy payload", () => {
  const text = Buffer.from(legacyPayload()).toString();
  const PAYLOADS: Readonly<Record<string, readonly [string, ReasonCode]>> = {
    "of another type": [
      text.replace("cosign container image signature", "atomic container signature"),
      "malformed-signature",
    ],
    "with its digest twice": [
      text.replace('"docker-manifest-digest"', '"docker-manifest-digest":"x","docker-manifest-digest"'),
      "malformed-signature",
    ],
    "with something critical that is unknown": [text.replace('"type"', '"until":"2020","type"'), "malformed-signature"],
    "of another repository": [text.replace(REPOSITORY, `${REPOSITORY}x`), "wrong-repository"],
    "of a repository that begins so": [text.replace(REPOSITORY, `${REPOSITORY}/other`), "wrong-repository"],
    "of another host": [text.replace("registry.example.com", "registry.example.com.evil.example"), "wrong-repository"],
    "of another image": [text.replace(HEX, "0".repeat(64)), "wrong-digest"],
    "with its digest in capitals": [text.replace(HEX, HEX.toUpperCase()), "malformed-signature"],
    "with something behind it": [`${text} {}`, "malformed-signature"],
  };
  for (const [name, [payload, code]] of Object.entries(PAYLOADS)) {
    it(`is refused ${name}`, () => {
      refused(legacyCandidate(signKeyless(sigstore, { what: { payload: encodeUtf8(payload) } })), code);
    });
  }
});
