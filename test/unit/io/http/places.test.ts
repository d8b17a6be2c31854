import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { isPrivateHost, isSameSite } from "../../../../src/io/http/hosts.ts";
import { peerText, safeUrl } from "../../../../src/io/http/redact.ts";
import { Hops, placeNamed } from "../../../../src/io/http/redirects.ts";

function go(location: string | undefined, from = "https://registry.example/v2/a/blobs/x", allowHttp = false): string {
  const origin = new URL(new URL(from).origin);
  return placeNamed(location, new URL(from), { registry: origin, allowHttp }).href;
}

function refuses(...call: Parameters<typeof go>): string {
  try {
    go(...call);
  } catch (thrown) {
    assert.ok(thrown instanceof CountersignError);
    assert.equal(thrown.code, "redirect-refused");
    return `${thrown.found} ${thrown.wanted}`;
  }
  return assert.fail(`${call[0]} was followed`);
}

describe("where a registry may send us", () => {
  it("follows relative, absolute and other public places over https", () => {
    assert.equal(go("/v2/b"), "https://registry.example/v2/b");
    assert.equal(go("?x=1"), "https://registry.example/v2/a/blobs/x?x=1");
    assert.equal(go("https://cdn.example:444/x?sig=1#frag"), "https://cdn.example:444/x?sig=1");
  });

  it("never goes from https down to http", () => {
    refuses("http://registry.example/v2/b");
    refuses("http://127.0.0.1/x");
    refuses("http://cdn.example/x", undefined, true);
  });

  it("speaks plain HTTP to loopback, and elsewhere only where that was allowed", () => {
    assert.equal(go("http://127.0.0.1:2/x", "http://127.0.0.1:1/y"), "http://127.0.0.1:2/x");
    refuses("http://cdn.example/x", "http://127.0.0.1:1/y");
    assert.equal(go("http://cdn.example/x", "http://registry.example/y", true), "http://cdn.example/x");
  });

  for (const location of [
    "https://127.0.0.1/x",
    "https://2130706433/x",
    "https://0x7f.1/x",
    "https://localhost/x",
    "https://a.localhost/x",
    "https://10.1.2.3/x",
    "https://192.168.1.1/x",
    "https://169.254.169.254/latest/meta-data",
    "https://100.100.100.200/x",
    "https://[::1]/x",
    "https://[::ffff:10.0.0.1]/x",
    "https://[fd00:ec2::254]/x",
    "https://[fe80::1]/x",
    "https://0.0.0.0/x",
  ]) {
    it(`is not sent to a private address by a public registry: ${location}`, () => {
      refuses(location);
    });
  }

  it("lets a registry on a private address send us to another", () => {
    assert.equal(go("https://10.0.0.2/x", "https://10.0.0.1/y"), "https://10.0.0.2/x");
  });

  it("takes no user information, no other scheme and no missing location, and prints no query", () => {
    refuses("https://user:pw@cdn.example/x");
    refuses("file:///etc/passwd");
    refuses("data:,x");
    refuses(undefined);
    refuses("https://[");
    assert.doesNotMatch(refuses("http://cdn.example/x?X-Amz-Signature=secret"), /secret/);
  });

  it("knows a circle and counts hops", () => {
    const hops = new Hops();
    hops.visit(new URL("https://a/1"));
    hops.visit(new URL("https://a/2"));
    assert.throws(() => hops.visit(new URL("https://a/1")), /is not followed/);
    const many = new Hops();
    assert.throws(() => {
      for (let at = 0; at < 13; at++) many.visit(new URL(`https://a/${at}`));
    }, CountersignError);
  });
});

describe("which hosts belong together", () => {
  const url = (host: string) => new URL(`https://${host}/`);

  it("takes a site's own hosts for one", () => {
    assert.ok(isSameSite(url("registry.gitlab.com"), url("gitlab.com")));
    assert.ok(isSameSite(url("registry-1.docker.io"), url("auth.docker.io")));
    assert.ok(isSameSite(url("10.0.0.1:5000"), url("10.0.0.1:5001")));
    assert.ok(isSameSite(url("a.firm.co.uk"), url("b.firm.co.uk")));
  });

  for (const [one, other] of [
    ["registry.example", "evil.test"],
    ["docker.io", "evil-docker.io"],
    ["a.co.uk", "b.co.uk"],
    ["victim.azurecr.io", "evil.azurecr.io"],
    ["a.s3.amazonaws.com", "b.s3.amazonaws.com"],
    ["10.0.0.1", "10.0.0.2"],
    ["localhost", "example.com"],
  ] as const) {
    it(`does not take ${one} and ${other} for one`, () => {
      assert.equal(isSameSite(url(one), url(other)), false);
    });
  }

  it("does not take a public address for a private one", () => {
    assert.equal(isPrivateHost(url("8.8.8.8")), false);
    assert.equal(isPrivateHost(url("[2606:4700::1111]")), false);
    assert.equal(isPrivateHost(url("10.example.com")), false);
  });
});

describe("what is printed of a peer's text", () => {
  it("is never the query or the user information of a URL", () => {
    assert.equal(safeUrl("https://u:p@h.example:1/a/b?sig=1#f"), "https://h.example:1/a/b");
  });

  it("is one line without control characters, and short", () => {
    assert.equal(peerText("a\u001b[31m\r\nb\u202e c"), "a [31m b c");
    assert.equal(peerText("x".repeat(1000)).length, 200);
  });
});
