// Videos: the library with the state of each; you can upload new ones and open one.

import { useAskedZone } from "frametally/js/shared/state.js";
import { leadThere } from "frametally/js/shell/navigation.js";
import { listen, showStrip } from "frametally/js/status/live.js";
import { onClient } from "./uploads/client.js";
import { startUploads } from "./uploads/panel.js";
import { allowChanges, startPanel } from "./video/panel.js";
import { sourcesSeen, startList } from "./library/list.js";
import { holdSocket, tellNews } from "./library/news.js";

useAskedZone();
leadThere();
const uploads = startUploads(sourcesSeen);
const list = startList((videos) => {
  uploads.allow(videos);
  allowChanges(videos);
});
startPanel();
listen({
  index: () => {}, // the strip's numbers come with the books, the videos' with the videos
  status: showStrip,
  videos: tellNews,
  away: list.away,
  back: list.back,
});
// What it has uploaded itself it is told of oftener, and where there are too many streams.
onClient(holdSocket);
