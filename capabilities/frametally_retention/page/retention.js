// Retention: the server renders the page; its forms change rules and holds.

import { writeTimes } from "frametally/js/shared/format.js";
import { useAskedZone } from "frametally/js/shared/state.js";
import { askForStrip } from "frametally/js/status/live.js";
import { startForms } from "./forms.js";

useAskedZone();
writeTimes();
askForStrip();
startForms();
