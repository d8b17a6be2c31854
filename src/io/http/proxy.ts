import { BlockList, isIP } from "node:net";
import { CountersignError } from "../../core/errors.ts";
import { bareHost } from "./hosts.ts";
import { safeUrl } from "./redact.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a URL by the rules of Go's net/http, which the other container tools follow: HTTPS_PROXY and HTTP_PROXY
 * each for their own scheme, NO_PROXY with suffixes, ports, CIDR blocks and `*`, loopback never.
 *
 * @throws CountersignError `configuration-invalid` for a variable that is not a proxy's address.
 */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  const [upper, lower] = url.protocol === "https:" ? ["HTTPS_PROXY", "https_proxy"] : ["HTTP_PROXY", "http_proxy"];
  const name = env[upper] === undefined || env[upper] === "" ? lower : upper;
  const value = env[name]?.trim();
  if (value === undefined || value === "" || isExempt(url, env["NO_PROXY"] || env["no_proxy"] || "")) return undefined;
  // Before Go maps HTTP_PROXY, it asks whether it runs as a CGI script, where a client could set it (CVE-2016-5386).
  if (name === "HTTP_PROXY" && env["REQUEST_METHOD"] !== undefined) return undefined;
  const proxy = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  if (proxy === null || !["http:", "https:", "socks5:", "socks5h:"].includes(proxy.protocol)) {
    throw new CountersignError("configuration-invalid", `${name} is not the address of a proxy`, {
      found: proxy === null ? "not a URL" : safeUrl(proxy),
      wanted: "http://, https:// or socks5://, host and port",
    });
  }
  return proxy;
}

function isExempt(url: URL, noProxy: string): boolean {
  const host = bareHost(url).toLowerCase();
  if (host === "localhost" || isLoopbackAddress(host)) return true;
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  return noProxy.split(",").some((rule) => matches(rule.trim().toLowerCase(), host, port));
}

function isLoopbackAddress(host: string): boolean {
  return host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function matches(rule: string, host: string, port: string): boolean {
  if (rule === "") return false;
  if (rule === "*") return true;
  if (rule.includes("/")) return inBlock(rule, host);
  const [name, rulePort] = splitPort(rule);
  if (rulePort !== undefined && rulePort !== port) return false;
  if (isIP(name) !== 0) return name === host;
  const bare = name.startsWith("*.") ? name.slice(1) : name;
  return bare.startsWith(".") ? host.endsWith(bare) : host === bare || host.endsWith(`.${bare}`);
}

function splitPort(rule: string): readonly [string, string | undefined] {
  const [, host, port] = /^\[?([^\]]*?)\]?:([0-9]+)$/.exec(rule) ?? [];
  if (isIP(rule) === 6 || host === undefined) return [rule.replace(/^\[(.*)\]$/, "$1"), undefined];
  return [host, port];
}

function inBlock(rule: string, host: string): boolean {
  const [network = "", prefix = ""] = rule.split("/");
  const family = isIP(network);
  const length = Number(prefix);
  if (family === 0 || isIP(host) === 0 || !/^[0-9]+$/.test(prefix) || length > (family === 4 ? 32 : 128)) return false;
  const block = new BlockList();
  block.addSubnet(network, length, family === 4 ? "ipv4" : "ipv6");
  return block.check(host, isIP(host) === 4 ? "ipv4" : "ipv6");
}
