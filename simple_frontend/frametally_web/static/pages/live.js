// Live: all cameras, how each stands, one of them large; they are added, started, stopped and removed here.

import { startWall } from "../js/live/wall.js";
import { parseState } from "../js/shared/state.js";
import { useZone } from "../js/shared/time.js";
import { zoneOf } from "../js/shared/zones.js";
import { leadThere } from "../js/shell/links.js";
import { listen } from "../js/status/live.js";
import { showStrip } from "../js/status/strip.js";

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
