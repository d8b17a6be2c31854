import { find } from "./dom.js";

/** Light or dark as the system has it, until somebody chooses. */

const KEY = "countersign-theme";

export function openThemes() {
  const switches = find(".themes", HTMLFieldSetElement);
  const choose = (/** @type {string} */ theme) => {
    if (theme === "auto") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", theme);
  };
  const chosen = remembered();
  choose(chosen);
  for (const input of switches.querySelectorAll("input")) {
    input.checked = input.value === chosen;
    input.addEventListener("change", () => {
      choose(input.value);
      remember(input.value);
    });
  }
  switches.hidden = false;
}

function remembered() {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === "light" || theme === "dark" ? theme : "auto";
  } catch {
    return "auto";
  }
}

/** @param {string} theme */
function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // A page in a sandbox has no storage; it is asked again the next time.
  }
}
