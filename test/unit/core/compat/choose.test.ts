import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chooseFor, requireReadableKey } from "../../../../src/core/compat/choose.ts";
import { PEER_ALIASES, PEER_NAMES, type PeerName } from "../../../../src/core/compat/peer.ts";
import { PEERS, peerNamed } from "../../../../src/core/compat/peers.ts";
import { thrownBy } from "../../../support/codes.ts";
import { bundle, CERTIFICATE, evidence, foresee, legacy, NO_LOG, PROMISE, REKOR1 } from "../../../support/stored.ts";

const WRITTEN = PEER_NAMES.filter((name) => name !== "notation");

describe("what is written for a verifier", () => {
  it("is what it reads, and nothing more", () => {
    assert.deepEqual(chooseFor(["cosign3"]), { formats: ["bundle"], recursive: false });
    assert.deepEqual(chooseFor(["cosign2"]), { formats: ["cosign-legacy"], recursive: false });
    assert.deepEqual(chooseFor(["podman"]), { formats: ["cosign-legacy"], recursive: true });
    assert.deepEqual(chooseFor(["kyverno", "policy-controller", "kyverno-ivp"]).formats, ["cosign-legacy"]);
    assert.deepEqual(chooseFor(["podman", "cosign3"]), { formats: ["bundle", "cosign-legacy"], recursive: true });
  });

  for (const name of WRITTEN) {
    it(`is accepted by every version of ${name} in the table, or told why not`, () => {
      const { formats } = chooseFor([name]);
      const stored = evidence([
        ...(formats.includes("bundle") ? [bundle({ maker: CERTIFICATE, entries: [REKOR1] })] : []),
        ...(formats.includes("cosign-legacy") ? [legacy({ maker: CERTIFICATE, entries: [PROMISE] })] : []),
      ]);
      for (const peer of PEERS.filter((row) => row.name === name)) {
        const { verdict } = foresee(peer, stored);
        assert.equal(verdict, name === "policy-controller-bundle" ? "depends" : "accepts", peer.versions);
      }
    });
  }

  it("is an error for one whose formats are not written here, whoever else is named", () => {
    thrownBy(() => chooseFor(["notation"]), "unsupported");
    thrownBy(() => chooseFor(["cosign3", "notation"]), "unsupported");
  });
});

describe("a key that signs for a verifier", () => {
  it("may be P-256, RSA or Ed25519", () => {
    const takers = WRITTEN.filter((name) => name !== "policy-controller-bundle");
    for (const algorithm of ["ecdsa-p256", "rsa", "ed25519"] as const) requireReadableKey(takers, algorithm);
  });

  for (const name of WRITTEN) {
    it(`may not be P-384 or P-521 for ${name}`, () => {
      for (const algorithm of ["ecdsa-p384", "ecdsa-p521"] as const) {
        thrownBy(() => requireReadableKey([name], algorithm), "unsupported");
      }
    });
  }

  it("may be none for one that takes identities alone; of several versions one is enough", () => {
    const error = thrownBy(() => requireReadableKey(["policy-controller-bundle"], "ecdsa-p256"), "unsupported");
    assert.match(error.message, /by a key/);
    requireReadableKey(["kyverno-bundle"], "ecdsa-p256");
  });

  it("is not tried where nothing can be told of the verifier's versions, and what is foreseen agrees", () => {
    const maker = { kind: "key", algorithm: "ecdsa-p384", variant: "usual" } as const;
    for (const peer of PEERS.filter(({ name }) => name !== "notation")) {
      const { verdict } = foresee(peer, evidence([bundle({ maker }), legacy({ maker })]), NO_LOG);
      assert.equal(verdict, "refuses", peer.title);
    }
  });
});

describe("names of verifiers", () => {
  it("are known by their aliases too, in any case", () => {
    const names: readonly (readonly [string, PeerName])[] = [
      ["podman", "podman"],
      ["skopeo", "podman"],
      ["CRI-O", "podman"],
      ["Cosign3", "cosign3"],
      ["cosign", "cosign3"],
    ];
    for (const [text, name] of names) assert.equal(peerNamed(text), name);
  });

  it("are a closed list", () => {
    for (const text of ["", "docker", "cosign4", "toString", "__proto__", "constructor"]) {
      assert.equal(peerNamed(text), undefined, text);
    }
  });

  it("have a row each, and no alias is a name", () => {
    for (const name of PEER_NAMES)
      assert.ok(
        PEERS.some((row) => row.name === name),
        name,
      );
    for (const alias of Object.keys(PEER_ALIASES)) assert.ok(!PEER_NAMES.some((name) => name === alias), alias);
  });

  it("stand for rows that say what they rest on", () => {
    for (const { facts, title, versions } of PEERS) {
      assert.ok(facts.length > 0, `${title} ${versions}`);
      for (const { says, source } of facts) {
        assert.notEqual(says, "");
        assert.match(source, /^[\w.-]+\/[\w.-]+ v[0-9]/, says);
      }
    }
  });
});
