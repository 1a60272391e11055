// The libraries that the page loads as plain scripts.

import type { Chart as ChartClass } from "chart.js";

declare global {
  interface Window {
    Chart?: typeof ChartClass;
  }
}

export {};
