// Retention: the server makes the page; only its times are written here.

import { writeTimes } from "frametally/js/shared/format.js";
import { parseState } from "frametally/js/shared/state.js";
import { useZone, zoneOf } from "frametally/js/shared/time.js";
import { askForStrip } from "frametally/js/status/live.js";

useZone(zoneOf(parseState(location.search)));
writeTimes();
askForStrip();
