// That something about the videos has changed: told by the server, or by a part of the page that changed it.

/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * @param {() => void} listener
 * @returns {() => void} ends it
 */
export function onNews(listener) {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

/** A video was changed, removed or brought in: all that show videos ask anew. */
export function tellNews() {
  for (const listener of listeners) listener();
}

/** @type {Set<(job: Page.ToldJob) => void>} */
const jobListeners = new Set();

/**
 * Listens for how far single jobs are, which is told oftener than all else.
 * @param {(job: Page.ToldJob) => void} listener
 */
export function onJob(listener) {
  jobListeners.add(listener);
}

/** A job is so far now; one that is no more under way has changed its video, too. @param {Page.ToldJob} job */
export function tellJob(job) {
  for (const listener of jobListeners) listener(job);
  if (job.state !== "running") tellNews();
}
