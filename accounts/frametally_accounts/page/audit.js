// The audit log: the page is made by the server; the strip tells how the books stand.

import { askForStrip } from "frametally/js/status/live.js";

askForStrip();
