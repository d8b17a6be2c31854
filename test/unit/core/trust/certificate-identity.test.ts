import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { readCertificateIdentity } from "../../../../src/core/trust/certificate-identity.ts";
import { CLAIMS, type ClaimName } from "../../../../src/core/trust/identity.ts";
import { thrownBy } from "../../../support/codes.ts";
import { FakeAuthority, type IssueOptions } from "../../../support/sigstore/authority.ts";
import { alternativeNames, type Extension } from "../../../support/sigstore/certificates.ts";
import { context, contextText, element, oid, sequence, utf8 } from "../../../support/sigstore/der.ts";

const authority = new FakeAuthority();
const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const WORKFLOW = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";

function issue(options: Partial<IssueOptions> = {}): Uint8Array {
  return authority.issue({ publicKey, ...options }).leaf;
}

/** A subject alternative name as these bytes. */
function named(...names: readonly Uint8Array[]): Uint8Array {
  return issue({ subject: [], extensions: [{ id: "2.5.29.17", value: sequence(...names) }] });
}

const fulcio = (number: number): string => `1.3.6.1.4.1.57264.1.${number}`;

function withExtension(...extensions: readonly Extension[]): Uint8Array {
  return issue({ extensions });
}

function refusal(der: Uint8Array): string {
  const { message, found } = thrownBy(() => readCertificateIdentity(der), "certificate-untrusted");
  return `${message}: ${found}`;
}

describe("the identity of a certificate (Fulcio, docs/oid-info.md)", () => {
  it("is an email address", () => {
    const identity = readCertificateIdentity(issue());
    assert.deepEqual(identity, {
      subject: "dev@example.com",
      subjectKind: "email",
      issuer: "https://issuer.example.com",
      claims: {},
    });
  });

  it("is a URI", () => {
    const { subject, subjectKind } = readCertificateIdentity(issue({ subject: { uri: WORKFLOW } }));
    assert.deepEqual([subject, subjectKind], [WORKFLOW, "uri"]);
  });

  it("is a user name in an otherName of type .7", () => {
    const { subject, subjectKind } = readCertificateIdentity(issue({ subject: { otherName: "zoë!example.com" } }));
    assert.deepEqual([subject, subjectKind], ["zoë!example.com", "other-name"]);
  });

  it("has every claim, those up to .6 as bare text and later ones as UTF8String", () => {
    const claims = Object.fromEntries(Object.keys(CLAIMS).map((name) => [name, `the ${name}`]));
    assert.deepEqual(readCertificateIdentity(issue({ claims: claims as Record<ClaimName, string> })).claims, claims);
  });

  it("leaves out what it does not know: later numbers, other arcs", () => {
    const der = withExtension({ id: fulcio(99), value: utf8("x") }, { id: "1.3.6.1.4.1.57264.2", value: utf8("x") });
    assert.deepEqual(readCertificateIdentity(der).claims, {});
  });

  it("keeps letters that look alike apart", () => {
    const { subject } = readCertificateIdentity(issue({ subject: { otherName: "аlice" } }));
    assert.notEqual(subject, "alice");
  });
});

describe("a certificate's issuer", () => {
  for (const issuerIn of ["old", "new", "both"] as const) {
    it(`is read from the extension${issuerIn === "both" ? "s that agree" : ` that is alone (${issuerIn})`}`, () => {
      assert.equal(readCertificateIdentity(issue({ issuerIn })).issuer, "https://issuer.example.com");
    });
  }

  it("is empty where a private authority wrote none", () => {
    assert.equal(readCertificateIdentity(issue({ issuerIn: "neither" })).issuer, "");
  });

  it("is not a matter of choice: two that differ are refused", () => {
    assert.match(refusal(issue({ oldIssuer: "https://evil.example.com" })), /two issuers: .*issuer.*and .*evil/);
  });

  it("may not be empty where it is written", () => {
    assert.match(refusal(issue({ issuer: "", issuerIn: "new" })), /empty/);
    assert.match(refusal(issue({ issuer: "", issuerIn: "old" })), /empty/);
  });

  const broken: readonly (readonly [string, Uint8Array])[] = [
    ["bare text in .8", Buffer.from("https://issuer.example.com")],
    ["bytes after the text", Buffer.concat([utf8("https://issuer.example.com"), Buffer.of(0)])],
    ["two texts", Buffer.concat([utf8("https://issuer.example.com"), utf8("https://evil.example.com")])],
    [
      "a length that is too long",
      Buffer.concat([Buffer.of(0x0c, 0x81, 0x1a), Buffer.from("https://issuer.example.com")]),
    ],
    ["another type of text", element(0x16, Buffer.from("https://issuer.example.com"))],
    ["a text in a sequence", sequence(utf8("https://issuer.example.com"))],
    ["a text cut short", utf8("https://issuer.example.com").subarray(0, 9)],
    ["nothing", Buffer.alloc(0)],
  ];
  for (const [what, value] of broken) {
    it(`is not read from ${what}`, () => {
      refusal(issue({ issuerIn: "neither", extensions: [{ id: fulcio(8), value }] }));
    });
  }
});

describe("a certificate that names nobody, or several (sigstore.md §9.1 item 12)", () => {
  it("is refused without a subject alternative name", () => {
    assert.match(refusal(issue({ subject: [] })), /names nobody/);
  });

  it("is refused with an empty list of them", () => assert.match(refusal(named()), /names nobody/));

  it("is refused with two, and says both", () => {
    const found = refusal(issue({ subject: [{ email: "a@example.com" }, { uri: WORKFLOW }] }));
    assert.match(found, /more than one: 2 .*a@example\.com.*release\.yml/);
  });

  it("is refused with the same one twice", () => {
    refusal(issue({ subject: [{ email: "a@example.com" }, { email: "a@example.com" }] }));
  });

  it("is refused with many, of which it says a few", () => {
    const subject = Array.from({ length: 500 }, (_, at) => ({ email: `user${at}@example.com` }));
    assert.ok(refusal(issue({ subject })).length < 400);
  });

  it("is refused with two extensions of them", () => {
    assert.match(
      refusal(issue({ extensions: [alternativeNames([{ email: "a@example.com" }])] })),
      /2\.5\.29\.17 twice/,
    );
  });

  const others: readonly (readonly [string, Uint8Array])[] = [
    ["a host name", contextText(2, "example.com")],
    ["an IP address", element(0x87, Buffer.of(127, 0, 0, 1))],
    ["a folder's name", element(0xa4, sequence())],
    ["a user name of another kind", context(0, oid("1.3.6.1.4.1.311.20.2.3"), context(0, utf8("a@example.com")))],
    ["a user name that is no text", context(0, oid(fulcio(7)), context(0, element(0x04, Buffer.from("a"))))],
    ["two user names in one", context(0, oid(fulcio(7)), context(0, utf8("a"), utf8("b")))],
    ["a user name and more", context(0, oid(fulcio(7)), context(0, utf8("a")), context(0, utf8("b")))],
    ["a user name without its type", context(0, context(0, utf8("a")))],
    ["an empty name", contextText(1, "")],
    ["an empty user name", context(0, oid(fulcio(7)), context(0, utf8("")))],
    ["a constructed address", element(0xa1, Buffer.from("a@example.com"))],
  ];
  for (const [what, name] of others) it(`is refused with ${what}`, () => void refusal(named(name)));
});

describe("texts in a certificate", () => {
  it("are valid UTF-8", () => {
    refusal(named(context(0, oid(fulcio(7)), context(0, element(0x0c, Buffer.of(0xc3, 0x28))))));
    refusal(withExtension({ id: fulcio(2), value: Buffer.of(0xff) }));
    refusal(withExtension({ id: fulcio(9), value: element(0x0c, Buffer.of(0xed, 0xa0, 0x80)) }));
  });

  it("are ASCII in addresses and URIs (RFC 5280 §4.2.1.6)", () => {
    assert.match(refusal(issue({ subject: { email: "аlice@example.com" } })), /not ASCII/);
    assert.match(refusal(issue({ subject: { uri: "https://exаmple.com" } })), /not ASCII/);
  });

  for (const character of ["\0", "\n", "\u001b", "\u007f"]) {
    it(`have no ${JSON.stringify(character)}: what is after it could be hidden`, () => {
      assert.match(refusal(issue({ subject: { email: `dev@example.com${character}.evil.example` } })), /control/);
      refusal(issue({ claims: { "source-repository-uri": `https://github.com/acme/app${character}x` } }));
      refusal(issue({ claims: { "github-workflow-ref": `refs/heads/main${character}` } }));
    });
  }

  it("have no controls of the second set", () => {
    assert.match(refusal(issue({ claims: { "token-subject": "a\u0085b" } })), /control/);
  });

  it("are bounded", () => {
    const subject = { uri: `https://example.com/${"a".repeat(LIMITS.certificateTextBytes)}` };
    thrownBy(() => readCertificateIdentity(issue({ subject })), "limit-reached");
    const claims = { "token-subject": "a".repeat(LIMITS.certificateTextBytes + 1) };
    thrownBy(() => readCertificateIdentity(issue({ claims })), "limit-reached");
    const longest = "a".repeat(LIMITS.certificateTextBytes);
    assert.equal(
      readCertificateIdentity(issue({ claims: { "token-subject": longest } })).claims["token-subject"],
      longest,
    );
  });
});

describe("a certificate that is none", () => {
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["nothing", new Uint8Array()],
    ["a text", Buffer.from("-----BEGIN CERTIFICATE-----")],
    ["one that is cut short", issue().subarray(0, -1)],
    ["one with bytes after it", Buffer.concat([issue(), Buffer.of(0)])],
    ["an empty sequence", sequence()],
    ["a sequence in a sequence", sequence(sequence())],
    ["deep nesting", Buffer.concat(Array(200).fill(Buffer.of(0x30, 0x80)))],
  ];
  for (const [what, der] of cases) it(`is refused: ${what}`, () => void refusal(der));

  it("is not read where it is too large", () => {
    const der = withExtension({ id: fulcio(99), value: Buffer.alloc(LIMITS.certificateBytes) });
    thrownBy(() => readCertificateIdentity(der), "limit-reached");
  });

  it("is refused with a claim twice, the same or another", () => {
    const claims = { "build-trigger": "push" } as const;
    for (const text of ["push", "schedule"]) {
      refusal(issue({ claims, extensions: [{ id: fulcio(20), value: utf8(text) }] }));
    }
  });
});
