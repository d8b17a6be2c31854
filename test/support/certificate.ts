import { createPrivateKey, createSign, generateKeyPairSync, type KeyObject } from "node:crypto";

export interface TestCertificate {
  readonly certificate: Buffer;
  readonly pem: string;
  readonly key: KeyObject;
}

/** A self-signed certificate (RFC 5280 §4.1) for 127.0.0.1, an authority, good for a day: just enough for tests. */
export function selfSigned(name: string): TestCertificate {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const key = createPrivateKey(privateKey);
  const sha256WithRsa = sequence(oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b), der(0x05));
  const commonName = sequence(der(0x31, sequence(oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from(name)))));
  const day = 86_400_000;
  const isAuthority = extension(oid(0x55, 0x1d, 0x13), sequence(der(0x01, Buffer.of(0xff))));
  const alternativeName = extension(oid(0x55, 0x1d, 0x11), sequence(der(0x87, Buffer.of(127, 0, 0, 1))));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.of(1)),
    sha256WithRsa,
    commonName,
    sequence(utcTime(Date.now() - day), utcTime(Date.now() + day)),
    commonName,
    publicKey,
    der(0xa3, sequence(isAuthority, alternativeName)),
  );
  const signature = createSign("sha256").update(body).sign(key);
  const certificate = sequence(body, sha256WithRsa, der(0x03, Buffer.concat([Buffer.of(0), signature])));
  const base64 = certificate.toString("base64").replace(/.{64}(?!$)/g, "$&\n");
  return { certificate, key, pem: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n` };
}

function extension(id: Buffer, value: Buffer): Buffer {
  return sequence(id, der(0x04, value));
}

function der(tag: number, content: Buffer = Buffer.alloc(0)): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function oid(...bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

function utcTime(at: number): Buffer {
  return der(
    0x17,
    Buffer.from(
      new Date(at)
        .toISOString()
        .replace(/[-:T]|\.\d{3}/g, "")
        .slice(2),
    ),
  );
}
