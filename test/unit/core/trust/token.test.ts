import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import type { CountersignError } from "../../../../src/core/errors.ts";
import type { JsonValue } from "../../../../src/core/json.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { instant } from "../../../../src/core/time.ts";
import { decodeJwt, looksLikeJwt } from "../../../../src/core/trust/jwt.ts";
import { checkToken, parseIdentityToken } from "../../../../src/core/trust/token.ts";
import { thrownBy } from "../../../support/codes.ts";
import { withoutPartsOf } from "../../../support/secrets.ts";

const NOW = instant(Date.UTC(2026, 5, 1, 12));
const SECONDS = NOW / 1000;
const ISSUER = "https://issuer.example.com";
const WANTED = { audience: "sigstore", now: NOW };

type Members = Readonly<Record<string, JsonValue | undefined>>;

/** Claims that do; `undefined` leaves one out. */
function claims(others: Members = {}): Members {
  const right = { iss: ISSUER, sub: "1234", aud: "sigstore", iat: SECONDS - 10, exp: SECONDS + 300 };
  return { ...right, ...others };
}

const HEADER: Members = { alg: "RS256", kid: "one", typ: "JWT" };
const SIGNATURE = Buffer.from("a signature that nobody here checks").toString("base64url");

function part(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

function tokenText(others: Members = {}, header: Members | string = HEADER): string {
  return `${part(header)}.${part(claims(others))}.${SIGNATURE}`;
}

const VERIFIED = { email: "dev@example.com", email_verified: true };

/** Reading it fails, and the error says nothing of it. */
function refused(text: string, code: "token-invalid" | "limit-reached" = "token-invalid"): CountersignError {
  const error = thrownBy(() => parseIdentityToken(text), code);
  withoutPartsOf(error, text);
  return error;
}

function unacceptable(others: Members): CountersignError {
  const text = tokenText(others);
  const error = thrownBy(() => checkToken(parseIdentityToken(text), WANTED), "token-invalid");
  withoutPartsOf(error, text);
  return error;
}

describe("an identity token", () => {
  it("says who signs, by whom that is vouched for, for whom, and until when", () => {
    const token = parseIdentityToken(tokenText({ ...VERIFIED, nbf: SECONDS - 10 }));
    assert.deepEqual(
      { ...token },
      {
        issuer: ISSUER,
        subject: "1234",
        email: "dev@example.com",
        emailVerified: true,
        audience: ["sigstore"],
        expiresAt: NOW + 300_000,
        notBefore: NOW - 10_000,
      },
    );
    checkToken(token, WANTED);
  });

  it("is proven over the address where the issuer has verified it, else over the subject (Fulcio, challengeClaim)", () => {
    const subjectOf = (others: Members) => parseIdentityToken(tokenText(others)).subjectForProof;
    assert.equal(subjectOf(VERIFIED), "dev@example.com");
    assert.equal(subjectOf({ ...VERIFIED, email_verified: "true" }), "dev@example.com");
    assert.equal(subjectOf({ ...VERIFIED, email_verified: false }), "1234");
    assert.equal(subjectOf({ ...VERIFIED, email_verified: undefined }), "1234");
    assert.equal(subjectOf({ email: "", email_verified: true }), "1234");
    assert.equal(subjectOf({}), "1234");
  });

  it("may be meant for several, and may have times with a fraction (RFC 7519 §2)", () => {
    const token = parseIdentityToken(tokenText({ aud: ["other", "sigstore"], exp: SECONDS + 0.5 }));
    assert.deepEqual(token.audience, ["other", "sigstore"]);
    assert.equal(token.expiresAt, NOW + 500);
    checkToken(token, WANTED);
  });

  it("shows its text when asked for it, and in no other way", () => {
    const text = tokenText(VERIFIED);
    const token = parseIdentityToken(text);
    assert.equal(token.reveal(), text);
    const shown = [
      String(token),
      `${token}`,
      JSON.stringify(token),
      JSON.stringify({ token }),
      inspect(token),
      inspect({ token }, { depth: null, showHidden: true, getters: true }),
      inspect(new Error("failed", { cause: token }), { depth: null, showHidden: true }),
      JSON.stringify({ ...token }),
      JSON.stringify(structuredClone({ ...token })),
      Object.values(token).join(),
    ];
    withoutPartsOf(shown.join("\n"), text);
    assert.equal(inspect(token), `identity token for dev@example.com by ${ISSUER}`);
    assert.equal(JSON.stringify(token), JSON.stringify({ ...token }));
    assert.throws(() => withoutPartsOf(token.reveal().slice(20, 32), text), /a part of a secret is shown/);
  });
});

describe("a text that is no token", () => {
  it("is refused without repeating it", () => {
    const [header, body] = tokenText().split(".");
    for (const [text, found] of [
      ["", /a text without dots/],
      ["glpat-abcdefghijklmnopqrst", /a text without dots/],
      ["one.two", /2 parts/],
      [`${tokenText()}.more`, /4 parts/],
      [`${tokenText()}.more.parts`, /encrypted/],
      [`${header}.${body}.`, /an empty signature/],
      [`.${body}.${SIGNATURE}`, /an empty header/],
      [`${header}..${SIGNATURE}`, /an empty claims/],
      [`${header}.${body}.${SIGNATURE}=`, /a signature that is no base64url/],
      [`${header}.${body}.a+b/`, /a signature that is no base64url/],
      [`${header}.${body}.${SIGNATURE}\n`, /a signature that is no base64url/],
      [` ${header}.${body}.${SIGNATURE}`, /a header that is no base64url/],
      [`${header}.${body}.A`, /a signature that is no base64url/],
      ["ünd.zwölf.dreizehn", /a header that is no base64url/],
    ] as const) {
      assert.match(refused(text).found ?? "", found, text);
    }
  });

  it("is refused where it is longer than any token, before it is looked at", () => {
    const bytes = Math.floor((LIMITS.identityTokenBytes * 3) / 4) - tokenText({ filler: "" }).length;
    assert.ok(tokenText({ filler: "x".repeat(bytes) }).length <= LIMITS.identityTokenBytes);
    parseIdentityToken(tokenText({ filler: "x".repeat(bytes) }));
    const error = refused(tokenText({ filler: "x".repeat(LIMITS.identityTokenBytes) }));
    assert.equal(error.wanted, `at most ${LIMITS.identityTokenBytes}`);
  });

  it("is refused where its JSON is not strict (RFC 8259, RFC 7493)", () => {
    const { exp, iss, sub } = claims();
    for (const body of [
      "",
      "{}{}",
      "[]",
      '"a string"',
      `{"iss":"${String(iss)}","iss":"https://other.example.com","sub":"${String(sub)}","aud":"sigstore","exp":${String(exp)}}`,
      `{"__proto__":{"iss":"x"}}`,
      `{"iss":"\\ud800"}`,
      `{"exp":1e999}`,
      `{"exp":9007199254740993}`,
      "{'iss':1}",
      "\ufeff{}",
    ]) {
      refused(`${part(HEADER)}.${part(body)}.${SIGNATURE}`);
      refused(`${part(body)}.${part(claims())}.${SIGNATURE}`);
    }
    refused(`${part(HEADER)}.${Buffer.from([0x7b, 0xff, 0x7d]).toString("base64url")}.${SIGNATURE}`);
  });

  it("is refused where its JSON is nested without end", () => {
    refused(`${part(HEADER)}.${part(`{"a":${"[".repeat(9000)}`)}.${SIGNATURE}`, "limit-reached");
  });

  it("is refused where nobody signed it, or only somebody who understands more could check it (RFC 7515 §4.1.11, §10.7)", () => {
    for (const header of [
      { ...HEADER, alg: "none" },
      { ...HEADER, alg: "NonE" },
      { ...HEADER, alg: "" },
      { ...HEADER, alg: 5 },
      { ...HEADER, alg: null },
      { typ: "JWT" },
      { ...HEADER, crit: ["b64"], b64: false },
      { ...HEADER, crit: null },
    ]) {
      refused(tokenText({}, header));
    }
  });

  it("is told from a path, good or bad", () => {
    assert.ok(looksLikeJwt(tokenText()));
    assert.ok(looksLikeJwt(`${part('{"alg"')}.a.b`));
    assert.ok(looksLikeJwt(`${part(" {}")}...`) === false);
    assert.ok(looksLikeJwt(`${part("{}")}.a.b.c.d`));
    for (const path of [
      "",
      "token",
      "token.jwt",
      "a.b.c",
      "./token.jwt.txt",
      "eyJ.b",
      "run/secrets/token",
      "\u{1f600}.b.c",
    ]) {
      assert.equal(looksLikeJwt(path), false, path);
    }
  });

  it("keeps what is signed apart from the signature", () => {
    const text = tokenText();
    const { signedText, signature, header } = decodeJwt(text);
    assert.equal(`${signedText}.${SIGNATURE}`, text);
    assert.equal(Buffer.from(signature).toString("base64url"), SIGNATURE);
    assert.equal(header["kid"], "one");
  });
});

describe("a claim", () => {
  it("that is wanted must be there and be of its type: a number as a string is none", () => {
    for (const [claim, ...values] of [
      ["iss", undefined, null, 5, "", ["x"], {}],
      ["sub", undefined, null, 5, "", ["x"], {}],
      ["aud", undefined, null, 5, "", [], [5], [null], ["sigstore", ""], {}, [["sigstore"]]],
      ["exp", undefined, null, "1900000000", "", [], {}, true],
      ["nbf", null, "0", {}, true],
      ["email", null, 5, ["dev@example.com"], {}],
      ["email_verified", null, 1, "yes", "", "TRUE", [], {}],
    ] as const) {
      for (const value of values) {
        const error = refused(tokenText({ email: "dev@example.com", [claim]: value }));
        assert.match(error.message, new RegExp(`claim ${claim} cannot be used`));
      }
    }
  });

  it("that names somebody holds nothing that is not seen, and has an end", () => {
    const names = [
      "a\u0000b",
      "a\nb",
      "\u001b]0;title\u0007",
      "dev@example.com\u202emoc.live",
      "zero\u200bwidth",
      "x".repeat(LIMITS.identityNameCharacters + 1),
    ];
    for (const name of names) {
      refused(tokenText({ iss: name }));
      refused(tokenText({ sub: name }));
      refused(tokenText({ aud: ["sigstore", name] }));
      refused(tokenText({ ...VERIFIED, email: name }));
    }
    parseIdentityToken(tokenText({ sub: "x".repeat(LIMITS.identityNameCharacters) }));
  });

  it("that is a time is one that a calendar has", () => {
    for (const exp of [1e15, -1e15, 9e15]) refused(tokenText({ exp }));
    for (const nbf of [1e15, -1e15]) refused(tokenText({ nbf }));
  });

  it("that lists audiences has an end", () => {
    const audiences = [...Array(LIMITS.tokenAudiences).keys()].map((at) => `audience-${at}`);
    assert.equal(parseIdentityToken(tokenText({ aud: audiences })).audience.length, LIMITS.tokenAudiences);
    assert.equal(refused(tokenText({ aud: [...audiences, "sigstore"] })).wanted, `at most ${LIMITS.tokenAudiences}`);
  });

  it("that is not known changes nothing", () => {
    parseIdentityToken(tokenText({ groups: ["a", "b"], nonce: 5, azp: null, "https://example.com/claim": {} }));
  });
});

describe("a token that cannot do", () => {
  it("is one that has expired: when, and how long ago", () => {
    const error = unacceptable({ exp: SECONDS - 300 });
    assert.match(error.message, /expired/);
    assert.equal(error.found, "it was valid until 2026-06-01T11:55:00Z, 5 minutes ago");
    unacceptable({ exp: SECONDS });
    unacceptable({ exp: -1 });
    unacceptable({ exp: 0 });
    checkToken(parseIdentityToken(tokenText({ exp: SECONDS + 1 })), WANTED);
  });

  it("is one that is not valid yet, beyond what clocks differ", () => {
    const skew = LIMITS.clockSkewMs / 1000;
    checkToken(parseIdentityToken(tokenText({ nbf: SECONDS + skew })), WANTED);
    assert.equal(
      unacceptable({ nbf: SECONDS + skew + 1, exp: SECONDS + 900 }).found,
      "it is valid from 2026-06-01T12:01:01Z, in 1 minute",
    );
  });

  it("is one for another audience: both are said", () => {
    const error = unacceptable({ aud: "sts.example.com" });
    assert.equal(error.found, "the audience sts.example.com");
    assert.equal(error.wanted, "the audience sigstore");
    for (const aud of ["Sigstore", "sigstore ", "sigstore2", ["sig", "store"]]) unacceptable({ aud });
    assert.equal(
      unacceptable({ aud: ["a", "b", "c", "d", "e"] }).found,
      "the audience a, b, c and 2 more",
      "a long list is not printed",
    );
  });

  it("is one whose address the issuer has not verified: it may be anybody's", () => {
    for (const email_verified of [false, "false", undefined]) {
      const error = unacceptable({ email: "dev@example.com", email_verified });
      assert.equal(error.found, `dev@example.com, not verified by ${ISSUER}`);
    }
  });
});
