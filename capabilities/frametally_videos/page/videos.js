// Videos: the library with the state of each; you can upload and open videos.

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
  index: () => {}, // `status` updates the strip, and `videos` updates the list
  status: showStrip,
  videos: tellNews,
  away: list.away,
  back: list.back,
});
// The socket reports this browser's own uploads more often, and also if there are too many event streams.
onClient(holdSocket);
