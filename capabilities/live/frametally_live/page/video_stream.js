// The stream on a video's page, in the place that the page has for it.

import { VideoStream } from "./feeds/stream.js";

document.addEventListener("frametally:video", (event) => {
  const place = /** @type {CustomEvent<Page.VideoPlace>} */ (event).detail;
  const stream = new VideoStream(place.video);
  place.slot.replaceChildren(stream.element);
  place.end = () => stream.end();
});
