import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parsePkcs11Uri } from "../../../../src/io/keys/pkcs11-uri.ts";
import { thrownBy } from "../../../support/codes.ts";

const NOTHING = {
  token: { label: undefined, manufacturer: undefined, model: undefined, serial: undefined, slotId: undefined },
  object: { label: undefined, id: undefined },
  modulePath: undefined,
  pinValue: undefined,
  pinSource: undefined,
};

describe("pkcs11: URIs (RFC 7512)", () => {
  it("a token's label and an object's", () => {
    assert.deepEqual(parsePkcs11Uri("pkcs11:token=release;object=signing"), {
      ...NOTHING,
      token: { ...NOTHING.token, label: "release" },
      object: { label: "signing", id: undefined },
      label: "pkcs11:token=release;object=signing",
    });
  });

  it("a slot and an id, which need not be text", () => {
    const { token, object } = parsePkcs11Uri("pkcs11:slot-id=1718334938;id=%00%fF%7Ea");
    assert.equal(token.slotId, 1718334938);
    assert.equal(object.id, "00ff7e61");
  });

  it("everything that tells tokens apart", () => {
    const uri = "pkcs11:manufacturer=Acme%20Inc.;model=v2;serial=0042;token=a;type=private;object=b";
    assert.deepEqual(parsePkcs11Uri(uri).token, {
      label: "a",
      manufacturer: "Acme Inc.",
      model: "v2",
      serial: "0042",
      slotId: undefined,
    });
  });

  it("a module and a PIN in the query, which is no part of the label", () => {
    const uri = parsePkcs11Uri("pkcs11:token=a;object=b?module-path=/usr/lib/token.so&pin-value=12%2634?5=6");
    assert.equal(uri.modulePath, "/usr/lib/token.so");
    assert.equal(uri.pinValue, "12&34?5=6");
    assert.equal(uri.label, "pkcs11:token=a;object=b");
  });

  it("a file for the PIN", () => {
    assert.equal(parsePkcs11Uri("pkcs11:token=a;id=%01?pin-source=file:/etc/pin").pinSource, "file:/etc/pin");
  });

  it("text in UTF-8, encoded or not, a plus sign being one", () => {
    const { token, object } = parsePkcs11Uri("pkcs11:token=%D0%BA;object=ключ+%2B%20");
    assert.deepEqual([token.label, object.label], ["к", "ключ++ "]);
  });
});

describe("pkcs11: URIs that are refused, without a word of their values", () => {
  const bad: readonly (readonly [why: string, uri: string])[] = [
    ["nothing", "pkcs11:"],
    ["no token", "pkcs11:object=b"],
    ["no object", "pkcs11:token=a"],
    ["only a manufacturer", "pkcs11:manufacturer=secret;object=b"],
    ["an attribute twice", "pkcs11:token=a;token=secret;object=b"],
    ["a query attribute twice", "pkcs11:token=a;object=b?pin-value=1&pin-value=secret"],
    ["both kinds of PIN (section 2.4)", "pkcs11:token=a;object=b?pin-value=secret&pin-source=/secret"],
    ["an attribute that is not understood", "pkcs11:token=a;object=b;slot-description=secret"],
    ["a vendor's attribute", "pkcs11:token=a;object=b;x-acme=secret"],
    ["a query attribute that is not understood", "pkcs11:token=a;object=b?module-name=secret"],
    ["a path attribute in the query", "pkcs11:token=a?object=secret"],
    ["a PIN in the path", "pkcs11:token=a;object=b;pin-value=secret"],
    ["a name of another case", "pkcs11:Token=secret;object=b"],
    ["an attribute without a value", "pkcs11:token=;object=b"],
    ["an attribute without a sign", "pkcs11:secret;object=b"],
    ["an empty attribute", "pkcs11:token=a;;object=b"],
    ["a last separator", "pkcs11:token=a;object=b;"],
    ["an ampersand between path attributes", "pkcs11:token=a&object=secret"],
    ["half a percent-encoding", "pkcs11:token=secret%2;object=b"],
    ["a percent-encoding that is none", "pkcs11:token=secret%zz;object=b"],
    ["a label that is no text", "pkcs11:token=%ff;object=b"],
    ["a PIN that is no text", "pkcs11:token=a;object=b?pin-value=secret%fe"],
    ["a slot that is no number", "pkcs11:slot-id=secret;object=b"],
    ["a negative slot", "pkcs11:slot-id=-1;object=b"],
    ["a slot in another base", "pkcs11:slot-id=0x10;object=b"],
    ["a slot with zeros before it", "pkcs11:slot-id=007;object=b"],
    ["a type that is no key's", "pkcs11:token=a;object=b;type=cert"],
    ["a secret key", "pkcs11:token=a;object=b;type=secret-key"],
  ];
  for (const [why, uri] of bad) {
    it(why, () => {
      const { message, found, wanted, next } = thrownBy(() => parsePkcs11Uri(uri), "key-invalid");
      assert.doesNotMatch([message, found, wanted, next].join(" ").replaceAll("secret-key", ""), /secret/);
    });
  }
});
