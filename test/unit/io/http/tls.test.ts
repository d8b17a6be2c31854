import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { HttpClient } from "../../../../src/io/http/client.ts";
import { environmentAuthorities, registryCertificates, tlsOptions } from "../../../../src/io/http/tls.ts";
import { selfSigned } from "../../../support/certificate.ts";
import { thrownBy } from "../../../support/codes.ts";
import { failure } from "../../../support/registry-client.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const { pem, key } = selfSigned("a test");
const keyPem = key.export({ type: "pkcs8", format: "pem" }).toString();

describe("a registry's certificates (containers-certs.d)", () => {
  it("come from the first folder that has one named like the registry", async (t) => {
    const root = await temporaryFolder(t);
    const folders = ["one", "two", "three"].map((name) => join(root, name));
    await mkdir(join(root, "two", "r.example:5000"), { recursive: true });
    await mkdir(join(root, "three", "r.example:5000"), { recursive: true });
    await writeFile(join(root, "two", "r.example:5000", "ca.crt"), pem);
    await writeFile(join(root, "two", "r.example:5000", "client.cert"), pem);
    await writeFile(join(root, "two", "r.example:5000", "client.key"), keyPem);
    await writeFile(join(root, "three", "r.example:5000", "other.crt"), "never read");
    const found = registryCertificates("r.example:5000", folders);
    assert.deepEqual(found, { ca: [pem], certificate: pem, key: keyPem });
    assert.deepEqual(registryCertificates("r.example", folders), { ca: [] });
  });

  it("that are half of a pair are an error", async (t) => {
    const root = await temporaryFolder(t);
    await mkdir(join(root, "r.example"));
    await writeFile(join(root, "r.example", "client.cert"), pem);
    const error = thrownBy(() => registryCertificates("r.example", [root]), "configuration-invalid");
    assert.match(error.wanted ?? "", /client\.cert and client\.key/);
  });

  it("of an authority that cannot be read are an error: OpenSSL would pass over it, and blame the host", () => {
    const broken = pem.replace(/\n.{20}/, "\n!");
    for (const ca of [[broken], [pem, broken], ["nothing of the kind"]]) {
      thrownBy(() => tlsOptions({ ca }, "default"), "configuration-invalid");
    }
    assert.ok(tlsOptions({ ca: [pem, `# of a test\n${pem}`] }, "default").rejectUnauthorized);
  });

  it("that are none, or do not go together, are an error", () => {
    thrownBy(
      () =>
        tlsOptions(
          { ca: ["-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----"], certificate: "x", key: "y" },
          "default",
        ),
      "configuration-invalid",
    );
    thrownBy(
      () =>
        tlsOptions(
          {
            ca: [],
            certificate: pem,
            key: selfSigned("other").key.export({ type: "pkcs8", format: "pem" }).toString(),
          },
          "default",
        ),
      "configuration-invalid",
    );
  });
});

describe("a client whose certificates cannot be used", () => {
  it("says so to who asks, and not once more when it is closed", async () => {
    const tlsFor = () => ({ ca: [], certificate: "no PEM", key: "no PEM" });
    const http = new HttpClient({ env: {}, tlsFor, userAgent: "test" });
    const asked = http.send({ method: "GET", url: new URL("https://127.0.0.1:1/v2/") });
    await failure("configuration-invalid", asked);
    await http.close();
  });
});

describe("SSL_CERT_FILE and SSL_CERT_DIR", () => {
  it("add authorities; what is not a certificate in the folder is passed over", async (t) => {
    const root = await temporaryFolder(t);
    await writeFile(join(root, "a.pem"), pem);
    await writeFile(join(root, "README"), "hello");
    const file = join(root, "a.pem");
    assert.deepEqual(environmentAuthorities({ SSL_CERT_FILE: file, SSL_CERT_DIR: `${root}:/nonexistent` }), [pem, pem]);
    assert.deepEqual(environmentAuthorities({}), []);
  });

  it("that name a file that is not there are an error", () => {
    thrownBy(() => environmentAuthorities({ SSL_CERT_FILE: "/nonexistent/ca.pem" }), "configuration-invalid");
  });
});
