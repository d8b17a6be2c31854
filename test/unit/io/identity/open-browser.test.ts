import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { hasDisplay, systemBrowser } from "../../../../src/io/identity/open-browser.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const ADDRESS = new URL("https://issuer.example.com/auth?a=b&c=$(touch%20x);%60id%60&d='%22");

/** An `xdg-open` that writes its arguments, a line each. */
async function recorder(folder: string): Promise<string> {
  const written = join(folder, "written");
  await writeFile(
    join(folder, "xdg-open"),
    `#!/bin/sh\nprintf '%s\\n' "$@" > "${written}.new"\nmv "${written}.new" "${written}"\n`,
  );
  await chmod(join(folder, "xdg-open"), 0o755);
  return written;
}

async function contentOf(path: string): Promise<string> {
  for (let tried = 0; tried < 200; tried++) {
    const content = await readFile(path, "utf8").catch(() => undefined);
    if (content !== undefined) return content;
    await delay(10);
  }
  return assert.fail("no browser was run");
}

describe("opening the browser", () => {
  it("hands the address to the system's program as one argument: no shell reads it", async (t) => {
    const folder = await temporaryFolder(t);
    const written = await recorder(folder);
    assert.equal(await systemBrowser({ PATH: `relative:${folder}:/usr/bin:/bin` }, "linux")(ADDRESS), true);
    assert.equal(await contentOf(written), `${ADDRESS.href}\n`);
  });

  it("finds that program in absolute folders only", async (t) => {
    const folder = await temporaryFolder(t);
    await recorder(folder);
    const before = process.cwd();
    process.chdir(folder);
    try {
      for (const PATH of ["", ".", ":", "./", `${folder}/nothing`, undefined]) {
        assert.equal(await systemBrowser({ PATH }, "linux")(ADDRESS), false, String(PATH));
      }
    } finally {
      process.chdir(before);
    }
  });

  it("does nothing with what is not executable, and says so", async (t) => {
    const folder = await temporaryFolder(t);
    await recorder(folder);
    await chmod(join(folder, "xdg-open"), 0o644);
    assert.equal(await systemBrowser({ PATH: folder }, "linux")(ADDRESS), false);
    await writeFile(join(folder, "xdg-open"), "#!/nowhere/at/all\n");
    await chmod(join(folder, "xdg-open"), 0o755);
    assert.equal(await systemBrowser({ PATH: folder }, "linux")(ADDRESS), false);
  });

  it("opens web addresses and nothing else", async (t) => {
    const folder = await temporaryFolder(t);
    await recorder(folder);
    for (const address of ["file:///etc/passwd", "javascript:alert(1)", "ssh://host/", "data:text/html,x"]) {
      assert.equal(await systemBrowser({ PATH: folder }, "linux")(new URL(address)), false);
    }
  });

  it("is not tried by programs of another system", async () => {
    assert.equal(await systemBrowser({ SystemRoot: "C:\\nowhere" }, "win32")(ADDRESS), false);
  });
});

describe("a display", () => {
  it("is there where a window that opens is seen", () => {
    for (const [env, platform, isThere] of [
      [{ DISPLAY: ":0" }, "linux", true],
      [{ WAYLAND_DISPLAY: "wayland-0" }, "linux", true],
      [{ DISPLAY: "localhost:10.0", SSH_CONNECTION: "a b c d" }, "linux", true],
      [{}, "linux", false],
      [{ DISPLAY: "" }, "freebsd", false],
      [{}, "darwin", true],
      [{ SSH_CONNECTION: "a b c d" }, "darwin", false],
      [{}, "win32", true],
    ] as const) {
      assert.equal(hasDisplay(env, platform), isThere, `${platform} ${JSON.stringify(env)}`);
    }
  });
});
