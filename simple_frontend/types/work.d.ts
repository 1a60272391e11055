// What is done to videos, found out about them, and made of them, as the API tells of it.

declare namespace Page {
  /** One of `GET /api/v1/jobs`. */
  interface Job extends VideoJob {
    video_id: string;
    video_name: string;
    /** Who is at it; empty: nobody. */
    worker: string;
  }

  interface Jobs {
    jobs: Job[];
    /** Where the next page begins; null: this was the last. */
    next: string | null;
    /** Of all jobs, whatever was asked for. */
    states: Partial<Record<JobState, number>>;
    kinds: Partial<Record<JobKind, Partial<Record<JobState, number>>>>;
    /** Those that failed and were not begun anew. */
    failures: Partial<Record<JobKind, { jobs: number; since_ms: number }>>;
    uploads_allowed: boolean;
    /** What to do where nothing may be changed. */
    remedy: string | null;
  }

  /** What a socket tells of one job; see docs/api.md. */
  interface ToldJob {
    video_id: string;
    job_id: string;
    kind: JobKind;
    state: JobState;
    progress: number | null;
    attempt: number;
    reason: string | null;
  }

  /** What is left out changes nothing. */
  interface Enhancement {
    brightness?: number;
    contrast?: number;
    gamma?: number;
    saturation?: number;
    denoise?: number;
    sharpen?: number;
    local_contrast?: number;
    deinterlace?: "auto" | "on" | "off";
    fps?: number | null;
  }

  /** A video that was made of another. */
  interface Derivative {
    video_id: string;
    kind: "playable" | "enhanced";
    recipe: string;
    enhancement: Enhancement | null;
    method: "remux" | "encode";
    video_encoder: string | null;
    sound: "copied" | "encoded" | "none";
    /** Encoders that could not be used, a sentence each. */
    tried: string[];
    content_type: string;
    size_bytes: number;
    width_px: number;
    height_px: number;
    frames: number;
    duration_s: number;
    url: string;
  }

  interface Derivatives {
    derivatives: Derivative[];
  }

  interface PictureStream {
    index: number;
    codec: string;
    profile: string | null;
    level: number | null;
    pixel_format: string | null;
    bits: number | null;
    color_space: string | null;
    color_transfer: string | null;
    color_primaries: string | null;
    color_range: string | null;
    width_px: number;
    height_px: number;
    sample_aspect_ratio: string | null;
    display_aspect_ratio: string | null;
    rotation_degrees: number;
    frames_stated: number | null;
    frames_counted: number;
    average_fps: number | null;
    real_fps: number | null;
    is_variable_rate: boolean;
    shortest_step_s: number | null;
    longest_step_s: number | null;
    time_base: string;
    longest_gop_frames: number | null;
    has_b_frames: boolean;
    bit_rate_bps: number | null;
    start_s: number | null;
    duration_s: number | null;
  }

  interface SoundStream {
    index: number;
    codec: string;
    profile: string | null;
    sample_rate_hz: number | null;
    channels: number | null;
    layout: string | null;
    language: string | null;
    bit_rate_bps: number | null;
    duration_s: number | null;
  }

  interface VideoMetadata {
    size_bytes: number;
    made_by: string;
    container: string;
    brands: string[];
    moov: "first" | "last" | null;
    duration_s: number | null;
    bit_rate_bps: number | null;
    created_at_ms: number | null;
    tags: Record<string, string>;
    had_location: boolean;
    pictures: PictureStream[];
    sounds: SoundStream[];
    others: string[];
    chapters: { title: string; start_s: number; end_s: number }[];
    plays_in_browsers: boolean;
    why_not: string | null;
    started_at_ms: number | null;
    time_source: Video["time_source"];
    sampled_frames: number | null;
  }

  interface VideoCheck {
    name: string;
    passed: boolean;
    sentence: string;
    /** null: nothing could be measured. */
    measured: number | null;
    limit: number;
    /** Of both, such as "s", "1" (a part of all), "fps", "px". */
    unit: string;
    /** Where, from and to, in seconds after the first frame. */
    spans_s?: [from: number, to: number][];
  }

  interface VideoQuality {
    passed: boolean;
    checks: VideoCheck[];
  }
}
