import assert from "node:assert/strict";
import { createHash, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, it } from "node:test";
import type { JsonObject, JsonValue } from "../../../../src/core/json.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { instant } from "../../../../src/core/time.ts";
import { checkIdToken, fetchIssuerKeys, type IdTokenExpectations } from "../../../../src/io/identity/id-token.ts";
import { thrownBy } from "../../../support/codes.ts";
import { httpServer, reply } from "../../../support/http-server.ts";
import { badAnswers, quickService, quietlyRejected } from "../../../support/identity.ts";
import { withoutPartsOf } from "../../../support/secrets.ts";

const NOW = instant(Date.UTC(2026, 5, 1, 12));
const SECONDS = NOW / 1000;
const ISSUER = "https://issuer.example.com";
const ACCESS_TOKEN = "an-access-token-that-came-with-it";
const NONCE = "a-nonce-that-was-sent-along";
const EXPECTED: IdTokenExpectations = {
  issuer: ISSUER,
  clientId: "sigstore",
  nonce: NONCE,
  accessToken: ACCESS_TOKEN,
  now: NOW,
};

const KEYS = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ES384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  ES512: generateKeyPairSync("ec", { namedCurve: "P-521" }),
};
const OTHER = generateKeyPairSync("rsa", { modulusLength: 2048 });
const SMALL = generateKeyPairSync("rsa", { modulusLength: 1024 });

type Members = Readonly<Record<string, JsonValue | undefined>>;

function atHash(bits: 256 | 384 | 512 = 256, accessToken = ACCESS_TOKEN): string {
  const digest = createHash(`sha${bits}`).update(accessToken).digest();
  return digest.subarray(0, digest.byteLength / 2).toString("base64url");
}

function claims(others: Members = {}): Members {
  return {
    iss: ISSUER,
    sub: "1234",
    aud: "sigstore",
    exp: SECONDS + 300,
    nonce: NONCE,
    at_hash: atHash(),
    email: "dev@example.com",
    email_verified: true,
    ...others,
  };
}

function jwk({ publicKey }: { publicKey: KeyObject }, others: Members = {}): JsonObject {
  return JSON.parse(JSON.stringify({ ...publicKey.export({ format: "jwk" }), kid: "one", use: "sig", ...others }));
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

interface Making {
  readonly algorithm?: string;
  readonly key?: KeyObject;
  readonly header?: Members;
  readonly claims?: Members;
}

function idToken({
  algorithm = "RS256",
  key = KEYS.RS256.privateKey,
  header = {},
  claims: others,
}: Making = {}): string {
  const text = `${part({ alg: algorithm, kid: "one", ...header })}.${part(claims(others))}`;
  const how = { key, dsaEncoding: "ieee-p1363" } as const;
  return `${text}.${sign(`sha${algorithm.slice(2)}`, Buffer.from(text), how).toString("base64url")}`;
}

const PUBLISHED = [jwk(KEYS.RS256)];

function refused(text: string, keys: readonly JsonObject[] = PUBLISHED, expected = EXPECTED) {
  const error = thrownBy(() => checkIdToken(text, keys, expected), "token-invalid");
  withoutPartsOf(error, text, ACCESS_TOKEN, NONCE);
  return error;
}

describe("an ID token", () => {
  it("is believed where its issuer signed it for this very sign-in (OpenID Connect Core §3.1.3.7)", () => {
    const token = checkIdToken(idToken(), PUBLISHED, EXPECTED);
    assert.equal(token.subjectForProof, "dev@example.com");
    assert.equal(token.reveal().split(".").length, 3);
  });

  it("may be signed by RSA, or on any of the three curves (RFC 7518 §3.1)", () => {
    for (const [algorithm, keys, bits] of [
      ["RS256", KEYS.RS256, 256],
      ["RS384", KEYS.RS256, 384],
      ["RS512", KEYS.RS256, 512],
      ["ES256", KEYS.ES256, 256],
      ["ES384", KEYS.ES384, 384],
      ["ES512", KEYS.ES512, 512],
    ] as const) {
      const text = idToken({ algorithm, key: keys.privateKey, claims: { at_hash: atHash(bits) } });
      checkIdToken(text, [jwk(keys, { alg: algorithm })], EXPECTED);
      checkIdToken(text, [jwk(keys)], EXPECTED);
      refused(`${text.slice(0, -8)}AAAAAAAA`, [jwk(keys)]);
    }
  });

  it("is refused where another key signed it, whatever it calls itself", () => {
    refused(idToken({ key: OTHER.privateKey }));
    refused(idToken(), [jwk(OTHER)]);
    const text = idToken();
    const [header, , signature] = text.split(".");
    refused(`${header}.${part(claims({ sub: "5678" }))}.${signature}`);
    refused(`${text.slice(0, -4)}AAAA`);
  });

  it("is refused where it brings its own key: only what the issuer publishes counts", () => {
    const header = { jwk: jwk(OTHER), jku: "https://evil.example.com/keys", x5c: ["MII"] };
    refused(idToken({ key: OTHER.privateKey, header }));
    checkIdToken(idToken({ header }), PUBLISHED, EXPECTED);
  });

  it("is refused where anybody could have signed it: none, and keys that are no secret (RFC 8725 §3.1)", () => {
    const pem = KEYS.RS256.publicKey.export({ type: "spki", format: "pem" });
    for (const algorithm of ["none", "None", "HS256", "HS512", "hs256", "PS256", "EdDSA", "RS1", "RS256 ", "rs256"]) {
      const text = `${part({ alg: algorithm, kid: "one" })}.${part(claims())}`;
      refused(`${text}.${createHmac("sha256", pem).update(text).digest("base64url")}`);
    }
    const secret = { kty: "oct", k: Buffer.from(pem).toString("base64url"), kid: "one" };
    const text = `${part({ alg: "HS256", kid: "one" })}.${part(claims())}`;
    refused(`${text}.${createHmac("sha256", pem).update(text).digest("base64url")}`, [secret]);
  });

  it("is refused where its algorithm is not its key's", () => {
    refused(idToken({ algorithm: "ES256", key: KEYS.ES384.privateKey }), [jwk(KEYS.ES384)]);
    refused(idToken({ algorithm: "ES256", key: KEYS.ES256.privateKey }), PUBLISHED);
    refused(idToken(), [jwk(KEYS.RS256, { alg: "RS512" })]);
    refused(idToken({ algorithm: "RS512", claims: { at_hash: atHash(512) } }), [jwk(KEYS.RS256, { alg: "RS256" })]);
    refused(idToken(), [jwk(KEYS.RS256, { use: "enc" })]);
  });

  it("is refused where the key that it names is not published, or several could be it", () => {
    for (const kid of ["two", "", 1, null, ["one"]]) refused(idToken({ header: { kid } }));
    refused(idToken(), []);
    refused(idToken(), [jwk(KEYS.RS256), jwk(OTHER)]);
    refused(idToken({ header: { kid: undefined } }), [jwk(KEYS.RS256), jwk(OTHER, { kid: "two" })]);
    refused(idToken(), [jwk(KEYS.RS256, { kid: undefined })]);
  });

  it("may name no key where there is but one that it could be", () => {
    const keys = [jwk(KEYS.ES256, { kid: "two" }), jwk(KEYS.RS256), jwk(OTHER, { use: "enc" })];
    checkIdToken(idToken({ header: { kid: undefined } }), keys, EXPECTED);
  });

  it("is refused where the issuer's key is broken or weak (RFC 7518 §3.3)", () => {
    for (const broken of [{ n: undefined }, { n: 5 }, { n: "" }, { e: "" }, { n: "!" }]) {
      refused(idToken(), [jwk(KEYS.RS256, broken)]);
    }
    refused(idToken({ key: SMALL.privateKey }), [jwk(SMALL)]);
    const text = idToken({ algorithm: "ES256", key: KEYS.ES256.privateKey });
    for (const broken of [{ x: "AAAA" }, { y: undefined }, { x: jwk(KEYS.ES256)["y"] }]) {
      refused(text, [jwk(KEYS.ES256, broken)]);
    }
  });

  it("is refused where its signature has the other form, or another length", () => {
    const text = `${part({ alg: "ES256", kid: "one" })}.${part(claims())}`;
    const der = sign("sha256", Buffer.from(text), KEYS.ES256.privateKey).toString("base64url");
    refused(`${text}.${der}`, [jwk(KEYS.ES256)]);
    for (const length of [1, 63, 65, 128]) {
      refused(`${text}.${Buffer.alloc(length).toString("base64url")}`, [jwk(KEYS.ES256)]);
    }
  });

  it("is refused where it is another issuer's", () => {
    for (const iss of ["https://evil.example.com", `${ISSUER}/`, "https://ISSUER.example.com"]) {
      assert.equal(refused(idToken({ claims: { iss } })).wanted, ISSUER);
    }
  });

  it("is refused where it is for another program (§3.1.3.7, 3 to 5)", () => {
    refused(idToken({ claims: { aud: "other" } }));
    refused(idToken({ claims: { aud: ["sigstore", "other"], azp: "other" } }));
    for (const azp of ["other", "", null, 5, ["sigstore"]]) refused(idToken({ claims: { azp } }));
    checkIdToken(idToken({ claims: { aud: ["other", "sigstore"], azp: "sigstore" } }), PUBLISHED, EXPECTED);
  });

  it("is refused where it has expired, is not valid yet, or its address is not verified", () => {
    refused(idToken({ claims: { exp: SECONDS } }));
    refused(idToken({ claims: { nbf: SECONDS + 120 } }));
    refused(idToken({ claims: { email_verified: false } }));
  });

  it("is refused where it answers another request: its nonce is another one, or none (§3.1.3.7, 11)", () => {
    for (const nonce of ["another-nonce-than-ours", `${NONCE} `, "", undefined, null, 5, [NONCE]]) {
      refused(idToken({ claims: { nonce } }));
    }
    const device = { ...EXPECTED, nonce: undefined };
    checkIdToken(idToken({ claims: { nonce: undefined } }), PUBLISHED, device);
    checkIdToken(idToken({ claims: { nonce: "whatever" } }), PUBLISHED, device);
  });

  it("is refused where another access token belongs to it (§3.1.3.8)", () => {
    for (const at_hash of [atHash(256, "another"), atHash(512), "", null, 5, atHash().slice(1)]) {
      refused(idToken({ claims: { at_hash } }));
    }
    refused(idToken(), PUBLISHED, { ...EXPECTED, accessToken: undefined });
    refused(idToken({ claims: { at_hash: atHash(256, "") } }), PUBLISHED, { ...EXPECTED, accessToken: undefined });
    const without = idToken({ claims: { at_hash: undefined } });
    checkIdToken(without, PUBLISHED, EXPECTED);
    checkIdToken(without, PUBLISHED, { ...EXPECTED, accessToken: undefined });
  });

  it("is refused where it is no token at all", () => {
    for (const text of ["", "a.b.c", ACCESS_TOKEN, idToken().split(".").slice(0, 2).join("."), `${idToken()}.x.y`]) {
      refused(text);
    }
  });
});

describe("an issuer's keys", () => {
  async function fetchFrom(body: string | object) {
    const server = await httpServer((_request, response) => reply(response, 200, body));
    const service = quickService();
    try {
      return await fetchIssuerKeys(service, new URL(`http://${server.host}/keys`));
    } finally {
      await service.close();
      await server.close();
    }
  }

  it("are a list of objects; what else is in it is passed over (RFC 7517 §5)", async () => {
    assert.deepEqual(await fetchFrom({ keys: [...PUBLISHED, null, "key", 5], more: true }), PUBLISHED);
    assert.deepEqual(await fetchFrom({ keys: [] }), []);
  });

  it("are refused where they are no list, or one without end", async () => {
    for (const body of [{}, { keys: null }, { keys: {} }, { keys: "one" }]) {
      await quietlyRejected(() => fetchFrom(body), "protocol-error", []);
    }
    const many = { keys: [...Array(LIMITS.issuerKeys + 1).keys()].map(() => ({})) };
    await quietlyRejected(() => fetchFrom(many), "limit-reached", []);
  });

  for (const { name, code, answer } of badAnswers("nothing-secret-is-here")) {
    it(`cannot be had where the answer is ${name}`, async () => {
      const server = await httpServer(answer);
      const service = quickService();
      await quietlyRejected(() => fetchIssuerKeys(service, new URL(`http://${server.host}/`)), code, []);
      await service.close();
      await server.close();
    });
  }
});
