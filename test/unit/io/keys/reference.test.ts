import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { parseKeyReference } from "../../../../src/io/keys/reference.ts";
import { thrownBy } from "../../../support/codes.ts";

describe("what a KEY names", () => {
  for (const path of [
    "cosign.key",
    "./a b",
    "/etc/keys/release.key",
    "C:\\keys\\a.key",
    "C:/keys/a.key",
    "pkcs11",
    "",
  ]) {
    it(`a file: ${JSON.stringify(path)}`, () => {
      assert.deepEqual(parseKeyReference(path), { kind: "file", path });
    });
  }

  it("a variable", () => {
    assert.deepEqual(parseKeyReference("env://SIGNING_KEY"), { kind: "variable", name: "SIGNING_KEY" });
  });

  const plugins: readonly (readonly [text: string, plugin: string, id: string])[] = [
    ["awskms:///alias/release", "awskms", "/alias/release"],
    ["awskms://localhost:4566/alias/release", "awskms", "localhost:4566/alias/release"],
    [
      "gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K",
      "gcpkms",
      "projects/P/locations/L/keyRings/R/cryptoKeys/K",
    ],
    ["azurekms://vault.example/key/1", "azurekms", "vault.example/key/1"],
    ["hashivault://release", "hashivault", "release"],
    ["openbao://release", "openbao", "release"],
    ["k8s://namespace/secret", "k8s", "namespace/secret"],
    ["my-hsm-2://a://b?c=d&e", "my-hsm-2", "a://b?c=d&e"],
    ["0://\u0000", "0", "\u0000"],
  ];
  for (const [text, plugin, id] of plugins) {
    it(`a key of a plug-in: ${JSON.stringify(text)}`, () => {
      assert.deepEqual(parseKeyReference(text), { kind: "plugin", plugin, id, label: text });
    });
  }

  for (const text of ["pkcs11:token=a;object=b", "PKCS11:token=a;object=b"]) {
    it(`a key in a token: ${text} (RFC 3986, section 3.1: schemes have no case)`, () => {
      assert.equal(parseKeyReference(text).kind, "pkcs11");
    });
  }
});

describe("what names no key", () => {
  const names = [
    ...["../evil", "..", "a/b", "/bin/a", "a\\b", "./a", "a.b", "a b", "a\n", "a\u0000", "-".repeat(65)],
    ...["AWSKMS", "Awskms", "aws_kms", "aws+kms", "ключ", "$(id)", "a;b", "a|b", "~", "%61", "ENV", ""],
  ];
  for (const name of names) {
    it(`the plug-in ${JSON.stringify(name)}`, () => {
      const error = thrownBy(() => parseKeyReference(`${name}://secret`), "key-invalid");
      assert.doesNotMatch(`${error.message} ${error.found} ${error.wanted} ${error.next}`, /secret/);
    });
  }

  for (const scheme of ["http", "https", "HTTPS", "file", "ftp", "oci"]) {
    it(`an address: ${scheme}://`, () => {
      const error = thrownBy(() => parseKeyReference(`${scheme}://user:secret@host.example/key`), "unsupported");
      assert.doesNotMatch(`${error.message} ${error.found} ${error.wanted} ${error.next}`, /secret/);
    });
  }

  it("a plug-in without a key", () => {
    assert.match(thrownBy(() => parseKeyReference("awskms://"), "key-invalid").message, /no key/);
  });

  it("more than a name", () => {
    thrownBy(() => parseKeyReference(`awskms://${"k".repeat(LIMITS.keyReferenceBytes)}`), "key-invalid");
    thrownBy(() => parseKeyReference("é".repeat(LIMITS.keyReferenceBytes / 2 + 1)), "key-invalid");
  });
});
