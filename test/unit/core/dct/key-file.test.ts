import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDctKeyFile } from "../../../../src/core/dct/key-file.ts";
import { processorTime } from "../../../support/processor-time.ts";

const BODY =
  "MIHuMEkGCSqGSIb3DQEFDTA8MBsGCSqGSIb3DQEFDDAOBAgF8Pmi6RV5jAICCAAw\nHQYJYIZIAWUDBAEqBBDECCGqnWHy1niB0Rv6VMo4";

function block(label: string, ...headers: readonly string[]): string {
  const head = headers.length === 0 ? [] : [...headers, ""];
  return [`-----BEGIN ${label}-----`, ...head, BODY, `-----END ${label}-----`, ""].join("\n");
}

describe("a key file of Docker Content Trust", () => {
  it("is the same block with headers that say what it is for", () => {
    const text = block("ENCRYPTED PRIVATE KEY", "gun: registry.example/acme/app", "role: targets");
    assert.deepEqual(parseDctKeyFile(Buffer.from(text)), {
      role: "targets",
      gun: "registry.example/acme/app",
      pem: block("ENCRYPTED PRIVATE KEY"),
      isTraditional: false,
    });
  });

  it("is read with the line ends of Windows", () => {
    const text = block("PRIVATE KEY", "role: root").replaceAll("\n", "\r\n");
    assert.equal(parseDctKeyFile(text)?.pem, block("PRIVATE KEY"));
  });

  it("keeps the headers that its own encryption has, first and in their order", () => {
    const encryption = ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,69151023652D78D62ACD9AD3A09D13AF"];
    const text = block("EC PRIVATE KEY", encryption[1] ?? "", "role: root", encryption[0] ?? "");
    assert.deepEqual(parseDctKeyFile(text), {
      role: "root",
      gun: undefined,
      pem: block("EC PRIVATE KEY", ...encryption),
      isTraditional: true,
    });
  });

  const others: readonly (readonly [string, string])[] = [
    ["no headers", block("PRIVATE KEY")],
    ["another end", block("PRIVATE KEY", "role: root").replace("END PRIVATE", "END PUBLIC")],
    ["two blocks", block("PRIVATE KEY", "role: root") + block("PRIVATE KEY", "role: root")],
    ["text around it", `hello\n${block("PRIVATE KEY", "role: root")}`],
    ["no empty line behind the headers", block("PRIVATE KEY", "role: root").replace("\n\n", "\n")],
    ["more headers than it has", block("PRIVATE KEY", ...Array<string>(9).fill("role: root"))],
    ["more than a key needs", block("PRIVATE KEY", `role: ${"x".repeat(1000)}`) + "\n".repeat(70_000)],
  ];
  for (const [what, text] of others) {
    it(`is not one with ${what}`, () => assert.equal(parseDctKeyFile(text), undefined));
  }

  it("takes no time worth the name to be told from something else", () => {
    const text = `-----BEGIN X-----\n${"a: b\n".repeat(8)}${"A".repeat(60_000)}`;
    const began = processorTime();
    assert.equal(parseDctKeyFile(text), undefined);
    assert.ok(processorTime() - began < 1_000);
  });
});
