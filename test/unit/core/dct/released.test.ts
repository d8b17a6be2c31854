import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { releasedTags, signerName } from "../../../../src/core/dct/released.ts";
import { verifyDct } from "../../../../src/core/dct/verify.ts";
import { type DctSignerWish, type DctWish, dctRepository, plainDctKey } from "../../../support/dct/publisher.ts";
import { NOW } from "../../../support/sigstore/times.ts";

const [A, B] = ["aa".repeat(32), "bb".repeat(32)];

function signer(name: string, tags: Readonly<Record<string, string>>, paths?: readonly string[]): DctSignerWish {
  return { name: `targets/${name}`, keys: [plainDctKey()], tags, ...(paths !== undefined && { paths }) };
}

/** `TAG HEX ROLE SIGNERS`, shortened. */
function released(wish: DctWish): readonly string[] {
  return releasedTags(verifyDct(dctRepository(wish), NOW)).map(({ tag, digest, role, signers }) =>
    [tag, digest.slice("sha256:".length, "sha256:".length + 2), role, ...signers].join(" "),
  );
}

describe("the tags that Docker pulled", () => {
  it("are those of targets where there are no signers", () => {
    assert.deepEqual(released({ tags: { "2.0": B, "1.0": A } }), ["1.0 aa targets", "2.0 bb targets"]);
  });

  it("are looked up in targets/releases before targets", () => {
    const wish = { tags: { "1.0": A, "2.0": A }, signers: [signer("releases", { "1.0": B })] };
    assert.deepEqual(released(wish), ["1.0 bb targets/releases", "2.0 aa targets"]);
  });

  it("are not those of a signer's own role alone", () => {
    assert.deepEqual(released({ signers: [signer("alice", { "1.0": A })] }), []);
  });

  it("name the signers who say the same, in order, and no other", () => {
    const signers = [
      signer("carol", { "1.0": A }),
      signer("bob", { "1.0": B }),
      signer("alice", { "1.0": A }),
      signer("releases", { "1.0": A }),
    ];
    assert.deepEqual(released({ signers }), ["1.0 aa targets/releases alice carol"]);
  });

  it("are only those that a role's paths allow", () => {
    const signers = [
      signer("releases", { "v1.0": A, "1.0": A }, ["v"]),
      signer("alice", { "v1.0": A, "1.0": A }, ["v2"]),
    ];
    assert.deepEqual(released({ signers }), ["v1.0 aa targets/releases"]);
    assert.deepEqual(released({ signers: [signer("releases", { "1.0": A }, [])] }), []);
  });

  it("may be called like what every object has", () => {
    const tags = { constructor: A, toString: B };
    assert.deepEqual(released({ tags }), ["constructor aa targets", "toString bb targets"]);
  });

  it("have signers by their own names", () => {
    assert.equal(signerName({ name: "targets/alice" }), "alice");
  });
});
