import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatPem, parsePem } from "../../../../src/core/crypto/pem.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { thrownBy } from "../../../support/codes.ts";

const CONTENT = new Uint8Array(100).map((_, at) => at);
const TEXT = formatPem({ label: "PUBLIC KEY", content: CONTENT });

describe("PEM (RFC 7468)", () => {
  it("is written in lines of 64 characters and read back", () => {
    assert.ok(TEXT.split("\n").every((line) => line.length <= 64));
    assert.deepEqual(parsePem(TEXT, "it"), { label: "PUBLIC KEY", content: CONTENT });
  });

  it("is read from bytes, with any line ends, on one line, and with white space around", () => {
    const oneLine = `-----BEGIN X-----\n${Buffer.from(CONTENT).toString("base64")}\n-----END X-----`;
    for (const text of [TEXT.replaceAll("\n", "\r\n"), `\n \t${TEXT}\n\n`, TEXT.trimEnd()]) {
      assert.deepEqual(parsePem(Buffer.from(text), "it").content, CONTENT);
    }
    assert.deepEqual(parsePem(oneLine, "it"), { label: "X", content: CONTENT });
  });

  const bad: readonly (readonly [string, string, RegExp])[] = [
    ["nothing", "", /nothing/],
    ["white space", " \n", /nothing/],
    ["text", "hello", /no PEM block/],
    ["an OpenSSH key", "ssh-ed25519 AAAAC3Nz someone", /OpenSSH/],
    ["two blocks", TEXT + TEXT, /2 PEM blocks/],
    ["text before the block", `hello\n${TEXT}`, /other text/],
    ["text after the block", `${TEXT}hello`, /other text/],
    ["a byte order mark", `\ufeff${TEXT}`, /a byte order mark/],
    ["what Windows PowerShell redirects", `\ufeff${[...TEXT].join("\0")}`, /a byte order mark/],
    ["UTF-16 that was read as bytes", `\ufffd\ufffd${[...TEXT].join("\0")}`, /UTF-16 text/],
    ["a header inside", TEXT.replace("-----\n", "-----\nComment: x\n\n"), /broken/],
    ["an end of another kind", TEXT.replace("END PUBLIC", "END PRIVATE"), /broken/],
    ["no end", TEXT.replace(/-----END.*/, ""), /broken/],
    ["no content", "-----BEGIN X-----\n-----END X-----", /broken/],
    ["a label in lower case", TEXT.replaceAll("PUBLIC", "public"), /broken/],
    ["base64 that is cut", TEXT.replace("AAEC", "AEC"), /not base64/],
    ["padding inside", TEXT.replace("AAEC", "AA=="), /not base64/],
    ["too much", "x".repeat(LIMITS.keyFileBytes + 1), /more than a key needs/],
    ["traditional encryption", TEXT.replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n"), /traditional encryption/],
  ];
  for (const [what, text, found] of bad) {
    it(`is refused: ${what}`, () => {
      const error = thrownBy(() => parsePem(text, "it"), "key-invalid");
      assert.match(error.found ?? "", found);
    });
  }

  it("never shows what is in the file when it refuses it", () => {
    const secret = "-----BEGIN PRIVATE KEY-----\nsecretsecret*\n-----END PRIVATE KEY-----";
    const error = thrownBy(() => parsePem(secret, "it"), "key-invalid");
    assert.doesNotMatch(`${error.message} ${error.found} ${error.wanted} ${error.next}`, /secret/);
  });
});
