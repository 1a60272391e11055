// What the editor of lines and zones hands from script to script.

declare namespace Page {
  type ShapeKind = "line" | "zone" | "calibration";

  /** Something that is drawn, as the editor has it; what is of other kinds is empty. */
  interface Shape {
    /** Of this page alone. */
    id: number;
    kind: ShapeKind;
    name: string;
    /** Event time from which on it holds; null: from the first. */
    from_ms: number | null;
    to_ms: number | null;
    /** Size of the picture that it was drawn over, of whose pixels its points are. */
    width_px: number;
    height_px: number;
    /** Of a calibration by rectangles: four of each in turn. */
    points: [x: number, y: number][];
    to_right: string;
    to_left: string;
    inward: "to_right" | "to_left" | null;
    side: Api.DrawnLine["side"];
    /** Of a calibration by points: where each lies; null: not said yet. */
    metres: [x: number | null, y: number | null][];
    /** Of a calibration by rectangles: both sides of each. */
    sides_m: [first: number | null, second: number | null][];
    distance_m: number | null;
  }
}
