import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Page } from "playwright-core";
import { largeAudit, politeAudit, sampleAudit } from "../support/sample-audit.ts";
import { useBrowser } from "./html-report/browser.ts";
import { without } from "./peers.ts";

/**
 * The audit's page in a browser. `SCREENSHOTS=FOLDER` keeps pictures of it: whether people like to look at it is nothing
 * that a test can say.
 */
const SCREENSHOTS = process.env["SCREENSHOTS"];

async function picture(page: Page, name: string): Promise<void> {
  if (SCREENSHOTS === undefined) return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** Somebody who clicks on all that opens. */
async function openEverything(page: Page): Promise<void> {
  await page.evaluate("for (const one of document.querySelectorAll('.open, summary')) one.click()");
  assert.equal(await page.locator("#rows .details").count(), await page.locator(".open").count());
}

const hits = (page: Page) => page.locator("#hits").textContent();
const names = (page: Page) => page.locator("#rows .open").allTextContents();

describe("the audit's page in Chromium", { skip: without("chromium") }, () => {
  const openReport = useBrowser();

  it("runs nothing that a name or a message says, opened from a file, with all that it can show", async (t) => {
    const { page, said, asked } = await openReport(t, sampleAudit());
    await openEverything(page);
    assert.equal(await page.evaluate("globalThis.hostile"), undefined);
    assert.equal(await page.locator("img, iframe, object, embed").count(), 0);
    assert.deepEqual([said, asked], [[], []]);
    await picture(page, "hostile");
  });

  it("would run no script but its own, and ask nobody, even where one got into it", async (t) => {
    const injected =
      '<script>globalThis.hostile = 1</script><img src="https://evil.example/a.png" onerror="globalThis.hostile = 2"><style>h1{color:red}</style>';
    const { page } = await openReport(t, politeAudit(), {
      change: (html) => html.replace("<main>", `<main>${injected}`),
    });
    assert.equal(await page.evaluate("globalThis.hostile"), undefined);
    assert.notEqual(await page.evaluate("getComputedStyle(document.querySelector('h1')).color"), "rgb(255, 0, 0)");
    assert.equal(await hits(page), "52 images");
  });

  it("filters by what is clicked, chosen and typed, and says how many it found", async (t) => {
    const { page } = await openReport(t, politeAudit());
    assert.equal(await hits(page), "52 images");
    await page.locator(".tile button", { hasText: "refused" }).click();
    assert.equal(await hits(page), "6 of 52 images");
    await page.locator(".by-owner select").selectOption("team-shop");
    assert.equal(await hits(page), "2 of 52 images");
    await page.getByRole("searchbox").fill("nightly");
    await page.getByText("1 of 52 images").waitFor();
    assert.deepEqual(await names(page), ["registry.example/acme/app:1.4.3"]);
    await page.getByRole("searchbox").fill("nothing is called that");
    await page.getByText("0 of 52 images").waitFor();
    assert.match((await page.locator("#rows").textContent()) ?? "", /No image is like that/);
    await page.getByRole("button", { name: "Clear" }).click();
    assert.equal(await hits(page), "52 images");
  });

  it("keeps a view in the address, and shows it to whom it is sent", async (t) => {
    const { page } = await openReport(t, politeAudit(), { hash: "#verdict=refused&sort=image&order=desc" });
    assert.equal(await hits(page), "6 of 52 images");
    assert.deepEqual(await names(page), (await names(page)).toSorted().toReversed());
    assert.equal(await page.locator(".by-verdict select").inputValue(), "refused");
    await page.locator(".by-reason select").selectOption("unsigned");
    assert.match(page.url(), /#verdict=refused&reason=unsigned/);
    await page.reload();
    assert.equal(await hits(page), "3 of 52 images");
  });

  it("marks what is chosen in its charts, and takes it back", async (t) => {
    const { page } = await openReport(t, politeAudit());
    const bar = page.locator(".bars button", { hasText: "unsigned" });
    await bar.click();
    assert.equal(await bar.getAttribute("aria-pressed"), "true");
    assert.equal(await hits(page), "3 of 52 images");
    await bar.click();
    assert.equal(await bar.getAttribute("aria-pressed"), "false");
    assert.equal(await hits(page), "52 images");
  });

  it("sorts by each column, up and down, and says so", async (t) => {
    const { page } = await openReport(t, politeAudit());
    const head = page.getByRole("columnheader", { name: "Image" });
    assert.equal(await head.getAttribute("aria-sort"), null);
    await head.getByRole("button").click();
    assert.equal(await head.getAttribute("aria-sort"), "ascending");
    assert.deepEqual(await names(page), (await names(page)).toSorted());
    await head.getByRole("button").click();
    assert.equal(await head.getAttribute("aria-sort"), "descending");
    assert.equal(await page.locator("th[aria-sort]").count(), 1);
  });

  it("shows all that is known of an image, by the keyboard alone", async (t) => {
    const { page, ask } = await openReport(t, politeAudit(), { hash: "#q=app:1.4.3" });
    const row = page.locator(".open").first();
    let focus = { name: "", isVisible: true };
    for (let presses = 0; presses < 100 && !focus.name.includes("acme/app:1.4.3"); presses += 1) {
      await page.keyboard.press("Tab");
      focus = await ask("focused");
      assert.ok(focus.isVisible, focus.name);
    }
    await page.keyboard.press("Enter");
    assert.equal(await row.getAttribute("aria-expanded"), "true");
    const details = (await page.locator(`[id="${await row.getAttribute("aria-controls")}"]`).textContent()) ?? "";
    for (const part of [
      "wrong-identity",
      "release 1.4.3 through release.yml",
      "deploy/shop/jobs.yaml:41:16",
      "policy.yaml:14",
      "sha256:",
    ]) {
      assert.ok(details.includes(part), part);
    }
    await page.keyboard.press("Space");
    assert.equal(await row.getAttribute("aria-expanded"), "false");
  });

  for (const width of [320, 768, 1024, 1440]) {
    it(`fits a window of ${width} pixels, with the worst of names and everything open`, async (t) => {
      const { page, ask } = await openReport(t, sampleAudit(), { width });
      await openEverything(page);
      assert.deepEqual(await ask("overflowing"), []);
      await picture(page, `hostile-${width}`);
    });
  }

  it("is a table for who cannot see it, on a phone, too", async (t) => {
    for (const width of [320, 1280]) {
      const { page } = await openReport(t, politeAudit(), { width });
      const table = page.getByRole("table", { name: "Images" });
      assert.equal(await table.getByRole("columnheader").count(), 6);
      assert.equal(await table.getByRole("row").count(), 1 + 52);
      assert.equal(await table.getByRole("row").nth(1).getByRole("cell").count(), 6);
    }
  });

  it("has landmarks, headings in order, a name for every control and each id once", async (t) => {
    const { page, ask } = await openReport(t, sampleAudit());
    await page.locator(".open").first().click();
    assert.deepEqual(await ask("structureFaults"), []);
    for (const role of ["banner", "navigation", "main", "search", "contentinfo"] as const) {
      assert.equal(await page.getByRole(role).count(), 1, role);
    }
    assert.equal(await page.locator("#hits").getAttribute("aria-live"), "polite");
  });

  for (const scheme of ["light", "dark"] as const) {
    it(`has enough contrast for every text, chart and control: ${scheme}`, async (t) => {
      const { page, ask } = await openReport(t, politeAudit(), { scheme });
      await page.locator(".open").first().click();
      await page.locator(".by-verdict select").selectOption("refused");
      await page.locator(".by-verdict select").selectOption("");
      assert.deepEqual(await ask("faintTexts"), []);
      assert.deepEqual(await ask("faintShapes"), []);
      await picture(page, scheme);
    });
  }

  it("would notice a text that stands out too little", async (t) => {
    const { page, ask } = await openReport(t, politeAudit());
    await page.evaluate("document.documentElement.style.setProperty('--muted', '#a0a0a0')");
    assert.notDeepEqual(await ask("faintTexts"), []);
  });

  it("is as light or dark as the system is, until somebody chooses", async (t) => {
    const { page } = await openReport(t, politeAudit(), { scheme: "dark" });
    const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const dark = await ground();
    await page.locator(".themes label", { hasText: "light" }).click();
    const light = await ground();
    assert.notEqual(light, dark);
    await page.reload();
    assert.equal(await ground(), light);
    await page.locator(".themes label", { hasText: "auto" }).click();
    assert.equal(await ground(), dark);
  });

  it("moves nothing where motion is not wanted", async (t) => {
    const { page } = await openReport(t, politeAudit());
    await page.emulateMedia({ reducedMotion: "reduce" });
    const styles =
      "[getComputedStyle(document.querySelector('.open'), '::before').transitionDuration, getComputedStyle(document.documentElement).scrollBehavior]";
    assert.deepEqual(await page.evaluate(styles), ["0s", "auto"]);
  });

  it("goes to paper in black on white, without what one clicks, and with more than the screen shows", async (t) => {
    const { page } = await openReport(t, largeAudit(2_000), { scheme: "dark" });
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    assert.equal(await page.locator("#filters").isVisible(), false);
    assert.equal(
      await page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor"),
      "rgb(255, 255, 255)",
    );
    await page.evaluate("dispatchEvent(new Event('beforeprint'))");
    assert.equal(await page.locator("#rows tr").count(), 1_000);
    await picture(page, "print");
  });

  it("says without scripts what it can, and shows nothing that does not work", async (t) => {
    const { page } = await openReport(t, largeAudit(500), { javaScript: false });
    assert.equal(await page.locator("#rows tr").count(), 200);
    assert.match((await hits(page)) ?? "", /The first 200 of 500 images/);
    assert.equal(await page.locator("button:visible, input:visible, select:visible").count(), 0);
    assert.ok(await page.getByText("50 of 500 workloads").isVisible());
    await picture(page, "without-scripts");
  });

  it("shows 20,000 images as somebody gets to them", async (t) => {
    const start = performance.now();
    const { page, said } = await openReport(t, largeAudit(20_000));
    await page.getByText("20,000 images", { exact: true }).waitFor();
    t.diagnostic(`browser started and page of 20,000 images ready after ${Math.round(performance.now() - start)} ms`);
    assert.ok((await page.locator("#rows tr").count()) <= 400);
    const searched = performance.now();
    await page.getByRole("searchbox").fill("service-19999");
    await page.getByText("1 of 20,000 images").waitFor();
    t.diagnostic(`first search through all of them: ${Math.round(performance.now() - searched)} ms`);
    await page.getByRole("button", { name: "Clear" }).click();
    const before = await page.locator("#rows tr").count();
    await page.locator("#more").scrollIntoViewIfNeeded();
    await page.locator(`#rows tr:nth-child(${before + 1})`).waitFor();
    assert.deepEqual(said, []);
  });
});
