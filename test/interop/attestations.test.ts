import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { cosignKey } from "./cosign.ts";
import { pushImage, pushIndex } from "./images.ts";
import { type Finished, without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import { useSigstack, withoutSigstack } from "./sigstack.ts";
import type { KeyPair } from "./workplace.ts";

const SLSA = {
  buildDefinition: {
    buildType: "https://example.com/build/v1",
    externalParameters: { ref: "refs/tags/v1.4.2" },
    internalParameters: {},
    resolvedDependencies: [],
  },
  runDetails: { builder: { id: "https://example.com/builder/v2" }, metadata: {}, byproducts: [] },
};
const BUILDER = 'predicate.runDetails.builder.id == "https://example.com/builder/v2"';

/** A document of each type that both programs know, as both take it. */
const DOCUMENTS: Readonly<Record<string, object | string>> = {
  slsaprovenance1: SLSA,
  slsaprovenance02: {
    builder: { id: "https://example.com/builder/v2" },
    buildType: "https://example.com/build/v1",
    invocation: { configSource: {}, parameters: {}, environment: {} },
    metadata: {},
    materials: [],
  },
  spdxjson: { spdxVersion: "SPDX-2.3", SPDXID: "SPDXRef-DOCUMENT", name: "app" },
  cyclonedx: { bomFormat: "CycloneDX", specVersion: "1.6", components: [] },
  vuln: {
    invocation: { parameters: [], uri: "", event_id: "", "builder.id": "" },
    scanner: {
      uri: "https://example.com/scanner",
      version: "1",
      db: { uri: "", version: "" },
      result: { critical: 0 },
    },
    metadata: { scanStartedOn: "2026-06-01T12:00:00Z", scanFinishedOn: "2026-06-01T12:01:00Z" },
  },
  openvex: {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": "https://example.com/vex/1",
    author: "dev@example.com",
    timestamp: "2026-06-01T12:00:00Z",
    version: 1,
    statements: [],
  },
  "https://acme.example/review/v1": { ok: true, reviewers: 2 },
  custom: "reviewed by two people",
};

/** What cosign has to be told to make or read its older form, without any service. */
const LEGACY = ["--new-bundle-format=false"];
const LEGACY_MADE = [...LEGACY, "--use-signing-config=false", "--tlog-upload=false"];

for (const kind of REGISTRIES) {
  describe(`attestations, with cosign: ${kind.name}`, { skip: kind.missing || without("cosign") }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const [alice, eve, nobody] = [work.keyPair("alice"), work.keyPair("eve"), work.keyPair("nobody")];
    let bundleMade: readonly string[] = [];

    before(async () => {
      await cosignKey(work, "alice");
      await cosignKey(work, "eve");
      await cosignKey(work, "nobody");
      const file = work.path("no-services.json");
      await work.must("cosign", ["signing-config", "create", "--out", file]);
      bundleMade = ["--signing-config", file];
    });

    // --- both programs ------------------------------------------------------------------------------------------------

    const file = (name: string, content: object | string): string =>
      work.write(
        `predicates/${name.replaceAll(/\W/g, "-")}`,
        typeof content === "string" ? content : JSON.stringify(content),
      );
    const about = (type: string, content: object | string = DOCUMENTS[type] ?? {}): readonly string[] => [
      ...["--type", type, "--predicate", file(type, content)],
    ];
    const attest = (key: KeyPair, ...args: readonly string[]): Promise<Finished> =>
      work.expect(0, ["attest", "--key", key.secret, ...args]);
    const verify = (wanted: string, key: KeyPair, ...args: readonly string[]) =>
      work.judge(wanted, ["verify", "--key", key.public, ...args]);
    const cosignAttests = (key: KeyPair, form: readonly string[], ...args: readonly string[]): Promise<string> =>
      work.must("cosign", ["attest", "--key", key.secret, ...form, "-y", ...args]);

    function cosign(key: KeyPair, form: readonly string[], ...args: readonly string[]): Promise<Finished> {
      const flags = ["--key", key.public, "--insecure-ignore-tlog=true", ...form];
      return work.run("cosign", ["verify-attestation", ...flags, ...args]);
    }

    /** The predicates that cosign accepted: it prints one envelope a line. */
    async function cosignAccepts(...args: Parameters<typeof cosign>): Promise<readonly unknown[]> {
      const { code, stdout, stderr } = await cosign(...args);
      assert.equal(code, 0, stderr);
      return stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(Buffer.from(JSON.parse(line).payload, "base64").toString()).predicate);
    }

    async function cosignRefuses(...args: Parameters<typeof cosign>): Promise<void> {
      const { code, stdout } = await cosign(...args);
      assert.notEqual(code, 0, stdout);
    }

    // --- ours there ---------------------------------------------------------------------------------------------------

    for (const [type, content] of Object.entries(DOCUMENTS)) {
      it(`cosign accepts what we attest as ${type}, and refuses it by another key, as another type, of another image`, async () => {
        const image = await pushImage(scene.address, `attested/${Object.keys(DOCUMENTS).indexOf(type)}:1`);
        const other = await pushImage(scene.address, `attested/${Object.keys(DOCUMENTS).indexOf(type)}:2`);
        await attest(alice, ...about(type), image.tagged);
        const [predicate] = await cosignAccepts(alice, [], "--type", type, image.pinned);
        if (typeof content === "string") assert.equal((predicate as { Data: string }).Data, content);
        else assert.deepEqual(predicate, content);
        await cosignRefuses(eve, [], "--type", type, image.pinned);
        await cosignRefuses(alice, [], "--type", type === "link" ? "vuln" : "link", image.pinned);
        await cosignRefuses(alice, [], "--type", type, other.pinned);
        await verify("accepted", alice, "--type", type, image.pinned);
      });
    }

    it("cosign accepts what we attest in its older form, and refuses it by another key and as another type", async () => {
      const image = await pushImage(scene.address, "attested/legacy:1");
      await attest(alice, ...about("slsaprovenance1"), "--format", "cosign-legacy", image.tagged);
      assert.deepEqual(await cosignAccepts(alice, LEGACY, "--type", "slsaprovenance1", image.pinned), [SLSA]);
      await cosignRefuses(eve, LEGACY, "--type", "slsaprovenance1", image.pinned);
      await cosignRefuses(alice, LEGACY, "--type", "vuln", image.pinned);
      await verify("accepted", alice, "--type", "slsaprovenance1", image.pinned);
      await verify("refused wrong-key", eve, "--type", "slsaprovenance1", image.pinned);
    });

    it("cosign adds to our .att tag, and we to its", async () => {
      const image = await pushImage(scene.address, "attested/shared:1");
      await attest(alice, ...about("slsaprovenance1"), "--format", "cosign-legacy", image.tagged);
      await cosignAttests(alice, LEGACY_MADE, ...about("cyclonedx"), image.pinned);
      await attest(alice, ...about("vuln"), "--format", "cosign-legacy", image.tagged);
      for (const type of ["slsaprovenance1", "cyclonedx", "vuln"]) {
        await cosignAccepts(alice, LEGACY, "--type", type, image.pinned);
        await verify("accepted", alice, "--type", type, image.pinned);
      }
    });

    it("attests an index and every platform in it, each about itself", async () => {
      const { index, platforms } = await pushIndex(scene.address, "attested/index:1");
      await attest(alice, ...about("slsaprovenance1"), "-r", index.tagged);
      for (const image of [index, ...platforms]) {
        await cosignAccepts(alice, [], "--type", "slsaprovenance1", image.pinned);
      }
      await verify("accepted", alice, "--type", "slsaprovenance1", "-r", index.tagged);
    });

    it("takes numbers and spaces into the statement as they are in the file", async () => {
      const image = await pushImage(scene.address, "attested/bytes:1");
      const text = '{ "n": 1.10,\n "e": 1E2 }';
      await attest(alice, ...about("https://acme.example/review/v1", text), image.tagged);
      const { stdout } = await cosign(alice, [], "--type", "https://acme.example/review/v1", image.pinned);
      const payload = Buffer.from(JSON.parse(stdout).payload, "base64").toString();
      assert.ok(payload.endsWith(`"predicate":${text}}`), payload);
    });

    // --- theirs here --------------------------------------------------------------------------------------------------

    for (const [form, made] of [
      ["bundle", () => bundleMade],
      ["older", () => LEGACY_MADE],
    ] as const) {
      it(`accepts what cosign attests in its ${form} form, by type and by what it says`, async () => {
        const image = await pushImage(scene.address, `theirs/${form}:1`);
        await cosignAttests(alice, made(), ...about("slsaprovenance1"), image.pinned);
        await cosignAttests(alice, made(), ...about("vuln"), image.pinned);
        await verify("accepted", alice, "--type", "slsaprovenance1", image.pinned);
        await verify("accepted", alice, "--type", "slsaprovenance1", "--where", BUILDER, image.tagged);
        await verify(
          "accepted",
          alice,
          "--type",
          "vuln",
          "--where",
          "predicate.scanner.result.critical == 0",
          image.tagged,
        );
      });

      it(`refuses what cosign attests in its ${form} form: false condition, other type, signer and image`, async () => {
        const image = await pushImage(scene.address, `theirs/refused-${form}:1`);
        const other = await pushImage(scene.address, `theirs/refused-${form}:2`);
        await cosignAttests(alice, made(), ...about("slsaprovenance1"), image.pinned);
        await cosignAttests(eve, made(), ...about("cyclonedx"), image.pinned);
        const slsa = ["--type", "slsaprovenance1"];
        await verify("refused condition-not-met", alice, ...slsa, "--where", `!(${BUILDER})`, image.pinned);
        await verify("refused condition-not-met", alice, ...slsa, "--where", "predicate.level >= 3", image.pinned);
        await verify("refused unattested", alice, "--type", "vuln", image.pinned);
        await verify("refused unattested", alice, "--type", "cyclonedx", image.pinned);
        await verify("refused wrong-key", nobody, ...slsa, image.pinned);
        await verify("refused unattested", alice, ...slsa, other.pinned);
        await verify("refused", alice, image.pinned);
      });
    }

    it("reads custom attestations of cosign, which wrap a text", async () => {
      const image = await pushImage(scene.address, "theirs/custom:1");
      await cosignAttests(alice, bundleMade, ...about("custom"), image.pinned);
      const said = 'predicate.Data == "reviewed by two people"';
      await verify("accepted", alice, "--type", "custom", "--where", said, image.pinned);
      assert.match((await attest(alice, ...about("custom"), image.pinned)).stdout, /^unchanged /);
    });

    it("shows what cosign attested, as claims", async () => {
      const image = await pushImage(scene.address, "theirs/inspected:1");
      await cosignAttests(alice, bundleMade, ...about("slsaprovenance1"), image.pinned);
      await cosignAttests(alice, LEGACY_MADE, ...about("slsaprovenance1"), image.pinned);
      const args = ["inspect", "--attestation", "slsaprovenance1", image.pinned, "-o", "json"];
      const { stdout } = await work.expect(0, args);
      const { verified, attestations } = JSON.parse(stdout);
      assert.equal(verified, false);
      assert.deepEqual(
        attestations.map(({ format }: { format: string }) => format),
        ["cosign-attestation", "bundle"],
      );
      for (const { statement } of attestations) {
        assert.equal(statement.predicate.runDetails.builder.id, SLSA.runDetails.builder.id);
      }
    });

    // --- refusals on both sides ---------------------------------------------------------------------------------------

    it("both refuse an image without any attestation (CVE-2022-35929)", async () => {
      const image = await pushImage(scene.address, "refused/none:1");
      await cosignRefuses(alice, [], "--type", "slsaprovenance1", image.pinned);
      await verify("refused unattested", alice, "--type", "slsaprovenance1", image.pinned);
    });

    it("both refuse an image that is signed and not attested, and attested in another type only", async () => {
      const image = await pushImage(scene.address, "refused/signed:1");
      await work.expect(0, ["sign", "--key", alice.secret, image.tagged]);
      await cosignRefuses(alice, [], "--type", "slsaprovenance1", image.pinned);
      await verify("refused unattested", alice, "--type", "slsaprovenance1", image.pinned);
      await attest(alice, ...about("cyclonedx"), image.tagged);
      await cosignRefuses(alice, [], "--type", "slsaprovenance1", image.pinned);
      await verify("refused unattested", alice, "--type", "slsaprovenance1", image.pinned);
    });

    it("refuses a predicate that cosign takes with a member twice: the last one wins there", async () => {
      const image = await pushImage(scene.address, "refused/twice:1");
      const twice = about("https://acme.example/review/v1", '{"ok":false,"ok":true}');
      await work.expect(2, ["attest", "--key", alice.secret, ...twice, image.tagged]);
      await cosignRefuses(alice, [], "--type", "https://acme.example/review/v1", image.pinned);
    });
  });
}

for (const kind of REGISTRIES) {
  describe(`keyless attestations, with cosign: ${kind.name}`, { skip: kind.missing || withoutSigstack }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const stack = useSigstack(scene);

    const services = (): readonly string[] => {
      const { signingConfig, trustedRoot } = stack();
      return ["--signing-config", signingConfig, "--trusted-root", trustedRoot];
    };
    const person = (email = "alice@example.com") => ["--identity-token", stack().people.emailToken(email)];
    const identity = (subject = "alice@example.com") => [
      ...["--trusted-root", stack().trustedRoot],
      ...["--certificate-identity", subject, "--certificate-oidc-issuer", stack().people.url],
    ];
    const about = (): readonly string[] => [
      ...["--type", "slsaprovenance1", "--predicate", work.write("slsa.json", JSON.stringify(SLSA))],
    ];
    const verify = (wanted: string, ...args: readonly string[]) =>
      work.judge(wanted, ["verify", "--type", "slsaprovenance1", ...args]);
    const cosign = (...args: readonly string[]): Promise<Finished> =>
      work.run("cosign", ["verify-attestation", "--type", "slsaprovenance1", ...args]);

    it("cosign accepts what we attest, by that identity only; the second time nothing is new", async () => {
      const image = await pushImage(scene.address, "keyless-attested/ours:1");
      await work.expect(0, ["attest", ...services(), ...person(), ...about(), image.tagged]);
      assert.equal((await cosign(...identity(), image.pinned)).code, 0);
      assert.notEqual((await cosign(...identity("mallory@example.com"), image.pinned)).code, 0);
      await verify("accepted", ...identity(), "--where", BUILDER, image.pinned);
      await verify("refused wrong-identity", ...identity("mallory@example.com"), image.pinned);
      const again = await work.expect(0, ["attest", ...services(), ...person(), ...about(), image.tagged]);
      assert.match(again.stdout, /^unchanged /);
    });

    it("accepts what cosign attests, by that identity only", async () => {
      const image = await pushImage(scene.address, "keyless-attested/theirs:1");
      await work.must("cosign", ["attest", ...services(), ...person(), ...about(), "-y", image.pinned]);
      await verify("accepted", ...identity(), "--where", BUILDER, image.pinned);
      await verify("refused condition-not-met", ...identity(), "--where", `!(${BUILDER})`, image.pinned);
      await verify("refused wrong-identity", ...identity("mallory@example.com"), image.pinned);
    });

    it("both refuse cosign's older form with a timestamp: it has the signature stamped, and reads one over the envelope", async () => {
      const image = await pushImage(scene.address, "keyless-attested/legacy:1");
      const { fulcio, timestamps, trustedRoot } = stack();
      const urls = ["--fulcio-url", fulcio, "--timestamp-server-url", timestamps, "--trusted-root", trustedRoot];
      await work.must("cosign", ["attest", ...LEGACY_MADE, ...urls, ...person(), ...about(), "-y", image.pinned]);
      const timed = ["--insecure-ignore-tlog", "--use-signed-timestamps", ...identity()];
      assert.notEqual((await cosign(...LEGACY, ...timed, image.pinned)).code, 0);
      await verify("refused timestamp-invalid", ...timed, image.pinned);
    });
  });
}
