// The history of a number: the page is made by the server; the strip tells how the books stand.

import { askForStrip } from "../js/status/live.js";

askForStrip();
