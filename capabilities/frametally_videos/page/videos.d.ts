// The types that the scripts of videos share, and the messages of `WS /ws/{client_id}` in the manual.

declare namespace Page {
  /** A place on a video's page where other capabilities add their parts. */
  interface VideoPlace {
    video: Api.LibraryVideo;
    slot: HTMLElement;
    end: () => void;
  }

  /** A socket's message about one job. */
  interface ToldJob extends Pick<Api.JobOfVideo, "video_id" | "kind" | "state" | "progress" | "reason"> {
    job_id: string;
    attempt: number;
  }
}
