// What is to be known about a frame beside its picture.

import { el } from "./dom.js";

/** @returns {HTMLElement[]} one per remark */
export function remarksOn(frame) {
  const remarks = [];
  if (frame.time_source === "file_time") remarks.push("Time from the file's date, not from the camera");
  if (frame.note) remarks.push(frame.note);
  return remarks.map((text) => el("span", { class: "remark", text }));
}
