// Data protection: the server makes the page, with times in UTC, as it is printed and filed.

import { askForStrip } from "frametally/js/status/live.js";

askForStrip();
