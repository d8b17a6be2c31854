/** Ecosystems of osv-schema ("Defined ecosystems") and the types of package URLs that stand for them. */
const TYPES: ReadonlyMap<string, { readonly type: string; readonly namespace?: string }> = new Map([
  ["npm", { type: "npm" }],
  ["PyPI", { type: "pypi" }],
  ["Go", { type: "golang" }],
  ["Maven", { type: "maven" }],
  ["crates.io", { type: "cargo" }],
  ["RubyGems", { type: "gem" }],
  ["NuGet", { type: "nuget" }],
  ["Packagist", { type: "composer" }],
  ["Hex", { type: "hex" }],
  ["Pub", { type: "pub" }],
  ["Alpine", { type: "apk", namespace: "alpine" }],
  ["Wolfi", { type: "apk", namespace: "wolfi" }],
  ["Chainguard", { type: "apk", namespace: "chainguard" }],
  ["Debian", { type: "deb", namespace: "debian" }],
  ["Ubuntu", { type: "deb", namespace: "ubuntu" }],
  ["Red Hat", { type: "rpm", namespace: "redhat" }],
  ["Rocky Linux", { type: "rpm", namespace: "rocky-linux" }],
  ["AlmaLinux", { type: "rpm", namespace: "almalinux" }],
]);

/**
 * The package URL of a package that OSV-Scanner names by ecosystem and name, `Debian:12` and `openssl`; undefined for ecosystems
 * that have none. Maven's names are `group:artifact`.
 */
export function osvPurl(ecosystem: string, name: string, version: string | undefined): string | undefined {
  const [family = ""] = ecosystem.split(":");
  const known = TYPES.get(family);
  if (known === undefined || version === undefined) return undefined;
  const path = known.type === "maven" ? name.replace(":", "/") : name;
  const parts = [...(known.namespace === undefined ? [] : [known.namespace]), ...path.split("/")];
  return `pkg:${known.type}/${parts.map(encodeURIComponent).join("/")}@${encodeURIComponent(version)}`;
}
