import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseChallenges } from "../../../../src/io/http/challenge.ts";
import { processorTime } from "../../../support/processor-time.ts";

function read(...headers: string[]) {
  return parseChallenges(headers).map(({ scheme, parameters }) => ({ scheme, ...parameters }));
}

describe("the reader of WWW-Authenticate (RFC 9110 §11.6.1)", () => {
  it("reads a bearer challenge whose scope holds commas", () => {
    assert.deepEqual(read('Bearer realm="https://a/t",service="s",scope="repository:a/b:pull,push"'), [
      { scheme: "bearer", realm: "https://a/t", service: "s", scope: "repository:a/b:pull,push" },
    ]);
  });

  it("reads several challenges in one header", () => {
    assert.deepEqual(read('Basic realm="a, b", Bearer realm=x , service="y", Negotiate'), [
      { scheme: "basic", realm: "a, b" },
      { scheme: "bearer", realm: "x", service: "y" },
      { scheme: "negotiate" },
    ]);
  });

  it("reads several headers", () => {
    assert.deepEqual(read("Negotiate", 'BASIC Realm="x"'), [{ scheme: "negotiate" }, { scheme: "basic", realm: "x" }]);
  });

  it("takes escapes out of quoted strings", () => {
    assert.deepEqual(read(String.raw`Basic realm="say \"hi\" \\ twice"`), [
      { scheme: "basic", realm: 'say "hi" \\ twice' },
    ]);
  });

  it("passes over token68 and blanks around the equals sign", () => {
    assert.deepEqual(read('NTLM TlRMTVNTUAAB==, Bearer realm = "r"'), [
      { scheme: "ntlm" },
      { scheme: "bearer", realm: "r" },
    ]);
  });

  it("keeps the first of two parameters with one name", () => {
    assert.deepEqual(read('Bearer realm="good",realm="evil"'), [{ scheme: "bearer", realm: "good" }]);
  });

  it("is not led to a prototype by a parameter's name", () => {
    const [challenge] = parseChallenges(['Bearer __proto__="x", realm="r"']);
    assert.equal(challenge?.parameters["realm"], "r");
    assert.equal(({} as Record<string, unknown>)["realm"], undefined);
  });

  for (const header of ["", ",,,", "=", '"', 'Bearer realm="unclosed', "Bearer realm=", "Bearer =x", "\u0000"]) {
    it(`ends quietly on ${JSON.stringify(header)}`, () => {
      assert.ok(parseChallenges([header]).every(({ parameters }) => parameters["realm"] === undefined));
    });
  }

  it("reads 64 KiB of anything in no time", () => {
    for (const piece of ['a="', "a, ", "\\", 'x="\\', "== ,"]) {
      const started = processorTime();
      parseChallenges([`Bearer ${piece.repeat(65_536 / piece.length)}`]);
      assert.ok(processorTime() - started < 1000, piece);
    }
  });
});
