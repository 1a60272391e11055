// The audit log: the server renders the page; the strip shows the state of the books.

import { writeTimes } from "frametally/js/shared/format.js";
import { useZone } from "frametally/js/shared/time.js";
import { askForStrip } from "frametally/js/status/live.js";

useZone("UTC");
writeTimes();
askForStrip();
