// Accuracy checks: the list and the form, the desk where people correct frames, and the results.

import { showChecks } from "./check/list.js";
import { openDesk } from "./check/desk.js";
import { showCertificate, showResult } from "./check/result.js";
import { byId } from "frametally/js/shared/dom.js";
import { askForStrip } from "frametally/js/status/live.js";
import { hideNotice, showFailed } from "frametally/js/status/notices.js";

const asked = new URLSearchParams(location.search);
const check = asked.get("check");
const view = asked.get("view") ?? "desk";
const page = byId("accuracy-page");

/** @type {Record<string, (check: string) => Promise<void>>} */
const VIEWS = { desk: openDesk, result: showResult, certificate: showCertificate };

async function open() {
  try {
    byId("to-list").hidden = check === null;
    if (check === null) await showChecks();
    else await (VIEWS[view] ?? openDesk)(check);
    byId("fault-title").hidden = true;
    if (page.dataset.state === "failed") hideNotice(); // keep the message about a refused answer
    page.dataset.state = "ready";
  } catch (error) {
    byId("fault-title").hidden = false;
    showFailed(page, error, open);
  } finally {
    page.setAttribute("aria-busy", "false");
  }
}

open();
askForStrip();
