import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import { addRateOption, addRegistryOptions, count, duration, readRegistryOptions } from "../../../src/cli/options.ts";
import { addSigningOptions, readSigningOptions } from "../../../src/cli/sign-options.ts";
import { addVerifyOptions, readVerifyOptions } from "../../../src/cli/verify-options.ts";
import { isUsage } from "../../support/usage.ts";

function parse(add: (command: Command) => Command, argv: readonly string[]): Record<string, unknown> {
  const command = add(new Command("test"))
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  command.action(() => undefined).parse([...argv], { from: "user" });
  return command.opts();
}

describe("registry flags", () => {
  const read = (...argv: readonly string[]) => readRegistryOptions(parse(addRegistryOptions, argv));

  it("have safe defaults: TLS checked, plain HTTP only for loopback, 60 s without progress, 5 further tries", () => {
    assert.deepEqual(read(), {
      username: undefined,
      passwordFromStdin: false,
      token: undefined,
      caCertificate: undefined,
      clientCertificate: undefined,
      clientKey: undefined,
      allowHttp: false,
      allowInsecure: false,
      platform: undefined,
      maxWorkers: undefined,
      timeoutMs: 60_000,
      retries: 5,
      maxRate: undefined,
    });
  });

  it("limit the rate only where a command has the flag: requests a second, a minute or an hour", () => {
    const rate = (value: string) => readRegistryOptions(parse(addRateOption, ["--max-rate", value])).maxRate;
    assert.deepEqual(["10", "10/s", "300/m", "7200/h"].map(rate), [10, 10, 5, 2]);
    for (const junk of ["0", "0/s", "-1/s", "1.5/s", "10/d", "10/", "/s", "ten/s", "1e3/s", "10 /s", ""]) {
      assert.throws(() => rate(junk), isUsage, junk);
    }
  });

  it("are two flags for plain HTTP and for TLS, and neither means the other", () => {
    assert.deepEqual(
      [read("--allow-http-registry"), read("--allow-insecure-registry")].map((one) => [
        one.allowHttp,
        one.allowInsecure,
      ]),
      [
        [true, false],
        [false, true],
      ],
    );
  });

  it("read numbers, durations and platforms", () => {
    const options = read("--max-workers", "3", "-t", "1m30s", "--retry", "0", "--platform", "linux/aarch64");
    assert.deepEqual(
      [options.maxWorkers, options.timeoutMs, options.retries, options.platform],
      [3, 90_000, 0, { os: "linux", architecture: "arm64" }],
    );
  });

  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ["a password without a user", ["--registry-password-stdin"]],
    ["a client certificate without its key", ["--registry-client-cert", "c.pem"]],
    ["a client key without its certificate", ["--registry-client-key", "k.pem"]],
    ["a token and a user", ["--registry-token", "t", "--registry-username", "u", "--registry-password-stdin"]],
    ["no workers", ["--max-workers", "0"]],
    ["a negative number", ["--max-workers=-1"]],
    ["a fraction", ["--retry", "1.5"]],
    ["a number in another notation", ["--retry", "1e1"]],
    ["a duration without a number", ["-t", "s"]],
    ["a duration of nothing", ["-t", "0s"]],
    ["a platform of one word", ["--platform", "linux"]],
    ["a platform of four", ["--platform", "a/b/c/d"]],
  ];
  for (const [what, argv] of wrong) {
    it(`refuse ${what} as wrong usage`, () => assert.throws(() => read(...argv), isUsage));
  }

  it("do not repeat a token in the message", () => {
    assert.throws(
      () => read("--registry-token", "hunter2", "--registry-username", "u", "--registry-password-stdin"),
      (error) => isUsage(error) && !JSON.stringify(error).includes("hunter2"),
    );
  });
});

describe("verification flags", () => {
  const read = (...argv: readonly string[]) =>
    readVerifyOptions(parse((command) => addRegistryOptions(addVerifyOptions(command)), argv));

  it("collect keys, names and annotations in their order", () => {
    const options = read("--key", "a.pub", "--key", "b.pub", "-a", "x=1", "-a", "y=2=3", "--signed-as", "r/a");
    assert.deepEqual(options.signers.keys, ["a.pub", "b.pub"]);
    assert.deepEqual(options.annotations, { x: "1", y: "2=3" });
    assert.deepEqual(options.signedAs, ["docker.io/r/a"]);
    assert.equal(options.threshold, 1);
  });

  it("take files of bundles in their order, and none unless told", () => {
    assert.deepEqual(read("--key", "k").bundles, []);
    assert.deepEqual(read("--key", "k", "--bundle", "b.json", "--bundle", "a.json").bundles, ["b.json", "a.json"]);
  });

  it("name every flag that weakens a check, in its own spelling", () => {
    assert.deepEqual(
      read("--key", "k", "--insecure-ignore-tlog", "--allow-http-registry", "--allow-insecure-registry").weakened,
      ["--insecure-ignore-tlog", "--allow-http-registry", "--allow-insecure-registry"],
    );
    assert.deepEqual(read("--key", "k").weakened, []);
  });

  it("keep an annotation called __proto__ an annotation", () => {
    assert.deepEqual(Object.entries(read("--key", "k", "-a", "__proto__=x").annotations), [["__proto__", "x"]]);
  });

  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ["no key", []],
    ["an annotation without a value", ["--key", "k", "-a", "x"]],
    ["an annotation without a name", ["--key", "k", "-a", "=x"]],
    ["one annotation with two values", ["--key", "k", "-a", "x=1", "-a", "x=2"]],
    ["a threshold of zero", ["--key", "k", "--threshold", "0"]],
    ["a name with a tag", ["--key", "k", "--signed-as", "ghcr.io/o/a:1"]],
    ["a name with a digest", ["--key", "k", "--signed-as", `ghcr.io/o/a@sha256:${"0".repeat(64)}`]],
    ["a name that is none", ["--key", "k", "--signed-as", "Not A Name"]],
    ["a threshold that is no number", ["--key", "k", "--threshold", "all"]],
  ];
  for (const [what, argv] of wrong) {
    it(`refuse ${what} as wrong usage`, () => assert.throws(() => read(...argv), isUsage));
  }
});

describe("signing flags", () => {
  const read = (...argv: readonly string[]) => readSigningOptions(parse(addSigningOptions, argv));

  it("name the repository that is signed for in full, and none unless told", () => {
    assert.equal(read("--key", "k").signAs, undefined);
    assert.equal(read("--key", "k", "--sign-container-identity", "acme/app").signAs, "docker.io/acme/app");
  });

  it("store a bundle unless told otherwise, and each format once", () => {
    assert.deepEqual(read("--key", "k").formats, ["bundle"]);
    assert.deepEqual(
      read("--key", "k", "--format", "cosign-legacy", "--format", "bundle", "--format", "bundle").formats,
      ["cosign-legacy", "bundle"],
    );
  });

  it("take a key as cosign's users sign without a log, and then use no service", () => {
    const { key, services } = read("--key", "k", "--tlog-upload", "false").signatory;
    assert.deepEqual([key, services], ["k", { kind: "none" }]);
    assert.deepEqual(read("--key", "k", "--tlog-upload", "true").signatory.services, { kind: "usual" });
    assert.deepEqual(read().signatory.services, { kind: "usual" });
  });

  it("name services by a configuration or by addresses", () => {
    assert.deepEqual(read("--signing-config", "f").signatory.services, { kind: "config", file: "f" });
    const { services } = read("--fulcio-url", "https://fulcio.example.com").signatory;
    const authority = new URL("https://fulcio.example.com");
    assert.deepEqual(services, { kind: "addresses", authority, log: undefined, timestampAuthority: undefined });
  });

  it("sign as nobody's client but Sigstore's unless told", () => {
    assert.equal(read().signatory.clientId, "sigstore");
    assert.equal(read("--oidc-client-id", "acme").signatory.clientId, "acme");
  });

  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ["a key and a token", ["--key", "k", "--identity-token", "t"]],
    ["a key and an authority", ["--key", "k", "--fulcio-url", "https://fulcio.example.com"]],
    ["a key and a certificate for all", ["--key", "k", "--one-certificate"]],
    ["a configuration and an address", ["--signing-config", "f", "--rekor-url", "https://rekor.example.com"]],
    ["an address that is none", ["--rekor-url", "rekor.example.com"]],
    ["an address of another kind", ["--timestamp-server-url", "file:///etc/passwd"]],
    ["a log that shall not be used", ["--rekor-url", "https://rekor.example.com", "--tlog-upload", "false"]],
    ["a configuration of which the log shall not be used", ["--signing-config", "f", "--tlog-upload", "false"]],
    ["the usual services but for their log", ["--tlog-upload", "false"]],
    ["a log that nothing names", ["--tlog-upload", "true", "--fulcio-url", "https://fulcio.example.com"]],
    ["services without a connection", ["--offline"]],
    ["two things to believe in", ["--trust", "sigstore", "--trusted-root", "f"]],
    ["a later entry in a log that nothing names", ["--key", "k", "--log-later"]],
    ["a later entry of a legacy signature", ["--signing-config", "f", "--log-later", "--format", "cosign-legacy"]],
    ["an unknown format", ["--key", "k", "--format", "pgp"]],
    ["an annotation that is no pair", ["--key", "k", "-a", "x"]],
    ["an identity with a tag", ["--key", "k", "--sign-container-identity", "ghcr.io/o/a:1"]],
    ["an identity that is none", ["--key", "k", "--sign-container-identity", ""]],
  ];
  for (const [what, argv] of wrong) {
    it(`refuse ${what} as wrong usage`, () => assert.throws(() => read(...argv), isUsage));
  }
});

describe("durations", () => {
  const right: readonly (readonly [string, number])[] = [
    ["500ms", 500],
    ["90s", 90_000],
    ["90", 90_000],
    ["3m", 180_000],
    ["1h30m", 5_400_000],
    ["24h", 86_400_000],
  ];
  for (const [text, milliseconds] of right) {
    it(`${text} is ${milliseconds} ms`, () => assert.equal(duration(text), milliseconds));
  }
  for (const text of ["", "0", "-1s", "1.5s", "1 s", "s", "1d", "25h", "9".repeat(400), "1s1", "１s"]) {
    it(`${JSON.stringify(text.slice(0, 12))} is none`, () => assert.throws(() => duration(text), isUsage));
  }
});

describe("counts", () => {
  for (const text of ["", "-1", "1001", "0x10", "1e2", " 1", "NaN", "9".repeat(40)]) {
    it(`${JSON.stringify(text.slice(0, 12))} is none`, () => assert.throws(() => count("--n", 0)(text), isUsage));
  }
});
