import { CUSTOM_PREDICATE } from "../../formats/predicates.ts";

/** cosign's short names (pkg/cosign/attestation), each for one type and no other version of it. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ["custom", CUSTOM_PREDICATE],
  ["slsaprovenance", "https://slsa.dev/provenance/v0.2"],
  ["slsaprovenance02", "https://slsa.dev/provenance/v0.2"],
  ["slsaprovenance1", "https://slsa.dev/provenance/v1"],
  ["spdx", "https://spdx.dev/Document"],
  ["spdxjson", "https://spdx.dev/Document"],
  ["cyclonedx", "https://cyclonedx.org/bom"],
  ["link", "https://in-toto.io/Link/v1"],
  ["vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"],
  ["openvex", "https://openvex.dev/ns"],
]);

/** The URI that a name stands for, or the URI itself. */
export function predicateUri(name: string): string | undefined {
  return TYPES.get(name) ?? (/^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/.test(name) ? name : undefined);
}
