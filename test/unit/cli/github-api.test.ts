import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { GITHUB_ISSUER } from "../../../src/core/trust/identity.ts";
import { type Registry, startRegistry } from "../../../src/testbed/registry.ts";
import { httpServer, type SeenRequest, type TestServer } from "../../support/http-server.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { captureContext } from "../../support/session.ts";
import { pushImage, readSubject } from "../../support/session-image.ts";
import { bundleOf, fakeSigstore, signKeyless } from "../../support/sigstore/sign.ts";

const SLSA = "https://slsa.dev/provenance/v1";
const WORKFLOW = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";

describe("verify --github-api, from the flags to the verdict", () => {
  const sigstore = fakeSigstore();
  const workingDirectory = mkdtempSync(join(tmpdir(), "github-api-"));
  let registry: Registry;
  let api: TestServer;
  let storage: TestServer;
  let image: string;
  let digest: string;
  let status = 200;
  let bundles: readonly Uint8Array[] = [];

  before(async () => {
    registry = await startRegistry();
    image = `${registry.address}/acme/app:1`;
    await pushImage(image, "an image");
    digest = (await readSubject(image)).digest;
    storage = await httpServer(({ target }, response) => {
      response.setHeader("content-type", "application/json").end(bundles[Number(target.slice(1))]);
    });
    api = await httpServer((_request, response) => {
      response.writeHead(status, { "content-type": "application/json" });
      const attestations = bundles.map((_, at) => ({ bundle: null, bundle_url: `http://${storage.host}/${at}` }));
      response.end(status === 200 ? JSON.stringify({ attestations }) : "{}");
    });
    writeFileSync(join(workingDirectory, "root.json"), sigstore.trustedRoot);
  });
  beforeEach(() => {
    [status, bundles] = [200, []];
    for (const server of [api, storage]) (server.requests as SeenRequest[]).length = 0;
  });
  after(async () => {
    await Promise.all([registry.close(), api.close(), storage.close()]);
    rmSync(workingDirectory, { recursive: true, force: true });
  });

  function attested(repository = "acme/app", predicate: object = {}): Uint8Array {
    const text = JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: "app", digest: { sha256: digest.slice("sha256:".length) } }],
      predicateType: SLSA,
      predicate,
    });
    const claims = {
      "source-repository-uri": `https://github.com/${repository}`,
      "source-repository-owner-uri": `https://github.com/${repository.split("/")[0]}`,
    };
    const certificate = { subject: { uri: WORKFLOW.replace("acme/app", repository) }, issuer: GITHUB_ISSUER, claims };
    return bundleOf(signKeyless(sigstore, { what: { statement: Buffer.from(text) }, certificate }));
  }

  async function verify(...more: readonly string[]) {
    const env = { GH_ENTERPRISE_TOKEN: "a-secret-token", NO_COLOR: "1", XDG_CACHE_HOME: workingDirectory };
    const { context, stdout, stderr } = captureContext({ workingDirectory, homeDirectory: workingDirectory, env });
    const flags = ["--trusted-root", "root.json", "--github-api", `http://${api.host}`, "--type", "slsaprovenance1"];
    const code = await run(["verify", ...flags, "--retry", "0", "-o", "json", ...more, image], context);
    assert.ok(!(stdout() + stderr()).includes("a-secret-token"));
    const document = JSON.parse(stdout());
    assert.deepEqual(violations(document, schema), []);
    const [first] = document.images;
    return { code, verdict: first.verdict, reason: first.reasons[0]?.code, signatures: first.signatures };
  }
  const schema: Schema = JSON.parse(
    readFileSync(new URL("../../../docs/schemas/verdicts.json", import.meta.url), "utf8"),
  );

  it("accepts what the API keeps, by the repository's workflow, and says where it was", async () => {
    bundles = [attested()];
    const { code, verdict, signatures } = await verify("--repo", "acme/app");
    assert.deepEqual([code, verdict], [0, "accepted"]);
    assert.deepEqual([signatures[0].origin, signatures[0].predicateType], [{ via: "github-api" }, SLSA]);
    assert.match(api.requests[0]?.target ?? "", new RegExp(`^/repos/acme/app/attestations/${digest}\\?`));
    assert.equal(api.requests[0]?.headers["authorization"], "Bearer a-secret-token");
    assert.equal(storage.requests[0]?.headers["authorization"], undefined);
  });

  it("accepts by owner and by condition", async () => {
    bundles = [attested("acme/app", { level: 2 }), attested("acme/app", { level: 3 })];
    assert.equal((await verify("--owner", "acme", "--where", "predicate.level >= 3")).verdict, "accepted");
  });

  it("refuses what it keeps for another repository, though the API says otherwise", async () => {
    bundles = [attested("evil/app")];
    const { code, reason } = await verify("--repo", "acme/app");
    assert.deepEqual([code, reason], [1, "wrong-identity"]);
  });

  it("refuses a condition that is false", async () => {
    bundles = [attested("acme/app", { level: 2 })];
    assert.equal((await verify("--repo", "acme/app", "--where", "predicate.level >= 3")).reason, "condition-not-met");
  });

  it("refuses where it keeps none, and cannot tell where it does not answer", async () => {
    assert.equal((await verify("--repo", "acme/app")).reason, "unattested");
    status = 404;
    assert.equal((await verify("--repo", "acme/app")).reason, "unattested");
    for (const [answer, reason] of [
      [401, "denied"],
      [403, "denied"],
      [429, "throttled"],
      [500, "server-error"],
    ] as const) {
      status = answer;
      const found = await verify("--repo", "acme/app");
      assert.deepEqual([found.code, found.verdict, found.reason], [3, "undetermined", reason]);
    }
  });

  it("is not undetermined for junk that the API lists beside what is wanted", async () => {
    bundles = [Buffer.from("junk"), attested("evil/app"), attested()];
    assert.equal((await verify("--repo", "acme/app")).verdict, "accepted");
  });
});
