import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { describe, it } from "node:test";
import { publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import { continuityKeyId, requireContinuity, vouchFor } from "../../../../src/core/dct/continuity.ts";
import { readDctRoot } from "../../../../src/core/dct/roles.ts";
import type { Signer } from "../../../../src/core/ports.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { USUAL_CEILINGS } from "../../../../src/core/tags/lifetimes.ts";
import type { RootRole, SignedRole } from "../../../../src/core/tags/metadata.ts";
import { readRole } from "../../../../src/core/tags/read.ts";
import { keyIdOf, tufKeyOf } from "../../../../src/core/tags/tuf-key.ts";
import { rootPart, sealed } from "../../../../src/core/tags/write.ts";
import { instant } from "../../../../src/core/time.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";
import { type DctTestKey, dctRepository, GUN, rootDctKey } from "../../../support/dct/publisher.ts";
import type { FakeKey } from "../../../support/sigstore/keys.ts";
import { DAY, NOW } from "../../../support/sigstore/times.ts";

function signerOf({ privateKey, hash }: Pick<FakeKey, "privateKey" | "hash">): Signer {
  const publicKey = publicKeyFrom(privateKey, "a key");
  return {
    publicKey,
    sign: (data) => Promise.resolve(sign(publicKey.algorithm === "ed25519" ? null : hash, data, privateKey)),
  };
}

const fresh = (): Signer => signerOf({ privateKey: generateKeyPairSync("ed25519").privateKey, hash: "sha512" });

/** Root 1 of new signed tags, signed by its own key and by who vouches for it. */
async function newRoot(vouchers: readonly Signer[], changes: Partial<RootRole> = {}, own = fresh()) {
  const key = tufKeyOf(own.publicKey);
  const roleKeys = { keyids: [keyIdOf(key)], threshold: 1 };
  const body: RootRole = {
    kind: "root",
    version: 1,
    expires: instant(NOW + 365 * DAY),
    keys: new Map([[keyIdOf(key), key]]),
    roles: { root: roleKeys, targets: roleKeys, snapshot: roleKeys, timestamp: roleKeys },
    profile: { profile: 1, gun: GUN, aliases: [], ceilings: USUAL_CEILINGS, store: "tag" },
    ...changes,
  };
  const signers = [{ keyId: keyIdOf(key), signer: own }];
  return readRole(await sealed(rootPart(body), signers, await vouchFor(body, vouchers)), "root", "root 1");
}

const old = (root: DctTestKey) => readDctRoot(dctRepository({ root }).roots[0] ?? new Uint8Array()).body;

function refused(root: DctTestKey, next: SignedRole<RootRole>, code: ReasonCode, about: RegExp): void {
  const error = thrownBy(() => requireContinuity(old(root), GUN, next), code);
  assert.match([error.message, error.found, error.wanted].join("\n"), about);
}

describe("continuity from Docker Content Trust", () => {
  for (const kind of ["p256", "p384", "p521", "rsa2048"] as const) {
    it(`is proven by the old root's key of kind ${kind}`, async () => {
      const root = rootDctKey(GUN, kind);
      const vouching = requireContinuity(old(root), GUN, await newRoot([signerOf(root.key)]));
      assert.deepEqual(
        vouching.map(({ id }) => id),
        [root.id],
      );
    });
  }

  it("is proven where the old key is the new root's own", async () => {
    const root = rootDctKey();
    const signer = signerOf(root.key);
    assert.equal(requireContinuity(old(root), GUN, await newRoot([], {}, signer)).length, 1);
  });

  it("goes by the id that TUF gives a key where TUF has one", () => {
    const { publicKey } = signerOf(rootDctKey().key);
    assert.equal(continuityKeyId(publicKey), keyIdOf(tufKeyOf(publicKey)));
  });

  it("is none where the old key did not sign", async () => {
    refused(rootDctKey(), await newRoot([]), "pin-mismatch", /0 signatures/);
  });

  it("is none where another key signed under its id", async () => {
    const root = rootDctKey();
    const { publicKey } = signerOf(root.key);
    const vouched = await newRoot([signerOf(rootDctKey().key)]);
    const signatures = vouched.signatures.map(({ sig }) => ({ keyid: continuityKeyId(publicKey), sig }));
    refused(root, { ...vouched, signatures }, "pin-mismatch", /0 signatures/);
  });

  it("is not given by a key whose halves do not belong together", async () => {
    const { publicKey } = signerOf(rootDctKey().key);
    await rejectedBy(() => newRoot([{ ...signerOf(rootDctKey().key), publicKey }]), "key-unavailable");
  });

  it("is none where another old root's key of the same publisher signed", async () => {
    refused(rootDctKey(), await newRoot([signerOf(rootDctKey().key)]), "pin-mismatch", /0 signatures/);
  });

  it("is none for another repository, though the old key signs for many", async () => {
    const root = rootDctKey();
    const profile = { profile: 1, gun: `${GUN}2`, aliases: [], ceilings: USUAL_CEILINGS, store: "tag" } as const;
    refused(root, await newRoot([signerOf(root.key)], { profile }), "root-of-another", /acme\/app2/);
  });

  it("is none where the old root is another repository's", async () => {
    const root = rootDctKey("registry.example/acme/other");
    refused(root, await newRoot([signerOf(root.key)]), "root-of-another", /acme\/other/);
  });

  it("is none for a root that is not the first", async () => {
    const root = rootDctKey();
    refused(root, await newRoot([signerOf(root.key)], { version: 2 }), "pin-mismatch", /root 2/);
  });
});
