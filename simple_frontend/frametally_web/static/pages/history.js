// The history of a number: the server makes the page; the strip shows the state of the books.

import { askForStrip } from "../js/status/live.js";

askForStrip();
