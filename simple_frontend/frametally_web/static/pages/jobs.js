// Jobs: what is done to videos, what waits, what failed and why; each can be tried again or cancelled.

import { startJobs } from "../js/jobs/list.js";
import { parseState } from "../js/shared/state.js";
import { useZone } from "../js/shared/time.js";
import { zoneOf } from "../js/shared/zones.js";
import { leadThere } from "../js/shell/links.js";
import { listen } from "../js/status/live.js";
import { showStrip } from "../js/status/strip.js";
import { tellNews } from "../js/videos/news.js";

useZone(zoneOf(parseState(location.search)));
leadThere();
const jobs = startJobs();
listen({
  index: () => {}, // no number here is of the counts
  status: showStrip,
  videos: tellNews,
  away: jobs.away,
  back: jobs.back,
});
