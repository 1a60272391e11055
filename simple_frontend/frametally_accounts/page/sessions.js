// Where you are signed in: the server makes the page; its times are written by your clock, in your language.

import { writeTimes } from "frametally/js/shared/format.js";
import { parseState } from "frametally/js/shared/state.js";
import { useZone, zoneOf } from "frametally/js/shared/time.js";

useZone(zoneOf(parseState(location.search)));
writeTimes();
