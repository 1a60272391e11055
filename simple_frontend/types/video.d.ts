// What is found in one video, as `GET /api/v1/videos/{video_id}/detections` tells it.

declare namespace Page {
  type FoundBox = [
    label: string,
    confidence: number,
    left: number,
    top: number,
    width: number,
    height: number,
  ];

  interface AnalysedFrame {
    /** Seconds after the video's first frame, by presentation time. */
    position_s: number;
    captured_at_ms: number;
    boxes: FoundBox[];
  }

  interface Detections {
    /** null: nothing was detected yet. */
    model: string | null;
    /** Of the picture whose pixels the boxes are in; null: there is none. */
    width_px: number | null;
    height_px: number | null;
    frames: AnalysedFrame[];
    /** Where what was asked for goes on; null: that was all of the video. */
    next_s: number | null;
  }

  /** What may be changed of a video; what is left out stays. */
  interface VideoChange {
    name?: string;
    source?: string;
    start_time?: string;
    timezone?: string;
  }
}
