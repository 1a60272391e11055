// Videos as `GET /api/v1/videos` and `GET /api/v1/videos/{video_id}` tell of them.

declare namespace Page {
  type VideoState =
    "received" | "needs_time" | "producing" | "detecting" | "counting" | "ready" | "failed" | "deleting";

  type JobKind = "frames" | "previews" | "metadata" | "checks" | "playable" | "enhance" | "gold" | "removal";
  type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

  interface VideoJob {
    id: string;
    kind: JobKind;
    state: JobState;
    /** What was asked for, of a video that is enhanced. */
    options?: Enhancement | null;
    attempts: number;
    /** 0 to 1; null: it cannot be told. */
    progress: number | null;
    reason: string | null;
    created_at_ms: number;
    started_at_ms: number | null;
    ended_at_ms: number | null;
  }

  /** Where a video's page shows what other capabilities have of it. */
  interface VideoPlace {
    video: Video;
    slot: HTMLElement;
    end: () => void;
  }

  interface Video {
    id: string;
    file_id: string;
    name: string;
    file_name: string;
    source: string;
    source_name: string;
    state: VideoState;
    reason: string | null;
    remedy: string | null;
    /** 0 to 1; null: nothing is under way, or it cannot be told. */
    progress: number | null;
    uploaded_at_ms: number;
    /** Account of the one who uploaded it; null: nobody had to say who they are. */
    owner: string | null;
    started_at_ms: number | null;
    ended_at_ms: number | null;
    time_source:
      "start_time" | "exif" | "container" | "stream_clock" | "file_name" | "file_time" | "arrival" | null;
    /** Only the file's date, or when it was uploaded, says when it was filmed. */
    time_is_guess?: boolean;
    /** What its upload moved from where the same bytes were counted before. */
    moved_from?: {
      source: string;
      source_name: string;
      from_ms: number;
      to_ms: number;
      frames: number;
    } | null;
    duration_s: number | null;
    width_px: number;
    height_px: number;
    fps: number | null;
    size_bytes: number;
    sha256: string;
    container: string;
    codec: string;
    content_type: string;
    has_sound: boolean;
    plays_in_browsers: boolean;
    why_not: string | null;
    damage: string[];
    /** Distinct frames; null: not known yet. */
    frames: {
      expected: number | null;
      announced: number | null;
      detected: number | null;
      dead_lettered: number | null;
      counted: number | null;
    };
    /** Detections by label. */
    labels: Record<string, number>;
    detections_counted: number | null;
    objects_counted: number | null;
    roi: unknown;
    calibration: unknown;
    revision: number;
    links: {
      original: string;
      playable: string | null;
      poster: string | null;
      sprite: string | null;
      sprite_vtt: string | null;
      detections: string;
      chart: string | null;
      /** null: not found out yet. */
      metadata?: string | null;
      quality?: string | null;
      /** The newest one; null: there is none. */
      enhanced?: string | null;
      [name: string]: string | null;
    };
    /** Empty in a list. */
    jobs: VideoJob[];
  }

  interface Videos {
    videos: Video[];
    /** Where the next page begins; empty or null: this was the last. */
    next: string | null;
    total: number;
    states: Partial<Record<VideoState, number>>;
    uploads_allowed: boolean;
    /** What to do where uploads are not allowed. */
    remedy: string | null;
  }
}
