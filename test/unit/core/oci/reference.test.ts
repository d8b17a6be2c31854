import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  formatReference,
  isLoopback,
  parseReference,
  parseRepository,
  repositoryName,
} from "../../../../src/core/oci/reference.ts";
import { thrownBy } from "../../../support/codes.ts";
import { processorTime } from "../../../support/processor-time.ts";

const HEX = "0123456789abcdef".repeat(4);
const SHA256 = `sha256:${HEX}`;
const SHA512 = `sha512:${HEX}${HEX}`;

describe("references that are read as Docker reads them", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["ubuntu", "docker.io/library/ubuntu:latest"],
    ["ubuntu:22.04", "docker.io/library/ubuntu:22.04"],
    [`ubuntu:22.04@${SHA256}`, `docker.io/library/ubuntu:22.04@${SHA256}`],
    [`ubuntu@${SHA256}`, `docker.io/library/ubuntu@${SHA256}`],
    ["bitnami/nginx:1", "docker.io/bitnami/nginx:1"],
    ["index.docker.io/ubuntu", "docker.io/library/ubuntu:latest"],
    ["docker.io/ubuntu", "docker.io/library/ubuntu:latest"],
    ["docker.io/library/foo/bar", "docker.io/library/foo/bar:latest"],
    ["registry-1.docker.io/ubuntu", "docker.io/library/ubuntu:latest"],
    ["localhost/app", "localhost/app:latest"],
    ["LOCALHOST/app", "localhost/app:latest"],
    ["localhost", "docker.io/library/localhost:latest"],
    ["localhost:5000", "docker.io/library/localhost:5000"],
    ["localhost:5000/app:1", "localhost:5000/app:1"],
    ["a:5000/b", "a:5000/b:latest"],
    ["192.168.0.1/app", "192.168.0.1/app:latest"],
    ["192.168.0.1", "docker.io/library/192.168.0.1:latest"],
    ["[::1]:5000/a", "[::1]:5000/a:latest"],
    ["[fc00::1]:5000/a/b:t", "[fc00::1]:5000/a/b:t"],
    ["[FC00::1]/a", "[fc00::1]/a:latest"],
    ["GHCR.IO/owner/app", "ghcr.io/owner/app:latest"],
    [`ghcr.io/o/a:latest@${SHA512}`, `ghcr.io/o/a:latest@${SHA512}`],
    ["a__b/c", "docker.io/a__b/c:latest"],
    ["a--b/c", "docker.io/a--b/c:latest"],
    ["app:_x", "docker.io/library/app:_x"],
    [`app:${"t".repeat(128)}`, `docker.io/library/app:${"t".repeat(128)}`],
    ["evil-docker.io/ubuntu", "evil-docker.io/ubuntu:latest"],
    ["xn--bcher-kva.example/a", "xn--bcher-kva.example/a:latest"],
    ["myhost:65535/a", "myhost:65535/a:latest"],
    [`${"a".repeat(63)}`, `docker.io/library/${"a".repeat(63)}:latest`],
    [`ghcr.io/${HEX}`, `ghcr.io/${HEX}:latest`],
  ];
  for (const [text, canonical] of rows) {
    it(text, () => {
      const reference = parseReference(text);
      assert.equal(formatReference(reference), canonical);
      assert.deepEqual(parseReference(canonical), reference);
      assert.equal(repositoryName(reference), `${reference.registry}/${reference.repository}`);
    });
  }

  it("has no tag of its own making beside a digest", () => {
    assert.deepEqual(parseReference(`app@${SHA256}`), {
      registry: "docker.io",
      repository: "library/app",
      digest: SHA256,
    });
  });
});

describe("references that are refused, where tools read them differently or not at all", () => {
  const rows: readonly (readonly [string, RegExp])[] = [
    ["", /not a path/],
    ["[fc00::1]", /not a path/],
    ["fc00::1:5000/debian", /not a host name/],
    ["[fe80::1%eth0]/a", /not a host name/],
    ["[::ffff:192.0.2.33]/a", /not a host name/],
    ["[12345::1]/a", /not a host name/],
    ["[::1/a", /not a host name/],
    ["ghcr.io/Owner/app", /upper-case/],
    ["LOCALDOMAIN/app", /dot or a port/],
    ["a___b/c", /not a path/],
    ["a..b/c", /not a host name/],
    ["a-/c", /not a path/],
    ["a._b/c", /not a host name/],
    ["a//b", /not a path/],
    ["/a", /not a path/],
    ["a/", /not a path/],
    ["ghcr.io/", /not a path/],
    ["ghcr.io./a", /not a host name/],
    ["-ghcr.io/a", /not a host name/],
    ["https://ghcr.io/o/a", /scheme/],
    ["HTTP://ghcr.io/o/a", /scheme/],
    ["app:", /tag/],
    ["app@", /digest/],
    ["app@sha256:abc", /digest/],
    [`app@sha256:${HEX.toUpperCase()}`, /digest/],
    [`app@SHA256:${HEX}`, /digest/],
    [`app@md5:${HEX.slice(32)}`, /digest/],
    [`app@${SHA256}@${SHA256}`, /digest/],
    ["app:-x", /tag/],
    ["app:.x", /tag/],
    ["app:v1+b", /tag/],
    ["app:v1:2", /not a path/],
    [`app:${"t".repeat(129)}`, /tag/],
    [SHA256, /bare digest/],
    [SHA512, /bare digest/],
    ["sha256:abc", /bare digest/],
    ["sha512:", /bare digest/],
    [`SHA256:${HEX}`, /bare digest/],
    [`sha256:${HEX}:1`, /bare digest/],
    ["sha256:5000/app", /bare digest/],
    ["exa_mple.com/b", /not a host name/],
    ["myhost:99999/a", /port/],
    ["myhost:65536/a", /port/],
    ["myhost:0/a", /host name|port/],
    ["myhost:0443/a", /host name|port/],
    ["myhost:/a", /host name/],
    [`app@${SHA256}:tag`, /digest/],
    [" app", /not a path/],
    ["app ", /not a path/],
    ["app\n", /not a path/],
    ["app:1\n", /tag/],
    ["bücher.example/a", /host name/],
    ["user@ghcr.io/a", /digest/],
    ["user:pw@ghcr.io/a", /digest/],
    ["ghcr.io/../a", /not a path/],
    ["ghcr.io/a?b", /not a path/],
    ["ghcr.io/a%2fb", /not a path/],
    [HEX, /image id/],
  ];
  for (const [text, why] of rows) {
    it(JSON.stringify(text), () => {
      const error = thrownBy(() => parseReference(text), "reference-invalid");
      assert.match(error.message, why);
      assert.equal(error.found, text);
      assert.ok(error.wanted);
    });
  }
});

describe("the name of a repository alone", () => {
  for (const [text, name] of [
    ["ghcr.io/o/a", "ghcr.io/o/a"],
    ["acme/app", "docker.io/acme/app"],
    ["app", "docker.io/library/app"],
    ["index.docker.io/app", "docker.io/library/app"],
    ["LOCALHOST:5000/a", "localhost:5000/a"],
  ] as const) {
    it(`${text} is ${name}`, () => assert.equal(repositoryName(parseRepository(text)), name));
  }

  for (const [text, why] of [
    ["ghcr.io/o/a:1", /tag/],
    ["app:latest", /tag/],
    [`app@${SHA256}`, /digest/],
    ["ghcr.io/", /not a path/],
    ["", /not a path/],
    [SHA256, /bare digest/],
  ] as const) {
    it(`is not ${JSON.stringify(text)}`, () => {
      assert.match(thrownBy(() => parseRepository(text), "reference-invalid").message, why);
    });
  }
});

describe("the length of a reference", () => {
  it("is bounded at 255 characters of path, an implied library/ included", () => {
    assert.equal(parseReference("a".repeat(247)).repository.length, 255);
    thrownBy(() => parseReference("a".repeat(248)), "reference-invalid");
    assert.equal(parseReference(`ghcr.io/${"a".repeat(255)}`).repository.length, 255);
    thrownBy(() => parseReference(`ghcr.io/${"a".repeat(256)}`), "reference-invalid");
  });

  it("is bounded before anything is matched against it", () => {
    const start = processorTime();
    for (const part of ["a", "-", "a-", "/", ":", "a.", "[", "@"]) {
      thrownBy(() => parseReference(`x${part.repeat(1_000_000)}!`), "reference-invalid");
    }
    assert.ok(processorTime() - start < 5_000);
  });
});

describe("hints", () => {
  it("strip a scheme", () => {
    assert.equal(thrownBy(() => parseReference("https://ghcr.io/o/a"), "reference-invalid").wanted, "ghcr.io/o/a");
  });
  it("lower an upper-case repository", () => {
    assert.equal(thrownBy(() => parseReference("ghcr.io/Owner/app"), "reference-invalid").wanted, "owner/app");
  });
});

describe("loopback", () => {
  for (const host of ["localhost", "localhost:5000", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:5000"]) {
    it(`is ${host}`, () => assert.ok(isLoopback(host)));
  }
  for (const host of [
    "localhost.example",
    "localhost.",
    "127.0.0.1.example",
    "127.0.0",
    "128.0.0.1",
    "10.0.0.1",
    "[::2]",
    "[::ffff:7f00:1]",
    "127.evil.com",
    "docker.io",
    "a-localhost",
  ]) {
    it(`is not ${host}`, () => assert.ok(!isLoopback(host)));
  }
});

describe("a registry that is an address", () => {
  it("is read in one way or not at all: what URLs take for another spelling of an address is refused", () => {
    for (const host of ["0x7f.1", "127.1", "127.0.0.08", "127.0.0.010", "127.0.0.999", "1.2.3.4.5", "2130706433"]) {
      thrownBy(() => parseReference(`${host}:5000/app`), "reference-invalid");
    }
    assert.equal(parseReference("127.0.0.1:5000/app").registry, "127.0.0.1:5000");
    assert.equal(parseReference("[::1]:5000/app").registry, "[::1]:5000");
    assert.equal(parseReference("10.registry.example/app").registry, "10.registry.example");
  });
});
