/* Records each change of files below POWER_ROOT to the file POWER_LOG, in one order for all processes.
 *
 * Preload it. A record is a header and up to two byte strings (paths, or a path's new name, or data). It is
 * written while the change itself is locked, so the order is the real one. A sync notes how long the log was
 * when it began: only earlier changes are on the disk once it returns.
 *
 * With POWER_CLOCK_S, the time of day is so many seconds ahead.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct header { uint64_t kind, inode, number, first_bytes, second_bytes; };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *place;
static size_t root_length;
static int log_handle = -1;
static pid_t owner;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
static void open_log(void) {
    if (owner == getpid()) return;  /* each process has its own description, as the lock belongs to that */
    static int (*real)(const char *, int, ...);
    if (!real) real = REAL(open);
    root = getenv("POWER_ROOT"), place = getenv("POWER_LOG");
    if (root && place) {
        root_length = strlen(root);
        log_handle = real(place, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    owner = getpid();
}
static int is_below(const char *path) {
    return root && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}
static void begin(void) { pthread_mutex_lock(&mutex); open_log(); if (log_handle >= 0) flock(log_handle, LOCK_EX); }
static void end(void) { int e = errno; if (log_handle >= 0) flock(log_handle, LOCK_UN); pthread_mutex_unlock(&mutex); errno = e; }
static void after_fork(void) { pthread_mutex_init(&mutex, NULL); }
__attribute__((constructor)) static void prepare(void) { pthread_atfork(NULL, NULL, after_fork); }

static void record(char kind, uint64_t inode, uint64_t number, const void *a, size_t a_bytes, const void *b,
                   size_t b_bytes) {
    int e = errno;
    struct header header = {(uint64_t)kind, inode, number, a_bytes, b_bytes};
    struct iovec parts[] = {{&header, sizeof header}, {(void *)a, a_bytes}, {(void *)b, b_bytes}};
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) real = REAL(writev);
    ssize_t length = sizeof header + a_bytes + b_bytes;
    if (real(log_handle, parts, 3) != length) abort();
    errno = e;
}
static int path_of(int handle, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}
static int absolute(int folder, const char *name, char *path) {
    if (*name == '/') { snprintf(path, PATH_MAX, "%s", name); return is_below(path); }
    char base[PATH_MAX] = "", link[64] = "/proc/self/cwd";
    if (folder != AT_FDCWD) snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    if (readlink(link, base, sizeof base - 1) < 0) return 0;
    if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    return is_below(path);
}
static uint64_t inode_of(int handle) { struct stat s; return fstat(handle, &s) ? 0 : s.st_ino; }

static int opened(int folder, const char *name, int flags, mode_t mode) {
    static int (*real)(int, const char *, int, ...);
    if (!real) real = REAL(openat);
    if (!(flags & (O_CREAT | O_TRUNC))) return real(folder, name, flags, mode);
    begin();
    char path[PATH_MAX];
    struct stat before;
    int is_ours = log_handle >= 0 && absolute(folder, name, path);
    int is_new = is_ours && stat(path, &before);
    int handle = real(folder, name, flags, mode);
    if (handle >= 0 && is_ours && (flags & O_TMPFILE) != O_TMPFILE) {
        if (is_new) record('C', inode_of(handle), 0, path, strlen(path), NULL, 0);
        else if (flags & O_TRUNC) record('T', inode_of(handle), 0, NULL, 0, NULL, 0);
    }
    end();
    return handle;
}
#define OPENED(mode_after) va_list rest; va_start(rest, mode_after); mode_t mode = va_arg(rest, int); va_end(rest)
int open(const char *n, int f, ...) { OPENED(f); return opened(AT_FDCWD, n, f, mode); }
int open64(const char *n, int f, ...) { OPENED(f); return opened(AT_FDCWD, n, f, mode); }
int openat(int d, const char *n, int f, ...) { OPENED(f); return opened(d, n, f, mode); }
int openat64(int d, const char *n, int f, ...) { OPENED(f); return opened(d, n, f, mode); }
int creat(const char *n, mode_t mode) { return opened(AT_FDCWD, n, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *n, mode_t mode) { return opened(AT_FDCWD, n, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* `at` is the offset, or -1 for the file's own position, which a write to it moves. */
static void written(int handle, const void *data, ssize_t length, off_t at) {
    char path[PATH_MAX];
    if (length <= 0 || log_handle < 0 || handle == log_handle || !path_of(handle, path)) return;
    if (at < 0) at = lseek(handle, 0, SEEK_CUR) - length;
    record('W', inode_of(handle), at, data, length, NULL, 0);
}
#define WRITTEN(name, call, data, at) \
    begin(); static __typeof__(&name) real; if (!real) real = REAL(name); \
    ssize_t length = call; written(handle, data, length, at); end(); return length
ssize_t write(int handle, const void *data, size_t n) { WRITTEN(write, real(handle, data, n), data, -1); }
ssize_t pwrite(int handle, const void *data, size_t n, off_t at) { WRITTEN(pwrite, real(handle, data, n, at), data, at); }
ssize_t pwrite64(int handle, const void *data, size_t n, off64_t at) { WRITTEN(pwrite64, real(handle, data, n, at), data, at); }
static ssize_t parts_written(int handle, const struct iovec *parts, int number, off_t at) {
    ssize_t total = 0;
    for (int i = 0; i < number; i++) {
        ssize_t n = at < 0 ? write(handle, parts[i].iov_base, parts[i].iov_len)
                           : pwrite(handle, parts[i].iov_base, parts[i].iov_len, at + total);
        if (n < 0) return total ? total : n;
        total += n;
        if ((size_t)n < parts[i].iov_len) break;
    }
    return total;
}
ssize_t writev(int handle, const struct iovec *parts, int number) {
    char path[PATH_MAX];
    open_log();
    if (!path_of(handle, path)) { static __typeof__(&writev) real; if (!real) real = REAL(writev); return real(handle, parts, number); }
    return parts_written(handle, parts, number, -1);
}
ssize_t pwritev(int h, const struct iovec *p, int n, off_t at) { return parts_written(h, p, n, at); }
ssize_t pwritev64(int h, const struct iovec *p, int n, off64_t at) { return parts_written(h, p, n, at); }
/* Callers fall back to read and write. */
ssize_t copy_file_range(int a, off64_t *b, int c, off64_t *d, size_t n, unsigned f) { errno = ENOSYS; return -1; }

static int cut(int handle, off_t length) {
    begin();
    static int (*real)(int, off_t);
    if (!real) real = REAL(ftruncate);
    char path[PATH_MAX];
    int result = real(handle, length);
    if (!result && log_handle >= 0 && path_of(handle, path)) record('T', inode_of(handle), length, NULL, 0, NULL, 0);
    end();
    return result;
}
int ftruncate(int handle, off_t length) { return cut(handle, length); }
int ftruncate64(int handle, off64_t length) { return cut(handle, length); }

#define NAMED(kind, real_call, folder_a, a, folder_b, b) \
    begin(); char first[PATH_MAX] = "", second[PATH_MAX] = ""; \
    int is_ours = log_handle >= 0 && (absolute(folder_a, a, first) | absolute(folder_b, b, second)); \
    int result = real_call; \
    if (!result && is_ours) record(kind, 0, 0, first, strlen(first), second, strlen(second)); \
    end(); return result
#define REAL_OF(name) static __typeof__(&name) real; if (!real) real = REAL(name)
int rename(const char *a, const char *b) { REAL_OF(rename); NAMED('R', real(a, b), AT_FDCWD, a, AT_FDCWD, b); }
int renameat(int d, const char *a, int e, const char *b) { REAL_OF(renameat); NAMED('R', real(d, a, e, b), d, a, e, b); }
int renameat2(int d, const char *a, int e, const char *b, unsigned f) { REAL_OF(renameat2); NAMED('R', real(d, a, e, b, f), d, a, e, b); }
int link(const char *a, const char *b) { REAL_OF(link); NAMED('L', real(a, b), AT_FDCWD, a, AT_FDCWD, b); }
int linkat(int d, const char *a, int e, const char *b, int f) { REAL_OF(linkat); NAMED('L', real(d, a, e, b, f), d, a, e, b); }
int unlink(const char *a) { REAL_OF(unlink); NAMED('U', real(a), AT_FDCWD, a, AT_FDCWD, a); }
int unlinkat(int d, const char *a, int f) { REAL_OF(unlinkat); NAMED('U', real(d, a, f), d, a, d, a); }
int rmdir(const char *a) { REAL_OF(rmdir); NAMED('U', real(a), AT_FDCWD, a, AT_FDCWD, a); }
int mkdir(const char *a, mode_t m) { REAL_OF(mkdir); NAMED('M', real(a, m), AT_FDCWD, a, AT_FDCWD, a); }
int mkdirat(int d, const char *a, mode_t m) { REAL_OF(mkdirat); NAMED('M', real(d, a, m), d, a, d, a); }

static int synced(int handle, char kind, int (*real)(int)) {
    char path[PATH_MAX] = "";
    struct stat log_stat;
    begin();
    int is_ours = log_handle >= 0 && path_of(handle, path);
    uint64_t began = is_ours && !fstat(log_handle, &log_stat) ? log_stat.st_size : 0;
    end();
    int result = real(handle);
    if (!result && is_ours) {
        begin();
        record(kind, inode_of(handle), began, path, strlen(path), NULL, 0);
        end();
    }
    return result;
}
int fsync(int handle) { REAL_OF(fsync); return synced(handle, 'S', real); }
int fdatasync(int handle) { REAL_OF(fdatasync); return synced(handle, 'S', real); }
int syncfs(int handle) { REAL_OF(syncfs); return synced(handle, 'Y', real); }

static time_t ahead_s(void) { const char *text = getenv("POWER_CLOCK_S"); return text ? atol(text) : 0; }
int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL_OF(clock_gettime);
    int result = real(clock, now);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead_s();
    return result;
}
int gettimeofday(struct timeval *now, void *zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(now, zone);
    if (!result) now->tv_sec += ahead_s();
    return result;
}
time_t time(time_t *now) {
    REAL_OF(time);
    time_t result = real(NULL) + ahead_s();
    if (now) *now = result;
    return result;
}
