// Videos: the ones that there are, with how far each has come; new ones are brought in here, and one can be opened.

import { byId } from "../js/shared/dom.js";
import { parseState } from "../js/shared/state.js";
import { useZone } from "../js/shared/time.js";
import { zoneOf } from "../js/shared/zones.js";
import { leadThere } from "../js/shell/links.js";
import { listen } from "../js/status/live.js";
import { showStrip } from "../js/status/strip.js";
import { onClient } from "../js/uploads/client.js";
import { startUploads } from "../js/uploads/panel.js";
import { startPanel } from "../js/video/panel.js";
import { sourcesSeen, startList } from "../js/videos/list.js";
import { tellNews } from "../js/videos/news.js";
import { holdSocket } from "../js/videos/socket.js";

useZone(zoneOf(parseState(location.search)));
leadThere();
const uploads = startUploads(sourcesSeen);
const list = startList(uploads.allow);
startPanel(byId("video"));
listen({
  index: () => {}, // the strip's numbers come with the books, the videos' with the videos
  status: showStrip,
  videos: tellNews,
  away: list.away,
  back: list.back,
});
// What it has uploaded itself it is told of oftener, and where there are too many streams.
onClient(holdSocket);
