import { BlockList, isIP } from "node:net";

/** Addresses that a public registry has no business sending anyone to (RFC 6890, RFC 6598, RFC 4193). */
const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const) {
  PRIVATE.addSubnet(network, prefix, "ipv4");
}
for (const [network, prefix] of [
  ["::", 96],
  ["64:ff9b::", 96],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const) {
  PRIVATE.addSubnet(network, prefix, "ipv6");
}

/** A loopback, link-local or private address written as such, or a name of this machine. Names are not looked up. */
export function isPrivateHost(url: URL): boolean {
  const name = bareHost(url);
  const family = isIP(name);
  if (family !== 0) return PRIVATE.check(name, family === 6 ? "ipv6" : "ipv4");
  return name === "localhost" || name.endsWith(".localhost");
}

/** The host name of a URL, an IPv6 address without its brackets, a final dot removed. */
export function bareHost(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}

/**
 * Names under which strangers live side by side. There is no public suffix list here: this short one, and the rule for
 * country codes below, err towards "not the same site", which costs a user one allow-list entry.
 */
const SHARED: readonly string[] = [
  "amazonaws.com",
  "azurecr.io",
  "azurewebsites.net",
  "cloudapp.net",
  "duckdns.org",
  "github.io",
  "gitlab.io",
  "herokuapp.com",
  "jfrog.io",
  "netlify.app",
  "nip.io",
  "pages.dev",
  "run.app",
  "sslip.io",
  "vercel.app",
  "workers.dev",
];

function isShared(name: string): boolean {
  return SHARED.some((domain) => name === domain || name.endsWith(`.${domain}`));
}

/** The same registrable domain: `registry.gitlab.com` and `gitlab.com`, but not two tenants of one provider. */
export function isSameSite(one: URL, other: URL): boolean {
  const [a, b] = [bareHost(one), bareHost(other)];
  if (a === b) return true;
  if (isIP(a) !== 0 || isIP(b) !== 0 || isShared(a) || isShared(b)) return false;
  const domain = registrableDomain(a);
  return domain !== undefined && domain === registrableDomain(b);
}

/** The last two labels; three below a country code whose second level is short (`co.uk`, `com.au`, `ac.jp`). */
function registrableDomain(name: string): string | undefined {
  const labels = name.split(".");
  const [second = "", top = ""] = labels.slice(-2);
  const length = top.length === 2 && second.length <= 3 ? 3 : 2;
  return labels.length < length ? undefined : labels.slice(-length).join(".");
}
