import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Audit } from "../../../../src/core/audit/audit.ts";
import { auditMarkdown } from "../../../../src/report/audit/markdown.ts";
import { codeBlock, codeSpan } from "../../../../src/report/audit/markdown-text.ts";
import {
  HOSTILE,
  hiddenIn,
  imageOf,
  largeAudit,
  politeAudit,
  refusedOf,
  sampleAudit,
  useOf,
} from "../../../support/sample-audit.ts";

const COMMENT = 65_536;
const FILES = "https://git.example/acme/app/blob/0123abc";

/** What is left when code, blocks of code and the links of our own are taken out: words of ours alone. */
function proseOf(text: string): string {
  return text
    .replace(/^(`{3,})text\n[\s\S]*?\n\1$/gm, "")
    .replace(/(?<!`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)/g, "CODE")
    .replaceAll(/\[CODE\]\(https:\/\/git\.example\/[\w./%#~-]+\)/g, "LINK");
}

function rowsOf(audit: Audit): readonly string[] {
  return auditMarkdown(audit)
    .split("\n")
    .filter((line) => line.startsWith("|"));
}

describe("the audit's Markdown", () => {
  it("has nobody else's word outside of code: no mention, no link, no markup", () => {
    const prose = proseOf(auditMarkdown(sampleAudit(), { files: FILES }));
    const foreign = /evil|hostile|acme|long-|HYPERLINK|@|#\d|https?:|<(?!\/?(?:details|summary)>)/;
    assert.deepEqual(
      prose.split("\n").filter((line) => foreign.test(line)),
      [],
    );
  });

  it("has as many cells in each row of a table as its head, whatever they hold", () => {
    const failing = rowsOf(sampleAudit()).filter((row) => /^\| (?:❌|⚠️ undetermined)/.test(row));
    assert.deepEqual([...new Set(failing.map((row) => row.split("|").length))], [6]);
  });

  it("hides nothing and reorders nothing", () => {
    assert.deepEqual(hiddenIn(auditMarkdown(sampleAudit())), []);
  });

  for (const [name, audit] of [
    ["a hostile audit", sampleAudit()],
    ["20,000 images", largeAudit(20_000)],
    [
      "twenty names of 10,000 characters",
      politeAudit({
        images: Array.from({ length: 20 }, () =>
          refusedOf(`a.example/${"x".repeat(10_000)}:1`, [{ code: "unsigned", message: "y".repeat(10_000) }]),
        ),
      }),
    ],
  ] as const) {
    it(`fits a comment: ${name}`, () => {
      assert.ok(auditMarkdown(audit, { files: FILES }).length <= COMMENT);
    });
  }

  it("says how many it left out, and ends everything that it began", () => {
    const text = auditMarkdown(largeAudit(20_000));
    assert.match(text, /\d+ more, all of them in `-o json`\./);
    assert.equal(text.match(/<details>/g)?.length, text.match(/<\/details>/g)?.length);
    assert.equal(text.match(/^```/gm)?.length ?? 0, 2 * (text.match(/^```text$/gm)?.length ?? 0));
  });

  it("begins with what was counted, and names what weakened it", () => {
    const text = auditMarkdown(politeAudit());
    assert.match(text, /^### Images: 6 refused, 3 undetermined, 43 accepted\n\n52 images in 96 places, 23 not pinned/);
    assert.match(text, /\*\*Weakened by\*\* `--insecure-ignore-sct`/);
    assert.match(auditMarkdown(politeAudit({ shard: { index: 1, count: 3 } })), /Shard 1 of 3: not all images/);
  });

  it("lists what fails with its reason, and links to the line where files are shown", () => {
    const [row] = auditMarkdown(politeAudit(), { files: `${FILES}/` })
      .split("\n")
      .filter((line) => line.startsWith("| ❌"));
    assert.equal(
      row,
      `| ❌ refused | \`registry.example/acme/app:1.4.3\` | \`wrong-identity\` | [\`deploy/shop/web.yaml:12\`](${FILES}/deploy/shop/web.yaml#L12) and 2 more |`,
    );
  });

  for (const [what, source] of [
    ["a cluster", "cluster://production"],
    ["standard input", "-"],
    ["a file above the current folder", "../other/a.yaml"],
    ["a file of the machine", "/etc/a.yaml"],
  ] as const) {
    it(`links to no address for ${what}`, () => {
      const images = [
        refusedOf("a.example/b:1", [{ code: "unsigned", message: "none" }], { uses: [useOf("b", { source })] }),
      ];
      assert.doesNotMatch(auditMarkdown(politeAudit({ images, problems: [] }), { files: FILES }), /git\.example/);
    });
  }

  it("takes no address for its links that is none", () => {
    for (const files of ["javascript:alert(1)", "https://a.example/) [x](https://evil.example", "a b"]) {
      assert.doesNotMatch(auditMarkdown(politeAudit(), { files }), /\]\(/);
    }
  });

  it("has a short comment where everything is as it should be", () => {
    const text = auditMarkdown(politeAudit({ images: [imageOf("a.example/b:1", { pinned: true })], problems: [] }));
    assert.doesNotMatch(text, /<details>|refused|\|/);
  });
});

describe("text in Markdown's code", () => {
  for (const [name, text] of Object.entries(HOSTILE)) {
    it(`is one span on one line without a pipe: ${name}`, () => {
      const span = codeSpan(text);
      const [, fence = ""] = /^(`+)/.exec(span) ?? [];
      const inner = span.slice(fence.length, -fence.length);
      assert.ok(span.endsWith(fence));
      assert.doesNotMatch(span, /[|\n]/);
      assert.ok([...inner.matchAll(/`+/g)].every(([run]) => run.length !== fence.length));
    });
  }

  it("is never an empty span, which would be two backticks", () => {
    assert.equal(codeSpan(""), "`(nothing)`");
    assert.equal(codeSpan("  "), "`(nothing)`");
  });

  it("cannot end a block", () => {
    assert.equal(codeBlock(["a", "````", "b\n```"]), "`````text\na\n````\nb\\n```\n`````");
  });
});
