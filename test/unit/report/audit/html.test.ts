import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import type { Audit } from "../../../../src/core/audit/audit.ts";
import type { PageData } from "../../../../src/report/audit/html/page-data.ts";
import { auditHtml } from "../../../../src/report/audit/html.ts";
import { hiddenIn, imageOf, largeAudit, politeAudit, sampleAudit } from "../../../support/sample-audit.ts";

const FILES = "https://git.example/acme/app/blob/0123abc";
const htmlOf = (audit: Audit, files?: string) => auditHtml(audit, { version: "1.2.3", files });

/** What stands between the tags of the page's own script, style and data. */
function insides(html: string, open: string, close: string): readonly string[] {
  return html
    .split(open)
    .slice(1)
    .map((rest) => rest.slice(0, rest.indexOf(close)));
}

const dataText = (html: string) => insides(html, '<script type="application/json" id="data">', "</script>")[0] ?? "";

function dataOf(audit: Audit, files?: string): PageData {
  return JSON.parse(dataText(htmlOf(audit, files))) as PageData;
}

/** The page without its script, its style and its data. */
function markupOf(html: string): string {
  return html.replace(/<(script|style)[^>]*>[\s\S]*?<\/\1>/g, "");
}

describe("the audit's page", () => {
  it("has two scripts and no other, whatever names and messages say", () => {
    const html = htmlOf(sampleAudit());
    assert.equal(html.match(/<script/gi)?.length, 2);
    assert.equal(html.match(/<\/script/gi)?.length, 2);
    assert.equal(html.match(/<style/gi)?.length, 1);
    assert.equal(html.match(/<!--/g), null);
  });

  it("has no element of somebody else's making", () => {
    const known = new Set(
      markupOf(htmlOf(politeAudit()))
        .match(/<[a-z][a-z0-9]*/g)
        ?.map((tag) => tag.slice(1)),
    );
    const found = new Set(markupOf(htmlOf(sampleAudit())).match(/<\/?[A-Za-z!][A-Za-z0-9]*/g));
    assert.deepEqual(
      [...found].map((tag) => tag.replace(/^<\/?/, "")).filter((tag) => !known.has(tag) && tag !== "!doctype"),
      [],
    );
    assert.ok(!known.has("img"));
  });

  it("has no handler, no style and no address in any attribute but the ones that it needs", () => {
    const attributes = [...markupOf(htmlOf(sampleAudit(), FILES)).matchAll(/ ([a-z:-]+)="([^"]*)"/g)];
    assert.deepEqual(
      attributes.filter(([, name = ""]) => /^on|^style$|^src|^action$|^formaction$/.test(name)),
      [],
    );
    const addresses = attributes.filter(([, name]) => name === "href").map(([, , value = ""]) => value);
    assert.deepEqual(
      addresses.filter(
        (address) => !/^(?:#[a-z-]+|data:image\/svg\+xml,|https:\/\/git\.example\/acme\/)/.test(address),
      ),
      [],
    );
  });

  it("lets run and applies its own script and style alone, by their hashes", () => {
    const html = htmlOf(politeAudit());
    const [, policy = ""] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html) ?? [];
    const hash = (text: string | undefined) =>
      `&#39;sha256-${createHash("sha256")
        .update(text ?? "")
        .digest("base64")}&#39;`;
    assert.match(policy, /^default-src &#39;none&#39;; /);
    assert.ok(policy.includes(`script-src ${hash(insides(html, "<script>", "</script>")[0])};`));
    assert.ok(policy.includes(`style-src ${hash(insides(html, "<style>", "</style>")[0])};`));
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  });

  it("keeps its data from ending the element that it stands in", () => {
    assert.doesNotMatch(dataText(htmlOf(sampleAudit())), /[<>&\u2028\u2029]/);
  });

  it("hides nothing and reorders nothing, in its markup and in its data", () => {
    assert.deepEqual(hiddenIn(htmlOf(sampleAudit())), []);
    assert.deepEqual(hiddenIn(JSON.stringify(dataOf(sampleAudit())).replaceAll("\\\\", "")), []);
  });

  it("has every image in its data, what needs action first", () => {
    const { images } = dataOf(politeAudit());
    assert.equal(images.length, politeAudit().images.length);
    assert.deepEqual(
      [...new Set(images.map(({ verdict, pinning }) => `${verdict} ${pinning}`))],
      ["refused unpinned", "undetermined unpinned", "accepted moved", "accepted unpinned", "accepted pinned"],
    );
  });

  it("says of an image all that was found out about it", () => {
    const { images, findings, signers, owners, texts } = dataOf(politeAudit());
    const app = images.find(({ image }) => image === "registry.example/acme/app:1.4.3");
    assert.deepEqual(
      app?.reasons?.map((at) => findings[at]?.code),
      ["wrong-identity", "unsigned"],
    );
    assert.equal(findings[app?.reasons?.[0] ?? -1]?.next, "release 1.4.3 through release.yml, then verify again");
    assert.deepEqual(
      app?.uses.map(({ at }) => at),
      ["deploy/shop/web.yaml:12:16", "deploy/shop/jobs.yaml:41:16", "compose.yaml:4:16"],
    );
    assert.equal(owners[app?.uses[0]?.owner ?? -1], "team-shop");
    assert.equal(texts[app?.rule ?? -1], "policy.yaml:12 acme images come from their release workflow");
    const api = images.find(({ pinning }) => pinning === "moved");
    assert.match(api?.tagDigest ?? "", /^sha256:/);
    assert.equal(signers[api?.signers?.[0]?.[0] ?? -1]?.format, "Sigstore bundle");
  });

  it("says once what many images share", () => {
    const { findings, signers, owners } = dataOf(largeAudit(5_000));
    assert.deepEqual([findings.length, owners.length], [3, 97]);
    assert.equal(signers.length, 97);
    assert.ok(htmlOf(largeAudit(5_000)).length < 2_500_000);
  });

  it("links to lines of files where they are shown, and to no address otherwise", () => {
    const [first] = dataOf(politeAudit(), FILES).images;
    assert.equal(first?.uses[0]?.link, `${FILES}/deploy/shop/web.yaml#L12`);
    assert.equal(dataOf(politeAudit()).images[0]?.uses[0]?.link, undefined);
    assert.equal(dataOf(politeAudit(), "javascript:alert(1)").images[0]?.uses[0]?.link, undefined);
  });

  it("is of use without scripts: the first images, what would stop, what was not read", () => {
    const html = markupOf(htmlOf(largeAudit(1_000)));
    assert.equal(html.match(/<tr role="row">/g)?.length, 1 + 200);
    assert.match(html, /The first 200 of 1,000 images; a browser that runs scripts shows all of them\./);
    assert.match(html, /<strong>100 of 1,000 workloads<\/strong> would stop/);
    assert.match(markupOf(htmlOf(politeAudit())), /<code class="where">deploy\/broken\.yaml:7:3<\/code>/);
  });

  it("shows no control that does nothing without scripts", () => {
    assert.match(htmlOf(politeAudit()), /<form id="filters"[^>]* hidden>/);
    assert.match(htmlOf(politeAudit()), /<fieldset class="themes" hidden>/);
    assert.doesNotMatch(
      markupOf(htmlOf(politeAudit()))
        .replace(/<form[\s\S]*<\/form>/, "")
        .replace(/<p class="more" hidden>.*/, ""),
      /<button/,
    );
  });

  it("says what weakened the audit, and of a shard that it is not all", () => {
    assert.match(
      htmlOf(politeAudit()),
      /<strong>Weakened\.<\/strong> Checks were switched off by <code>--insecure-ignore-sct<\/code>/,
    );
    assert.match(htmlOf(politeAudit({ shard: { index: 1, count: 3 } })), /This is shard 1 of 3/);
    const sound = politeAudit({ standard: { ...politeAudit().standard, weakened: [] } });
    assert.doesNotMatch(htmlOf(sound), /Weakened/);
  });

  it("never rounds up to all, nor down to none", () => {
    const images = Array.from({ length: 1_000 }, (_, at) => imageOf(`a.example/b:${at}`, { pinned: at === 0 }));
    assert.match(htmlOf(politeAudit({ images })), /1 \(&lt;1 %\)[\s\S]*999 \(&gt;99 %\)/);
  });

  it("is a page without a single image, too", () => {
    const html = htmlOf(politeAudit({ images: [], problems: [] }));
    assert.match(html, /0 refused, 0 undetermined, 0 accepted/);
    assert.doesNotMatch(html, /NaN|Infinity(?!\b.*sort)/);
  });
});
