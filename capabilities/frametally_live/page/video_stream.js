// Adds the stream to a video's page.

import { VideoStream } from "./feeds/stream.js";

document.addEventListener("frametally:video", (event) => {
  const place = /** @type {CustomEvent<Page.VideoPlace>} */ (event).detail;
  const stream = new VideoStream(place.video);
  place.slot.replaceChildren(stream.element);
  place.end = () => stream.end();
});
