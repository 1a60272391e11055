// Retention: the server makes the page; its forms change rules and holds.

import { writeTimes } from "frametally/js/shared/format.js";
import { parseState } from "frametally/js/shared/state.js";
import { useZone, zoneOf } from "frametally/js/shared/time.js";
import { askForStrip } from "frametally/js/status/live.js";
import { startForms } from "./forms.js";

useZone(zoneOf(parseState(location.search)));
writeTimes();
askForStrip();
startForms();
