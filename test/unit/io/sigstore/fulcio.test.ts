import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import { CountersignError } from "../../../../src/core/errors.ts";
import { readCertificateIdentity } from "../../../../src/core/trust/certificate-identity.ts";
import type { IdentityToken } from "../../../../src/core/trust/token.ts";
import { fulcio, type IssuedCertificate } from "../../../../src/io/sigstore/fulcio.ts";
import type { Ask } from "../../../../src/io/sigstore/log.ts";
import { rejectedBy } from "../../../support/codes.ts";
import type { Fault } from "../../../support/sigstore/faults.ts";
import { type FakeKey, fakeKey } from "../../../support/sigstore/keys.ts";
import { githubClaims } from "../../../support/sigstore/oidc.ts";
import { useSigstore } from "../../../support/sigstore-clients.ts";

describe("a signing certificate (fulcio.proto)", () => {
  const scene = useSigstore();

  function certify(token: IdentityToken, key: FakeKey = fakeKey(), ask: Ask = scene.ask): Promise<IssuedCertificate> {
    const publicKey = publicKeyFrom(key.publicKey, "a new key");
    const sign = async (data: Uint8Array) => key.sign(data);
    return fulcio(ask, scene.base("fulcio"), Date.now).certify({ token, publicKey, sign });
  }

  const identityIn = ({ certificates }: IssuedCertificate) =>
    readCertificateIdentity(certificates[0] ?? new Uint8Array());

  it("is for the key that was sent, with the chain that leads to the root", async () => {
    const key = fakeKey();
    const { certificates, notAfter } = await certify(scene.token(), key);
    const [leaf, intermediate, root] = certificates.map((der) => new X509Certificate(der));
    assert.deepEqual(leaf?.publicKey.export({ type: "spki", format: "der" }), key.spki);
    assert.equal(leaf?.validToDate.getTime(), notAfter);
    assert.ok(leaf?.verify(intermediate?.publicKey ?? key.publicKey));
    assert.equal(certificates.length, 3);
    assert.equal(root?.checkIssued(root), true);
  });

  it("is for keys of every kind that signs statements", async () => {
    for (const kind of ["p256", "p384", "p521", "ed25519", "rsa2048"] as const) {
      await certify(scene.token(), fakeKey(kind));
    }
  });

  it("takes a proof of possession over the verified address, else over the subject", async () => {
    assert.equal(identityIn(await certify(scene.token({ sub: "1234" }))).subject, "dev@example.com");
    const workload = await certify(scene.token({ email: null, claims: githubClaims() }));
    assert.match(identityIn(workload).subject, /^https:\/\/github\.com\/example\/app\//);
  });

  it("takes a proof over the subject where the authority's settings say so for tokens that have an address too", async () => {
    const token = scene.token({ claims: githubClaims() });
    assert.notEqual(token.subject, token.subjectForProof);
    await rejectedBy(() => certify(token), "token-invalid");
    const issuers = [{ issuerUrl: token.issuer, audience: "sigstore", challengeClaim: "sub" }];
    const identity = identityIn(await certify(token, fakeKey(), configured({ issuers })));
    assert.match(identity.subject, /release\.yml/);
  });

  /** The authority with other settings. */
  function configured(configuration: unknown): Ask {
    return async (request) =>
      request.url.pathname.endsWith("/configuration")
        ? {
            status: 200,
            contentType: "application/json",
            bytes: Buffer.from(JSON.stringify(configuration)),
            header: () => undefined,
          }
        : await scene.ask(request);
  }

  it("asks for settings only where a proof was refused and there is another one to give", async () => {
    const { requests } = scene.sigstore.server("fulcio");
    const before = requests.length;
    await certify(scene.token({ sub: "1234" }));
    await rejectedBy(() => certify(scene.token({ audience: "other" })), "token-invalid");
    scene.sigstore.fail("fulcio", { status: 400 }, 1);
    await rejectedBy(() => certify(scene.token()), "token-invalid");
    assert.deepEqual(
      requests.slice(before).map(({ target }) => target),
      ["/api/v2/signingCert", "/api/v2/signingCert", "/api/v2/signingCert"],
    );
  });

  for (const settings of [{}, { issuers: "none" }, { issuers: [{ issuerUrl: "https://other.example.com" }] }, []]) {
    it(`stays refused where the settings are ${JSON.stringify(settings)}`, async () => {
      const token = scene.token({ claims: githubClaims() });
      await rejectedBy(() => certify(token, fakeKey(), configured(settings)), "token-invalid");
    });
  }

  it("is asked for again where the authority is out of order for a moment", async () => {
    scene.sigstore.fail("fulcio", { status: 500 }, 2);
    await certify(scene.token());
    scene.sigstore.fail("fulcio", { status: 429, headers: { "retry-after": "2" } }, 1);
    await certify(scene.token());
    scene.sigstore.fail("fulcio", "lost", 1);
    await certify(scene.token());
  });

  const refusals: readonly (readonly [string, Fault, Parameters<typeof rejectedBy>[1], RegExp])[] = [
    ["for another key", "other-key", "protocol-error", /another key/],
    ["that has expired", "expired", "protocol-error", /valid until/],
    ["with its SCT beside it", "detached-sct", "protocol-error", /beside it/],
    ["that is missing", "no-certificate", "protocol-error", /no certificate/],
    ["that is no JSON", "garbage", "protocol-error", /./],
    ["that is endless", "huge", "limit-reached", /./],
    [
      "where the token is refused",
      { status: 401, body: { code: 16, message: "who?" } },
      "token-invalid",
      /401 \(who\?\)/,
    ],
    ["where the identity is not welcome", { status: 403 }, "token-invalid", /403 \(out of order\)/],
    ["where the proof is refused", { status: 400, body: "<html>" }, "token-invalid", /^400$/],
    ["where the authority stays out of order", { status: 500 }, "server-error", /500 .*6 tries/],
    ["where it stays throttled", { status: 429 }, "throttled", /429 .*6 tries/],
    ["where there is no such service", { status: 404 }, "not-found", /404/],
    [
      "where it sends us elsewhere",
      { status: 302, headers: { location: "https://evil.example.com" } },
      "protocol-error",
      /302/,
    ],
  ];
  for (const [title, fault, code, found] of refusals) {
    it(`is refused ${title}`, async () => {
      scene.sigstore.fail("fulcio", fault);
      const error = await rejectedBy(() => certify(scene.token()), code);
      assert.match(error.found ?? error.message, found);
    });
  }

  const chain = (...certificates: unknown[]) => ({ signedCertificateEmbeddedSct: { chain: { certificates } } });
  const broken: readonly (readonly [string, object])[] = [
    ["an empty object", {}],
    ["a chain that is none", { signedCertificateEmbeddedSct: { chain: 7 } }],
    ["numbers for certificates", chain(1, 2)],
    ["text that is not PEM", chain("certificate")],
    ["a key in place of a certificate", chain("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")],
    ["PEM around something else", chain("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")],
    [
      "more certificates than a chain has",
      chain(...Array(99).fill("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")),
    ],
  ];
  for (const [title, body] of broken) {
    it(`is refused where the answer is ${title}`, async () => {
      scene.sigstore.fail("fulcio", { status: 200, body: JSON.stringify(body) });
      await rejectedBy(() => certify(scene.token()), "protocol-error");
    });
  }

  it("is not waited for without end", async () => {
    scene.sigstore.fail("fulcio", "hang");
    await rejectedBy(() => certify(scene.token(), fakeKey(), scene.asking({ idleMs: 150, tries: 1 })), "timeout");
  });

  describe("keeps the token out of every message", () => {
    const parts = (text: string): readonly string[] => [text, ...text.split("."), text.slice(40, 90)];
    for (const status of [400, 401, 403, 404, 418, 500]) {
      it(`where the authority repeats it with ${status}`, async () => {
        const token = scene.token();
        for (const part of parts(token.reveal())) {
          scene.sigstore.fail("fulcio", { status, body: { message: `your token ${part} is bad` } });
          await assert.rejects(certify(token), (error) => {
            assert.ok(error instanceof CountersignError);
            const said = JSON.stringify([error.message, error.found, error.wanted, error.next, error.stack]);
            for (const secret of parts(token.reveal())) assert.ok(!said.includes(secret.slice(0, 16)), said);
            assert.equal(error.cause, undefined);
            return true;
          });
        }
      });
    }
  });
});
