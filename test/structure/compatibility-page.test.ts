import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Peer } from "../../src/core/compat/peer.ts";
import { PEERS } from "../../src/core/compat/peers.ts";
import { generatedPart, replaceGenerated, table } from "./readme-text.ts";
import { ROOT } from "./source-files.ts";

const PAGE = join(ROOT, "docs/compatibility.md");
const UPDATE = process.env["UPDATE_GOLDEN"] === "1";

const LOOKS: Readonly<Record<Peer["looks"], string>> = {
  "sig-tag": "`.sig` tag",
  bundles: "bundles",
  "bundles-then-sig-tag": "bundles first, then `.sig` tag",
  notary: "Notary signatures",
};

function signersOf({ takesKeys, takesCertificates, looks }: Peer): string {
  if (looks === "notary") return "certificates of its own stores";
  return [takesKeys ? "keys" : "", takesCertificates ? "identities" : ""].filter((text) => text !== "").join(", ");
}

function logOf({ wantsLog: { ofKeys, ofCertificates }, takesKeys, withoutLog }: Peer): string {
  if (!ofCertificates) return "no";
  return ofKeys && takesKeys ? `yes; keys without: \`${withoutLog}\`` : "of identities";
}

function rowOf(peer: Peer): readonly string[] {
  const { name, title, versions, looks, judges, comparesName, writes } = peer;
  return [
    `\`${name}\``,
    `${title} ${versions}`,
    LOOKS[looks],
    signersOf(peer),
    logOf(peer),
    comparesName ? "yes" : "no",
    judges === "platforms" ? "each platform" : "the index",
    writes.length === 0 ? "nothing yet" : writes.map((format) => `\`${format}\``).join(", "),
  ];
}

const HEADINGS = ["name", "verifier", "looks for", "takes", "log", "compares the name", "of an index", "`--for`"];

const PARTS: Readonly<Record<string, () => string>> = {
  peers: () => table(HEADINGS, PEERS.map(rowOf)),
  facts: () =>
    `${PEERS.map(({ title, versions, asked, needs, facts }) => {
      const needed = needs.map((need) => `- needs ${need}`);
      const known = facts.map(({ says, source }) => `- ${says} (${source})`);
      return [`**${title} ${versions}** (${asked})`, "", ...needed, ...known].join("\n");
    }).join("\n\n")}\n`,
};

describe("docs/compatibility.md", () => {
  for (const [name, generate] of Object.entries(PARTS)) {
    it(`has its part “${name}” from the table of peers (UPDATE_GOLDEN=1 writes it)`, () => {
      if (UPDATE) writeFileSync(PAGE, replaceGenerated(readFileSync(PAGE, "utf8"), name, generate()));
      assert.equal(generatedPart(readFileSync(PAGE, "utf8"), name), generate());
    });
  }

  it("names every version that the interop suite asks", () => {
    const peers = readFileSync(join(ROOT, ".ci/peers.sh"), "utf8");
    const page = readFileSync(PAGE, "utf8");
    for (const name of ["cosign", "cosign2", "podman5", "notation"]) {
      const [, major = "", minor = "", patch = ""] =
        new RegExp(`"${name} \\S+@v(\\d+)\\.(\\d+)\\.(\\d+)`).exec(peers) ?? [];
      const version = name === "podman5" ? `${major}.${minor}` : `${major}.${minor}.${patch}`;
      assert.ok(page.includes(version), `${name} ${version}`);
    }
  });
});
