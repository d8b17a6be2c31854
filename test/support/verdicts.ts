import type { Digest } from "../../src/core/oci/digest.ts";
import { instant } from "../../src/core/time.ts";
import type { SignatureReport, Verdict } from "../../src/core/verify/verdict.ts";

/** Made-up verdicts for reports. */
export function digest(fill: string): Digest {
  return `sha256:${fill.repeat(64).slice(0, 64)}` as Digest;
}

export function signature(overrides: Partial<SignatureReport> = {}): SignatureReport {
  return {
    format: "bundle",
    origin: { via: "referrers-api", manifest: digest("c"), layer: 0 },
    accepted: true,
    signedBy: { kind: "key", label: "release.pub", fingerprint: `SHA256:${"ab".repeat(32)}` },
    annotations: {},
    ...overrides,
  };
}

export function verdict(overrides: Partial<Verdict> = {}): Verdict {
  const status = overrides.status ?? "accepted";
  return {
    status,
    image: "registry.example/acme/app:1.4.2",
    name: `registry.example/acme/app:1.4.2@${digest("9f")}`,
    digest: digest("9f"),
    reasons: [],
    signatures: status === "accepted" ? [signature()] : [],
    checked: status === "accepted" ? ["digest", "signature"] : [],
    notChecked: status === "accepted" ? ["transparency log"] : [],
    weakened: [],
    judgedAt: instant(Date.UTC(2026, 0, 1)),
    ...overrides,
  };
}

const SIGNED_AT = instant(Date.UTC(2025, 11, 29));

/** A keyless signature with everything that proves one. */
export function keylessSignature(overrides: Partial<SignatureReport> = {}): SignatureReport {
  return signature({
    signedBy: {
      kind: "identity",
      identity: {
        subject: "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.4.2",
        subjectKind: "uri",
        issuer: "https://token.actions.githubusercontent.com",
        claims: { "source-repository-uri": "https://github.com/acme/app" },
      },
    },
    proof: {
      logs: [{ log: "log.example.com", index: "2938471", integratedAt: SIGNED_AT }],
      timestamps: [{ authority: "CN=tsa", at: SIGNED_AT }],
      certificateLogs: ["ct.example.com"],
      signedAt: SIGNED_AT,
    },
    ...overrides,
  });
}

export const REFUSED = verdict({
  status: "refused",
  reasons: [
    {
      code: "wrong-key",
      message: "the signature is by another key",
      found: "a signature by key SHA256:77aa03…",
      wanted: "release.pub (SHA256:abababababababab…)",
    },
  ],
});

export const UNDETERMINED = verdict({
  status: "undetermined",
  reasons: [
    {
      code: "throttled",
      message: "the registry asked to slow down",
      found: "429 on the list of referrers, 4 tries in 12 s",
      next: "try again in 40 s",
    },
  ],
});
