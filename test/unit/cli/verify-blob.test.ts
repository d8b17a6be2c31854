import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { instant } from "../../../src/core/time.ts";
import { SIGNER } from "../../support/offline.ts";
import { captureContext } from "../../support/session.ts";
import { bundleOf, fakeSigstore, signKeyless } from "../../support/sigstore/sign.ts";

const workingDirectory = mkdtempSync(join(tmpdir(), "verify-blob-"));
after(() => rmSync(workingDirectory, { recursive: true, force: true }));

it("a small file that an identity signed as Ed25519ph is accepted, as a large one was", async () => {
  const sigstore = fakeSigstore();
  const file = Buffer.from("a file");
  const files = {
    file,
    "file.sigstore.json": bundleOf(signKeyless(sigstore, { what: { file }, key: "ed25519ph" })),
    "trusted_root.json": sigstore.trustedRoot,
  };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(workingDirectory, name), bytes);
  const { context, stdout } = captureContext({
    workingDirectory,
    homeDirectory: workingDirectory,
    referenceTime: instant(Date.now()),
  });
  const code = await run(["verify-blob", "--trusted-root", "trusted_root.json", ...SIGNER, "file"], context);
  assert.equal(code, 0, stdout());
});
