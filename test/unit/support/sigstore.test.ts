import { describe, it } from "node:test";
import { bundleFromJSON } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";
import { type BundleVersion, bundleOf, fakeSigstore, type Signed, signKeyless } from "../../support/sigstore/sign.ts";

const sigstore = fakeSigstore();

function check(signed: Signed, version: BundleVersion = "0.3"): void {
  const root = TrustedRoot.fromJSON(JSON.parse(Buffer.from(sigstore.trustedRoot).toString("utf8")));
  const bundle = bundleFromJSON(JSON.parse(Buffer.from(bundleOf(signed, version)).toString("utf8")));
  const entity = toSignedEntity(bundle, Buffer.from(signed.signedBytes));
  new Verifier(toTrustMaterial(root)).verify(entity);
}

describe("the fake Sigstore", () => {
  for (const version of ["0.1", "0.2", "0.3"] as const) {
    it(`makes bundles v${version} that @sigstore/verify accepts`, () => check(signKeyless(sigstore), version));
  }

  it("records in a log of the second generation", () => check(signKeyless(sigstore, { logs: [sigstore.log2] })));
});
