import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import { plainKeyId } from "../../../../src/core/dct/keys.ts";
import { openKey, readKeyFile } from "../../../../src/io/keys/keyfile.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";
import { REAL_CACHE } from "../../../support/dct/notary-server.ts";

const FOLDER = join(REAL_CACHE, "private");
const NAMES = readdirSync(FOLDER);

const passphrase = (text: string) => () => Promise.resolve(Buffer.from(text));

/** Traditional encryption by OpenSSL, with the header that Docker put beside it; the passphrase is `old`. */
const TRADITIONAL = `-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-256-CBC,69151023652D78D62ACD9AD3A09D13AF
role: root

mgdyM7faVdlVmAVftEIoptzdGBp+TWyUKZ3PbTYjXOrIicROk2csy2xgccmw3iHC
IlKXRoZbnmFol+PeNG6lqiqGtfk3Jr25B8g6vdyF5m2g2urxmqQRcHRJYLtWvsTd
zHrEr7MTVrbASUUzG896/pO2Thrgngwkeczzjnslzgg=
-----END EC PRIVATE KEY-----
`;

describe("private keys as Notary keeps them", () => {
  for (const name of NAMES) {
    it(`are opened, and are the ones that their names say: ${name.slice(0, 8)}`, async () => {
      const content = readFileSync(join(FOLDER, name));
      const secret = /^role: root$/m.test(content.toString()) ? "old root" : "old repository";
      const key = await openKey(readKeyFile(content, name), name, passphrase(secret));
      assert.equal(`${plainKeyId(publicKeyFrom(key, name))}.key`, name);
    });
  }

  it("are not opened by another passphrase", async () => {
    const [name = ""] = NAMES;
    const file = readKeyFile(readFileSync(join(FOLDER, name)), name);
    await rejectedBy(() => openKey(file, name, passphrase("wrong")), "key-password");
  });

  it("are opened in the form that Docker wrote until 2017", async () => {
    const file = readKeyFile(Buffer.from(TRADITIONAL), "it");
    assert.deepEqual([file.kind, file.encrypted], ["notary-traditional", true]);
    assert.equal((await openKey(file, "it", passphrase("old"))).asymmetricKeyType, "ec");
    await rejectedBy(() => openKey(file, "it", passphrase("new")), "key-password");
  });

  it("are the only ones for which that encryption is taken: it is too weak to keep a key", () => {
    const text = TRADITIONAL.replace("role: root\n", "");
    assert.match(thrownBy(() => readKeyFile(Buffer.from(text), "it"), "key-invalid").found ?? "", /traditional/);
  });

  it("are refused with headers of their own and no key inside", async () => {
    const text = "-----BEGIN PRIVATE KEY-----\nrole: root\n\nAAAA\n-----END PRIVATE KEY-----\n";
    await rejectedBy(() => openKey(readKeyFile(Buffer.from(text), "it"), "it", passphrase("")), "key-invalid");
    const certificate = text.replaceAll("PRIVATE KEY", "CERTIFICATE");
    thrownBy(() => readKeyFile(Buffer.from(certificate), "it"), "key-invalid");
  });
});
