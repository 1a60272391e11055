// The messages of a live socket; the manual describes them under `WS /ws/stream`.

declare namespace Page {
  type ShownBox = [
    label: string,
    confidence: number,
    left: number,
    top: number,
    width: number,
    height: number,
    track: number | null,
  ];

  /** The header of a frame. */
  interface LiveFrame {
    type: "frame";
    stream_id: string;
    n: number;
    image_path: string;
    captured_at_ms: number;
    /** Only for videos. */
    position_s: number | null;
    sent_at_ms: number;
    /** `null` if unknown. */
    due_at_ms: number | null;
    width_px: number;
    height_px: number;
    model: string;
    boxes: ShownBox[];
    left_out: number;
  }

  interface LiveState {
    type: "state";
    state: Api.StreamOfVideo["state"];
    position_s: number | null;
    duration_s: number | null;
    fps: number | null;
    behind_ms: number | null;
    viewers: number;
    reason: string | null;
  }
}
