// Runs in the page that is tested: what only a browser knows of it.

/** The texts that stand out too little from what is behind them, by WCAG 2.2, 1.4.3. */
globalThis.faintTexts = () => {
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const { parentElement } = node;
    if (node.textContent.trim() === "" || !isShown(parentElement)) continue;
    const style = getComputedStyle(parentElement);
    const size = Number.parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const front = parentElement.closest("svg") === null ? style.color : style.fill;
    const contrast = contrastOf(over(colour(front), backOf(parentElement)), backOf(parentElement));
    if (contrast < (isLarge ? 3 : 4.5)) faint.push(`${contrast.toFixed(2)}: ${node.textContent.trim().slice(0, 40)}`);
  }
  return faint;
};

/** The parts of charts and the borders of controls that stand out too little, by WCAG 2.2, 1.4.11. */
globalThis.faintShapes = () =>
  [...document.querySelectorAll("rect, circle, .dot, .filters input, .filters select")]
    .filter(isShown)
    .flatMap((shape) => {
      const style = getComputedStyle(shape);
      const front =
        { rect: style.fill, circle: style.stroke, SPAN: style.backgroundColor }[shape.tagName] ?? style.borderTopColor;
      const contrast = contrastOf(colour(front), backOf(shape.parentElement));
      return contrast < 3 ? [`${contrast.toFixed(2)}: ${shape.tagName} ${shape.getAttribute("class")}`] : [];
    });

function isShown(element) {
  if (element.closest("script, style, title, option, .unseen, .skip, [hidden]") !== null) return false;
  return element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
}

function colour(text) {
  const [red = 0, green = 0, blue = 0, alpha = 1] = text.match(/[\d.]+/g)?.map(Number) ?? [];
  return { red, green, blue, alpha: text === "transparent" ? 0 : alpha };
}

function backOf(element) {
  const behind = [];
  for (let one = element; one !== null; one = one.parentElement)
    behind.unshift(colour(getComputedStyle(one).backgroundColor));
  return behind.reduce((back, front) => over(front, back), { red: 255, green: 255, blue: 255, alpha: 1 });
}

function over(front, back) {
  const mix = (name) => front[name] * front.alpha + back[name] * (1 - front.alpha);
  return { red: mix("red"), green: mix("green"), blue: mix("blue"), alpha: 1 };
}

function contrastOf(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance({ red, green, blue }) {
  const [r, g, b] = [red, green, blue].map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** What reaches out of the window to the right. */
globalThis.overflowing = () => {
  if (document.documentElement.scrollWidth <= innerWidth) return [];
  return [...document.querySelectorAll("body *")]
    .filter((element) => isShown(element) && element.getBoundingClientRect().right > innerWidth + 1)
    .map((element) => `${element.tagName} ${element.getAttribute("class")}`);
};

/** What has the focus, and whether one can see that. */
globalThis.focused = () => {
  const { activeElement } = document;
  const marked = activeElement.matches(".themes input") ? activeElement.nextElementSibling : activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(marked);
  const name =
    activeElement.tagName === "BODY"
      ? ""
      : `${activeElement.tagName} ${activeElement.textContent || activeElement.name}`;
  return { name, isVisible: outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 2 };
};

/** What is wrong with how the document is built. */
globalThis.structureFaults = () => {
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  const twice = ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `id twice: ${id}`);
  const missing = [...document.querySelectorAll("[aria-labelledby], [aria-describedby]")].flatMap((element) =>
    ["aria-labelledby", "aria-describedby"]
      .flatMap((name) => element.getAttribute(name)?.split(" ") ?? [])
      .filter((id) => !ids.includes(id))
      .map((id) => `no element is called ${id}`),
  );
  const unnamed = [...document.querySelectorAll("input, select, button")]
    .filter((control) => (control.labels?.[0]?.textContent ?? control.textContent).trim() === "")
    .map((control) => `no name: ${control.outerHTML.slice(0, 80)}`);
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map(({ tagName }) => Number(tagName[1]));
  const jumps = levels.filter((level, at) => level > (levels[at - 1] ?? 0) + 1).map((level) => `jumps to h${level}`);
  return [...twice, ...missing, ...unnamed, ...jumps];
};
