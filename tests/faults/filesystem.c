/* A file system that fails when it is told to, put before the system's own by LD_PRELOAD.

   What changes files below certain folders is counted, over all processes of a run, in a file that they share. At the
   n-th such operation the run is sent a signal (`how`: kill -9, or one that it hears), the disk is full from then on, it
   was read-only all along, or that one operation alone ends with an error (`how`); all else goes through as it is.
   Reading is touched where the n-th reading below the folders is to end with an error, and nowhere else. Each operation
   can be written down (`trace`). A file system may lack what others have (`lacks`), and the clock of the wall may be set
   back, in seconds (`behind`). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { COUNT = 0, KILL = 1, FULL = 2, READ_ONLY = 3, ONCE = 4, READING = 5 };
/* What an operation needs: a change of names alone, room on the disk, or nothing but what is there. */
enum { NAME = 0, ROOM = 1, READS = 2 };
/* What a file system may lack: the exchange of two names, hard links. */
enum { NO_EXCHANGE = 1, NO_LINKS = 2 };

struct control {
    int64_t count, nth, mode, process, hits, behind, how, lacks, trace;
    char below[2048]; /* folders, each with a colon behind it */
    char first[1024]; /* the operation that was hit first */
};
static struct control *control;

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("FAULTS_CONTROL");
    if (!file) return;
    int handle = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0);
    if (handle < 0) return;
    void *shared = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
    close(handle);
    if (shared == MAP_FAILED) return;
    control = shared;
    int64_t nobody = 0; /* the first process that starts is the run */
    __atomic_compare_exchange_n(&control->process, &nobody, (int64_t)getpid(), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static int is_below(const char *path) {
    for (const char *place = control->below; *place;) {
        const char *end = strchr(place, ':');
        size_t length = (size_t)(end - place);
        if (!strncmp(path, place, length) && (path[length] == '/' || !path[length])) return 1;
        place = end + 1;
    }
    return 0;
}

static int of_handle(int handle, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length <= 0 || path[0] != '/') return 0; /* a socket, a pipe */
    path[length] = 0;
    return 1;
}

static int of_name(int folder, const char *name, char *path) {
    char base[PATH_MAX];
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return 1;
    }
    if (folder == AT_FDCWD) {
        if (syscall(SYS_getcwd, base, sizeof base) <= 0) return 0;
    } else if (!of_handle(folder, base)) {
        return 0;
    }
    return snprintf(path, PATH_MAX, "%s/%s", base, name) < PATH_MAX;
}

/* Write an operation down, one line each, in a file beside that of the control. */
static void note(int64_t place, const char *what, const char *path, int needs) {
    char file[PATH_MAX], line[2 * PATH_MAX];
    snprintf(file, sizeof file, "%s.trace", getenv("FAULTS_CONTROL"));
    int length = snprintf(line, sizeof line, "%lld %s %s %s\n", (long long)place, needs == ROOM ? "room" : "name", what, path);
    int handle = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (handle < 0) return;
    if (length > 0) syscall(SYS_write, handle, line, (size_t)length);
    syscall(SYS_close, handle);
}

/* Return the error that an operation on a path ends with, 0 where it is to go on. */
static int verdict(const char *what, const char *path, int needs) {
    if (!control || control->process <= 0 || !is_below(path)) return 0; /* no run has begun */
    if ((needs == READS) != (control->mode == READING)) return 0;
    int64_t place = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
    if (control->trace) note(place, what, path, needs);
    if (control->mode == COUNT || place < control->nth) return 0;
    if ((control->mode == ONCE || control->mode == READING) && place != control->nth) return 0;
    if (control->mode == FULL && needs != ROOM) return 0;
    if (__atomic_fetch_add(&control->hits, 1, __ATOMIC_SEQ_CST) == 0)
        snprintf(control->first, sizeof control->first, "%s %s", what, path);
    if (control->mode == KILL) {
        if (place == control->nth) kill((pid_t)control->process, (int)control->how);
        return 0;
    }
    return control->mode == FULL ? ENOSPC : control->mode == READ_ONLY ? EROFS : (int)control->how;
}

static int by_name(const char *what, int folder, const char *name, int needs) {
    char path[PATH_MAX];
    return control && of_name(folder, name, path) ? verdict(what, path, needs) : 0;
}

static int by_handle(const char *what, int handle) {
    char path[PATH_MAX];
    return control && of_handle(handle, path) ? verdict(what, path, ROOM) : 0;
}

static int lacks(int what) { return control && (control->lacks & what) != 0; }

/* Only where readings are to fail is it asked what a handle is. */
static int reading(int handle) {
    char path[PATH_MAX];
    if (!control || control->mode != READING) return 0;
    return of_handle(handle, path) ? verdict("read", path, READS) : 0;
}

#define NEXT(name) static __typeof__(&name) next; if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define REFUSED(call) do { int error = (call); if (error) { errno = error; return -1; } } while (0)

static int opening(int folder, const char *name, int flags) {
    if (!(flags & (O_WRONLY | O_RDWR | O_CREAT))) return 0;
    struct stat facts;
    int is_new = (flags & O_CREAT) && syscall(SYS_newfstatat, folder, name, &facts, 0) != 0;
    return by_name("open", folder, name, is_new ? ROOM : NAME);
}

#define OPEN(name)                                                                                                    \
    int name(const char *path, int flags, ...) {                                                                      \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);                        \
        NEXT(name); REFUSED(opening(AT_FDCWD, path, flags));                                                          \
        return next(path, flags, mode);                                                                               \
    }
#define OPENAT(name)                                                                                                  \
    int name(int folder, const char *path, int flags, ...) {                                                          \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);                        \
        NEXT(name); REFUSED(opening(folder, path, flags));                                                            \
        return next(folder, path, flags, mode);                                                                       \
    }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)

ssize_t write(int handle, const void *bytes, size_t count) {
    NEXT(write); REFUSED(by_handle("write", handle)); return next(handle, bytes, count);
}
ssize_t pwrite(int handle, const void *bytes, size_t count, off_t at) {
    NEXT(pwrite); REFUSED(by_handle("write", handle)); return next(handle, bytes, count, at);
}
ssize_t pwrite64(int handle, const void *bytes, size_t count, off64_t at) {
    NEXT(pwrite64); REFUSED(by_handle("write", handle)); return next(handle, bytes, count, at);
}
ssize_t writev(int handle, const struct iovec *parts, int count) {
    NEXT(writev); REFUSED(by_handle("write", handle)); return next(handle, parts, count);
}
ssize_t sendfile(int to, int from, off_t *at, size_t count) {
    NEXT(sendfile); REFUSED(by_handle("copy", to)); return next(to, from, at, count);
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t count) {
    NEXT(sendfile64); REFUSED(by_handle("copy", to)); return next(to, from, at, count);
}
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *there, size_t count, unsigned flags) {
    NEXT(copy_file_range); REFUSED(by_handle("copy", to)); return next(from, at, to, there, count, flags);
}
ssize_t read(int handle, void *bytes, size_t count) {
    NEXT(read); REFUSED(reading(handle)); return next(handle, bytes, count);
}
ssize_t pread(int handle, void *bytes, size_t count, off_t at) {
    NEXT(pread); REFUSED(reading(handle)); return next(handle, bytes, count, at);
}
ssize_t pread64(int handle, void *bytes, size_t count, off64_t at) {
    NEXT(pread64); REFUSED(reading(handle)); return next(handle, bytes, count, at);
}
int fsync(int handle) {
    char path[PATH_MAX];
    NEXT(fsync);
    REFUSED(control && of_handle(handle, path) ? verdict("fsync", path, NAME) : 0);
    return next(handle);
}
int mkdir(const char *path, mode_t mode) {
    NEXT(mkdir); REFUSED(by_name("mkdir", AT_FDCWD, path, ROOM)); return next(path, mode);
}
int mkdirat(int folder, const char *path, mode_t mode) {
    NEXT(mkdirat); REFUSED(by_name("mkdir", folder, path, ROOM)); return next(folder, path, mode);
}
int link(const char *path, const char *other) {
    NEXT(link); REFUSED(lacks(NO_LINKS) ? EPERM : 0); REFUSED(by_name("link", AT_FDCWD, other, ROOM)); return next(path, other);
}
int linkat(int folder, const char *path, int there, const char *other, int flags) {
    NEXT(linkat); REFUSED(lacks(NO_LINKS) ? EPERM : 0); REFUSED(by_name("link", there, other, ROOM)); return next(folder, path, there, other, flags);
}
int rename(const char *path, const char *other) {
    NEXT(rename); REFUSED(by_name("rename", AT_FDCWD, other, NAME)); return next(path, other);
}
int renameat(int folder, const char *path, int there, const char *other) {
    NEXT(renameat); REFUSED(by_name("rename", there, other, NAME)); return next(folder, path, there, other);
}
int renameat2(int folder, const char *path, int there, const char *other, unsigned flags) {
    NEXT(renameat2); REFUSED(lacks(NO_EXCHANGE) ? EINVAL : 0); REFUSED(by_name("exchange", there, other, NAME)); return next(folder, path, there, other, flags);
}
int unlink(const char *path) {
    NEXT(unlink); REFUSED(by_name("unlink", AT_FDCWD, path, NAME)); return next(path);
}
int unlinkat(int folder, const char *path, int flags) {
    NEXT(unlinkat); REFUSED(by_name("unlink", folder, path, NAME)); return next(folder, path, flags);
}
int rmdir(const char *path) {
    NEXT(rmdir); REFUSED(by_name("rmdir", AT_FDCWD, path, NAME)); return next(path);
}
int chmod(const char *path, mode_t mode) {
    NEXT(chmod); REFUSED(by_name("chmod", AT_FDCWD, path, NAME)); return next(path, mode);
}
int ftruncate(int handle, off_t length) {
    NEXT(ftruncate); REFUSED(by_handle("truncate", handle)); return next(handle, length);
}
int ftruncate64(int handle, off64_t length) {
    NEXT(ftruncate64); REFUSED(by_handle("truncate", handle)); return next(handle, length);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    NEXT(clock_gettime);
    int code = next(clock, now);
    if (!code && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec -= control->behind;
    return code;
}
int gettimeofday(struct timeval *now, void *zone) {
    NEXT(gettimeofday);
    int code = next(now, zone);
    if (!code && control) now->tv_sec -= control->behind;
    return code;
}
time_t time(time_t *now) {
    struct timespec moment;
    clock_gettime(CLOCK_REALTIME, &moment);
    if (now) *now = moment.tv_sec;
    return moment.tv_sec;
}
