// The API page: Swagger UI with our OpenAPI document. Only this page loads it.

import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import { askForStrip } from "../js/status/live.js";

/** @typedef {{description: string, example?: unknown}} Parameter */
/** @typedef {{React: {createElement: (kind: unknown, properties: object|null, ...children: unknown[]) => unknown}}} System */

/**
 * Only the routes, without a heading, a server choice and a second `main`, which the page already has. Descriptions
 * are plain text, because rendering them as markup would need an exception from the content security policy.
 * @param {System} system
 */
const Plain = ({ React }) => ({
  components: {
    Routes: (
      /** @type {{getComponent: (name: string, isContainer?: boolean) => unknown}} */ { getComponent },
    ) =>
      React.createElement(
        "div",
        { className: "swagger-ui" },
        React.createElement(getComponent("SvgAssets"), null),
        React.createElement(getComponent("operations", true), null),
      ),
    Markdown: (/** @type {{source: string}} */ { source }) =>
      React.createElement("div", { className: "markdown" }, source.replaceAll("`", "")),
  },
});

/**
 * Shows examples as text: Swagger UI would fill them in and request data that this server may not have.
 * @param {Parameter} parameter
 */
function tellExample(parameter) {
  const { example } = parameter;
  if (example !== undefined) parameter.description += ` For example: ${example}.`;
  delete parameter.example;
}

/**
 * Names Swagger UI's fields, lets the keyboard scroll its answers, and adds the heading level that it skips.
 * @param {HTMLElement} place
 */
function mend(place) {
  for (const field of place.querySelectorAll("input:not([aria-label]), select:not([aria-label])")) {
    const row = /** @type {HTMLElement|null} */ (field.closest("[data-param-name]"));
    field.setAttribute("aria-label", row?.dataset.paramName ?? "Media type");
  }
  for (const body of place.querySelectorAll("textarea:not([aria-label])")) {
    body.setAttribute("aria-label", "What is sent");
  }
  for (const heading of place.querySelectorAll("h3.opblock-tag")) heading.setAttribute("aria-level", "2");
  for (const text of place.querySelectorAll("pre:not([tabindex])")) text.setAttribute("tabindex", "0");
}

async function start() {
  const place = /** @type {HTMLElement} */ (document.getElementById("operations"));
  const url = /** @type {string} */ (place.dataset.openapi);
  const spec = await (await fetch(url)).json();
  for (const operations of Object.values(spec.paths)) {
    for (const { parameters } of Object.values(operations)) parameters.forEach(tellExample);
  }
  new MutationObserver(() => mend(place)).observe(place, { childList: true, subtree: true });
  SwaggerUI({
    spec,
    domNode: place,
    validatorUrl: null,
    docExpansion: "list",
    defaultModelsExpandDepth: -1,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    syntaxHighlight: { activated: false },
    plugins: [Plain],
    layout: "Routes",
  });
}

start();
askForStrip();
