// Jobs: video processing that is waiting, running or failed, and why; you can retry or cancel each job.

import { startJobs } from "./jobs/list.js";
import { useAskedZone } from "frametally/js/shared/state.js";
import { leadThere } from "frametally/js/shell/navigation.js";
import { listen, showStrip } from "frametally/js/status/live.js";
import { tellNews } from "./library/news.js";

useAskedZone();
leadThere();
const jobs = startJobs();
listen({
  index: () => {}, // this page does not show counts
  status: showStrip,
  videos: tellNews,
  away: jobs.away,
  back: jobs.back,
});
