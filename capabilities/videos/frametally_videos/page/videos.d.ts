// What the pages of videos hand to each other, and what `WS /ws/{client_id}` of the manual tells.

declare namespace Page {
  /** Where a video's page shows what other capabilities have of it. */
  interface VideoPlace {
    video: Api.LibraryVideo;
    slot: HTMLElement;
    end: () => void;
  }

  /** What a socket tells of one job. */
  interface ToldJob extends Pick<Api.JobOfVideo, "video_id" | "kind" | "state" | "progress" | "reason"> {
    job_id: string;
    attempt: number;
  }
}
