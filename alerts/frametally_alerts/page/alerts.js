// Alerts: the page is made by the server; its times are shown by the viewer's clocks, as on all pages.

import { byId } from "frametally/js/shared/dom.js";
import { moment } from "frametally/js/shared/format.js";
import { zoneInUse } from "frametally/js/shared/time.js";
import { askForStrip } from "frametally/js/status/strip.js";

for (const time of document.querySelectorAll("time")) time.textContent = moment(Date.parse(time.dateTime));
byId("zone").textContent = zoneInUse();
askForStrip();
