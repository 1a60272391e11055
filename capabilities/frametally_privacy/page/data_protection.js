// Data protection: the server renders the page, with times in UTC, because people print and file it.

import { askForStrip } from "frametally/js/status/live.js";

askForStrip();
