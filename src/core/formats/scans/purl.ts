/** A package URL: `pkg:deb/debian/openssl@3.0.1?arch=amd64`. Parts are decoded. */
export interface PackageUrl {
  readonly type: string;
  /** `debian`, `@scope`, `org.example`; empty where there is none. */
  readonly namespace: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly qualifiers: ReadonlyMap<string, string>;
}

/** Reads a package URL (package-url/purl-spec, "How to parse a purl string in its components"); undefined for others. */
export function parsePurl(text: string): PackageUrl | undefined {
  try {
    return readPurl(text);
  } catch (error) {
    // What decodeURIComponent says of a broken escape.
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

const PURL = /^pkg:\/*([A-Za-z][A-Za-z0-9.+-]*)\/+([^?#]+)(?:\?([^#]*))?(?:#.*)?$/;

function readPurl(text: string): PackageUrl | undefined {
  const [, type, path = "", query = ""] = PURL.exec(text) ?? [];
  if (type === undefined) return undefined;
  const segments = path.split("/").filter((segment) => segment !== "");
  const last = segments.pop() ?? "";
  // An npm scope may stand with its @ as it is: only one in the last segment, behind a name, starts the version.
  const at = last.lastIndexOf("@");
  const [name, version] = at > 0 ? [last.slice(0, at), last.slice(at + 1)] : [last, ""];
  if (name === "") return undefined;
  const kind = type.toLowerCase();
  return {
    type: kind,
    namespace: segments.map(decodeURIComponent).join("/"),
    name: normalName(kind, decodeURIComponent(name)),
    version: version === "" ? undefined : decodeURIComponent(version),
    qualifiers: readQualifiers(query),
  };
}

/** PyPI's names are the same in any case, and with `_` for `-` (purl-spec, PURL-TYPES). */
function normalName(type: string, name: string): string {
  return type === "pypi" ? name.toLowerCase().replaceAll("_", "-") : name;
}

function readQualifiers(query: string): ReadonlyMap<string, string> {
  const pairs = query.split("&").flatMap((pair): readonly [string, string][] => {
    const at = pair.indexOf("=");
    return at <= 0 ? [] : [[pair.slice(0, at).toLowerCase(), decodeURIComponent(pair.slice(at + 1))]];
  });
  return new Map(pairs);
}

/** Whether a general one speaks of a particular one: what it leaves open may be anything, all else has to be the same. */
export function purlCovers(general: PackageUrl, particular: PackageUrl): boolean {
  return (
    general.type === particular.type &&
    general.namespace === particular.namespace &&
    general.name === particular.name &&
    (general.version === undefined || general.version === particular.version) &&
    [...general.qualifiers].every(([name, value]) => particular.qualifiers.get(name) === value)
  );
}
