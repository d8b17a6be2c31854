import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { type Publication, publishedBy, requireConsent } from "../../../src/cli/consent.ts";
import type { SigningServices } from "../../../src/cli/services.ts";
import { rejectedBy } from "../../support/codes.ts";
import { captureContext } from "../../support/session.ts";

const IDENTITY = "https://github.com/acme/secret/.github/workflows/release.yml@refs/heads/main";

function services(authority: string | undefined, ...logs: readonly string[]): SigningServices {
  const url = (host: string) => new URL(`https://${host}`);
  return {
    authority: authority === undefined ? undefined : url(authority),
    issuer: undefined,
    logs: { services: logs.map((log) => ({ url: url(log), majorApiVersion: 2 })), count: 1 },
    timestampAuthorities: { services: [{ url: url("tsa.example.com"), majorApiVersion: 1 }], count: 1 },
  };
}

const KEYLESS: Publication = {
  services: services("fulcio.example.com", "rekor.example.com"),
  signer: "certificate",
  identity: IDENTITY,
};

/** Somebody at a terminal who types this. */
function person(answer: string) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  stdin.end(answer);
  return captureContext({ stdin, terminal: true });
}

describe("what signing publishes", () => {
  it("is the certificate, with whom it names, and in the log that, the signature and a hash", () => {
    const lines = publishedBy(KEYLESS);
    assert.equal(lines.length, 2);
    assert.match(
      lines[0] ?? "",
      /fulcio\.example\.com and the certificate log .*names https:\/\/github\.com\/acme\/secret/,
    );
    assert.equal(lines[1], "in rekor.example.com: the certificate, the signature, a hash of what is signed");
  });

  it("is said to be of a private repository where the token says so", () => {
    assert.match(publishedBy({ ...KEYLESS, isPrivate: true }).at(-1) ?? "", /private/);
  });

  it("is the public key where a key signs", () => {
    const lines = publishedBy({ services: services(undefined, "rekor.example.com"), signer: "key" });
    assert.deepEqual(lines, ["in rekor.example.com: the public key, the signature, a hash of what is signed"]);
  });

  it("is nothing where services are on this machine, whoever vouches for the time", () => {
    for (const host of ["127.0.0.1:7301", "localhost", "[::1]:8080"]) {
      assert.deepEqual(publishedBy({ ...KEYLESS, services: services(host, host), isPrivate: true }), []);
    }
    assert.deepEqual(publishedBy({ services: services(undefined), signer: "key" }), []);
  });

  it("is the certificate alone where no log is used, and the entry alone where the authority is on this machine", () => {
    assert.equal(publishedBy({ ...KEYLESS, services: services("fulcio.example.com") }).length, 1);
    assert.equal(publishedBy({ ...KEYLESS, services: services("127.0.0.1", "rekor.example.com") }).length, 1);
  });

  it("names every log that may be used", () => {
    const lines = publishedBy({ ...KEYLESS, services: services("127.0.0.1", "a.example.com", "b.example.com") });
    assert.match(lines[0] ?? "", /^in a\.example\.com or b\.example\.com:/);
  });
});

describe("consent to it", () => {
  for (const answer of ["y\n", "Y\n", " yes \n", "YES\n"]) {
    it(`is given by ${JSON.stringify(answer)}`, async () => {
      const { context, stderr } = person(answer);
      await requireConsent(context, KEYLESS, false);
      assert.match(stderr(), /publishes for ever.*fulcio\.example\.com.*Neither the image nor its name.*\[y\/N\]/s);
    });
  }

  for (const answer of ["n\n", "\n", "no\n", "yep\n", "y y\n"]) {
    it(`is not given by ${JSON.stringify(answer)}`, async () => {
      const { context } = person(answer);
      await rejectedBy(() => requireConsent(context, KEYLESS, false), "consent-missing");
    });
  }

  it("is not given where there is no terminal, and then all of it is said", async () => {
    const { context, stderr } = captureContext({ input: "y\n" });
    const error = await rejectedBy(() => requireConsent(context, KEYLESS, false), "consent-missing");
    assert.match(error.found ?? "", /fulcio\.example\.com.*rekor\.example\.com/);
    assert.match(error.wanted ?? "", /--yes/);
    assert.equal(stderr(), "");
  });

  it("is given by --yes without a word, and not asked for where nothing is published", async () => {
    const local = { ...KEYLESS, services: services("127.0.0.1", "127.0.0.1") };
    for (const [publication, yes] of [
      [KEYLESS, true],
      [local, false],
    ] as const) {
      const { context, stdout, stderr } = captureContext({});
      await requireConsent(context, publication, yes);
      assert.equal(stdout() + stderr(), "");
    }
  });

  it("is asked for without what would move the cursor", async () => {
    const { context, stderr } = person("y\n");
    await requireConsent(context, { ...KEYLESS, identity: "dev@example.com\u001b[2J" }, false);
    assert.doesNotMatch(stderr(), /\u001b\[2J/);
  });

  it("is not given by an interruption", async () => {
    const controller = new AbortController();
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const { context } = captureContext({ stdin, terminal: true, signal: controller.signal });
    const asked = rejectedBy(() => requireConsent(context, KEYLESS, false), "interrupted");
    controller.abort();
    await asked;
  });
});
