// The audit log: the server makes the page; the strip shows the state of the books.

import { askForStrip } from "frametally/js/status/live.js";

askForStrip();
