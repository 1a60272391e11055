// Where you are signed in: the server renders the page; this script writes the times in your time zone and language.

import { writeTimes } from "frametally/js/shared/format.js";
import { useAskedZone } from "frametally/js/shared/state.js";

useAskedZone();
writeTimes();
