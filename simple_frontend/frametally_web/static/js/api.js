// The JSON API. Errors arrive as RFC 9457 problem documents and leave here as ApiError.

const BASE = "api/v1";

export class ApiError extends Error {
  /** @param {number} status  HTTP status; 0 if there was no answer at all */
  constructor(status, detail, remedy) {
    super(detail);
    this.status = status;
    this.remedy = remedy;
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return this.status === 0 || this.status >= 500;
  }
}

/** The selection as the API's query parameters; `interval` only where the route has it. */
export function selectionQuery({ labels, sources, from, to, model, interval }) {
  const query = new URLSearchParams();
  labels.forEach((label) => query.append("label", label));
  sources.forEach((source) => query.append("source", source));
  if (from !== null) query.set("from", from);
  if (to !== null) query.set("to", to);
  if (model) query.set("model", model);
  if (interval) query.set("interval", interval);
  return query;
}

/** GET `route` with `query`. Throws ApiError, or the signal's AbortError. */
export async function get(route, query = new URLSearchParams(), signal = undefined) {
  const text = String(query);
  let response;
  try {
    response = await fetch(`${BASE}/${route}${text ? `?${text}` : ""}`, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server of this page does not answer.", "");
  }
  if (!response.ok) throw await problemOf(response);
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server's answer was cut short.", "");
  }
}

async function problemOf(response) {
  const problem = await response.json().catch(() => ({}));
  return new ApiError(
    response.status,
    problem.detail ?? `The server answered ${response.status}.`,
    problem.remedy ?? "",
  );
}
