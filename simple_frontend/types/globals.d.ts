// The libraries that the page loads as plain scripts.

import type { Chart as ChartClass } from "chart.js";
import type * as Luxon from "luxon";

declare global {
  interface Window {
    Chart?: typeof ChartClass;
    luxon?: typeof Luxon;
  }
}

export {};
