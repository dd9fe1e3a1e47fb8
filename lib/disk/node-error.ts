/** Node's file system errors in the words of the disk port. */
import { DiskError, type DiskErrorCode } from "./disk.ts";

const CODES: Readonly<Record<string, DiskErrorCode>> = {
  ENOENT: "not_found",
  ENOTDIR: "not_found",
  EEXIST: "exists",
  ENOSPC: "no_space",
  EDQUOT: "no_space",
  EFBIG: "no_space",
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "denied",
  EBADF: "closed",
};

/** The port's error for one of Node's; errors that name no known reason count as `io`. */
export function diskError(thrown: unknown, path: string): DiskError {
  if (thrown instanceof DiskError) {
    return thrown;
  }
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const errno = "code" in error && typeof error.code === "string" ? error.code : "";
  return new DiskError(CODES[errno] ?? "io", path, error.message, { cause: error });
}
