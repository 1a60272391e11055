// Jobs: processing of videos that waits, runs or failed, and why; each can be tried again or cancelled.

import { startJobs } from "./jobs/list.js";
import { useAskedZone } from "frametally/js/shared/state.js";
import { leadThere } from "frametally/js/shell/navigation.js";
import { listen, showStrip } from "frametally/js/status/live.js";
import { tellNews } from "./library/news.js";

useAskedZone();
leadThere();
const jobs = startJobs();
listen({
  index: () => {}, // no number here is of the counts
  status: showStrip,
  videos: tellNews,
  away: jobs.away,
  back: jobs.back,
});
