// The types that the scripts of the line and zone editor share.

declare namespace Page {
  type ShapeKind = "line" | "zone" | "calibration";

  /** A shape in the editor; fields of other kinds are empty. */
  interface Shape {
    /** Unique on this page only. */
    id: number;
    kind: ShapeKind;
    name: string;
    /** Event time from which the shape is valid; `null` means from the beginning. */
    from_ms: number | null;
    to_ms: number | null;
    /** Size of the picture that you drew it over; the points are in its pixels. */
    width_px: number;
    height_px: number;
    /** For a calibration with rectangles: four points per rectangle. */
    points: [x: number, y: number][];
    to_right: string;
    to_left: string;
    inward: "to_right" | "to_left" | null;
    side: Api.DrawnLine["side"];
    /** For a calibration with points: their coordinates in metres; `null` until you enter them. */
    metres: [x: number | null, y: number | null][];
    /** For a calibration with rectangles: both sides of each. */
    sides_m: [first: number | null, second: number | null][];
    distance_m: number | null;
  }
}
