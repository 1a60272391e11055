// The history of a number: the server renders the page; the strip shows the state of the books.

import { byId } from "../js/shared/dom.js";
import { writeTimes } from "../js/shared/format.js";
import { parseState } from "../js/shared/state.js";
import { useZone, zoneOf } from "../js/shared/time.js";
import { askForStrip } from "../js/status/live.js";

const zone = zoneOf(parseState(location.search));
// The server does not know the reader's time zone, and its sentences contain times, so request the page again with
// it.
if (byId("history-page").dataset.timezone !== zone) {
  const asked = new URLSearchParams(location.search);
  if (!asked.has("timezone")) location.replace(`?${(asked.set("timezone", zone), asked)}`);
}
useZone(zone);
writeTimes();
askForStrip();
