import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dctInspection } from "../../../../src/core/dct/inspection.ts";
import { parseDigest } from "../../../../src/core/oci/digest.ts";
import type {
  InspectResult,
  RoleSummary,
  SignerSummary,
  TagInspection,
} from "../../../../src/core/tags/admin-results.ts";
import type { Binding } from "../../../../src/core/tags/binding.ts";
import { NOW } from "../../../support/sigstore/times.ts";

const HEX = "ab".repeat(32);
const DIGEST = parseDigest(`sha256:${HEX}`);

function role(name: string, ...keyIds: readonly string[]): RoleSummary {
  return { name, keyIds, threshold: 1, version: 1, expires: NOW };
}

function signer(name: string, ...keyIds: readonly string[]): SignerSummary {
  return { ...role(name, ...keyIds), tags: ["*"], isTerminating: false, bindings: 1 };
}

function bound(
  tag: string | undefined,
  by: string,
  more: Partial<Binding> = {},
  shadowed: readonly string[] = [],
): TagInspection {
  const binding: Binding = {
    tag,
    digest: DIGEST,
    length: 5,
    mediaType: undefined,
    signedAt: NOW,
    requires: [],
    ...more,
  };
  const others = shadowed.map((name) => ({ role: name, digest: DIGEST }));
  return { binding, role: by, keyIds: [], shadowed: others, registryDigest: undefined };
}

function inspected(tags: readonly TagInspection[], signers: readonly SignerSummary[] = []): InspectResult {
  return {
    gun: "registry.example/acme/app",
    location: "registry.example/acme/app",
    aliases: [],
    head: DIGEST,
    pin: undefined,
    rootDigest: DIGEST,
    roles: [role("root", "r1", "r2"), role("targets", "t1"), role("snapshot", "s1"), role("timestamp", "s1")],
    signers,
    tags,
    releasedDigests: 0,
    unsignedTags: undefined,
    notices: [],
    waiting: [],
  };
}

const show = (result: InspectResult, tag?: string) => dctInspection([{ name: "acme/app", tag, result }]);

describe("docker trust inspect's JSON", () => {
  it("has the members of Docker's, in their order", () => {
    assert.equal(
      JSON.stringify(show(inspected([bound("1.0", "alice"), bound("0.9", "targets")], [signer("alice", "a1")]))),
      JSON.stringify([
        {
          Name: "acme/app",
          SignedTags: [
            { SignedTag: "0.9", Digest: HEX, Signers: ["Repo Admin"] },
            { SignedTag: "1.0", Digest: HEX, Signers: ["alice"] },
          ],
          Signers: [{ Name: "alice", Keys: [{ ID: "a1" }] }],
          AdministrativeKeys: [
            { Name: "Root", Keys: [{ ID: "r1" }, { ID: "r2" }] },
            { Name: "Repository", Keys: [{ ID: "t1" }] },
          ],
        },
      ]),
    );
  });

  function signersOf(result: InspectResult): unknown {
    const [shown] = show(result) as unknown as readonly { SignedTags: readonly { Signers: unknown }[] }[];
    return shown?.SignedTags[0]?.Signers;
  }

  it("names all who signed the same digest, a signer of many tags by its own name", () => {
    assert.deepEqual(signersOf(inspected([bound("1.0", "carol.bin-0f", {}, ["alice", "repo-admin"])])), [
      "alice",
      "carol",
    ]);
  });

  it("does not name who signed the tag for another digest", () => {
    const other = { role: "bob", digest: parseDigest(`sha256:${"cd".repeat(32)}`) };
    assert.deepEqual(signersOf(inspected([{ ...bound("1.0", "alice"), shadowed: [other] }])), ["alice"]);
  });

  it("calls the holder of the repository's key by Docker's word, and no signer", () => {
    const result = inspected([bound("1.0", "repo-admin")], [signer("repo-admin", "t1")]);
    assert.deepEqual(signersOf(result), ["Repo Admin"]);
    assert.match(JSON.stringify(show(result)), /"Signers":\[\],"AdministrativeKeys"/);
  });

  it("leaves out what was revoked, and digests without a tag", () => {
    const revoked = { revoked: { at: NOW, reason: "broken" } };
    const [shown] = show(
      inspected([bound("1.0", "alice", revoked), bound(undefined, "alice")]),
    ) as unknown as readonly {
      SignedTags: readonly unknown[];
    }[];
    assert.deepEqual(shown?.SignedTags, []);
  });

  it("is about one tag where one was asked for", () => {
    const text = JSON.stringify(show(inspected([bound("1.0", "alice"), bound("2.0", "alice")]), "2.0"));
    assert.match(text, /"SignedTag":"2\.0"/);
    assert.doesNotMatch(text, /"SignedTag":"1\.0"/);
  });
});
