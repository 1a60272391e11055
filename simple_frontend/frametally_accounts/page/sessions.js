// Where you are signed in: the server makes the page; its times are written by your clock, in your language.

import { writeTimes } from "frametally/js/shared/format.js";
import { useAskedZone } from "frametally/js/shared/state.js";

useAskedZone();
writeTimes();
