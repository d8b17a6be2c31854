import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseBundle } from "../../../../src/core/formats/sigstore-bundle.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { instant } from "../../../../src/core/time.ts";
import { type SignOptions, signImage, signImages } from "../../../../src/ops/sign.ts";
import { type Target, verifyImage } from "../../../../src/ops/verify.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { makeImage, makeIndex, pushImage } from "../../../support/images.ts";
import { type KeylessWish, keyless } from "../../../support/keyless-signing.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import type { Fault } from "../../../support/sigstore/faults.ts";
import { verifyByLibrary } from "../../../support/sigstore/library-verifier.ts";
import { githubClaims } from "../../../support/sigstore/oidc.ts";
import { fakeSigstore } from "../../../support/sigstore/sign.ts";
import { trustedRoot } from "../../../support/sigstore/trusted-root.ts";
import { useSigstore } from "../../../support/sigstore-clients.ts";

const BOTH = ["bundle", "cosign-legacy"] as const;

describe("an identity signs", () => {
  const scene = useSigstore();
  const requests = (service: string): number => scene.sigstore.server(service).requests.length;

  async function image(): Promise<Target> {
    const store = new MemoryStore();
    await pushImage(store, await makeImage(), "1.0");
    return { image: "registry.example/app:1.0", store, tag: "1.0" };
  }

  async function options(wish: KeylessWish = {}, more: Partial<SignOptions> = {}): Promise<SignOptions> {
    const { signatory } = await keyless(scene, wish);
    const { logLater } = wish;
    const now = instant(Date.now());
    return { signatory, formats: ["bundle"], annotations: {}, createdAt: instant(0), now, logLater, ...more };
  }

  const writes = ({ store }: Target) => (store as MemoryStore).calls.filter((call) => call.startsWith("push")).length;
  /** The image itself was pushed before. */
  const storedNothing = (target: Target, before: number) => assert.equal(writes(target), before);

  it("with Rekor 2 and a timestamp, with Rekor 1 alone, or with a timestamp alone; a verifier finds who", async () => {
    for (const wish of [
      {},
      { log: "rekor1", hasTimestamps: false },
      { log: "rekor1" },
      { log: "none" },
    ] as const satisfies readonly KeylessWish[]) {
      const target = await image();
      const signing = await options(wish);
      const { outcomes, finding } = await signImage(target, signing);
      assert.deepEqual(finding, undefined);
      const [outcome] = outcomes;
      assert.equal(outcome?.state, "signed");
      assert.equal(outcome?.signedBy?.kind, "identity");
      const { demands } = await keyless(scene, wish);
      assert.equal(outcome?.proof?.logs.length, demands.logs);
      assert.equal(outcome?.proof?.timestamps.length, demands.timestamps);
      assert.equal(outcome?.proof?.certificateLogs.length, 1);
      const requirement = { ...(await signing.signatory.foresees?.()), threshold: 1, annotations: {}, signedAs: [] };
      const accepted = { keys: [], identities: [], ...requirement, now: signing.now };
      assert.equal((await verifyImage(target, { requirement: accepted })).accepted, true);
    }
  });

  it("and npm's verifier accepts the bundle, whichever log recorded it and as whatever it records envelopes", async () => {
    for (const [wish, kind] of [
      [{}, "hashedrekord 0.0.2"],
      [{ log: "rekor1" }, "dsse 0.0.1"],
      [{ log: "rekor1", hasTimestamps: false }, "dsse 0.0.1"],
    ] as const) {
      const target = await image();
      await signImage(target, await options(wish, { annotations: { env: "prod" } }));
      const bundles = [...(target.store as MemoryStore).blobs.values()].filter((bytes) =>
        Buffer.from(bytes).includes("verificationMaterial"),
      );
      const [bundle = new Uint8Array()] = bundles;
      verifyByLibrary({ bundle, trustedRoot: scene.sigstore.trustedRoot });
      const [entry] = parseBundle(bundle).logEntries;
      assert.equal(`${entry?.kind} ${entry?.version}`, kind);
    }
  });

  it("in both formats with one certificate, where the log's promise has a place in both", async () => {
    const target = await image();
    const before = requests("fulcio");
    const signed = await signImage(target, await options({ log: "rekor1" }, { formats: BOTH }));
    assert.deepEqual(
      signed.outcomes.map(({ state }) => state),
      ["signed", "signed"],
    );
    assert.equal(requests("fulcio") - before, 1);
  });

  it("and signs nothing in a format that has no place for the entry of its log", async () => {
    const target = await image();
    const before = writes(target);
    const signed = await signImage(target, await options({}, { formats: ["cosign-legacy"] }));
    assert.equal(signed.finding?.code, "log-entry-missing");
    storedNothing(target, before);
  });

  it("each image with a key and a certificate of its own", async () => {
    const { signatory } = await keyless(scene);
    const [one, other] = [await signatory.signer(), await signatory.signer()];
    assert.notEqual(one.publicKey.fingerprint, other.publicKey.fingerprint);
    assert.notDeepEqual(one.certificates, other.certificates);
  });

  it("all images with one certificate when told, for as long as it lives", async () => {
    const before = requests("fulcio");
    const now = { value: Date.now() };
    const { signatory } = await keyless(scene, { with: { oneCertificate: true, now: () => now.value } });
    const signers = await Promise.all([signatory.signer(), signatory.signer(), signatory.signer()]);
    assert.equal(new Set(signers).size, 1);
    assert.equal(requests("fulcio") - before, 1);
    now.value += 10 * 60_000 - LIMITS.certificateLeftMs;
    const next = await Promise.all([signatory.signer(), signatory.signer()]);
    assert.notEqual(next[0], signers[0]);
    assert.equal(new Set(next).size, 1);
    assert.equal(requests("fulcio") - before, 2);
  });

  it("an index and its platforms, many images at a time", async () => {
    const store = new MemoryStore();
    await pushImage(store, await makeIndex({}), "1.0");
    const target = { image: "registry.example/app:1.0", store, tag: "1.0" };
    const signing = await options({ with: { oneCertificate: true } }, { recursive: true });
    const before = requests("fulcio");
    const [signed] = await signImages([target], signing);
    assert.ok((signed?.outcomes.length ?? 0) > 2);
    assert.ok(signed?.outcomes.every(({ state }) => state === "signed"));
    assert.equal(requests("fulcio") - before, 1);
  });

  // --- again ----------------------------------------------------------------------------------------------------------

  it("twice and changes nothing, without another certificate, entry or timestamp", async () => {
    for (const claims of [{}, githubClaims({ repository: "acme/app" })]) {
      const target = await image();
      const token = scene.token({ email: "repository" in claims ? null : "a@b.example", claims });
      await signImage(target, await options({ token }));
      const before = ["fulcio", "rekor2", "tsa"].map(requests);
      const again = await signImage(target, await options({ token }));
      assert.deepEqual(
        again.outcomes.map(({ state }) => state),
        ["unchanged"],
      );
      assert.equal(again.outcomes[0]?.signedBy?.kind, "identity");
      assert.deepEqual(["fulcio", "rekor2", "tsa"].map(requests), before);
    }
  });

  it("twice and changes nothing where only the certificate tells who it is", async () => {
    const target = await image();
    const token = scene.token({ email: null, sub: "https://ci.example.com/job" });
    const { signatory } = await keyless(scene, { token });
    assert.equal(await signatory.foresees?.(), undefined);
    await signImage(target, await options({ token }));
    const before = ["rekor2", "tsa"].map(requests);
    const again = await signImage(target, await options({ token }));
    assert.equal(again.outcomes[0]?.state, "unchanged");
    assert.deepEqual(["rekor2", "tsa"].map(requests), before);
  });

  it("again where another identity, other annotations or less proof is there", async () => {
    const target = await image();
    const states: (string | undefined)[] = [];
    for (const [wish, more] of [
      [{ log: "none" }, {}],
      [{}, {}],
      [{ token: scene.token({ email: "other@example.com" }) }, {}],
      [{}, { annotations: { env: "prod" } }],
      [{}, {}],
    ] as const) {
      const signed = await signImage(target, await options(wish, more));
      states.push(signed.finding?.code ?? signed.outcomes[0]?.state);
    }
    assert.deepEqual(states, ["signed", "signed", "signed", "signed", "unchanged"]);
  });

  it("nothing in a dry run: no token is asked for, no service is asked", async () => {
    const target = await image();
    const before = ["fulcio", "rekor2", "tsa", "oidc"].map(requests);
    const signing = await options({ with: { token: undefined } }, { dryRun: true });
    const signed = await signImage(target, signing);
    assert.equal(signed.outcomes[0]?.state, "would-sign");
    assert.deepEqual(["fulcio", "rekor2", "tsa", "oidc"].map(requests), before);
  });

  it("nothing in a dry run, which still tells what is signed already where the token is there", async () => {
    const target = await image();
    await signImage(target, await options());
    const before = ["fulcio", "rekor2", "tsa"].map(requests);
    assert.equal((await signImage(target, await options({}, { dryRun: true }))).outcomes[0]?.state, "unchanged");
    assert.deepEqual(["fulcio", "rekor2", "tsa"].map(requests), before);
  });

  // --- refusals -------------------------------------------------------------------------------------------------------

  const faults: readonly (readonly [string, Fault, KeylessWish, string])[] = [
    ["fulcio", "other-identity", {}, "protocol-error"],
    ["fulcio", "no-sct", {}, "protocol-error"],
    ["fulcio", "other-key", {}, "protocol-error"],
    ["fulcio", "expired", {}, "protocol-error"],
    ["fulcio", { status: 500 }, {}, "server-error"],
    ["rekor2", "other-entry", {}, "log-entry-invalid"],
    ["rekor2", "other-log", {}, "log-entry-missing"],
    ["rekor2", "bad-root", {}, "log-entry-invalid"],
    ["rekor2", "bad-checkpoint", {}, "log-entry-invalid"],
    ["rekor2", { status: 503 }, {}, "server-error"],
    ["rekor1", "bad-promise", { log: "rekor1" }, "log-entry-invalid"],
    ["rekor1", "bad-root", { log: "rekor1" }, "log-entry-invalid"],
    ["rekor1", "other-log", { log: "rekor1", hasTimestamps: false }, "log-entry-missing"],
    ["tsa", "bad-signature", {}, "timestamp-invalid"],
    ["tsa", { status: 503 }, {}, "server-error"],
  ];
  for (const [service, fault, wish, code] of faults) {
    it(`and stores nothing where ${service} fails: ${JSON.stringify(fault)}`, async () => {
      const target = await image();
      const before = writes(target);
      scene.sigstore.fail(service, fault);
      const signed = await signImage(target, await options(wish));
      assert.equal(signed.finding?.code, code, signed.finding?.found ?? "");
      assert.deepEqual(signed.outcomes, []);
      storedNothing(target, before);
    });
  }

  it("anew where a Rekor 2 log took the entry and its answer was lost, since it would never prove that one", async () => {
    const target = await image();
    const before = requests("rekor2");
    scene.sigstore.fail("rekor2", "lost", 1);
    const signed = await signImage(target, await options());
    assert.equal(signed.outcomes[0]?.state, "signed");
    assert.equal(requests("rekor2") - before, 3, "lost, a conflict, and another signature");
  });

  it("and gives up where every signature is said to be there already", async () => {
    const target = await image();
    const before = [writes(target), requests("rekor2")] as const;
    scene.sigstore.fail("rekor2", "conflict");
    const signed = await signImage(target, await options());
    assert.equal(signed.finding?.code, "protocol-error");
    assert.match(signed.finding?.message ?? "", /gives no proof/);
    assert.equal(requests("rekor2") - before[1], 2);
    storedNothing(target, before[0]);
  });

  it("and shows nothing to a log where the timestamp or the certificate is good for nobody", async () => {
    const before = requests("rekor2");
    scene.sigstore.fail("tsa", "bad-signature");
    await signImage(await image(), await options());
    scene.sigstore.heal("tsa");
    await signImage(await image(), await options({ trustedRoot: fakeSigstore().trustedRoot }));
    assert.equal(requests("rekor2"), before);
  });

  it("and stores nothing where the trust root lacks an authority, a log or a timestamp authority", async () => {
    const { authority, log, log2, certificateLog, timestampAuthority } = scene.sigstore;
    const whole = {
      authorities: [authority],
      logs: [log, log2],
      certificateLogs: [certificateLog],
      timestampAuthorities: [timestampAuthority],
    };
    for (const [parts, wish, code] of [
      [{ ...whole, authorities: fakeAuthorities() }, {}, "certificate-untrusted"],
      [{ ...whole, logs: [log] }, {}, "log-entry-missing"],
      [{ ...whole, timestampAuthorities: [] }, {}, "timestamp-missing"],
      [{ ...whole, certificateLogs: [fakeSigstore().certificateLog] }, {}, "certificate-untrusted"],
      [{ ...whole, logs: [log2] }, { log: "rekor1", hasTimestamps: false }, "log-entry-missing"],
    ] as const) {
      const target = await image();
      const before = writes(target);
      const signed = await signImage(target, await options({ ...wish, trustedRoot: trustedRoot(parts) }));
      assert.equal(signed.finding?.code, code);
      storedNothing(target, before);
    }
  });

  const fakeAuthorities = () => [fakeSigstore().authority];

  it("where the trust root names no certificate log, with a certificate that is in none", async () => {
    const { authority, log2, timestampAuthority } = scene.sigstore;
    const parts = { authorities: [authority], logs: [log2], timestampAuthorities: [timestampAuthority] };
    scene.sigstore.fail("fulcio", "no-sct");
    const signed = await signImage(await image(), await options({ trustedRoot: trustedRoot(parts) }));
    assert.equal(signed.outcomes[0]?.state, "signed");
  });

  it("and asks for a token before each certificate; where there is none, for no certificate", async () => {
    const token = async () => Promise.reject(new RangeError("no token"));
    const { signatory } = await keyless(scene, { with: { token } });
    const before = requests("fulcio");
    await assert.rejects(async () => signatory.signer(), RangeError);
    assert.equal(requests("fulcio"), before);
  });

  it("and fails for all images alike where one certificate was to be for all", async () => {
    scene.sigstore.fail("fulcio", { status: 400 });
    const { signatory } = await keyless(scene, { with: { oneCertificate: true } });
    await Promise.all([1, 2].map(() => rejectedBy(() => signatory.signer(), "token-invalid")));
  });
});
