// Of tus-js-client what we use: its own types need the package beside the tools, which bundling does without.

declare module "tus-js-client" {
  export interface Answer {
    getStatus(): number;
    getHeader(name: string): string | undefined;
    getBody(): string;
  }

  export interface Stored {
    size: number | null;
    metadata: Record<string, string>;
    creationTime: string;
    urlStorageKey: string;
    uploadUrl: string | null;
  }

  export interface Storage {
    findAllUploads(): Promise<Stored[]>;
    findUploadsByFingerprint(fingerprint: string): Promise<Stored[]>;
    removeUpload(key: string): Promise<void>;
  }

  export interface Options {
    endpoint?: string | null;
    uploadUrl?: string | null;
    metadata?: Record<string, string>;
    fingerprint?: (file: File) => Promise<string>;
    chunkSize?: number;
    retryDelays?: number[] | null;
    removeFingerprintOnSuccess?: boolean;
    urlStorage?: Storage;
    onProgress?: (sent: number, total: number) => void;
    onSuccess?: (payload: { lastResponse: Answer }) => void;
    onError?: (error: Error | DetailedError) => void;
    onUploadUrlAvailable?: () => void;
  }

  export class DetailedError extends Error {
    originalResponse: Answer | null;
  }

  export class Upload {
    constructor(file: File, options: Options);
    options: Options;
    url: string | null;
    start(): void;
    abort(terminates?: boolean): Promise<void>;
    resumeFromPreviousUpload(stored: Stored): void;
    static terminate(url: string, options?: Options): Promise<void>;
  }

  export const defaultOptions: { urlStorage: Storage };
}
