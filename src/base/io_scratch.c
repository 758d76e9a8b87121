#include "base/io.h"
#include "base/size.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FRESH = 60 }; /* seconds in which another run may have made its folder and not locked it yet */

static int locked(const char *path) {
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    if (fd >= 0) (void)close(fd);
    return -1;
}

/* What is in it, artifacts as folders of files included. */
static qz_status empty(const char *path, qz_error *err) {
    char **names;
    size_t n;
    QZ_TRY(qz_list_dir(path, &names, &n, err));
    qz_status st = QZ_OK;
    for (size_t i = 0; i < n && st == QZ_OK; i++) {
        char *inner = qz_path_join(path, names[i]);
        st = inner ? qz_remove_tree(inner, err) : qz_fail(err, QZ_EMEMORY, "out of memory");
        qz_free(inner);
    }
    qz_free_names(names, n);
    return st;
}
static qz_status remove_all(const char *path, qz_error *err) {
    QZ_TRY(empty(path, err));
    return qz_remove_tree(path, err);
}

/* Folders under base that begin so, are this user's, and that no running program holds. What cannot be removed stays:
 * another run will try. */
static void sweep(const char *base, const char *begin) {
    char **names;
    size_t n;
    struct stat st;
    const size_t letters = strlen(begin);
    if (qz_list_dir(base, &names, &n, &(qz_error){0}) != QZ_OK) return;
    for (size_t i = 0; i < n; i++) {
        if (strncmp(names[i], begin, letters) != 0 || strlen(names[i]) != letters + 6) continue;
        char *path = qz_path_join(base, names[i]);
        const int fd = path && lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
                               time(NULL) - st.st_mtime > FRESH
                           ? locked(path)
                           : -1;
        if (fd >= 0) {
            (void)remove_all(path, &(qz_error){0});
            (void)close(fd);
        }
        qz_free(path);
    }
    qz_free_names(names, n);
}

qz_status qz_scratch_make(const char *what, qz_scratch *s, qz_error *err) {
    const char *base = getenv("TMPDIR");
    char begin[64];
    *s = (qz_scratch){.lock = -1};
    if (base == NULL || *base == 0) base = "/tmp";
    const int n = snprintf(s->path, sizeof s->path, "%s/quantz-%s-XXXXXX", base, what);
    if (n > 0 && (size_t)n < sizeof s->path && mkdtemp(s->path)) {
        s->lock = locked(s->path); /* a file system without locks: nothing sweeps there either */
        if (snprintf(begin, sizeof begin, "quantz-%s-", what) < (int)sizeof begin) sweep(base, begin);
        return QZ_OK;
    }
    return qz_fail(err, QZ_EIO, "cannot make a folder in '%s': set TMPDIR to one that can be written", base);
}

qz_status qz_scratch_remove(qz_scratch *s, qz_error *err) {
    const qz_status st = remove_all(s->path, err);
    if (s->lock >= 0) (void)close(s->lock);
    s->lock = -1;
    return st;
}
