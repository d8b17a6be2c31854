import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { proxyFor } from "../../../../src/io/http/proxy.ts";

function proxy(url: string, env: Record<string, string>): string | undefined {
  return proxyFor(new URL(url), env)?.href;
}

describe("the choice of a proxy, by Go's rules", () => {
  it("has a variable for each scheme, the upper-case one first", () => {
    const env = { HTTPS_PROXY: "http://up:1", https_proxy: "http://low:1", http_proxy: "http://plain:1" };
    assert.equal(proxy("https://r.example/", env), "http://up:1/");
    assert.equal(proxy("http://r.example/", env), "http://plain:1/");
    assert.equal(proxy("https://r.example/", { HTTP_PROXY: "http://plain:1" }), undefined);
    assert.equal(proxy("https://r.example/", { HTTPS_PROXY: "", https_proxy: "http://low:1" }), "http://low:1/");
  });

  it("takes an address without a scheme for http", () => {
    assert.equal(proxy("https://r.example/", { HTTPS_PROXY: "proxy.example:3128" }), "http://proxy.example:3128/");
  });

  it("does not ask a proxy for this machine", () => {
    for (const host of ["localhost:5000", "127.0.0.1:5000", "127.8.8.8", "[::1]:5000"]) {
      assert.equal(proxy(`http://${host}/`, { HTTP_PROXY: "http://p:1", HTTPS_PROXY: "http://p:1" }), undefined, host);
    }
  });

  it("does not let a CGI client set it (CVE-2016-5386)", () => {
    assert.equal(proxy("http://r.example/", { HTTP_PROXY: "http://evil:1", REQUEST_METHOD: "GET" }), undefined);
  });

  for (const [rule, host, exempt] of [
    ["*", "r.example", true],
    ["r.example", "r.example", true],
    ["r.example", "sub.r.example", true],
    ["r.example", "other-r.example", false],
    [".r.example", "sub.r.example", true],
    [".r.example", "r.example", false],
    ["*.r.example", "sub.r.example", true],
    ["*.r.example", "r.example", false],
    ["R.Example", "r.example", true],
    ["r.example:443", "r.example", true],
    ["r.example:5000", "r.example", false],
    ["r.example:5000", "r.example:5000", true],
    ["10.0.0.0/8", "10.2.3.4", true],
    ["10.0.0.0/8", "11.2.3.4", false],
    ["10.0.0.0/99", "10.2.3.4", false],
    ["10.2.3.4", "10.2.3.4", true],
    ["fd00::/8", "[fd00::1]", true],
    ["[fd00::1]:443", "[fd00::1]", true],
    [" a.example , r.example ", "r.example", true],
    ["", "r.example", false],
    ["nonsense/x", "r.example", false],
  ] as const) {
    it(`NO_PROXY "${rule}" ${exempt ? "exempts" : "does not exempt"} ${host}`, () => {
      const found = proxy(`https://${host}/`, { HTTPS_PROXY: "http://p:1", NO_PROXY: rule });
      assert.equal(found === undefined, exempt);
    });
  }

  it("refuses what is no proxy's address, without printing a password", () => {
    assert.throws(
      () => proxy("https://r.example/", { HTTPS_PROXY: "ftp://u:secret@p/" }),
      (error: Error) => {
        assert.doesNotMatch(JSON.stringify(error) + error.message, /secret/);
        return error.message.includes("HTTPS_PROXY");
      },
    );
  });
});
