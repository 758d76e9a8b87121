/* Loaded before libc (LD_PRELOAD) by kill_points.sh: counts the calls with which the program changes a disk and, at the
 * n-th, kills it as kill -9 would or lets the call fail as a full or broken disk does.
 *   QZ_POINT_LOG=FILE  one line a call, "name path": what there is to count
 *   QZ_POINT=n         the n-th call is the one; QZ_POINT_HOW=kill, or the number that errno gets
 *   QZ_FLIP=n          byte n of every .partial file of weights gets another value on its way to the disk
 *   QZ_NO_EXCHANGE=1   renameat2 says EINVAL (not counted), as file systems do that cannot exchange names */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FDS = 1024 };
static atomic_long counted;
static char names[FDS][512]; /* of what is open for writing */

/* errno if this call is the one that fails, else 0. */
static int point(const char *call, const char *path) {
    const char *log = getenv("QZ_POINT_LOG"), *at = getenv("QZ_POINT"), *how = getenv("QZ_POINT_HOW");
    const long n = atomic_fetch_add(&counted, 1) + 1;
    if (log) {
        char line[768];
        const int k = snprintf(line, sizeof line, "%s %s\n", call, path);
        const long fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0666);
        (void)syscall(SYS_write, fd, line, (size_t)k);
        (void)syscall(SYS_close, fd);
    }
    if (at == NULL || n != strtol(at, NULL, 10)) return 0;
    if (how && strcmp(how, "kill") != 0) return (int)strtol(how, NULL, 10);
    (void)syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    return 0;
}

/* dlsym gives a pointer to an object; the copy is what POSIX asks for. */
#define REAL(type, name)                             \
    static type real;                                \
    if (real == NULL) {                              \
        void *symbol = dlsym(RTLD_NEXT, name);       \
        memcpy(&real, &symbol, sizeof real);         \
    }
#define STOP(call, path)                             \
    do {                                             \
        const int e_ = point(call, path);            \
        if (e_) {                                    \
            errno = e_;                              \
            return -1;                               \
        }                                            \
    } while (0)

typedef int (*fn_path)(const char *);
typedef int (*fn_paths)(const char *, const char *);
typedef int (*fn_fd)(int);

static int open_counted(const char *path, int flags, mode_t mode) {
    const bool writes = (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0 && strncmp(path, "/proc/", 6) != 0 &&
                        (strncmp(path, "/dev/", 5) != 0 || strncmp(path, "/dev/shm/", 9) == 0);
    if (writes) STOP("open", path);
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (writes && fd >= 0 && fd < FDS) (void)snprintf(names[fd], sizeof names[fd], "%s", path);
    return fd;
}
int open(const char *path, int flags, ...) {
    va_list ap;
    va_start(ap, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return open_counted(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    va_list ap;
    va_start(ap, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return open_counted(path, flags, mode);
}
int close(int fd) {
    REAL(fn_fd, "close")
    if (fd >= 0 && fd < FDS) names[fd][0] = 0;
    return real(fd);
}
static bool of_weights(const char *path) {
    const size_t n = strlen(path);
    return strstr(path, ".partial") && (strcmp(path + n - 8, ".partial") == 0 || strstr(path, ".safetensors"));
}
static ssize_t flipped(int fd, const void *bytes, size_t n, long at) {
    const off_t here = lseek(fd, 0, SEEK_CUR);
    if (at < here || at >= here + (off_t)n) return syscall(SYS_write, fd, bytes, n);
    char *copy = malloc(n);
    if (copy == NULL) return -1;
    memcpy(copy, bytes, n);
    copy[at - here] = (char)(copy[at - here] ^ 1);
    const ssize_t done = syscall(SYS_write, fd, copy, n);
    free(copy);
    return done;
}
ssize_t write(int fd, const void *bytes, size_t n) {
    if (fd >= 0 && fd < FDS && names[fd][0]) {
        STOP("write", names[fd]);
        const char *flip = getenv("QZ_FLIP");
        if (flip && of_weights(names[fd])) return flipped(fd, bytes, n, strtol(flip, NULL, 10));
    }
    return syscall(SYS_write, fd, bytes, n);
}
int fsync(int fd) {
    REAL(fn_fd, "fsync")
    STOP("fsync", fd >= 0 && fd < FDS && names[fd][0] ? names[fd] : "(folder)");
    return real(fd);
}
int fdatasync(int fd) {
    REAL(fn_fd, "fdatasync")
    STOP("fdatasync", fd >= 0 && fd < FDS ? names[fd] : "");
    return real(fd);
}
int ftruncate(int fd, off_t n) {
    STOP("ftruncate", fd >= 0 && fd < FDS ? names[fd] : "");
    return (int)syscall(SYS_ftruncate, fd, n);
}
int mkdir(const char *path, mode_t mode) {
    struct stat st;
    if (lstat(path, &st) != 0) STOP("mkdir", path); /* else it changes nothing */
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
int rename(const char *from, const char *to) {
    REAL(fn_paths, "rename")
    STOP("rename", to);
    return real(from, to);
}
int link(const char *from, const char *to) {
    REAL(fn_paths, "link")
    STOP("link", to);
    return real(from, to);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    if (getenv("QZ_NO_EXCHANGE")) {
        errno = EINVAL;
        return -1;
    }
    STOP("exchange", to);
    return (int)syscall(SYS_renameat2, a, from, b, to, flags);
}
int unlink(const char *path) {
    REAL(fn_path, "unlink")
    STOP("unlink", path);
    return real(path);
}
int rmdir(const char *path) {
    REAL(fn_path, "rmdir")
    STOP("rmdir", path);
    return real(path);
}
