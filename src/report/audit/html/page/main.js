import { searcher } from "../query.ts";
import { find } from "./dom.js";
import { openFilters } from "./filters.js";
import { openTable } from "./table.js";
import { openThemes } from "./theme.js";

/** @type {import("../page-data.ts").PageData} */
const data = JSON.parse(find("#data", HTMLScriptElement).textContent ?? "");
const search = searcher(data);
const show = openTable(data);

openThemes();
openFilters((query) => show(search(query)));
