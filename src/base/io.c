#include "base/io.h"
#include "base/str.h"
#include "base/size.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A link to nothing is the usual rest of a cache that was tidied: it is a fault of the files, not of the disk. */
static qz_status cannot_open(const char *path, qz_error *err) {
    const int e = errno;
    char to[256];
    const ssize_t n = e == ENOENT ? readlink(path, to, sizeof to - 1) : -1;
    if (n < 0) return qz_fail(err, QZ_EIO, "cannot open '%s': %s", path, strerror(e));
    to[n] = 0;
    return qz_fail(err, QZ_EFORMAT,
                   "dangling link: file '%s': expected a file, found a link to nothing ('%s'); download what it points "
                   "to again, "
                   "or remove the link",
                   path, to);
}

/* O_NONBLOCK: a named pipe without a writer is refused and not waited for; of a regular file it means nothing. */
qz_status qz_open_regular(const char *path, int *fd, uint64_t *size, qz_error *err) {
    struct stat st;
    *fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    /* a socket */
    if (*fd < 0)
        return errno == ENXIO ? qz_fail(err, QZ_EUSAGE, "not a regular file: '%s'", path) : cannot_open(path, err);
    qz_status s = QZ_OK;
    if (fstat(*fd, &st) != 0) s = qz_fail(err, QZ_EIO, "cannot read '%s': %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode)) s = qz_fail(err, QZ_EUSAGE, "not a regular file: '%s'", path);
    if (s == QZ_OK) {
        *size = (uint64_t)st.st_size;
        return QZ_OK;
    }
    (void)close(*fd);
    *fd = -1;
    return s;
}

qz_status qz_map_open(qz_map *m, const char *path, qz_error *err) {
    *m = (qz_map){0};
    int fd;
    uint64_t size;
    QZ_TRY(qz_open_regular(path, &fd, &size, err));
    qz_status s = QZ_OK;
    if (size > 0) {
        void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            s = qz_fail(err, QZ_EIO, "cannot map '%s' (%llu bytes): %s", path, (unsigned long long)size,
                        strerror(errno));
        else m->ptr = p;
    }
    (void)close(fd);
    if (s != QZ_OK) return s;
    m->size = (size_t)size;
    m->path = qz_strdup(path);
    if (m->path == NULL) {
        qz_map_release(m);
        return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    }
    return QZ_OK;
}
void qz_map_release(qz_map *m) {
    if (m->ptr != NULL) (void)munmap((void *)(uintptr_t)m->ptr, m->size);
    qz_free(m->path);
    *m = (qz_map){0};
}
void qz_map_forget(const void *ptr, size_t n) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), lo = ((uintptr_t)ptr + page - 1) & ~(page - 1),
              hi = ((uintptr_t)ptr + n) & ~(page - 1);
    if (hi > lo) (void)madvise((void *)lo, hi - lo, MADV_DONTNEED);
}

static qz_status read_all(int fd, const char *path, size_t n, char *buf, qz_error *err) {
    for (size_t at = 0; at < n;) {
        ssize_t k = read(fd, buf + at, n - at);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return qz_fail(err, QZ_EIO, "cannot read '%s': %s", path, strerror(errno));
        if (k == 0)
            return qz_fail(err, QZ_EIO, "file shrank while reading: file '%s', offset %zu: expected %zu bytes", path,
                           at, n);
        at += (size_t)k;
    }
    return QZ_OK;
}

qz_status qz_read_file(const char *path, size_t limit, char **out, size_t *len, qz_error *err) {
    *out = NULL;
    int fd;
    uint64_t size;
    QZ_TRY(qz_open_regular(path, &fd, &size, err));
    qz_status s = QZ_OK;
    if (size > limit)
        s = qz_fail(err, QZ_EFORMAT, "file too large: file '%s': expected at most %zu bytes, found %llu", path, limit,
                    (unsigned long long)size);
    size_t n = s == QZ_OK ? (size_t)size : 0;
    char *buf = s == QZ_OK ? qz_alloc_array(n + 1, 1) : NULL;
    if (s == QZ_OK && buf == NULL) s = qz_fail(err, QZ_EMEMORY, "out of memory reading '%s' (%zu bytes)", path, n);
    if (s == QZ_OK) s = read_all(fd, path, n, buf, err);
    (void)close(fd);
    if (s != QZ_OK) {
        qz_free(buf);
        return s;
    }
    buf[n] = 0;
    *out = buf;
    if (len) *len = n;
    return QZ_OK;
}

static qz_status write_file(const char *path, const void *bytes, size_t n, bool final, qz_error *err) {
    qz_out o = {.fd = -1};
    QZ_TRY(qz_out_open(&o, path, err));
    qz_status s = qz_out_write(&o, bytes, n, err);
    if (s == QZ_OK) s = final ? qz_out_commit(&o, NULL, err) : qz_out_close(&o, NULL, err);
    qz_out_abort(&o, false);
    return s;
}
qz_status qz_stage_file(const char *path, const void *bytes, size_t n, qz_error *err) {
    return write_file(path, bytes, n, false, err);
}
qz_status qz_write_file(const char *path, const void *bytes, size_t n, qz_error *err) {
    return write_file(path, bytes, n, true, err);
}

qz_status qz_copy_file(const char *from, const char *to, qz_error *err) {
    qz_map m;
    QZ_TRY(qz_map_open(&m, from, err));
    qz_status s = qz_write_file(to, m.ptr, m.size, err);
    qz_map_release(&m);
    return s;
}

qz_status qz_path_missing(const char *path, qz_error *err) {
    const char *slash = strchr(path, '/');
    const bool hub = slash && slash > path && path[0] != '.' && slash[1] && !strchr(slash + 1, '/') &&
                     !qz_str_ends(path, ".json") && !qz_str_ends(path, ".gguf");
    return qz_fail(err, QZ_EUSAGE, "no such file or folder: '%s'%s", path,
                   hub ? "; if it is a hub id, download the model first: nothing here reads a network" : "");
}

bool qz_path_exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}
bool qz_path_is_link(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}
bool qz_path_is_dir(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

qz_status qz_make_dirs(const char *path, qz_error *err) {
    char *p = qz_strdup(path);
    if (p == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status s = QZ_OK;
    for (char *c = p + 1; s == QZ_OK; c++) {
        if (*c != '/' && *c != 0) continue;
        char keep = *c;
        *c = 0;
        if (mkdir(p, 0777) != 0 && errno != EEXIST)
            s = qz_fail(err, QZ_EIO, "cannot create folder '%s': %s", p, strerror(errno));
        *c = keep;
        if (keep == 0) break;
    }
    if (s == QZ_OK && !qz_path_is_dir(path)) s = qz_fail(err, QZ_EIO, "not a folder: '%s'", path);
    qz_free(p);
    return s;
}

qz_status qz_sync_dir(const char *path, qz_error *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return qz_fail(err, QZ_EIO, "cannot open folder '%s': %s", path, strerror(errno));
    int r = fsync(fd), e = errno;
    (void)close(fd);
    if (r != 0 && e != EINVAL) return qz_fail(err, QZ_EIO, "cannot sync folder '%s': %s", path, strerror(e));
    return QZ_OK;
}

void qz_hold_std_files(void) {
    for (int fd = 0; fd <= 2; fd++)
        /* gets the lowest free number */
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

qz_status qz_file_size(const char *path, uint64_t *size, qz_error *err) {
    struct stat st;
    if (stat(path, &st) != 0) return cannot_open(path, err);
    *size = (uint64_t)st.st_size;
    return QZ_OK;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
qz_status qz_list_dir(const char *path, char ***names, size_t *n, qz_error *err) {
    *names = NULL;
    *n = 0;
    DIR *d = opendir(path);
    if (d == NULL) return qz_fail(err, QZ_EIO, "cannot open folder '%s': %s", path, strerror(errno));
    qz_status s = QZ_OK;
    size_t cap = 0;
    struct dirent *e;
    while (s == QZ_OK && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (*n == cap) {
            cap = cap ? cap * 2 : 32;
            char **more = qz_realloc_array(*names, cap, sizeof *more);
            if (more == NULL) {
                s = qz_fail(err, QZ_EMEMORY, "out of memory listing '%s'", path);
                break;
            }
            *names = more;
        }
        char *copy = qz_strdup(e->d_name);
        if (copy == NULL) s = qz_fail(err, QZ_EMEMORY, "out of memory listing '%s'", path);
        else (*names)[(*n)++] = copy;
    }
    (void)closedir(d);
    if (s != QZ_OK) {
        qz_free_names(*names, *n);
        *names = NULL;
        *n = 0;
        return s;
    }
    if (*n) qsort(*names, *n, sizeof **names, by_name);
    return QZ_OK;
}
void qz_free_names(char **names, size_t n) {
    for (size_t i = 0; i < n; i++) qz_free(names[i]);
    qz_free(names);
}

/* Depth is bounded by the artifact layouts we create (folders of files, one level). */
qz_status qz_remove_tree(const char *path, qz_error *err) {
    if (qz_path_is_link(path) || !qz_path_is_dir(path)) {
        /* a file system that takes no changes says so before it says that nothing is there */
        struct stat there;
        if (lstat(path, &there) != 0 && errno == ENOENT) return QZ_OK;
        if (unlink(path) != 0 && errno != ENOENT)
            return qz_fail(err, QZ_EIO, "cannot remove '%s': %s", path, strerror(errno));
        return QZ_OK;
    }
    char **names;
    size_t n;
    QZ_TRY(qz_list_dir(path, &names, &n, err));
    qz_status s = QZ_OK;
    for (size_t i = 0; i < n && s == QZ_OK; i++) {
        char *p = qz_path_join(path, names[i]);
        if (p == NULL) s = qz_fail(err, QZ_EMEMORY, "out of memory");
        else if (qz_path_is_dir(p))
            s = qz_fail(err, QZ_EIO, "refusing to remove nested folder '%s'; remove it by hand", p);
        else if (unlink(p) != 0) s = qz_fail(err, QZ_EIO, "cannot remove '%s': %s", p, strerror(errno));
        qz_free(p);
    }
    qz_free_names(names, n);
    if (s == QZ_OK && rmdir(path) != 0)
        s = qz_fail(err, QZ_EIO, "cannot remove folder '%s': %s", path, strerror(errno));
    return s;
}

char *qz_path_join(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    bool slash = n > 0 && a[n - 1] != '/';
    char *p = qz_alloc_array(n + m + 2, 1);
    if (p == NULL) return NULL;
    memcpy(p, a, n);
    if (slash) p[n++] = '/';
    memcpy(p + n, b, m + 1);
    return p;
}
const char *qz_path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* VmHWM, because it can be reset for a child process; getrusage's figure keeps what the parent had. */
uint64_t qz_peak_rss(void) {
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long long kib = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu kB", &kib) == 1) break;
    if (f) (void)fclose(f);
    struct rusage u;
    if (kib == 0 && getrusage(RUSAGE_SELF, &u) == 0) kib = (unsigned long long)u.ru_maxrss;
    return kib * 1024u;
}
void qz_peak_rss_reset(void) {
    (void)malloc_trim(0);
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t n = write(fd, "5", 1);
    (void)n; /* without it the figure is only larger */
    (void)close(fd);
}
double qz_now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
