import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Command } from "commander";
import { identitiesTopic } from "../../../src/cli/identities-topic.ts";
import { addIdentityOptions } from "../../../src/cli/identity-options.ts";
import { addProofOptions } from "../../../src/cli/signer-options.ts";
import { workflowPattern } from "../../../src/core/trust/github-identity.ts";
import { CLAIMS, GITHUB_ISSUER } from "../../../src/core/trust/identity.ts";
import { PLAIN } from "../../../src/report/style.ts";

const page = readFileSync(new URL("../../../docs/identities.md", import.meta.url), "utf8");
const topic = identitiesTopic().text(PLAIN);
const flags = addProofOptions(addIdentityOptions(new Command())).options.map(({ long }) => long ?? "");

describe("the documents on identities", () => {
  const gh = [workflowPattern("OWNER", "NAME"), workflowPattern("OWNER", undefined), GITHUB_ISSUER];

  it("say exactly what gh's flags stand for", () => {
    for (const text of gh) {
      assert.ok(page.includes(text), `docs/identities.md lacks ${text}`);
      assert.ok(topic.includes(text), `the topic lacks ${text}`);
    }
  });

  it("name every flag", () => {
    const shortened = (flag: string) => flag.replace(/^(--certificate-github-workflow-).*/, "$1");
    for (const flag of flags) assert.ok(page.includes(shortened(flag)), `docs/identities.md lacks ${flag}`);
  });

  it("name every claim, in the topic", () => {
    for (const name of Object.keys(CLAIMS)) assert.match(topic, new RegExp(`^ {2}${name} `, "m"));
  });

  it("say that a pattern has to match the whole", () => {
    for (const text of [page, topic]) assert.match(text, /match the whole/);
  });
});
