import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import { openGithub } from "../../../src/cli/github-options.ts";
import { addVerifyOptions, readVerifyOptions, type VerifyOptions } from "../../../src/cli/verify-options.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import type { ServiceRequest } from "../../../src/io/http/service.ts";
import type { Wiring } from "../../../src/wire.ts";
import { thrownBy } from "../../support/codes.ts";

function read(...argv: readonly string[]): VerifyOptions["github"] {
  const command = addVerifyOptions(new Command("x").exitOverride().configureOutput({ writeErr: () => {} }));
  return readVerifyOptions(command.parse([...argv], { from: "user" }).opts()).github;
}

const API = ["--github-api", "https://api.github.com"] as const;
const TYPE = ["--type", "slsaprovenance1"] as const;
const REPO = ["--repo", "acme/app"] as const;

describe("--github-api", () => {
  it("looks nowhere else unless it is given", () => assert.equal(read(...REPO, ...TYPE), undefined));

  it("asks for a repository's attestations, or for an owner's", () => {
    assert.deepEqual(read(...API, ...REPO, ...TYPE), {
      api: new URL("https://api.github.com"),
      owner: "acme",
      repository: "app",
    });
    const owners = read(...API, "--owner", "acme", ...TYPE);
    assert.deepEqual([owners?.owner, owners?.repository], ["acme", undefined]);
  });

  it("needs to know whose, and of which type", () => {
    const named = ["--certificate-identity", "a@example.com", "--certificate-oidc-issuer", "https://i.example.com"];
    for (const argv of [
      [...API, "--key", "k", ...TYPE],
      [...API, ...named, ...TYPE],
      [...API, ...REPO],
      [...API, ...REPO, ...TYPE, "--offline"],
    ]) {
      thrownBy(() => read(...argv), "usage");
    }
  });

  for (const address of [
    "",
    "api.github.com",
    "http://api.github.com",
    "ftp://api.github.com",
    "https://user:secret@api.github.com",
    "https://api.github.com?token=secret",
    "https://api.github.com#x",
    "https://",
  ]) {
    it(`takes no ${JSON.stringify(address)}, and repeats no secret`, () => {
      const error = thrownBy(() => read("--github-api", address, ...REPO, ...TYPE), "usage");
      assert.ok(!JSON.stringify({ ...error, message: error.message }).includes("secret"));
    });
  }
});

describe("the token for GitHub's API", () => {
  async function shown(api: string, env: Readonly<Record<string, string>>): Promise<string | undefined> {
    const asked: ServiceRequest[] = [];
    const services = {
      ask: async (request: ServiceRequest) => {
        asked.push(request);
        return { status: 404, bytes: new Uint8Array(), contentType: "", header: () => undefined };
      },
    };
    const options = { api: new URL(api), owner: "acme", repository: "app" };
    const source = await openGithub(options, { env }, { services } as unknown as Wiring);
    for await (const _ of source.look(digestOf(Buffer.from("x")))) assert.fail("nothing is there");
    return asked[0]?.headers?.["authorization"];
  }

  const ENV = { GH_TOKEN: "gh", GITHUB_TOKEN: "github", GH_ENTERPRISE_TOKEN: "enterprise" };

  it("is gh's for github.com and for tenants of ghe.com, GH_TOKEN first", async () => {
    assert.equal(await shown("https://api.github.com", ENV), "Bearer gh");
    assert.equal(await shown("https://api.acme.ghe.com", ENV), "Bearer gh");
    assert.equal(await shown("https://api.github.com", { GITHUB_TOKEN: "github", GH_TOKEN: "" }), "Bearer github");
    assert.equal(await shown("https://api.github.com", {}), undefined);
  });

  it("is another one for other servers: a token for github.com is not shown to them", async () => {
    for (const api of [
      "https://github.example.com/api/v3",
      "https://api.github.com.evil.example",
      "https://evilghe.com",
      "https://github.com",
    ]) {
      assert.equal(await shown(api, ENV), "Bearer enterprise", api);
      assert.equal(await shown(api, { GH_TOKEN: "gh", GITHUB_TOKEN: "github" }), undefined, api);
    }
  });

  it("is the job's own for the server that runs it", async () => {
    const job = { GITHUB_TOKEN: "job", GITHUB_API_URL: "https://github.example.com/api/v3" };
    assert.equal(await shown("https://github.example.com/api/v3", job), "Bearer job");
    assert.equal(await shown("https://other.example.com/api/v3", job), undefined);
    assert.equal(await shown("https://github.example.com:8443/api/v3", job), undefined);
  });
});
