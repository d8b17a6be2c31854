import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { cosignAttest, cosignKey, cosignRefuses, cosignSign } from "./cosign.ts";
import { pushImage, pushIndex } from "./images.ts";
import { without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import type { KeyPair } from "./workplace.ts";

/** The members of docs/schemas/inspect.json that are looked at here. */
interface Inspection {
  readonly root: {
    readonly attached: readonly {
      readonly kind: string;
      readonly signatures: readonly { readonly format: string; readonly predicateType: string }[];
    }[];
  };
}

for (const kind of REGISTRIES) {
  describe(`countersign judges what cosign signs: ${kind.name}`, { skip: kind.missing || without("cosign") }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const [alice, eve] = [work.keyPair("alice"), work.keyPair("eve")];
    const verify = (wanted: string, key: KeyPair, ...args: readonly string[]) =>
      work.judge(wanted, ["verify", "--key", key.public, ...args]);

    before(async () => {
      await cosignKey(work, "alice");
      await cosignKey(work, "eve");
    });

    for (const format of ["bundle", "legacy"] as const) {
      it(`accepts the ${format} form by tag and by digest, and both refuse another key`, async () => {
        const image = await pushImage(scene.address, `verify/${format}:1`);
        await cosignSign(work, alice, image.pinned, { format });
        await verify("accepted", alice, image.tagged);
        await verify("accepted", alice, image.pinned);
        await verify("refused wrong-key", eve, image.pinned);
        await cosignRefuses(work, eve, image.pinned, { format });
      });

      it(`reads the annotations of the ${format} form, and refuses one that is absent or different`, async () => {
        const image = await pushImage(scene.address, `verify/annotated-${format}:1`);
        const awkward = "ref=refs/heads/<main>&=ü";
        await cosignSign(work, alice, image.pinned, { format, flags: ["-a", "env=prod", "-a", awkward] });
        await verify("accepted", alice, "-a", "env=prod", "-a", awkward, image.pinned);
        await verify("refused wrong-annotations", alice, "-a", "env=test", image.pinned);
        await verify("refused wrong-annotations", alice, "-a", "env=prod", "-a", "absent=1", image.pinned);
      });

      it(`accepts the index and every platform after cosign sign -r in the ${format} form`, async () => {
        const { index, platforms } = await pushIndex(scene.address, `verify/recursive-${format}:1`);
        await cosignSign(work, alice, index.pinned, { format, flags: ["-r"] });
        await verify("accepted", alice, "-r", index.tagged);
        for (const image of platforms) await verify("accepted", alice, image.pinned);
      });

      it(`with -r refuses an index whose platforms cosign did not sign in the ${format} form`, async () => {
        const { index, platforms } = await pushIndex(scene.address, `verify/index-${format}:1`);
        await cosignSign(work, alice, index.pinned, { format });
        await verify("accepted", alice, index.tagged);
        await work.expect(1, ["verify", "--key", alice.public, "-r", index.tagged]);
        for (const image of platforms) await verify("refused unsigned", alice, image.pinned);
      });

      it(`refuses the ${format} form of another image of the same repository`, async () => {
        const signed = await pushImage(scene.address, `verify/neighbour-${format}:1`);
        const unsigned = await pushImage(scene.address, `verify/neighbour-${format}:2`);
        await cosignSign(work, alice, signed.pinned, { format });
        await verify("refused unsigned", alice, unsigned.tagged);
      });
    }

    it("accepts images signed in either form in one call, and names the one that is not signed", async () => {
      const bundle = await pushImage(scene.address, "verify/mixed:bundle");
      const legacy = await pushImage(scene.address, "verify/mixed:legacy");
      const unsigned = await pushImage(scene.address, "verify/mixed:unsigned");
      await cosignSign(work, alice, bundle.pinned);
      await cosignSign(work, alice, legacy.pinned, { format: "legacy" });
      await verify("accepted", alice, bundle.tagged, legacy.tagged);
      await work.expect(1, ["verify", "--key", alice.public, unsigned.tagged, bundle.tagged, legacy.tagged]);
    });

    it("takes a cosign attestation by the wanted key for no signature", async () => {
      const image = await pushImage(scene.address, "verify/attested:1");
      await cosignAttest(work, alice, image.pinned);
      await verify("refused not-a-signature", alice, image.pinned);
      await cosignSign(work, alice, image.pinned);
      await verify("accepted", alice, image.pinned);
    });

    it("judges by a bundle that cosign wrote to a file and not to the registry", async () => {
      const image = await pushImage(scene.address, "verify/file:1");
      const other = await pushImage(scene.address, "verify/file:2");
      const file = work.path("bundle.json");
      await cosignSign(work, alice, image.pinned, { flags: ["--bundle", file, "--upload=false"] });
      await verify("accepted", alice, "--bundle", file, image.pinned);
      await verify("refused unsigned", alice, image.pinned);
      await verify("refused wrong-digest", alice, "--bundle", file, other.pinned);
      await verify("refused wrong-key", eve, "--bundle", file, image.pinned);
    });

    it("inspect shows cosign's signatures of both forms and its attestation, each as what it is", async () => {
      const image = await pushImage(scene.address, "verify/inspected:1");
      await cosignSign(work, alice, image.pinned);
      await cosignSign(work, alice, image.pinned, { format: "legacy" });
      await cosignAttest(work, alice, image.pinned);
      const { stdout } = await work.expect(0, ["inspect", image.tagged, "-o", "json"]);
      const { root } = JSON.parse(stdout) as Inspection;
      const seen = root.attached.flatMap(({ kind, signatures }) =>
        signatures.map(({ format, predicateType }) => `${kind} ${format} ${predicateType}`),
      );
      assert.deepEqual(seen.sort(), [
        "attestation bundle https://slsa.dev/provenance/v1",
        "signature bundle https://sigstore.dev/cosign/sign/v1",
        "signature cosign-legacy https://sigstore.dev/cosign/sign/v1",
      ]);
    });

    it("refuses an image that only others have signed, and counts distinct keys for a threshold", async () => {
      const image = await pushImage(scene.address, "verify/threshold:1");
      const two = ["--threshold", "2", "--key", alice.public, "--key", eve.public];
      await cosignSign(work, alice, image.pinned);
      await cosignSign(work, alice, image.pinned, { format: "legacy" });
      await work.judge("refused threshold-not-met", ["verify", ...two, image.pinned]);
      await cosignSign(work, eve, image.pinned, { format: "legacy" });
      await work.judge("accepted", ["verify", ...two, image.pinned]);
    });
  });
}
