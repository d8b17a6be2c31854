import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import { policyReference } from "../../../src/cli/policy-fetch.ts";
import { addPolicyPinOptions, readPolicyPin } from "../../../src/cli/policy-pin-options.ts";
import { thrownBy } from "../../support/codes.ts";

const FETCHED = "oci://registry.example/policies/prod:1";

function read(policy: string | undefined, ...argv: readonly string[]) {
  const command = addPolicyPinOptions(new Command("verify")).exitOverride();
  command.parse(argv, { from: "user" });
  return readPolicyPin(command.opts(), policy);
}

describe("the flags that say whose policy it has to be", () => {
  it("name keys, an identity and an age", () => {
    const who = ["--policy-certificate-identity", "dana@acme.example"];
    const issuer = ["--policy-certificate-oidc-issuer", "https://login.acme.example"];
    const pin = read(
      FETCHED,
      "--policy-key",
      "a.pub",
      "--policy-key",
      "b.pub",
      ...who,
      ...issuer,
      "--policy-max-age",
      "7d",
    );
    assert.deepEqual(pin.keys, ["a.pub", "b.pub"]);
    assert.equal(pin.maxAge, 7 * 86_400_000);
    assert.deepEqual(pin.identity, {
      kind: "named",
      subject: { kind: "exact", text: "dana@acme.example" },
      issuer: { kind: "exact", text: "https://login.acme.example" },
      claims: [],
    });
  });

  it("may be left out: a digest pins a policy too", () => {
    assert.deepEqual(read(FETCHED), { keys: [], identity: undefined, maxAge: undefined });
    assert.deepEqual(read("policy.yaml"), { keys: [], identity: undefined, maxAge: undefined });
  });

  it("are refused beside a file, and without a policy: nobody checks them there", () => {
    for (const policy of [undefined, "policy.yaml", "oci:policy"]) {
      thrownBy(() => read(policy, "--policy-key", "a.pub"), "usage");
      thrownBy(() => read(policy, "--policy-max-age", "1d"), "usage");
    }
  });

  it("are refused where they are half an identity, or an empty one", () => {
    thrownBy(() => read(FETCHED, "--policy-certificate-identity", "dana@acme.example"), "usage");
    thrownBy(() => read(FETCHED, "--policy-certificate-oidc-issuer", "https://login.acme.example"), "usage");
    const issuer = ["--policy-certificate-oidc-issuer", "https://login.acme.example"];
    thrownBy(() => read(FETCHED, "--policy-certificate-identity", "", ...issuer), "usage");
  });

  it("take durations as policies write them", () => {
    for (const age of ["7", "0d", "-1d", "a week"]) thrownBy(() => read(FETCHED, `--policy-max-age=${age}`), "usage");
  });
});

describe("the name of a policy in a registry", () => {
  const digest = `sha256:${"9f".repeat(32)}`;

  it("has its registry, and a tag or a digest", () => {
    assert.equal(policyReference("oci://registry.example/policies/prod:1").tag, "1");
    assert.equal(policyReference(`oci://registry.example/policies/prod@${digest}`).digest, digest);
    assert.equal(policyReference(`oci://127.0.0.1:5000/prod:1@${digest}`).digest, digest);
  });

  it("is not completed, and is not read in another way than an image's", () => {
    const wrong = [
      "oci://registry.example/policies/prod",
      "oci://policies/prod:1",
      "oci://prod:1",
      "oci://registry.example:5000/prod",
      "oci://https://registry.example/prod:1",
      "oci://registry.example/policies/../prod:1",
      "oci://registry.example/prod@sha256:abc",
      "oci://",
    ];
    for (const name of wrong) thrownBy(() => policyReference(name), "reference-invalid");
  });
});
