import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { describe, it } from "node:test";
import { decodeUtf8 } from "../../../../src/core/bytes.ts";
import { publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { Signer } from "../../../../src/core/ports.ts";
import { canonicalJson } from "../../../../src/core/tags/canonical.ts";
import type { RoleKeys, SignedRole, TufKey } from "../../../../src/core/tags/metadata.ts";
import { readRole } from "../../../../src/core/tags/read.ts";
import { keyIdOf, tufKeyOf } from "../../../../src/core/tags/tuf-key.ts";
import { requireThreshold, validSignatures } from "../../../../src/core/tags/verify-role.ts";
import { sealed, targetsPart, timestampPart } from "../../../../src/core/tags/write.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";
import { idOf, NOW, roleSigner } from "../../../support/tag-publisher.ts";
import { at, bindingOf } from "../../../support/trust-world.ts";

const LISTED = { version: 1, length: 2, sha256: "ab".repeat(32) };
const PART = timestampPart({ kind: "timestamp", version: 7, expires: at("2030-01-01T00:00:00Z"), snapshot: LISTED });
const signers = [roleSigner("a"), roleSigner("b", "P-256"), roleSigner("c", "P-384")];
const KEYS: ReadonlyMap<string, TufKey> = new Map(signers.map((signer) => [idOf(signer), tufKeyOf(signer.publicKey)]));
const ROLE: RoleKeys = { keyids: [...KEYS.keys()], threshold: 2 };

const by = (signer: Signer) => ({ keyId: idOf(signer), signer });

async function signedBy(...some: readonly Signer[]): Promise<SignedRole> {
  return readRole(await sealed(PART, some.map(by)), "timestamp", "it", NOW);
}

describe("sealing a role's metadata", () => {
  it("takes a signature by each kind of key that may sign", async () => {
    assert.deepEqual(validSignatures(await signedBy(...signers), KEYS, ROLE), ROLE.keyids);
  });

  it("keeps what others have signed before, and replaces a signer's own", async () => {
    const [first, second] = signers as [Signer, Signer];
    const before = await signedBy(first);
    const junk = { keyid: idOf(second), sig: "00" };
    const bytes = await sealed(PART, [by(second)], [...before.signatures, junk]);
    const role = readRole(bytes, "timestamp", "it", NOW);
    assert.deepEqual(requireThreshold(role, KEYS, ROLE, "it"), [idOf(first), idOf(second)]);
  });

  it("gives the same bytes for the same input, whatever the order of signers", async () => {
    const twice = [roleSigner("x"), roleSigner("y")];
    const one = await sealed(PART, twice.map(by));
    const other = await sealed(Object.fromEntries(Object.entries(PART).reverse()), twice.toReversed().map(by));
    assert.equal(decodeUtf8(one), decodeUtf8(other));
  });

  it("refuses a key that is another than it is called", async () => {
    const [first, second] = signers as [Signer, Signer];
    await rejectedBy(() => sealed(PART, [{ keyId: idOf(first), signer: second }]), "keyid-mismatch");
  });

  it("refuses what a key service returns where nobody could verify it", async () => {
    const { publicKey } = roleSigner("kms");
    const broken: Signer = { publicKey, sign: async () => new Uint8Array(64) };
    await rejectedBy(() => sealed(PART, [by(broken)]), "key-unavailable");
  });

  it("refuses what every reader would refuse, before it is published", async () => {
    const role = {
      kind: "targets",
      version: 1,
      expires: at("2030-01-01T00:00:00Z"),
      keys: new Map(),
      bins: undefined,
    } as const;
    const long = bindingOf("v1", "v1", { note: "x".repeat(LIMITS.tagTextCharacters + 1) });
    const many = Array.from({ length: LIMITS.tufFiles + 1 }, (_, index) => bindingOf(`v${index}`));
    for (const bindings of [[long], many]) {
      await rejectedBy(() => sealed(targetsPart({ ...role, bindings, delegations: [] }), []), "limit-reached");
    }
    await rejectedBy(() => sealed({ ...PART, version: 0 }, []), "metadata-malformed");
    await rejectedBy(() => sealed({}, []), "internal");
  });

  it("refuses a key that may not sign", async () => {
    await rejectedBy(() => sealed(PART, [{ keyId: "00", signer: roleSigner("k", "P-521") }]), "key-weak");
  });
});

describe("the threshold of a role", () => {
  const refuses = (role: SignedRole, roleKeys: RoleKeys = ROLE, keys = KEYS) =>
    thrownBy(() => requireThreshold(role, keys, roleKeys, "it"), "signature-threshold");

  it("is met by enough of its keys, and by no fewer", async () => {
    const [first, second] = signers as [Signer, Signer];
    assert.equal(requireThreshold(await signedBy(first, second), KEYS, ROLE, "it").length, 2);
    assert.match(refuses(await signedBy(first)).found ?? "", /^1 of 2/);
    assert.match(refuses(await signedBy()).found ?? "", /^0 of 2/);
  });

  it("counts no key of another role, and none that is not given", async () => {
    const [first, second, third] = signers as [Signer, Signer, Signer];
    const role = await signedBy(first, third);
    refuses(role, { ...ROLE, keyids: [idOf(first), idOf(second)] });
    refuses(role, ROLE, new Map([...KEYS].filter(([id]) => id !== idOf(third))));
  });

  it("counts no key twice, however often a role lists it", async () => {
    const [first] = signers as [Signer];
    refuses(await signedBy(first), { keyids: [idOf(first), idOf(first)], threshold: 2 });
  });

  it("counts no signature over anything else", async () => {
    const [first, second] = signers as [Signer, Signer];
    const role = await signedBy(first, second);
    refuses({ ...role, signed: { ...role.signed, version: 8 } });
    refuses({ ...role, signed: { ...role.signed, more: true } });
  });

  it("counts no signature that is cut short, empty or another key's", async () => {
    const [first, second] = signers as [Signer, Signer];
    const role = await signedBy(first, second);
    const [one, other] = role.signatures;
    assert.ok(one && other);
    for (const sig of [one.sig.slice(2), "", other.sig, `${one.sig}00`]) {
      refuses({ ...role, signatures: [{ keyid: one.keyid, sig }, other] });
    }
  });

  it("counts a P-384 signature with the hash of its scheme alone: other clients verify no other", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
    const key = tufKeyOf(publicKeyFrom(privateKey, "k"));
    const id = keyIdOf(key);
    const [keys, roleKeys] = [new Map([[id, key]]), { keyids: [id], threshold: 1 }];
    const withHash = async (hash: string) => {
      const sig = sign(hash, canonicalJson(PART), privateKey).toString("hex");
      return { ...(await signedBy()), signatures: [{ keyid: id, sig }] };
    };
    assert.deepEqual(requireThreshold(await withHash("sha384"), keys, roleKeys, "it"), [id]);
    refuses(await withHash("sha256"), roleKeys, keys);
  });
});
