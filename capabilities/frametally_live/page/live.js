// Live: all cameras with their states, one of them large; here you can add, start, stop and delete cameras.

import { startWall } from "./feeds/wall.js";
import { useAskedZone } from "frametally/js/shared/state.js";
import { leadThere } from "frametally/js/shell/navigation.js";
import { listen, showStrip } from "frametally/js/status/live.js";

useAskedZone();
leadThere();
const { look, count } = startWall();
listen({
  index: count,
  status: showStrip,
  videos: look,
  away: look,
  back: look,
});
