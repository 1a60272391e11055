// Alerts: the server renders the page; this script fills, tries and sends its forms.

import { startChannels } from "./channels.js";
import { startForms } from "./forms.js";
import { byId } from "frametally/js/shared/dom.js";
import { writeTimes } from "frametally/js/shared/format.js";
import { useAskedZone } from "frametally/js/shared/state.js";
import { zoneInUse } from "frametally/js/shared/time.js";
import { askForStrip } from "frametally/js/status/live.js";

useAskedZone();
writeTimes();
byId("zone").textContent = zoneInUse();
askForStrip();
startForms();
startChannels();
