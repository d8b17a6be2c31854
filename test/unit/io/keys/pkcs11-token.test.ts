import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { describe, it } from "node:test";
import { publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import { verifySignature } from "../../../../src/core/crypto/signature.ts";
import * as ck from "../../../../src/io/keys/cryptoki.ts";
import { ecdsaToDer } from "../../../../src/io/keys/ecdsa-der.ts";
import { askToken, type TokenRequest } from "../../../../src/io/keys/pkcs11-token.ts";
import { selfSigned } from "../../../support/certificate.ts";
import { thrownBy } from "../../../support/codes.ts";
import {
  certificateObject,
  FakeCryptoki,
  type FakeObject,
  LOGIN,
  privateObject,
  publicObject,
  publicParts,
  refusal,
} from "../../../support/fake-token.ts";
import { newKey } from "../../../support/programs.ts";

const DATA = Buffer.from("what is signed");
const P256 = newKey("ecdsa-p256");
const OTHER = newKey("ecdsa-p256");
const PIN = "1234";

function request(more: Partial<TokenRequest> = {}): TokenRequest {
  return { module: "/m", token: { label: "token" }, object: { label: "signing" }, half: "private", pin: PIN, ...more };
}

function pair(key: KeyObject, more: [number, Buffer | boolean][] = []): readonly FakeObject[] {
  return [publicObject(key), privateObject(key, {}, more)];
}

interface Shown {
  readonly publicKey: KeyObject;
  readonly signature: Buffer | undefined;
  readonly said: readonly string[];
}

function ask(cryptoki: FakeCryptoki, more: Partial<TokenRequest> = {}): Shown {
  const said: string[] = [];
  const answer = askToken(cryptoki, request(more), (line) => void said.push(line));
  assert.ok("publicKey" in answer, JSON.stringify(answer));
  const publicKey = createPublicKey({ key: Buffer.from(answer.publicKey, "base64"), format: "der", type: "spki" });
  return {
    publicKey,
    signature: answer.signature === undefined ? undefined : Buffer.from(answer.signature, "base64"),
    said,
  };
}

function signed(cryptoki: FakeCryptoki, more: Partial<TokenRequest> = {}): Shown & { readonly verified: boolean } {
  const shown = ask(cryptoki, { data: DATA.toString("base64"), ...more });
  const key = publicKeyFrom(shown.publicKey, "key");
  return { ...shown, ...verifySignature(key, DATA, shown.signature ?? Buffer.alloc(0)) };
}

function token(objects: readonly FakeObject[], more: object = {}): FakeCryptoki {
  return new FakeCryptoki({ flags: LOGIN, pin: PIN, objects, ...more });
}

describe("a key in a token", () => {
  for (const algorithm of ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "rsa"]) {
    it(`signs with ${algorithm}`, () => {
      const cryptoki = token(pair(newKey(algorithm)));
      assert.equal(signed(cryptoki).verified, true);
      assert.equal(cryptoki.tries, 1);
      assert.ok(cryptoki.isClosed);
    });
  }

  it("signs with RSA where the token hashes for itself", () => {
    const cryptoki = token(pair(newKey("rsa")), { mechanisms: [ck.CKM_SHA256_RSA_PKCS] });
    assert.equal(signed(cryptoki).verified, true);
    assert.ok(cryptoki.calls.includes(`C_SignInit ${ck.CKM_SHA256_RSA_PKCS}`));
  });

  it("is shown to everybody without a login", () => {
    const cryptoki = token(pair(P256));
    assert.ok(ask(cryptoki, { half: "public", pin: undefined }).publicKey.equals(createPublicKey(P256)));
    assert.equal(cryptoki.tries, 0);
  });

  it("is shown after a login where the token hides it", () => {
    const cryptoki = token([publicObject(P256, {}, true), privateObject(P256)]);
    assert.ok(ask(cryptoki, { half: "public" }).publicKey.equals(createPublicKey(P256)));
    assert.equal(cryptoki.tries, 1);
  });

  it("asks for a PIN that was not given, and tries none", () => {
    for (const half of ["private", "public"] as const) {
      const cryptoki = token([privateObject(P256)]);
      assert.deepEqual(
        askToken(cryptoki, request({ half, pin: undefined }), () => undefined),
        { wantsPin: true },
      );
      assert.equal(cryptoki.tries, 0);
      assert.ok(cryptoki.isClosed);
    }
  });

  it("needs no PIN where the token wants none", () => {
    const cryptoki = token([publicObject(P256), { ...privateObject(P256), isPrivate: false }], {
      flags: ck.CKF_TOKEN_INITIALIZED,
    });
    assert.equal(signed(cryptoki, { pin: undefined }).verified, true);
    assert.equal(cryptoki.tries, 0);
  });

  it("lets a token with a keypad ask for its PIN, and gives it none", () => {
    const cryptoki = token(pair(P256), { flags: LOGIN | ck.CKF_PROTECTED_AUTHENTICATION_PATH });
    const { verified, said } = signed(cryptoki, { pin: undefined });
    assert.equal(verified, true);
    assert.deepEqual(said, ["the token asks for its PIN itself"]);
    assert.ok(cryptoki.calls.includes(`C_Login ${ck.CKU_USER} by itself`));
  });

  it("gives the PIN once more to a key that wants it for every signature (CKA_ALWAYS_AUTHENTICATE)", () => {
    const cryptoki = token(pair(P256, [[ck.CKA_ALWAYS_AUTHENTICATE, true]]));
    assert.equal(signed(cryptoki).verified, true);
    assert.ok(cryptoki.calls.includes(`C_Login ${ck.CKU_CONTEXT_SPECIFIC}`));
  });

  it("is found by its id, which need not be text", () => {
    const id = Buffer.from([0, 255, 128]);
    const objects = [
      publicObject(OTHER),
      privateObject(OTHER),
      publicObject(P256, { id }),
      privateObject(P256, { id }),
    ];
    const shown = signed(token(objects), { object: { id: id.toString("hex") } });
    assert.ok(shown.verified && shown.publicKey.equals(createPublicKey(P256)));
  });

  it("has the public key with the same id, whatever that is called", () => {
    const objects = [
      publicObject(P256, { label: "public" }),
      publicObject(OTHER, { id: Buffer.from([2]) }),
      privateObject(P256),
    ];
    assert.equal(signed(token(objects)).verified, true);
  });

  it("has the public key with the same label where it has no id", () => {
    const id = Buffer.alloc(0);
    assert.equal(signed(token([publicObject(P256, { id }), privateObject(P256, { id })])).verified, true);
  });

  it("has the public key of the certificate beside it", () => {
    const { key: privateKey, certificate: der } = selfSigned("token");
    assert.equal(signed(token([certificateObject(der), privateObject(privateKey)])).verified, true);
  });

  it("has the public parts that the private key shows", () => {
    for (const key of [P256, newKey("rsa")]) {
      assert.equal(signed(token([privateObject(key, {}, publicParts(key))])).verified, true);
    }
  });

  it("has the SubjectPublicKeyInfo that the private key shows", () => {
    const info = createPublicKey(P256).export({ type: "spki", format: "der" });
    const more: [number, Buffer | number][] = [
      [ck.CKA_KEY_TYPE, ck.CKK_EC],
      [ck.CKA_PUBLIC_KEY_INFO, info],
    ];
    assert.equal(signed(token([privateObject(P256, {}, more)])).verified, true);
  });

  it("may be there twice, if it is the same", () => {
    const objects = [publicObject(P256), publicObject(P256), privateObject(P256)];
    assert.equal(signed(token(objects)).verified, true);
  });

  it("may have its point without the OCTET STRING around it, as some tokens have", () => {
    const bare = publicParts(P256).map(([type, value]): [number, typeof value] =>
      type === ck.CKA_EC_POINT && Buffer.isBuffer(value) ? [type, value.subarray(2)] : [type, value],
    );
    assert.equal(signed(token([privateObject(P256, {}, bare)])).verified, true);
  });

  it("is told from others by every attribute of its token", () => {
    const wanted = { label: "a", serial: "7", slot: 3, flags: LOGIN, pin: PIN, objects: pair(P256) };
    const tokens = [wanted, { ...wanted, slot: 4, serial: "8" }, { ...wanted, slot: 5, label: "b" }];
    const { verified } = signed(new FakeCryptoki(...tokens), {
      token: { label: "a", serial: "7", slotId: 3, manufacturer: "Acme Inc.", model: "v2" },
    });
    assert.equal(verified, true);
  });

  it("says before the last try that it is one", () => {
    const { said } = signed(token(pair(P256), { flags: LOGIN | ck.CKF_USER_PIN_FINAL_TRY }));
    assert.deepEqual(said, ["the token locks after one more wrong PIN"]);
  });
});

describe("a wrong PIN", () => {
  it("is tried once, and is not shown", () => {
    const cryptoki = token(pair(P256));
    const error = thrownBy(() => ask(cryptoki, { pin: "0000" }), "key-password");
    assert.equal(cryptoki.tries, 1);
    assert.ok(cryptoki.isClosed);
    assert.doesNotMatch([error.message, error.found, error.wanted, error.next].join(" "), /0000/);
  });

  for (const [code, name] of ck.PIN_REFUSALS) {
    it(`is what ${name} means`, () => {
      const cryptoki = token(pair(P256)).fail("C_Login", code);
      assert.equal(thrownBy(() => ask(cryptoki), "key-password").found, name);
      assert.equal(cryptoki.tries, 1);
    });
  }

  it("is not tried with a token that is locked", () => {
    const cryptoki = token(pair(P256), { flags: LOGIN | ck.CKF_USER_PIN_LOCKED });
    thrownBy(() => ask(cryptoki), "key-password");
    assert.equal(cryptoki.tries, 0);
  });
});

describe("a token that is not the one", () => {
  const two = [
    { label: "a", serial: "1", slot: 1 },
    { label: "a", serial: "2", slot: 2 },
  ];
  const cases: readonly (readonly [string, FakeCryptoki, TokenRequest["token"], RegExp])[] = [
    ["no token at all", new FakeCryptoki(), { label: "a" }, /^no token$/],
    ["another label", new FakeCryptoki({ label: "b" }), { label: "a" }, /"b" \(serial 1/],
    ["a part of the label", new FakeCryptoki({ label: "ab" }), { label: "a" }, /"ab"/],
    ["another case", new FakeCryptoki({ label: "A" }), { label: "a" }, /"A"/],
    ["another slot", new FakeCryptoki({ slot: 1 }), { slotId: 2 }, /slot-id 1/],
    ["another serial", new FakeCryptoki({ label: "a" }), { label: "a", serial: "9" }, /serial 1/],
    ["another maker", new FakeCryptoki({ label: "a" }), { label: "a", manufacturer: "X" }, /"a"/],
    ["two of one label", new FakeCryptoki(...two), { label: "a" }, /serial 1.*serial 2/],
    ["one without content", new FakeCryptoki({ label: "a", flags: 0 }), { label: "a" }, /^no token$/],
  ];
  for (const [why, cryptoki, query, found] of cases) {
    it(why, () => {
      const error = thrownBy(() => ask(cryptoki, { token: query }), "key-invalid");
      assert.match(error.found ?? "", found);
      assert.ok(cryptoki.isClosed);
      assert.equal(cryptoki.tries, 0);
    });
  }
});

describe("a key that is not the one", () => {
  const { certificate: der } = selfSigned("token");
  const point = publicParts(P256).find(([type]) => type === ck.CKA_EC_POINT)?.[1] as Buffer;
  const withPoint = (value: Buffer): FakeObject =>
    privateObject(P256, {}, [
      ...publicParts(P256).filter(([type]) => type !== ck.CKA_EC_POINT),
      [ck.CKA_EC_POINT, value],
    ]);
  const compressed = Buffer.concat([Buffer.from([4, 33, 2]), point.subarray(3, 35)]);

  const cases: readonly (readonly [string, readonly FakeObject[], TokenRequest["object"]?])[] = [
    ["none", []],
    ["another label", pair(P256), { label: "other" }],
    ["another id", pair(P256), { id: "02" }],
    [
      "the label of one and the id of another",
      [privateObject(P256), privateObject(OTHER, { label: "b", id: Buffer.from([2]) })],
      { label: "signing", id: "02" },
    ],
    ["only a public key", [publicObject(P256)]],
    ["two private keys", [...pair(P256), privateObject(OTHER, { id: Buffer.from([2]) })]],
    ["two public keys", [publicObject(P256), publicObject(OTHER), privateObject(P256)]],
    ["no public half", [privateObject(P256)]],
    ["a public half of another id", [privateObject(P256), publicObject(P256, { id: Buffer.from([2]) })]],
    ["a certificate that is none", [privateObject(P256), certificateObject(der.subarray(1))]],
    ["a point that is cut off", [withPoint(point.subarray(0, -1))]],
    ["a point that is longer", [withPoint(Buffer.concat([point, Buffer.alloc(1)]))]],
    ["a compressed point", [withPoint(compressed)]],
    [
      "a point that is not on its curve",
      [withPoint(Buffer.concat([point.subarray(0, -1), Buffer.from([(point.at(-1) ?? 0) ^ 1])]))],
    ],
    [
      "a SubjectPublicKeyInfo that is none",
      [
        privateObject(P256, {}, [
          [ck.CKA_KEY_TYPE, ck.CKK_EC],
          [ck.CKA_PUBLIC_KEY_INFO, Buffer.from("no key")],
        ]),
      ],
    ],
  ];
  for (const [why, objects, object = { label: "signing" }] of cases) {
    it(why, () => {
      const cryptoki = token(objects);
      thrownBy(() => signed(cryptoki, { object }), "key-invalid");
      assert.ok(cryptoki.isClosed);
      assert.ok(!cryptoki.calls.includes("C_Sign"));
    });
  }

  it("two public keys, where only they are asked for", () => {
    const cryptoki = token([publicObject(P256), publicObject(OTHER, { id: Buffer.from([2]) })]);
    thrownBy(() => ask(cryptoki, { half: "public" }), "key-invalid");
  });

  const weak: readonly (readonly [string, readonly FakeObject[]])[] = [
    ["RSA of 1024 bits", pair(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey)],
    ["another curve", pair(newKey("secp256k1"))],
    ["another kind of key", [privateObject(P256, {}, [[ck.CKA_KEY_TYPE, 0x1f]])]],
    [
      "Curve448",
      [
        privateObject(P256, {}, [
          [ck.CKA_KEY_TYPE, ck.CKK_EC_EDWARDS],
          [ck.CKA_EC_PARAMS, Buffer.from("06032b6571", "hex")],
          [ck.CKA_EC_POINT, Buffer.alloc(57)],
        ]),
      ],
    ],
  ];
  for (const [why, objects] of weak) {
    it(`${why}, which signs no images`, () => {
      const cryptoki = token(objects);
      thrownBy(() => signed(cryptoki), "key-weak");
      assert.ok(!cryptoki.calls.includes("C_Sign"));
    });
  }
});

describe("a token that fails", () => {
  const METHODS = [
    "C_Initialize",
    "C_GetSlotList",
    "C_GetTokenInfo",
    "C_OpenSession",
    "C_Login",
    "C_FindObjectsInit",
    "C_FindObjects",
    "C_GetAttributeValue",
    "C_SignInit",
    "C_Sign",
  ];
  for (const method of METHODS) {
    it(`in ${method} is told by what it said`, () => {
      const cryptoki = token(pair(P256)).fail(method, 0x30);
      const error = thrownBy(() => signed(cryptoki), "key-unavailable");
      assert.equal(error.found, `CKR_DEVICE_ERROR from ${method}`);
      if (method !== "C_Initialize") assert.ok(cryptoki.isClosed);
    });
  }

  for (const method of ["C_CloseSession", "C_Finalize"]) {
    it(`in ${method}, after it has signed, has signed`, () => {
      assert.equal(signed(token(pair(P256)).fail(method, 0x30)).verified, true);
    });
  }

  it("where the package leaves the number in the message", () => {
    const cryptoki = token(pair(P256));
    cryptoki.C_Login = () => {
      throw new Error("CKR_PIN_INCORRECT:160\n    at PKCS11.C_Login (x:1)");
    };
    thrownBy(() => ask(cryptoki), "key-password");
  });

  it("with something that is no error", () => {
    const cryptoki = token(pair(P256));
    cryptoki.C_Login = () => {
      throw refusal(0x70, "C_Login");
    };
    thrownBy(() => ask(cryptoki), "key-unavailable");
  });
});

describe("a token's ECDSA signature as DER (RFC 3279, section 2.2.3)", () => {
  for (const namedCurve of ["P-256", "P-384", "P-521"]) {
    it(`of ${namedCurve} is what OpenSSL verifies`, () => {
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
      for (let round = 0; round < 100; round++) {
        const raw = sign("sha256", Buffer.from([round]), { key: privateKey, dsaEncoding: "ieee-p1363" });
        assert.ok(verify("sha256", Buffer.from([round]), publicKey, ecdsaToDer(raw)));
      }
    });
  }

  it("has the fewest bytes, and the sign bit clear", () => {
    const der = (hex: string): string => Buffer.from(ecdsaToDer(Buffer.from(hex, "hex"))).toString("hex");
    assert.equal(der("0001007f"), "30060201010201" + "7f");
    assert.equal(der("00800000"), "30070202008002" + "0100");
  });
});
