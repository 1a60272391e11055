// The API's answers by their names in the OpenAPI document: `npm run api-types` creates openapi.d.ts from it.

import type { CountBucket, Counts, paths, Total } from "./openapi";

export type * from "./openapi";
export as namespace Api;

export type Metric = Counts["metric"];
export type Missing = NonNullable<CountBucket["objects_missing"]>;
/** The known measures of a label in an interval, an hour of the week, or the whole answer. */
export type Measures = Pick<Total, "detections" | "peak" | "mean_per_frame" | "objects" | "measured_objects">;
/** "counts", "labels", … */
export type Route = keyof paths extends infer Path ? (Path extends `/${infer Name}` ? Name : never) : never;
/** The answer to a GET request. */
export type Answer<Name extends Route> = paths[`/${Name}`]["get"]["responses"][200]["content"] extends {
  "application/json": infer Body;
}
  ? Body
  : unknown;
