/* A file system that fails when it is told to, put before the system's own by LD_PRELOAD.

   What changes files below certain folders is counted, over all processes of a run, in a file that they share. At the
   n-th such operation the run is killed, or the disk is full from then on, or it was read-only all along; all else goes
   through as it is. Reading is never touched. The clock of the wall can be set back as well, in seconds (`behind`). */

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

enum { COUNT = 0, KILL = 1, FULL = 2, READ_ONLY = 3 };
/* What an operation needs: a change of names alone, or room on the disk. */
enum { NAME = 0, ROOM = 1 };

struct control {
    int64_t count, nth, mode, process, hits, behind;
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

/* Return the error that an operation on a path ends with, 0 where it is to go on. */
static int verdict(const char *what, const char *path, int needs) {
    if (!control || control->process <= 0 || !is_below(path)) return 0; /* no run has begun */
    int64_t place = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
    if (control->mode == COUNT || place < control->nth) return 0;
    if (control->mode == FULL && needs != ROOM) return 0;
    if (__atomic_fetch_add(&control->hits, 1, __ATOMIC_SEQ_CST) == 0)
        snprintf(control->first, sizeof control->first, "%s %s", what, path);
    if (control->mode == KILL) {
        if (place == control->nth) kill((pid_t)control->process, SIGKILL);
        return 0;
    }
    return control->mode == FULL ? ENOSPC : EROFS;
}

static int by_name(const char *what, int folder, const char *name, int needs) {
    char path[PATH_MAX];
    return control && of_name(folder, name, path) ? verdict(what, path, needs) : 0;
}

static int by_handle(const char *what, int handle) {
    char path[PATH_MAX];
    return control && of_handle(handle, path) ? verdict(what, path, ROOM) : 0;
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
int mkdir(const char *path, mode_t mode) {
    NEXT(mkdir); REFUSED(by_name("mkdir", AT_FDCWD, path, ROOM)); return next(path, mode);
}
int mkdirat(int folder, const char *path, mode_t mode) {
    NEXT(mkdirat); REFUSED(by_name("mkdir", folder, path, ROOM)); return next(folder, path, mode);
}
int link(const char *path, const char *other) {
    NEXT(link); REFUSED(by_name("link", AT_FDCWD, other, ROOM)); return next(path, other);
}
int linkat(int folder, const char *path, int there, const char *other, int flags) {
    NEXT(linkat); REFUSED(by_name("link", there, other, ROOM)); return next(folder, path, there, other, flags);
}
int rename(const char *path, const char *other) {
    NEXT(rename); REFUSED(by_name("rename", AT_FDCWD, other, NAME)); return next(path, other);
}
int renameat(int folder, const char *path, int there, const char *other) {
    NEXT(renameat); REFUSED(by_name("rename", there, other, NAME)); return next(folder, path, there, other);
}
int renameat2(int folder, const char *path, int there, const char *other, unsigned flags) {
    NEXT(renameat2); REFUSED(by_name("exchange", there, other, NAME)); return next(folder, path, there, other, flags);
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
