import { EVERYTHING, formatQuery, parseQuery } from "../query.ts";
import { element, find } from "./dom.js";

/**
 * The controls that a query is made with: the form, the heads of the columns, and the names in the charts. The address
 * follows, so that a view can be kept and sent.
 *
 * @typedef {import("../query.ts").Query} Query
 */

const SEARCH_PAUSE_MS = 120;

/** @param {(query: Query) => void} show */
export function openFilters(show) {
  const form = find("#filters", HTMLFormElement);
  let query = parseQuery(location.hash);
  const change = (/** @type {Partial<Query>} */ changes) => {
    query = { ...query, ...changes };
    history.replaceState(null, "", formatQuery(query) || `${location.pathname}${location.search}`);
    present();
  };
  const present = () => {
    fillForm(form, query);
    markColumns(query);
    markNames(query);
    show(query);
  };
  openForm(form, change);
  openColumns((column) => change(nextOrder(query, column)));
  openNames((name, value) => {
    change({ [name]: query[/** @type {keyof Query} */ (name)] === value ? "" : value });
    find("#images", HTMLElement).scrollIntoView();
  });
  addEventListener("hashchange", () => {
    if (!location.hash.includes("=")) return;
    query = parseQuery(location.hash);
    present();
  });
  form.hidden = false;
  present();
}

// --- the form -----------------------------------------------------------------------------------------------------------

/**
 * @param {HTMLFormElement} form
 * @param {(changes: Partial<Query>) => void} change
 */
function openForm(form, change) {
  let timer = 0;
  const read = () => {
    clearTimeout(timer);
    const fields = new FormData(form);
    const texts = [...fields].map(([name, value]) => [name, String(value)]);
    change({ order: "", ...Object.fromEntries(texts) });
  };
  form.addEventListener("input", ({ target }) => {
    clearTimeout(timer);
    if (target instanceof HTMLInputElement) timer = setTimeout(read, SEARCH_PAUSE_MS);
    else read();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    read();
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    change(EVERYTHING);
  });
}

/**
 * @param {HTMLFormElement} form
 * @param {Query} query
 */
function fillForm(form, query) {
  for (const field of form.querySelectorAll("input, select")) {
    if (!(field instanceof HTMLInputElement || field instanceof HTMLSelectElement)) continue;
    const value = query[/** @type {keyof Query} */ (field.name)];
    if (field.value !== value) field.value = value;
    field.classList.toggle("set", value !== "");
  }
}

// --- the heads of the columns --------------------------------------------------------------------------------------------

/** @param {(column: string) => void} sortBy */
function openColumns(sortBy) {
  for (const head of document.querySelectorAll("th[data-column]")) {
    const button = element("button", { type: "button" }, head.textContent ?? "");
    button.addEventListener("click", () => sortBy(head.getAttribute("data-column") ?? ""));
    head.replaceChildren(button);
  }
}

/**
 * Once up, once down. By verdict is the order that all stand in at first.
 *
 * @param {Query} query
 * @param {string} column
 */
function nextOrder({ sort, order }, column) {
  const wanted = column === "verdict" ? "" : column;
  return { sort: wanted, order: sort === wanted && order === "" ? "desc" : "" };
}

/** @param {Query} query */
function markColumns({ sort, order }) {
  for (const head of document.querySelectorAll("th[data-column]")) {
    const isSorted = head.getAttribute("data-column") === (sort === "" ? "verdict" : sort);
    if (isSorted) head.setAttribute("aria-sort", order === "desc" ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

// --- the names in the charts ---------------------------------------------------------------------------------------------

/** @param {(name: string, value: string) => void} filter */
function openNames(filter) {
  for (const name of document.querySelectorAll("[data-filter]")) {
    const [by, value] = [name.getAttribute("data-filter") ?? "", name.getAttribute("data-value") ?? ""];
    const attributes = Object.fromEntries([...name.attributes].map((one) => [one.name, one.value]));
    const button = element(
      "button",
      { ...attributes, type: "button", "aria-pressed": "false" },
      name.textContent ?? "",
    );
    button.addEventListener("click", () => filter(by, value));
    name.replaceWith(button);
  }
}

/** @param {Query} query */
function markNames(query) {
  for (const button of document.querySelectorAll("button[data-filter]")) {
    const by = /** @type {keyof Query} */ (button.getAttribute("data-filter"));
    button.setAttribute("aria-pressed", String(query[by] === button.getAttribute("data-value")));
  }
}
