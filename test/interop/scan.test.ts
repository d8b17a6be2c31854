import assert from "node:assert/strict";
import { dirname } from "node:path";
import { before, describe, it } from "node:test";
import { OCI_INDEX, type PushedImage, pushImage, pushManifest } from "./images.ts";
import { pushDebian, writeOsvDatabase } from "./osv.ts";
import { type Finished, findPeer, without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import type { KeyPair } from "./workplace.ts";

/** Scans by the real OSV-Scanner, from an image to a policy that asks for them; by a database of its own form. */

for (const kind of REGISTRIES) {
  const missing = kind.missing || without("osv-scanner", "cosign");
  describe(`scans, with osv-scanner and cosign: ${kind.name}`, { skip: missing }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    let [scanner, stranger] = [work.keyPair("scanner"), work.keyPair("stranger")];
    let vulnerable: PushedImage;
    let clean: PushedImage;
    let database: Readonly<Record<string, string>> = {};

    before(async () => {
      scanner = await work.makeKey("scanner");
      stranger = await work.makeKey("stranger");
      database = writeOsvDatabase(work);
      vulnerable = await pushDebian(scene.address, "acme/vulnerable:1", { version: "1.0-1" });
      clean = await pushDebian(scene.address, "acme/clean:1", { version: "1.0-2" });
      work.write(
        "policy.yaml",
        [
          "apiVersion: countersign/v1",
          "identities: {scanner: {key: scanner.pub}}",
          "rules:",
          `  - images: ${scene.address}/acme/`,
          "    require: {vulnerabilities: {scannedBy: scanner, maxAge: 1d, severityAtMost: medium}}",
          `  - images: ${scene.address}/acme/each`,
          "    platforms: each",
          "    require: {vulnerabilities: {scannedBy: scanner, maxAge: 1d, severityAtMost: medium}}",
        ].join("\n"),
      );
    });

    const installed = (env: Readonly<Record<string, string>> = database) => {
      const path = findPeer("osv-scanner") ?? "";
      return { env: { ...env, PATH: `${dirname(path)}:${process.env["PATH"] ?? ""}` } };
    };
    const scan = (code: number, image: string, ...args: readonly string[]): Promise<Finished> =>
      work.expect(code, ["scan", "--scanner", "osv-scanner", "--scanner-arg=--offline", ...args, image], installed());
    const attest = (key: KeyPair, image: string, ...args: readonly string[]): Promise<Finished> =>
      scan(0, image, "--attest", "--key", key.secret, ...args);
    const obey = (wanted: string, image: string) =>
      work.judge(wanted, ["verify", "--policy", work.path("policy.yaml"), image]);
    const cosignReads = (image: string, ...args: readonly string[]): Promise<Finished> =>
      work.run("cosign", [
        ...["verify-attestation", "--key", scanner.public, "--insecure-ignore-tlog=true"],
        ...args,
        image,
      ]);

    it("find what is in an image, of which digest and by which scanner", async () => {
      const finished = await scan(0, vulnerable.tagged, "-o", "json");
      const [image] = JSON.parse(finished.stdout).images;
      assert.equal(image.digest, vulnerable.digest);
      assert.match(image.scan.scanner.uri, /^pkg:github\/google\/osv-scanner@2\./);
      const [found, ...others] = image.scan.vulnerabilities;
      assert.deepEqual(others, []);
      assert.deepEqual(
        [found.id, found.aliases, found.severity, found.package.name, found.fixedIn],
        ["DEBIAN-CVE-2024-0001", ["CVE-2024-0001"], "critical", "acme-libc", ["1.0-2"]],
      );
      await scan(1, vulnerable.tagged, "--fail-on", "critical");
      await scan(0, clean.tagged, "--fail-on", "low");
    });

    it("are read by cosign, and decide for a policy that asks for them", async () => {
      await obey("refused unscanned", vulnerable.tagged);
      await attest(scanner, vulnerable.tagged);
      await attest(scanner, clean.tagged);
      await obey("refused vulnerable", vulnerable.tagged);
      await obey("accepted", clean.tagged);
      const read = await cosignReads(clean.pinned, "--type", "vuln");
      assert.equal(read.code, 0, read.stderr);
      const { payload } = JSON.parse(read.stdout.trim().split("\n")[0] ?? "");
      const { predicate } = JSON.parse(Buffer.from(payload, "base64").toString());
      assert.deepEqual(predicate.scanner.result.results, []);
      assert.match(predicate.scanner.uri, /^pkg:github\/google\/osv-scanner@/);
      assert.notEqual((await cosignReads(clean.pinned, "--type", "slsaprovenance1")).code, 0);
    });

    it("decide the same where they are reduced, and cosign reads those too", async () => {
      const other = await pushDebian(scene.address, "acme/reduced:1", { version: "0.9-1" });
      await attest(scanner, other.tagged, "--reduced");
      await obey("refused vulnerable", other.tagged);
      const type = "https://in-toto.io/attestation/vulns/v0.2";
      assert.equal((await cosignReads(other.pinned, "--type", type)).code, 0);
    });

    it("by somebody else decide nothing", async () => {
      const other = await pushDebian(scene.address, "acme/other:1", { version: "1.0-2", architecture: "arm64" });
      await attest(stranger, other.tagged);
      await obey("refused unscanned", other.tagged);
    });

    it("of an index are of every platform, and of all of them together", async () => {
      for (const [repository, fixed] of [
        ["acme/index", "1.0-1"],
        ["acme/each", "1.0-1"],
        ["acme/mended", "1.0-3"],
      ] as const) {
        const platforms = [
          await pushDebian(scene.address, `${repository}:amd64`, { version: "1.0-2" }),
          await pushDebian(scene.address, `${repository}:arm64`, { version: fixed, architecture: "arm64" }),
        ];
        const manifests = platforms.map(({ descriptor }) => descriptor);
        const content = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
        const index = await pushManifest(scene.address, repository, "1", content);
        await attest(scanner, index.tagged, "--platform", "linux/amd64");
        await obey("refused", index.tagged);
        await attest(scanner, index.tagged, "-r");
        await obey(fixed === "1.0-1" ? "refused vulnerable" : "accepted", index.tagged);
      }
    });

    it("are not believed where the scanner has no database: it prints an empty list and exits with 0", async () => {
      const empty = work.makeFolder("empty");
      const none = { OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY: empty, OSV_SCALIBR_LOCAL_DB_CACHE_DIRECTORY: empty };
      const args = ["scan", "--scanner", "osv-scanner", "--scanner-arg=--offline", vulnerable.tagged];
      const finished = await work.expect(3, args, installed(none));
      assert.match(finished.stderr, /osv-scanner did not look up what it found.*\[scanner-error\]/);
    });

    it("are none of an image in which the scanner knows nothing, and none without a scanner", async () => {
      const unknown = await pushImage(scene.address, "acme/unknown:1");
      await scan(3, unknown.tagged);
      const args = ["scan", "--scanner", "osv-scanner", clean.tagged];
      const finished = await work.expect(3, args, { env: { PATH: work.makeFolder("nothing") } });
      assert.match(finished.stderr, /osv-scanner is not installed.*\[scanner-error\]/s);
    });

    it("are not made of what is not accepted", async () => {
      const flags = ["--verify-key", stranger.public];
      const finished = await scan(1, clean.tagged, ...flags, "-o", "json");
      const [image] = JSON.parse(finished.stdout).images;
      assert.equal(image.scan, undefined);
      await work.expect(0, ["sign", "--key", stranger.secret, clean.tagged]);
      await scan(0, clean.tagged, ...flags);
    });
  });
}
