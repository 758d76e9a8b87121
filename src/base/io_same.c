/* What a path is before something is written there: its kind, and whether two paths are one file. */
#include "base/io.h"
#include "base/size.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

qz_path_kind qz_path_kind_of(const char *path) {
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISREG(st.st_mode) ? QZ_PATH_FILE : S_ISDIR(st.st_mode) ? QZ_PATH_DIR : QZ_PATH_OTHER;
    return lstat(path, &st) == 0 ? QZ_PATH_DANGLING : QZ_PATH_NONE;
}
const char *qz_path_kind_text(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return lstat(path, &st) == 0 ? "a link to nothing" : "nothing";
    switch (st.st_mode & S_IFMT) {
    case S_IFREG: return "a file";
    case S_IFDIR: return "a folder";
    case S_IFCHR: return "a character device";
    case S_IFBLK: return "a block device";
    case S_IFIFO: return "a pipe";
    case S_IFSOCK: return "a socket";
    default: return "no file";
    }
}
bool qz_path_same(const char *a, const char *b) {
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool qz_path_inside(const char *path, const char *dir) {
    char *p = realpath(path, NULL), *d = realpath(dir, NULL);
    size_t n = d ? strlen(d) : 0;
    bool inside = p && d && strncmp(p, d, n) == 0 && (p[n] == '/' || n == 1) && p[n] != 0;
    free(p); /* both are the C library's */
    free(d);
    return inside;
}

qz_status qz_path_fits(const char *path, const char *ending, qz_error *err) {
    const size_t n = strlen(path) + strlen(ending), base = strlen(qz_path_base(path)) + strlen(ending);
    char *dir = qz_path_base(path) == path ? qz_strdup(".") : qz_strndup(path, (size_t)(qz_path_base(path) - path));
    if (dir == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    long most;
    while (errno = 0, (most = pathconf(dir, _PC_NAME_MAX)) < 0 && errno == ENOENT) { /* a folder that will be made */
        size_t k = strlen(dir);
        while (k > 1 && dir[k - 1] == '/') k--;
        while (k && dir[k - 1] != '/') k--;
        if (k == 0) dir[k++] = '.';
        dir[k] = 0;
    }
    qz_free(dir);
    if (most > 0 && base > (size_t)most)
        return qz_fail(err, QZ_EUSAGE,
                       "output name '%s' is too long: with '%s', which the job makes beside it, expected at most %ld "
                       "bytes, found %zu; choose a shorter name",
                       qz_path_base(path), ending, most, base);
    if (n >= PATH_MAX)
        return qz_fail(err, QZ_EUSAGE,
                       "output path of '%s' is too long: with '%s' expected at most %d bytes, found %zu; choose a "
                       "shorter path",
                       qz_path_base(path), ending, PATH_MAX - 1, n);
    return QZ_OK;
}

/* The folders above `path`, first missing first. */
qz_status qz_make_parents(const char *path, char ***made, size_t *n, qz_error *err) {
    char *p = qz_strdup(path);
    qz_status st = p ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    for (char *c = p ? p + 1 : NULL; st == QZ_OK && *p && *c; c++) {
        if (*c != '/' || c[1] == '/' || c[strspn(c, "/")] == 0) continue; /* a slash at the end is no parent */
        *c = 0;
        if (mkdir(p, 0777) == 0) {
            char **more = qz_realloc_array(*made, *n + 1, sizeof *more);
            if (more) *made = more;
            char *copy = more ? qz_strdup(p) : NULL;
            if (copy) (*made)[(*n)++] = copy;
            else st = qz_fail(err, QZ_EMEMORY, "out of memory");
        } else if (errno == EEXIST && !qz_path_is_dir(p))
            st = qz_fail(err, QZ_EUSAGE, "cannot write '%s': '%s' is %s: expected a folder; choose another output",
                         path, p, qz_path_kind_text(p));
        else if (errno != EEXIST)
            st = qz_fail(err, QZ_EIO, "cannot create folder '%s': %s; choose another output", p, strerror(errno));
        *c = '/';
    }
    qz_free(p);
    return st;
}
void qz_drop_empty_dirs(char **made, size_t n) {
    while (n--) (void)rmdir(made[n]); /* refuses what is not empty */
}
