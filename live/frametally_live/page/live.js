// Live: all cameras, how each stands, one of them large; they are added, started, stopped and removed here.

import { startWall } from "./feeds/wall.js";
import { parseState } from "frametally/js/shared/state.js";
import { useZone } from "frametally/js/shared/time.js";
import { zoneOf } from "frametally/js/shared/zones.js";
import { leadThere } from "frametally/js/shell/links.js";
import { listen } from "frametally/js/status/live.js";
import { showStrip } from "frametally/js/status/strip.js";

useZone(zoneOf(parseState(location.search)));
leadThere();
const { look, count } = startWall();
listen({
  index: count,
  status: showStrip,
  videos: look,
  away: look,
  back: look,
});
