import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { pattern } from "../../../src/core/trust/pattern.ts";
import { accepted, judged, refused, sigstore } from "../../support/attacks.ts";
import { processorTime } from "../../support/processor-time.ts";
import { FakeAuthority, ISSUER, type IssueOptions, SUBJECT } from "../../support/sigstore/authority.ts";
import { FakeCertificateLog, opaque, sctList } from "../../support/sigstore/certificate-log.ts";
import {
  alternativeNames,
  authorityKeyIdentifier,
  basicConstraints,
  type CertificateParts,
  certificate,
  type Extension,
  extendedKeyUsage,
  keyUsage,
  subjectKeyIdentifier,
  tbsCertificate,
  USAGES,
} from "../../support/sigstore/certificates.ts";
import { context, contextText, element, octets, oid, sequence, utf8 } from "../../support/sigstore/der.ts";
import { type FakeKey, fakeKey } from "../../support/sigstore/keys.ts";
import { bundleCandidate, loggedFrom, type Signed, signKeyless } from "../../support/sigstore/sign.ts";
import { DAY, FROM, MINUTE, NOW, UNTIL } from "../../support/sigstore/times.ts";
import { FakeTimestampAuthority } from "../../support/sigstore/timestamp-authority.ts";
import { trustedRoot } from "../../support/sigstore/trusted-root.ts";

const FULCIO = "1.3.6.1.4.1.57264.1";

function signedWith(options: Partial<IssueOptions>): Signed {
  return signKeyless(sigstore, { certificate: options });
}

const names = (...parts: readonly Uint8Array[]): Extension => ({ id: "2.5.29.17", value: sequence(...parts) });
/** A certificate that names somebody by an extension of the test's own. */
const named = (...parts: readonly Uint8Array[]): Partial<IssueOptions> => ({
  subject: [],
  extensions: [names(...parts)],
});
const email = contextText(1, SUBJECT);

/** The whole certificate in other bytes, in the log as it is. */
function rewritten(change: (der: Buffer) => Uint8Array): Signed {
  const signed = signKeyless(sigstore);
  const [leaf, ...others] = signed.certificates;
  assert.ok(leaf);
  const certificates = [change(Buffer.from(leaf)), ...others];
  return { ...signed, certificates, logEntries: [sigstore.log.record(loggedFrom({ ...signed, certificates }))] };
}

describe("a certificate whose name could be read in two ways", () => {
  const NAMES: Readonly<Record<string, Partial<IssueOptions>>> = {
    "an address and another": named(email, contextText(1, "eve@example.com")),
    "the other one first": named(contextText(1, "eve@example.com"), email),
    "an address and a URI": named(email, contextText(6, "https://example.com/")),
    "an address and a host": named(email, contextText(2, "example.com")),
    "an address and a directory name": named(email, context(4, sequence())),
    "two extensions": { extensions: [alternativeNames([{ email: "eve@example.com" }])] },
    "one in the wrong place, under the subject's old number": {
      subject: [],
      extensions: [{ ...names(email), id: "2.5.29.7" }],
    },
    "NUL inside": named(contextText(1, `${SUBJECT}\0.evil.example`)),
    "NUL behind it": named(contextText(1, `${SUBJECT}\0`)),
    "a line end behind it": named(contextText(1, `${SUBJECT}\n`)),
    "a blank behind it": named(contextText(1, `${SUBJECT} `)),
    "another case": named(contextText(1, SUBJECT.toUpperCase())),
    "letters that look alike": named(contextText(1, SUBJECT.replace("e", "\u0435"))),
    "the internationalised form": named(contextText(1, SUBJECT.replace("example", "xn--xample-2of"))),
    "UTF-16": named(element(0x81, Buffer.from(SUBJECT, "utf16le"))),
    "a BMPString inside": named(element(0x81, element(0x1e, Buffer.from(SUBJECT, "utf16le")))),
    "a constructed address": named(element(0xa1, contextText(1, SUBJECT))),
    "the same as a URI of the host's kind": named(contextText(2, SUBJECT)),
    "an IP address": named(element(0x87, Buffer.of(127, 0, 0, 1))),
    "a registered identifier": named(element(0x88, Buffer.of(42))),
    "a user name of another kind": named(context(0, oid("1.3.6.1.4.1.311.20.2.3"), context(0, utf8(SUBJECT)))),
    "a user name that is no UTF8String": named(
      context(0, oid(`${FULCIO}.7`), context(0, element(0x16, Buffer.from(SUBJECT)))),
    ),
    "a user name twice": named(context(0, oid(`${FULCIO}.7`), context(0, utf8(SUBJECT), utf8(SUBJECT)))),
    "something behind the list": {
      subject: [],
      extensions: [{ id: "2.5.29.17", value: Buffer.concat([sequence(email), Buffer.of(5, 0)]) }],
    },
    "no list": { subject: [], extensions: [{ id: "2.5.29.17", value: email }] },
    "a list without end (BER)": {
      subject: [],
      extensions: [{ id: "2.5.29.17", value: Buffer.concat([Buffer.of(0x30, 0x80), email, Buffer.of(0, 0)]) }],
    },
    "a length of too many bytes (BER)": {
      subject: [],
      extensions: [{ id: "2.5.29.17", value: Buffer.concat([Buffer.of(0x30, 0x81, email.length), email]) }],
    },
    nobody: { subject: [] },
    "an empty address": named(contextText(1, "")),
  };
  for (const [name, options] of Object.entries(NAMES)) {
    it(`does not stand for the one who is wanted: ${name}`, () => {
      const words = refused(
        signedWith(options),
        options.subject === undefined || isAnother(name) ? codeOf(name) : "certificate-untrusted",
      );
      assert.doesNotMatch(words, /undefined \|/);
    });
  }
});

/** One name, well formed, of somebody else. */
const ANOTHER = ["a blank behind it", "another case", "the internationalised form"];
const isAnother = (name: string): boolean => ANOTHER.includes(name);
const codeOf = (name: string): ReasonCode => (isAnother(name) ? "wrong-identity" : "certificate-untrusted");

describe("a certificate whose issuer could be read in two ways", () => {
  const old = (text: string): Extension => ({ id: `${FULCIO}.1`, value: Buffer.from(text) });
  const recent = (value: Uint8Array): Extension => ({ id: `${FULCIO}.8`, value });
  const ISSUERS: Readonly<Record<string, readonly [Partial<IssueOptions>, ReasonCode]>> = {
    "the old one is wanted, the new one is not": [
      { issuer: "https://evil.example", oldIssuer: ISSUER },
      "certificate-untrusted",
    ],
    "the new one is wanted, the old one is not": [{ oldIssuer: "https://evil.example" }, "certificate-untrusted"],
    "the old one is empty": [{ oldIssuer: "" }, "certificate-untrusted"],
    "the old one twice": [{ extensions: [old(ISSUER)] }, "certificate-untrusted"],
    "the new one twice": [
      { issuerIn: "new", extensions: [recent(utf8("https://evil.example"))] },
      "certificate-untrusted",
    ],
    "the new one bare, as the old one is": [
      { issuerIn: "neither", extensions: [recent(Buffer.from(ISSUER))] },
      "certificate-untrusted",
    ],
    "the new one as an IA5String": [
      { issuerIn: "neither", extensions: [recent(element(0x16, Buffer.from(ISSUER)))] },
      "certificate-untrusted",
    ],
    "the new one with something behind it": [
      { issuerIn: "neither", extensions: [recent(Buffer.concat([utf8(ISSUER), utf8("x")]))] },
      "certificate-untrusted",
    ],
    "the old one as DER, as the new one is": [
      { issuerIn: "neither", extensions: [{ ...old(""), value: utf8(ISSUER) }] },
      "certificate-untrusted",
    ],
    "NUL behind it": [{ issuer: `${ISSUER}\0` }, "certificate-untrusted"],
    "a slash behind it": [{ issuer: `${ISSUER}/` }, "wrong-identity"],
    "another case": [{ issuer: ISSUER.toUpperCase() }, "wrong-identity"],
    none: [{ issuerIn: "neither" }, "wrong-identity"],
    "one that begins so": [{ issuer: `${ISSUER}.evil.example` }, "wrong-identity"],
    "one in an extension of another arc": [
      { issuerIn: "neither", extensions: [{ id: "1.3.6.1.4.1.57264.2.8", value: utf8(ISSUER) }] },
      "wrong-identity",
    ],
  };
  for (const [name, [options, code]] of Object.entries(ISSUERS)) {
    it(`does not have the word of the one that is wanted: ${name}`, () => {
      refused(signedWith(options), code);
    });
  }
});

describe("a certificate in other bytes", () => {
  const BYTES: Readonly<Record<string, (der: Buffer) => Uint8Array>> = {
    "with something behind it": (der) => Buffer.concat([der, Buffer.of(0)]),
    "with another certificate behind it": (der) => Buffer.concat([der, der]),
    "without end (BER)": (der) => Buffer.concat([Buffer.of(0x30, 0x80), der.subarray(4), Buffer.of(0, 0)]),
    "with a length of too many bytes (BER)": (der) => Buffer.concat([Buffer.of(0x30, 0x83, 0), der.subarray(2)]),
    "as PEM": (der) =>
      Buffer.from(`-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END CERTIFICATE-----\n`),
    "as base64": (der) => Buffer.from(der.toString("base64")),
    "in PKCS #7": (der) => sequence(oid("1.2.840.113549.1.7.2"), context(0, sequence(der))),
    cut: (der) => der.subarray(0, -1),
    "with a bit of its signature changed": (der) => Buffer.from(der).fill((der.at(-1) ?? 0) ^ 1, der.length - 1),
  };
  for (const [name, change] of Object.entries(BYTES)) {
    it(`does not do ${name}`, () => {
      refused(rewritten(change), "certificate-untrusted");
    });
  }
});

describe("a certificate that is not for this", () => {
  const poison = "1.3.6.1.4.1.11129.2.4.3";
  const OPTIONS: Readonly<Record<string, Partial<IssueOptions>>> = {
    "an authority's": { isCa: true },
    "for servers": { extendedKeyUsage: [USAGES.serverAuth] },
    "for anything": { extendedKeyUsage: [USAGES.any] },
    "for nothing that it says": { extendedKeyUsage: [] },
    "for certificate logs alone (the poison)": { extensions: [{ id: poison, critical: true, value: Buffer.of(5, 0) }] },
    "with a critical extension that nobody knows": {
      extensions: [{ id: "1.2.3.4", critical: true, value: Buffer.of(5, 0) }],
    },
    "with constraints on names": { extensions: [{ id: "2.5.29.30", value: sequence() }] },
    "with an extension that says it is not critical (BER)": {
      subject: [],
      extensions: [
        { id: "2.5.29.17", value: sequence(email) },
        { id: "1.2.3.4", value: Buffer.of(5, 0) },
        { id: "1.2.3.4", value: Buffer.of(5, 0) },
      ],
    },
    "signed by somebody in the authority's name": { signer: fakeKey("p384") },
    "that ended before the signing": { notBefore: NOW - DAY, notAfter: NOW - MINUTE },
    "that began after the signing": { notBefore: NOW + MINUTE },
    "that ends before it begins": { notBefore: NOW + MINUTE, notAfter: NOW - MINUTE },
  };
  for (const [name, options] of Object.entries(OPTIONS)) {
    it(`does not sign: ${name}`, () => {
      refused(signedWith(options), "certificate-untrusted");
    });
  }

  it("does not sign: another key's", () => {
    const other = sigstore.authority.issue({ publicKey: fakeKey().publicKey, notBefore: NOW - MINUTE });
    refused(signKeyless(sigstore, { certificate: other }), "bad-signature");
  });

  it("does not sign: one for a key on a curve that is not used", () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
    refused(signKeyless(sigstore, { certificate: sigstore.authority.issue({ publicKey }) }), "certificate-untrusted");
  });
});

// --- chains of a hostile signer's own ---------------------------------------------------------------------------------

/** Somebody who was given an ordinary certificate and issues others with it, or makes up an authority. */
interface Made {
  readonly key: FakeKey;
  readonly parts: CertificateParts;
  readonly der: Uint8Array;
}

function made(
  by: Made | "itself" | "root" | "intermediate",
  extensions: readonly Extension[],
  more: Partial<CertificateParts> = {},
): Made {
  const key = fakeKey();
  const { authority } = sigstore;
  const own = { organization: "evil.example", commonName: "authority" };
  const issuers = {
    itself: { name: own, key },
    root: { name: { organization: authority.name, commonName: "root" }, key: authority.rootKey },
    intermediate: { name: { organization: authority.name, commonName: "intermediate" }, key: authority.key },
  };
  const issuer = typeof by === "string" ? issuers[by] : { name: by.parts.subject, key: by.key };
  const parts: CertificateParts = {
    serial: 77n,
    subject: own,
    issuer: issuer.name,
    notBefore: NOW - DAY,
    notAfter: NOW + DAY,
    spki: key.spki,
    signer: issuer.key,
    extensions: [...extensions, subjectKeyIdentifier(key.spki), authorityKeyIdentifier(issuer.key.spki)],
    ...more,
  };
  return { key, parts, der: certificate(parts) };
}

const CA = [basicConstraints(true), keyUsage("certificates")];
const LEAF = [
  keyUsage("digitalSignature"),
  extendedKeyUsage([USAGES.codeSigning]),
  alternativeNames([{ email: SUBJECT }]),
  { id: `${FULCIO}.8`, value: utf8(ISSUER) },
];

/** A signature by a leaf below these; the chain lies beside it, as bundles up to v0.2 have it. */
function below(...path: readonly Made[]): ReturnType<typeof bundleCandidate> {
  const [nearest] = path;
  assert.ok(nearest);
  const leaf = made(nearest, LEAF, { subject: {}, notBefore: NOW - MINUTE, notAfter: NOW + MINUTE });
  const chain = [leaf.der, ...path.map(({ der }) => der)];
  const signed = signKeyless(sigstore, { key: leaf.key, certificate: { leaf: leaf.der, chain } });
  return bundleCandidate({ ...signed, certificates: [...chain, sigstore.authority.root] }, "0.2");
}

describe("a chain of a hostile signer's own", () => {
  const WANTED = { demands: { certificateLogs: 0 } };
  const { authority } = sigstore;
  const parent = made("root", CA);

  it("would do with an authority that the root has certified, which shows that the rest is right", () => {
    const root = trustedRoot({
      authorities: [
        {
          of: authority,
          with: { certChain: { certificates: [{ rawBytes: Buffer.from(authority.root).toString("base64") }] } },
        },
      ],
      logs: [sigstore.log],
    });
    accepted(below(parent), { ...WANTED, root });
    refused(below(parent), "certificate-untrusted", WANTED);
  });

  const CHAINS: Readonly<Record<string, () => ReturnType<typeof bundleCandidate>>> = {
    "an ordinary certificate that issues": () => below(made("intermediate", LEAF)),
    "one without the CA flag": () => below(made("intermediate", [keyUsage("certificates")])),
    "an authority below one of path length nought": () => below(made("intermediate", CA)),
    "an authority that may not sign certificates": () =>
      below(made("root", [basicConstraints(true), keyUsage("digitalSignature")])),
    "an authority for servers": () => below(made("root", [...CA, extendedKeyUsage([USAGES.serverAuth])])),
    "an authority with constraints on names": () =>
      below(made("root", [...CA, { id: "2.5.29.30", critical: true, value: sequence() }])),
    "an authority that had expired": () => below(made("root", CA, { notBefore: FROM, notAfter: NOW - DAY })),
    "a root in the real one's name": () =>
      below(
        made("itself", CA, {
          subject: { organization: authority.name, commonName: "root" },
          issuer: { organization: authority.name, commonName: "root" },
        }),
      ),
    "an intermediate in the real one's name": () =>
      below(
        made("itself", CA, {
          subject: { organization: authority.name, commonName: "intermediate" },
          issuer: { organization: authority.name, commonName: "root" },
        }),
      ),
    "an authority of nobody": () => below(made("itself", CA, { issuer: { organization: "nobody.example" } })),
    "an authority signed with the leaf below it": () => {
      const own = made("itself", CA);
      return below(own, made(own, CA));
    },
    "an authority that a forged one certified": () => below(made(made("itself", CA), CA), made("intermediate", CA)),
  };
  const SELF_ISSUED = /root in the real one's name|signed with the leaf|a forged one/;
  for (const [name, chain] of Object.entries(CHAINS)) {
    it(`leads nowhere: ${name}`, () => {
      refused(chain(), SELF_ISSUED.test(name) ? "malformed-signature" : "certificate-untrusted", WANTED);
    });
  }

  it("leads nowhere: a certificate that signed itself in the root's name", () => {
    const own = { organization: authority.name, commonName: "root" };
    const leaf = made("itself", LEAF, { subject: own, issuer: own });
    refused(
      signKeyless(sigstore, { key: leaf.key, certificate: { leaf: leaf.der, chain: [leaf.der] } }),
      "certificate-untrusted",
      WANTED,
    );
  });

  it("ends, however the certificates certify each other", () => {
    const loop = Array.from({ length: 14 }, () => made("itself", CA));
    refused(below(...loop), "malformed-signature", WANTED);
    const own = { organization: "evil.example", commonName: "authority" };
    const twins = Array.from({ length: 14 }, () =>
      made("itself", CA, { issuer: { organization: "elsewhere" }, subject: own }),
    );
    const started = processorTime();
    refused(below(...twins), "certificate-untrusted", WANTED);
    assert.ok(processorTime() - started < 1_000);
  });
});

describe("an authority's windows", () => {
  const { authority, log, certificateLog, timestampAuthority } = sigstore;
  const parts = { logs: [log], certificateLogs: [certificateLog], timestampAuthorities: [timestampAuthority] };
  const signed = signKeyless(sigstore, { timestampAuthorities: [timestampAuthority] });
  const WINDOWS: Readonly<Record<string, readonly { start: number; end?: number }[]>> = {
    "over before the signing": [{ start: FROM, end: NOW - 1000 }],
    "not yet begun": [{ start: NOW + 1000 }],
    "twice over": [
      { start: FROM, end: NOW - DAY },
      { start: NOW - DAY, end: NOW - 1000 },
    ],
    "over and to come": [{ start: FROM, end: NOW - 1000 }, { start: NOW + 1000 }],
  };
  for (const [name, windows] of Object.entries(WINDOWS)) {
    it(`do not do where they are ${name}`, () => {
      const root = trustedRoot({ ...parts, authorities: windows.map((validFor) => ({ of: authority, validFor })) });
      refused(signed, "certificate-untrusted", { root });
    });
  }

  it("do where one of two fits, in any order", () => {
    const windows = [{ start: FROM, end: NOW - 1000 }, { start: NOW - 1000 }];
    for (const order of [windows, windows.toReversed()]) {
      const root = trustedRoot({ ...parts, authorities: order.map((validFor) => ({ of: authority, validFor })) });
      accepted(signed, { root });
    }
  });

  it("have to hold at all the times: two that fit one time each do not add up", () => {
    const late = new FakeTimestampAuthority({ name: "late.example.com", operator: "example.net" });
    const both = signKeyless(sigstore, { certificate: { notBefore: NOW - MINUTE, notAfter: NOW + DAY } });
    const timestamps = [
      timestampAuthority.timestamp(both.signature),
      late.timestamp(both.signature, { at: NOW + MINUTE }),
    ];
    const authorities = (windows: readonly { start: number; end?: number }[]) =>
      trustedRoot({
        ...parts,
        timestampAuthorities: [timestampAuthority, late],
        authorities: windows.map((validFor) => ({ of: authority, validFor })),
      });
    const halves = [{ start: FROM, end: NOW }, { start: NOW + MINUTE }];
    refused({ ...both, timestamps }, "certificate-untrusted", { root: authorities(halves) });
    accepted({ ...both, timestamps }, { root: authorities([{ start: FROM }]) });
  });

  it("are not made wider by a certificate that is valid at one proven time and not at another", () => {
    const late = new FakeTimestampAuthority({ name: "late.example.com", operator: "example.net" });
    const root = trustedRoot({ ...parts, authorities: [authority], timestampAuthorities: [timestampAuthority, late] });
    const timestamps = [...signed.timestamps, late.timestamp(signed.signature, { at: NOW + DAY })];
    refused({ ...signed, timestamps }, "certificate-untrusted", { root });
    refused({ ...signed, timestamps: timestamps.toReversed() }, "certificate-untrusted", { root });
  });

  it("do not reach into a future in which nothing can be valid", () => {
    const far = signKeyless(sigstore, { timestampAuthorities: [timestampAuthority], timestamp: { at: UNTIL - 1000 } });
    refused(far, "certificate-untrusted");
    refused({ ...far, logEntries: [] }, "certificate-untrusted", { demands: { logs: 0 } });
  });

  it("are an authority's own: its root had ended, or its intermediate", () => {
    for (const options of [
      { notAfter: NOW - 1000 },
      { intermediate: { notAfter: NOW - 1000 } },
      { intermediate: { notBefore: NOW + 1000 } },
    ]) {
      const other = new FakeAuthority({ ...options, certificateLogs: [certificateLog] });
      const root = trustedRoot({ ...parts, authorities: [other] });
      refused(signKeyless({ ...sigstore, authority: other }), "certificate-untrusted", { root });
    }
  });

  it("are an authority's of the certificates that it lists, and in their order", () => {
    const rawBytes = authority.chain.map((each) => ({ rawBytes: Buffer.from(each).toString("base64") }));
    const listed = (certificates: readonly { rawBytes: string }[]) =>
      trustedRoot({
        ...parts,
        authorities: [{ of: authority, with: { certChain: { certificates: [...certificates] } } }],
      });
    accepted(signed, { root: listed(rawBytes) });
    refused(signed, "certificate-untrusted", { root: listed(rawBytes.toReversed()) });
    refused(signed, "certificate-untrusted", { root: listed(rawBytes.slice(1)) });
  });
});

describe("timestamps of certificate logs (SCT)", () => {
  const { authority, certificateLog } = sigstore;
  const unknown = new FakeCertificateLog({ name: "unknown.example.com", operator: "example.net" });
  const second = new FakeCertificateLog({ name: "second.example.com" });
  const third = new FakeCertificateLog({ name: "third.example.com", operator: "example.org" });
  const root = trustedRoot({
    version: "v0.2",
    authorities: [authority],
    logs: [sigstore.log],
    certificateLogs: [certificateLog, second, third],
  });

  it("by an unknown log beside one by a known one are passed over, in either order, and do not count", () => {
    for (const sctBy of [
      [unknown, certificateLog],
      [certificateLog, unknown],
    ]) {
      accepted(signedWith({ sctBy }), { root });
      refused(signedWith({ sctBy }), "certificate-untrusted", { root, demands: { certificateLogs: 2 } });
    }
    refused(signedWith({ sctBy: [unknown] }), "certificate-untrusted", { root });
  });

  it("of one log twice, or of two logs of one operator, are one", () => {
    for (const sctBy of [
      [certificateLog, certificateLog],
      [certificateLog, second],
    ]) {
      refused(signedWith({ sctBy }), "certificate-untrusted", { root, demands: { certificateLogs: 2 } });
    }
    accepted(signedWith({ sctBy: [certificateLog, third] }), { root, demands: { certificateLogs: 2 } });
  });

  /** A certificate with a list of SCTs of the test's own. */
  function withList(make: (sct: Buffer) => Extension): Signed {
    const key = fakeKey();
    const parts = leafParts(key);
    const sct = certificateLog.vouch({ issuerSpki: authority.key.spki, tbs: tbsCertificate(parts), at: NOW });
    const leaf = certificate({ ...parts, extensions: [...parts.extensions, make(sct)] });
    return signKeyless(sigstore, { key, certificate: { leaf, chain: [leaf] } });
  }

  function leafParts(key: FakeKey): CertificateParts {
    return {
      serial: 99n,
      subject: {},
      issuer: { organization: authority.name, commonName: "intermediate" },
      notBefore: NOW - MINUTE,
      notAfter: NOW + MINUTE,
      spki: key.spki,
      signer: authority.key,
      extensions: [...LEAF, subjectKeyIdentifier(key.spki), authorityKeyIdentifier(authority.key.spki)],
    };
  }

  const SCT_LIST = "1.3.6.1.4.1.11129.2.4.2";
  const LISTS: Readonly<Record<string, (sct: Buffer) => Extension>> = {
    "with something behind it": (sct) => ({
      ...sctList([sct]),
      value: octets(Buffer.concat([opaque(opaque(sct, 2), 2), Buffer.of(0)])),
    }),
    "with something behind the text that it is in": (sct) => ({
      ...sctList([sct]),
      value: Buffer.concat([sctList([sct]).value, Buffer.of(5, 0)]),
    }),
    bare: (sct) => ({ id: SCT_LIST, value: opaque(opaque(sct, 2), 2) }),
    "that says it is longer": (sct) => ({
      id: SCT_LIST,
      value: octets(Buffer.concat([Buffer.of(0xff, 0xff), opaque(sct, 2)])),
    }),
    "that says it is shorter": (sct) => ({
      id: SCT_LIST,
      value: octets(Buffer.concat([Buffer.of(0, 1), opaque(sct, 2)])),
    }),
    "with a timestamp that has something behind it": (sct) => sctList([Buffer.concat([sct, Buffer.of(0)])]),
    "with a timestamp that is cut": (sct) => sctList([sct.subarray(0, -1)]),
    "with a timestamp of another version": (sct) => sctList([Buffer.concat([Buffer.of(1), sct.subarray(1)])]),
    "with a timestamp of another time": (sct) => sctList([Buffer.from(sct).fill(0, 33, 41)]),
    "with a timestamp beyond all years": (sct) => sctList([Buffer.from(sct).fill(0xff, 33, 41)]),
    "with a timestamp of nobody's key": (sct) => sctList([Buffer.from(sct).fill(1, 60)]),
    "with a good one and a bad one": (sct) => sctList([sct, Buffer.from(sct).fill(1, 60)]),
    "with nothing in it": () => sctList([]),
    "that is empty": () => ({ id: SCT_LIST, value: octets(Buffer.alloc(0)) }),
    "in another arc": (sct) => ({ ...sctList([sct]), id: "1.3.6.1.4.1.11129.2.4.9" }),
    "critical, and so not understood": (sct) => ({ ...sctList([sct]), critical: true }),
  };
  it("would be taken from a certificate that is made here, which shows that the rest is right", () => {
    accepted(withList((sct) => sctList([sct])));
  });
  for (const [name, make] of Object.entries(LISTS)) {
    it(`are not taken from a list ${name}`, () => {
      refused(withList(make), "certificate-untrusted");
    });
  }

  it("are about this certificate: another's do not do, nor the same one's by another issuer", () => {
    refused(signedWith({ sctIssuer: authority.rootKey.spki }), "certificate-untrusted");
    const other = fakeKey();
    const sct = certificateLog.vouch({
      issuerSpki: authority.key.spki,
      tbs: tbsCertificate(leafParts(other)),
      at: NOW,
    });
    refused(
      withList(() => sctList([sct])),
      "certificate-untrusted",
    );
  });
});

describe("distinct signers", () => {
  it("are not two for one address in two cases, whatever a provider makes of it", async () => {
    const condition = { subject: await pattern("(?i)dev@example\\.com"), issuer: await pattern(".*"), claims: [] };
    const both = [{ email: SUBJECT }, { email: "Dev@Example.com" }].map((subject) =>
      bundleCandidate(signedWith({ subject })),
    );
    const { status, reasons } = judged(both, { condition, more: { threshold: 2 } });
    assert.equal(status, "refused");
    assert.equal(reasons[0]?.code, "threshold-not-met");
  });

  it("are two for two addresses, and for one that two issuers vouch for", async () => {
    const condition = { subject: await pattern(".*"), issuer: await pattern(".*"), claims: [] };
    for (const other of [{ subject: { email: "eve@example.com" } }, { issuer: "https://other.example.com" }]) {
      const both = [{}, other].map((options) => bundleCandidate(signedWith(options)));
      assert.equal(judged(both, { condition, more: { threshold: 2 } }).status, "accepted");
    }
  });
});
