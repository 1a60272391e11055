// On the models page: which of two models is more accurate, if an accuracy check covers the footage.

import { getFrom } from "frametally/js/shared/api.js";
import { el } from "frametally/js/shared/dom.js";
import { difference } from "frametally/js/shared/format.js";
import { numberCell, rowOf, scrolledTable } from "frametally/js/shared/tables.js";
import { wordsOf } from "frametally/js/status/notices.js";
import { t } from "frametally/js/shared/texts.js";

/** The last chosen pair; the page ignores answers about another pair. @type {Page.ModelPair|null} */
let asked = null;

document.addEventListener("frametally:models", async (event) => {
  const pair = /** @type {CustomEvent<Page.ModelPair>} */ (event).detail;
  asked = pair;
  const parts = await partsOf(pair).catch((error) => [el("p.notice.error", wordsOf(error))]);
  if (asked === pair) pair.slot.replaceChildren(el("h3", t("accuracy.which_model_is_better_here")), ...parts);
});

/** @param {Page.ModelPair} pair */
async function partsOf({ first, second }) {
  /** @type {Api.Checks} */
  const { checks } = await getFrom("accuracy");
  const own = checks.filter(({ model }) => model === first || model === second);
  if (!own.length) return [el("p.muted", t("accuracy.no_check_covers_these_models"), " ", startLink())];
  const rows = await Promise.all(own.map((check) => rowsOf(check, check.model === first ? second : first)));
  const names = [t("accuracy.check"), t("web.label"), t("accuracy.better_here"), t("accuracy.difference_of_errors")];
  const table = scrolledTable(t("accuracy.which_model_is_better_here"), names, 3, rows.flat());
  return [table, el("p.muted.small", t("accuracy.errors_are_distances"))];
} // prettier-ignore

const startLink = () => el("a", { href: "/accuracy" }, t("accuracy.start_a_check"));

/** @param {Api.CheckSummary} check @param {string} other */
async function rowsOf(check, other) {
  const address = `/accuracy?${new URLSearchParams({ check: check.id, view: "result" })}`;
  const link = () => el("a", { href: address }, check.name);
  try {
    /** @type {Api.CheckAnswers} */
    const { compared } = await getFrom(`accuracy/${check.id}`, new URLSearchParams({ against: other }));
    return (compared ?? []).map(({ label, better, difference: apart, low, high }) =>
      rowOf(
        link(),
        el("td", label),
        el("td.words", better === null ? t("accuracy.too_few_answers") : better === "neither" ? t("accuracy.neither_is_better") : better === "check" ? check.model : other),
        numberCell(apart === null || low === null || high === null ? "–" : t("accuracy.difference_and_range", { apart: difference(apart), low: difference(low), high: difference(high) })),
      ),
    );
  } catch (error) {
    return [rowOf(link(), el("td.words", { colspan: 3 }, wordsOf(error)))];
  }
} // prettier-ignore
