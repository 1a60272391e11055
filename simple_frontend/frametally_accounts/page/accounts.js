// Accounts: lists, adds, changes and deletes people and tokens; it shows each secret once.

import { ApiError, getFrom, send } from "frametally/js/shared/api.js";
import { byId, control, copyText, el, fillSelect, refill } from "frametally/js/shared/dom.js";
import { listIn, textsIn } from "frametally/js/status/forms.js";
import { toTheMinute } from "frametally/js/shared/format.js";
import { askForStrip } from "frametally/js/status/live.js";
import { hideNotice, press, showFailed } from "frametally/js/status/notices.js";
import { t } from "frametally/js/shared/texts.js";

/** @typedef {Api.ListedAccount} Account */
/** @typedef {Api.ListedToken} Token */
/** @typedef {{title: string, words: string, text: string}} Secret */

const page = byId("accounts-page");
const SHOWN_ONCE = t("accounts.this_page_shows_it_only_now");

/** @param {...string} parts */
const pathOf = (...parts) => parts.map(encodeURIComponent).join("/");

/** @param {string[]} sources @param {string} otherwise */
const sourcesOf = (sources, otherwise) => (sources.length ? sources.join(", ") : otherwise);

/** @param {Secret} secret */
function showSecret({ title, words, text }) {
  byId("secret-title").textContent = title;
  byId("secret-words").textContent = words;
  byId("secret-text").textContent = text;
  byId("secret").hidden = false;
  byId("secret").focus();
}

/**
 * Makes a change, then reloads the list.
 * @param {() => Promise<any>} make
 * @param {(answer: any) => Secret|null} [secretOf]  returns the secret in the answer that the administrator has to
 *   pass on
 * @returns {Promise<boolean>}  whether the change was made
 */
async function change(make, secretOf = () => null) {
  byId("notes").hidden = true;
  return press([], byId("problem"), async () => {
    const answer = await make();
    const secret = secretOf(answer);
    if (secret) showSecret(secret);
    const notes = answer?.notes?.join(" ") ?? "";
    const said = { name: answer?.name, notes };
    byId("notes").textContent = secret
      ? t("accounts.was_added_but", said)
      : t("accounts.was_changed_but", said);
    byId("notes").hidden = !notes;
    if (secret) list().catch(closed);
    else await load();
  });
}

/**
 * After the first account, everyone must sign in: clears the page, but keeps the link of that account readable.
 * @param {unknown} error
 */
function closed(error) {
  if (!(error instanceof ApiError) || error.status !== 401) return;
  byId("people").replaceChildren();
  byId("new-account").hidden = true;
  byId("notes").textContent = t("accounts.you_must_now_sign_in_too");
  byId("notes").hidden = false;
}

/** @param {any} answer */
const linkOf = (answer) => ({
  title: t("accounts.link_for", { name: answer.name }),
  words: t("accounts.send_it_to_who_chooses_a", { name: answer.name, SHOWN_ONCE }),
  text: answer.link,
});

/** @param {any} answer */
const codesOf = (answer) =>
  answer.codes && {
    title: t("accounts.codes_for", { name: answer.name }),
    words: t("accounts.adds_this_address_to_an_authenticator", { name: answer.name, SHOWN_ONCE }),
    text: answer.codes,
  };

/** @param {any} answer */
const tokenOf = (answer) => ({
  title: t("accounts.token_of", { name: answer.name, account: answer.account }),
  words: t("accounts.the_program_sends_it_as_authorization", { SHOWN_ONCE }),
  text: answer.secret,
});

/**
 * A button whose accessible name is longer than its text.
 * @param {string} words
 * @param {string} name
 * @param {() => void} onclick
 */
const labelled = (words, name, onclick) => el("button.button", { "aria-label": name, onclick }, words);

/**
 * A button that deletes something after you confirm with a second button.
 * @param {string} what
 * @param {string} consequence
 * @param {() => Promise<any>} remove
 */
function removal(what, consequence, remove) {
  const area = el("span.row");
  const ask = labelled(t("accounts.remove_button"), t("accounts.remove", { what }), confirm);
  function confirm() {
    const sure = el("button.button.primary", { onclick: remove }, t("accounts.yes_remove", { what }));
    const back = el("button.button", { onclick: cancel }, t("web.cancel"));
    area.replaceChildren(el("span", consequence), sure, back);
    sure.focus();
  }
  function cancel() {
    area.replaceChildren(ask);
    ask.focus();
  }
  area.append(ask);
  return area;
}

const ROLES = {
  look: t("accounts.role_look"),
  correct: t("accounts.role_correct"),
  run: t("accounts.role_run"),
};

/** @param {Account} account */
function rightsForm(account) {
  const role = el("select", { "aria-label": t("accounts.role_of", { name: account.name }) });
  fillSelect(role, Object.entries(ROLES), account.role);
  const sources = el("input", {
    "aria-label": t("accounts.sources_of_with_commas_empty_all", { name: account.name }),
    value: account.sources.join(", "),
    placeholder: t("accounts.all_sources"),
    maxlength: 2000,
  });
  return el(
    "form.entry-form",
    {
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        const sent = { role: role.value, sources: listIn(sources.value.trim()) };
        change(() => send("PATCH", `accounts/${pathOf(account.name)}`, sent));
      },
    },
    el("span.field", role),
    el("span.field", sources),
    el("button.button.primary", { type: "submit" }, t("accounts.save")),
  );
}

/** @param {Account} account */
function accountEntry(account) {
  const { name } = account;
  const path = `accounts/${pathOf(name)}`;
  const proof = account.has_password ? t("accounts.has_a_password") : t("accounts.has_no_password_yet");
  const codes = account.has_codes ? t("accounts.signs_in_with_codes") : t("accounts.signs_in_without_codes");
  const about = { "aria-label": t("accounts.role_and_sources_of", { name }) };
  const part = account.has_codes ? t("accounts.codes_off") : t("accounts.codes_on");
  const link = () => change(() => send("POST", `${path}/link`, {}), linkOf);
  const turn = () => change(() => send("PATCH", path, { codes: !account.has_codes }), codesOf);
  const buttons = el(
    "div.row",
    labelled(t("accounts.new_password_link"), t("accounts.new_password_link_for", { name }), link),
    labelled(part, t("accounts.for", { part, name }), turn),
    removal(name, t("accounts.is_signed_out_and_loses_all", { name }), () =>
      change(() => send("DELETE", path, {})).then(() => {
        if (name === page.dataset.visitor && byId("problem").hidden) location.assign("/sign-in");
      }),
    ),
  );
  return el(
    "li.entry",
    el(
      "p",
      el("strong", name),
      ` · ${ROLES[account.role]} · ${sourcesOf(account.sources, t("accounts.all_sources"))}`,
    ),
    el("p.muted.small", t("accounts.and_is_signed_in", { name, proof, codes, sessions: account.sessions })),
    buttons,
    el("details", el("summary", about, t("accounts.role_and_sources")), rightsForm(account)),
  );
}

/** @param {Token} token */
function tokenEntry(token) {
  const { account, name } = token;
  const used = token.used_at_ms
    ? t("accounts.used_last", { used_at_ms: toTheMinute(token.used_at_ms) })
    : t("accounts.never_used");
  const when = { ends_at_ms: toTheMinute(token.ends_at_ms), used };
  return el(
    "li.entry",
    el(
      "p",
      el("strong", name),
      t("accounts.of", {
        account,
        role: ROLES[token.role],
        sources: sourcesOf(token.sources, t("accounts.its_accounts_sources")),
      }),
    ),
    el(
      "p.muted.small",
      token.ends_at_ms < Date.now() ? t("accounts.it_ended", when) : t("accounts.it_ends", when),
    ),
    removal(
      t("accounts.name_of_account", { name, account }),
      t("accounts.programs_that_send_it_are_refused"),
      () => change(() => send("DELETE", `tokens/${pathOf(account, name)}`, {})),
    ),
  );
}

/** A dashboard without sign-in may not have an accounts database. @param {unknown} error @returns {Api.AccountList} */
function without(error) {
  if (!(error instanceof ApiError) || error.status !== 404) throw error;
  byId("new-account").hidden = true;
  return { accounts: [], tokens: [] };
}

async function list() {
  const { accounts, tokens } = /** @type {Api.AccountList} */ (await getFrom("accounts").catch(without));
  const command = el("code", t("accounts.frametally_users_add_name_role_run"));
  const nobody = el("li", `${t("accounts.nobody_has_an_account_the_first")} `, command);
  refill(byId("people"), ...(accounts.length ? accounts.map(accountEntry) : [nobody]));
  if (!accounts.length) control("account-role", HTMLSelectElement).value = "run";
  byId("new-token").hidden = !accounts.length;
  const none = el("li", t("accounts.there_are_no_tokens"));
  refill(byId("tokens"), ...(tokens.length ? tokens.map(tokenEntry) : [none]));
  const names = accounts.map(({ name }) => [name, name]);
  const account = control("token-account", HTMLSelectElement);
  fillSelect(account, names, account.value || accounts[0]?.name || "");
  page.dataset.state = "ready";
}

const load = () => list().then(hideNotice, (error) => showFailed(page, error, load));

/**
 * Sends a change when you submit a form, and clears the form after success.
 * @param {string} id
 * @param {(text: ReturnType<typeof textsIn>) => Promise<boolean>} make
 */
function onSubmit(id, make) {
  const form = control(id, HTMLFormElement);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await make(textsIn(form))) form.reset();
  });
}

onSubmit("new-account", (text) => {
  const sent = { name: text("name"), role: text("role"), sources: listIn(text("sources")) };
  return change(() => send("POST", "accounts", sent), linkOf);
});
onSubmit("new-token", (text) => {
  const sent = {
    account: text("account"),
    name: text("name"),
    role: text("role") || null,
    sources: listIn(text("sources")),
    days: Number(text("days")),
  };
  return change(() => send("POST", "tokens", sent), tokenOf);
});
byId("secret-copy").addEventListener("click", () =>
  copyText(byId("secret-text").textContent ?? "", byId("secret-copy")),
);
byId("secret-done").addEventListener("click", () => {
  byId("secret-text").textContent = "";
  byId("secret").hidden = true;
});
load();
askForStrip();
