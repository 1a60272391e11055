// The history of a number: the server makes the page; the strip shows the state of the books.

import { byId } from "../js/shared/dom.js";
import { writeTimes } from "../js/shared/format.js";
import { useZone } from "../js/shared/time.js";
import { askForStrip } from "../js/status/live.js";

useZone(byId("history-page").dataset.timezone ?? "UTC");
writeTimes();
askForStrip();
