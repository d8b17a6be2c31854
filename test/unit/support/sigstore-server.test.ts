import assert from "node:assert/strict";
import { createPublicKey, verify, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import type { UntrustedLogEntry } from "../../../src/core/formats/envelope.ts";
import { makeStatement } from "../../../src/core/formats/intoto.ts";
import { readLogEntry } from "../../../src/core/formats/log-entry.ts";
import { bundleSignedBytes } from "../../../src/core/formats/sigstore-bundle.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { certificatePem } from "../../support/sigstore/authority.ts";
import { flag, integer, nothing, octets, oid, sequence } from "../../support/sigstore/der.ts";
import { digest, type FakeKey, fakeKey, HASH_OIDS } from "../../support/sigstore/keys.ts";
import { verifyByLibrary } from "../../support/sigstore/library-verifier.ts";
import { FakeIssuer, githubClaims, token } from "../../support/sigstore/oidc.ts";
import { type RunningSigstore, startFakeSigstore } from "../../support/sigstore/server.ts";
import { bundleOf, IMAGE, type Signed } from "../../support/sigstore/sign.ts";
import { temporaryFolder } from "../../support/temp.ts";

let running: RunningSigstore;
before(async () => {
  running = await startFakeSigstore({ more: { "rekor2-b": { kind: "rekor2", operator: "other.example.com" } } });
});
after(() => running.close());

// --- a client of the plainest kind --------------------------------------------------------------------------------------

const parse = (bytes: string | Uint8Array) => JSON.parse(Buffer.from(bytes).toString("utf8"));
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

async function post(url: string, body: JsonObject | URLSearchParams | Uint8Array, type?: string) {
  const isJson = !(body instanceof URLSearchParams) && !(body instanceof Uint8Array);
  const headers = isJson ? { "content-type": "application/json" } : type === undefined ? {} : { "content-type": type };
  const sent = isJson ? JSON.stringify(body) : body instanceof Uint8Array ? new Uint8Array(body) : body;
  const response = await fetch(url, { method: "POST", headers, body: sent });
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
}

function askFulcio(key: FakeKey, idToken: string, challenge = "dev@example.com") {
  const content = key.publicKey.export({ type: "spki", format: "pem" }).toString();
  return post(`${running.url("fulcio")}/api/v2/signingCert`, {
    credentials: { oidcIdentityToken: idToken },
    publicKeyRequest: {
      publicKey: { algorithm: "ECDSA", content },
      proofOfPossession: base64(key.sign(Buffer.from(challenge))),
    },
  });
}

async function certify(key: FakeKey, idToken: string, challenge?: string): Promise<readonly X509Certificate[]> {
  const { status, bytes } = await askFulcio(key, idToken, challenge);
  assert.equal(status, 200, bytes.toString());
  const chain: readonly string[] = parse(bytes).signedCertificateEmbeddedSct.chain.certificates;
  return chain.map((pem) => new X509Certificate(pem));
}

function askRekor2({ signedBytes, signature, certificates }: Sealed, name = "rekor2") {
  const x509Certificate = { rawBytes: base64(certificates[0] ?? Buffer.of()) };
  const verifier = { x509Certificate, keyDetails: "PKIX_ECDSA_P256_SHA_256" };
  return post(`${running.url(name)}/api/v2/log/entries`, {
    hashedRekordRequestV002: {
      digest: base64(digest(signedBytes)),
      signature: { content: base64(signature), verifier },
    },
  });
}

function askRekor1({ statement = Buffer.of(), signature, certificates }: Sealed) {
  const signatures = [{ sig: base64(signature) }];
  const envelope = JSON.stringify({ payload: base64(statement), payloadType: MEDIA_TYPES.intoto, signatures });
  const verifiers = [base64(Buffer.from(certificatePem(certificates[0] ?? Buffer.of())))];
  const spec = { proposedContent: { envelope, verifiers } };
  return post(`${running.url("rekor1")}/api/v1/log/entries`, { apiVersion: "0.0.1", kind: "dsse", spec });
}

function readRekor1(bytes: Uint8Array): UntrustedLogEntry {
  const [entry] = Object.values<ReturnType<typeof parse>>(parse(bytes));
  const { inclusionProof, signedEntryTimestamp } = entry.verification;
  const hex = (text: string) => Buffer.from(text, "hex");
  const body = Buffer.from(entry.body, "base64");
  return {
    logIndex: BigInt(entry.logIndex),
    logId: hex(entry.logID),
    kind: parse(body).kind,
    version: parse(body).apiVersion,
    integratedTime: BigInt(entry.integratedTime),
    promise: Buffer.from(signedEntryTimestamp, "base64"),
    proof: {
      logIndex: BigInt(inclusionProof.logIndex),
      treeSize: BigInt(inclusionProof.treeSize),
      rootHash: hex(inclusionProof.rootHash),
      hashes: inclusionProof.hashes.map(hex),
      checkpoint: inclusionProof.checkpoint,
    },
    body,
  };
}

const NONCE = 0x7fee_ddcc_bbaa_9988_7766n;

function askTimestamp(data: Uint8Array, type = "application/timestamp-query") {
  const imprint = sequence(sequence(oid(HASH_OIDS.sha256), nothing()), octets(digest(data)));
  return post(running.url("tsa"), sequence(integer(1), imprint, integer(NONCE), flag(true)), type);
}

type Sealed = Omit<Signed, "logEntries" | "timestamps">;

async function seal(): Promise<Sealed> {
  const key = fakeKey();
  const chain = await certify(key, running.token());
  const statement = makeStatement(IMAGE);
  const signedBytes = bundleSignedBytes(statement);
  return {
    key,
    certificates: chain.map(({ raw }) => raw),
    statement,
    payloadType: MEDIA_TYPES.intoto,
    signedBytes,
    signature: key.sign(signedBytes),
    hash: "sha256",
  };
}

function accept(signed: Signed): void {
  verifyByLibrary({ bundle: bundleOf(signed), trustedRoot: running.trustedRoot });
}

// --- tests ------------------------------------------------------------------------------------------------------------

describe("the fake Sigstore over HTTP", () => {
  it("gives all that a keyless signature needs, with Rekor 2 and a timestamp", async () => {
    const sealed = await seal();
    const logged = await askRekor2(sealed);
    const stamped = await askTimestamp(sealed.signature);
    assert.deepEqual([logged.status, stamped.status], [201, 201]);
    assert.equal(stamped.headers.get("content-type"), "application/timestamp-reply");
    accept({ ...sealed, logEntries: [readLogEntry(parse(logged.bytes), "the answer")], timestamps: [stamped.bytes] });
  });

  it("gives it with Rekor 1 alone", async () => {
    const sealed = await seal();
    const logged = await askRekor1(sealed);
    assert.equal(logged.status, 201);
    accept({ ...sealed, logEntries: [readRekor1(logged.bytes)], timestamps: [] });
  });

  it("writes its trust root and a signing configuration that names each service once", async (t) => {
    const paths = running.write(await temporaryFolder(t));
    assert.deepEqual(readFileSync(paths.trustedRoot), Buffer.from(running.trustedRoot));
    const { caUrls, oidcUrls, rekorTlogUrls, tsaUrls } = parse(readFileSync(paths.signingConfig));
    const urls = [caUrls, oidcUrls, rekorTlogUrls, tsaUrls].map((list) => list.map(({ url }: { url: string }) => url));
    assert.deepEqual(urls.flat(), ["fulcio", "oidc", "rekor2", "tsa"].map(running.url));
    const two = parse(running.signingConfig(["rekor1", "rekor2-b"])).rekorTlogUrls;
    assert.deepEqual([two[0].majorApiVersion, two[1].majorApiVersion, two[1].operator], [1, 2, "other.example.com"]);
  });

  it("keeps logs apart: a second one has its own key and its own servers", async () => {
    const sealed = await seal();
    const logIds = await Promise.all(
      ["rekor2", "rekor2-b"].map(async (name) => parse((await askRekor2(sealed, name)).bytes).logId.keyId),
    );
    assert.notEqual(logIds[0], logIds[1]);
    assert.equal(running.server("rekor2-b").requests.length, 1);
  });

  it("names no service that there is not", () => {
    assert.throws(() => running.url("rekor3"), RangeError);
    assert.throws(() => running.fail("rekor3", "reset"), RangeError);
  });
});

describe("its authority", () => {
  it("certifies a workflow under its URI, with GitHub's claims", async () => {
    const claims = githubClaims({ repository: "acme/app", ref: "refs/tags/v1" });
    const idToken = running.token({ email: null, claims });
    const [leaf] = await certify(fakeKey(), idToken, "repo:acme/app:ref:refs/tags/v1");
    const uri = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";
    assert.equal(leaf?.subjectAltName, `URI:${uri}`);
    assert.ok(leaf?.raw.includes(Buffer.from("https://github.com/acme/app/actions/runs/1/attempts/1")));
  });

  it("certifies the key of a signing request, and takes the token as a header", async () => {
    const key = fakeKey();
    const info = sequence(integer(0), sequence(), key.spki, Buffer.from("a000", "hex"));
    const signature = Buffer.concat([Buffer.of(0), key.sign(info)]);
    const ecdsa = sequence(oid("1.2.840.10045.4.3.2"));
    const request = sequence(info, ecdsa, Buffer.concat([Buffer.of(0x03, signature.length), signature]));
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${base64(request)}\n-----END CERTIFICATE REQUEST-----\n`;
    const response = await fetch(`${running.url("fulcio")}/api/v2/signingCert`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${running.token()}` },
      body: JSON.stringify({ certificateSigningRequest: base64(Buffer.from(pem)) }),
    });
    const [leaf] = parse(await response.text()).signedCertificateEmbeddedSct.chain.certificates;
    assert.ok(new X509Certificate(leaf).publicKey.equals(key.publicKey));
  });

  const REFUSED: Readonly<Record<string, readonly [() => string, number, RegExp]>> = {
    "a token for somebody else": [() => running.token({ audience: "other" }), 401, /audience/],
    "an expired token": [() => running.token({ expiresIn: -60 }), 401, /expired/],
    "an address that is not verified": [() => running.token({ emailVerified: false }), 400, /not verified/],
    "no token": [() => "x", 401, /identity token/],
    "proof by another subject": [() => running.token({ email: "eve@example.com" }), 400, /could not be verified/],
  };
  for (const [what, [idToken, status, message]] of Object.entries(REFUSED)) {
    it(`refuses ${what}`, async () => {
      const answer = await askFulcio(fakeKey(), idToken());
      assert.equal(answer.status, status);
      assert.match(parse(answer.bytes).message, message);
    });
  }

  it("gives another key's certificate, an old one, somebody else's, or none, when told to", async () => {
    const key = fakeKey();
    const given = async (fault: "other-key" | "expired" | "other-identity") => {
      running.fail("fulcio", fault, 1);
      return (await certify(key, running.token()))[0];
    };
    assert.ok((await given("other-key"))?.publicKey.equals(key.publicKey) === false);
    assert.ok(Number((await given("expired"))?.validToDate) < Date.now());
    assert.equal((await given("other-identity"))?.subjectAltName, "email:somebody-else@example.com");
    running.fail("fulcio", "no-certificate", 1);
    assert.deepEqual(await certify(key, running.token()), []);
  });

  it("gives the SCT beside the certificate, or none", async () => {
    running.fail("fulcio", "detached-sct", 1);
    const answer = parse((await askFulcio(fakeKey(), running.token())).bytes).signedCertificateDetachedSct;
    assert.equal(parse(Buffer.from(answer.signedCertificateTimestamp, "base64")).sct_version, 0);
    running.fail("fulcio", "no-sct", 1);
    const sealed = await seal();
    const logEntries = [readRekor1((await askRekor1(sealed)).bytes)];
    assert.throws(() => accept({ ...sealed, logEntries, timestamps: [] }), /expected 1 SCTs/);
  });
});

describe("its logs", () => {
  it("refuse a signature that is wrong", async () => {
    const sealed = await seal();
    const wrong = { ...sealed, signature: sealed.key.sign(Buffer.from("something else")) };
    assert.deepEqual([(await askRekor1(wrong)).status, (await askRekor2(wrong)).status], [400, 400]);
  });

  it("refuse envelopes in generation 2, as it is now", async () => {
    const answer = await post(`${running.url("rekor2")}/api/v2/log/entries`, { dsseRequestV002: {} });
    assert.equal(answer.status, 400);
  });

  it("answer 409 to the same again: generation 1 says where it is, generation 2 gives its index alone", async () => {
    const sealed = await seal();
    const first = await askRekor1(sealed);
    const again = await askRekor1(sealed);
    assert.equal(again.status, 409);
    const place = await fetch(new URL(again.headers.get("location") ?? "", running.url("rekor1")));
    assert.deepEqual(Buffer.from(await place.arrayBuffer()), first.bytes);
    await askRekor2(sealed);
    const second = await askRekor2(sealed);
    assert.deepEqual([second.status, /^\d+$/.test(second.headers.get("x-log-index") ?? "")], [409, true]);
  });

  it("have the entry although the answer was lost", async () => {
    const sealed = await seal();
    running.fail("rekor1", "lost", 1);
    await assert.rejects(askRekor1(sealed));
    assert.equal((await askRekor1(sealed)).status, 409);
  });

  it("say that the entry was there before, when told to", async () => {
    running.fail("rekor1", "conflict", 1);
    const sealed = await seal();
    const answer = await askRekor1(sealed);
    assert.equal(answer.status, 409);
    const place = await fetch(new URL(answer.headers.get("location") ?? "", running.url("rekor1")));
    accept({ ...sealed, logEntries: [readRekor1(Buffer.from(await place.arrayBuffer()))], timestamps: [] });
  });

  it("are frozen, when told to", async () => {
    running.fail("rekor2", "frozen", 1);
    assert.equal((await askRekor2(await seal())).status, 405);
  });

  for (const fault of ["other-entry", "other-log", "bad-root", "bad-promise"] as const) {
    it(`give what @sigstore/verify refuses, when told to: ${fault}`, async () => {
      running.fail("rekor1", fault, 1);
      const sealed = await seal();
      const logEntries = [readRekor1((await askRekor1(sealed)).bytes)];
      assert.throws(() => accept({ ...sealed, logEntries, timestamps: [] }));
    });
  }

  it("sign another origin, when told to", async () => {
    running.fail("rekor2", "bad-checkpoint", 1);
    const { inclusionProof } = parse((await askRekor2(await seal())).bytes);
    assert.match(inclusionProof.checkpoint.envelope, /^somewhere\.example\.com\n/);
  });
});

describe("its timestamp authority", () => {
  it("takes DER alone", async () => {
    assert.equal((await askTimestamp(Buffer.of(1), "application/json")).status, 415);
    assert.equal((await post(running.url("tsa"), Buffer.of(0x30, 0), "application/timestamp-query")).status, 400);
  });

  it("answers with the nonce that it was given", async () => {
    const nonce = integer(NONCE);
    assert.ok((await askTimestamp(Buffer.of(1))).bytes.includes(nonce));
    running.fail("tsa", "other-nonce", 1);
    assert.ok(!(await askTimestamp(Buffer.of(1))).bytes.includes(nonce));
    running.fail("tsa", "no-nonce", 1);
    assert.ok(!(await askTimestamp(Buffer.of(1))).bytes.includes(nonce));
  });

  it("rejects, when told to, by its status and without a token", async () => {
    running.fail("tsa", "rejected", 1);
    assert.deepEqual((await askTimestamp(Buffer.of(1))).bytes, sequence(sequence(integer(2))));
  });

  for (const fault of ["other-imprint", "bad-signature"] as const) {
    it(`gives what @sigstore/verify refuses, when told to: ${fault}`, async () => {
      const sealed = await seal();
      const logEntries = [readLogEntry(parse((await askRekor2(sealed)).bytes), "the answer")];
      running.fail("tsa", fault, 1);
      const timestamps = [(await askTimestamp(sealed.signature)).bytes];
      assert.throws(() => accept({ ...sealed, logEntries, timestamps }), /timestamp could not be verified/);
    });
  }
});

describe("its identity provider", () => {
  const verifier = "a-verifier-that-is-long-enough-for-the-rule-43";
  const challenge = digest(Buffer.from(verifier)).toString("base64url");
  const claimsOf = (idToken: string) => parse(Buffer.from(idToken.split(".")[1] ?? "", "base64url"));

  async function authorize(changes: Readonly<Record<string, string>> = {}): Promise<URL | number> {
    const url = new URL(`${running.url("oidc")}/auth`);
    const asked = { response_type: "code", client_id: "sigstore", redirect_uri: "http://localhost:1/auth/callback" };
    const more = { state: "s", nonce: "n", code_challenge: challenge, code_challenge_method: "S256" };
    url.search = new URLSearchParams({ ...asked, ...more, ...changes }).toString();
    const response = await fetch(url, { redirect: "manual" });
    return response.status === 302 ? new URL(response.headers.get("location") ?? "") : response.status;
  }

  function redeem(form: Readonly<Record<string, string>>) {
    return post(`${running.url("oidc")}/token`, new URLSearchParams(form));
  }

  async function code(): Promise<string> {
    const back = await authorize();
    assert.ok(back instanceof URL);
    assert.equal(back.searchParams.get("state"), "s");
    return back.searchParams.get("code") ?? "";
  }

  const grant = { grant_type: "authorization_code", redirect_uri: "http://localhost:1/auth/callback" };

  it("gives a token for a code and its verifier, once", async () => {
    const form = { ...grant, code: await code(), code_verifier: verifier };
    const { id_token: idToken, access_token: accessToken } = parse((await redeem(form)).bytes);
    const { iss, aud, nonce, at_hash: atHash } = claimsOf(idToken);
    assert.deepEqual([iss, aud, nonce], [running.url("oidc"), "sigstore", "n"]);
    assert.equal(atHash, digest(Buffer.from(accessToken)).subarray(0, 16).toString("base64url"));
    assert.equal((await redeem(form)).status, 400);
  });

  it("gives none for another verifier or another address to come back to", async () => {
    assert.equal((await redeem({ ...grant, code: await code(), code_verifier: "another" })).status, 400);
    const elsewhere = { ...grant, redirect_uri: "http://localhost:2/" };
    assert.equal((await redeem({ ...elsewhere, code: await code(), code_verifier: verifier })).status, 400);
  });

  it("wants PKCE with S256", async () => {
    assert.equal(await authorize({ code_challenge_method: "plain" }), 400);
  });

  it("comes back with another state, or without a code, when told to", async () => {
    running.fail("oidc", "other-state", 1);
    assert.ok(String(await authorize()).includes("state=another"));
    running.fail("oidc", "denied", 1);
    assert.ok(String(await authorize()).includes("error=access_denied"));
  });

  it("makes devices wait for what it is told to say, then gives the token", async () => {
    const asked = new URLSearchParams({ client_id: "sigstore", scope: "openid email", code_challenge: challenge });
    const device = parse((await post(`${running.url("oidc")}/device/code`, asked)).bytes);
    running.oidc.deviceErrors.push("authorization_pending", "slow_down");
    const grantType = "urn:ietf:params:oauth:grant-type:device_code";
    const form = { grant_type: grantType, device_code: device.device_code, code_verifier: verifier };
    assert.equal(parse((await redeem(form)).bytes).error, "authorization_pending");
    assert.equal(parse((await redeem(form)).bytes).error, "slow_down");
    assert.equal(claimsOf(parse((await redeem(form)).bytes).id_token).email, "dev@example.com");
  });

  it("lets another user in, or lies, as it is told", async () => {
    running.oidc.identity = { email: "eve@example.com", nonce: "another", expiresIn: -60 };
    const { id_token: idToken } = parse(
      (await redeem({ ...grant, code: await code(), code_verifier: verifier })).bytes,
    );
    running.oidc.identity = {};
    const { email, nonce, exp } = claimsOf(idToken);
    assert.deepEqual([email, nonce, exp * 1000 < Date.now()], ["eve@example.com", "another", true]);
  });

  it("says less than it should in its discovery, when told to", async () => {
    const discover = async () =>
      parse(await (await fetch(`${running.url("oidc")}/.well-known/openid-configuration`)).text());
    assert.deepEqual((await discover()).code_challenge_methods_supported, ["S256"]);
    running.fail("oidc", "no-pkce", 1);
    assert.equal((await discover()).code_challenge_methods_supported, undefined);
    running.fail("oidc", "other-issuer", 1);
    assert.notEqual((await discover()).issuer, running.url("oidc"));
  });
});

describe("tokens", () => {
  for (const algorithm of ["ES256", "RS256"] as const) {
    it(`are signed with ${algorithm} by the key that is published, unless told otherwise`, () => {
      const issuer = new FakeIssuer({ algorithm });
      const [jwk] = parse(JSON.stringify(issuer.jwks())).keys;
      const key = { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" } as const;
      const isSigned = (idToken: string) => {
        const [header = "", payload = "", signature = ""] = idToken.split(".");
        assert.equal(parse(Buffer.from(header, "base64url")).kid, jwk.kid);
        return verify("sha256", Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, "base64url"));
      };
      assert.ok(isSigned(issuer.token()));
      assert.ok(!isSigned(issuer.token({ signer: fakeKey(algorithm === "ES256" ? "p256" : "rsa2048") })));
    });
  }

  it("say what they are told to", () => {
    const asked = {
      audience: ["a", "b"],
      email: null,
      sub: "job",
      issuer: "https://x.example.com",
      claims: { ref: "r" },
    };
    const {
      iat: _iat,
      nbf: _nbf,
      exp: _exp,
      ...claims
    } = parse(Buffer.from(token(asked).split(".")[1] ?? "", "base64url"));
    assert.deepEqual(claims, { iss: "https://x.example.com", aud: ["a", "b"], sub: "job", ref: "r" });
  });
});

describe("failing", () => {
  const ask = () => fetch(`${running.url("oidc")}/keys`);

  it("stands in for the answer, so many times", async () => {
    running.fail("oidc", { status: 429, headers: { "retry-after": "7" } }, 2);
    const [first, second, third] = [await ask(), await ask(), await ask()];
    assert.deepEqual([first.status, first.headers.get("retry-after")], [429, "7"]);
    assert.deepEqual([second.status, third.status], [429, 200]);
  });

  it("cuts, delays, hangs and babbles until it is healed", async () => {
    running.fail("oidc", "reset");
    await assert.rejects(ask());
    running.fail("oidc", { delay: 1 });
    assert.equal((await ask()).status, 200);
    running.fail("oidc", "hang");
    await assert.rejects(fetch(`${running.url("oidc")}/keys`, { signal: AbortSignal.timeout(50) }), {
      name: "TimeoutError",
    });
    running.fail("oidc", "garbage");
    assert.throws(() => parse("\u0000 neither"));
    assert.equal(await (await ask()).text(), "\u0000 neither");
    running.heal("oidc");
    assert.equal((await ask()).status, 200);
  });

  it("sends more than anybody should take", async () => {
    running.fail("oidc", "huge", 1);
    const response = await ask();
    assert.ok(Number(response.headers.get("content-length")) > 32 << 20);
    await response.body?.cancel();
  });
});
