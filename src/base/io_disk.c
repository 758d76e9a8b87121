/* Room on the disk: what is free, and what an earlier job's unfinished output takes of it. */
#include "base/io.h"
#include "base/size.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

qz_status qz_disk_free(const char *path, uint64_t *bytes, qz_error *err) {
    char *p = qz_strdup(path[0] ? path : ".");
    if (p == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    struct statvfs v;
    while (statvfs(p, &v) != 0) {
        char *slash = strrchr(p, '/');
        if (errno != ENOENT || strcmp(p, ".") == 0 || strcmp(p, "/") == 0) {
            qz_status s = qz_fail(err, QZ_EIO, "cannot read free space of '%s': %s", p, strerror(errno));
            qz_free(p);
            return s;
        }
        if (slash == NULL) p[0] = '.', p[1] = 0;
        else if (slash == p) p[1] = 0;
        else *slash = 0;
    }
    *bytes = (uint64_t)v.f_bavail * (uint64_t)v.f_frsize;
    qz_free(p);
    return QZ_OK;
}

/* A second name elsewhere (hard link) keeps the blocks. */
static uint64_t blocks_of(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 ? (uint64_t)st.st_blocks * 512u : 0;
}

static uint64_t blocks_in(const char *dir) { /* of files; no artifact has folders in it */
    char **names = NULL;
    size_t n = 0;
    uint64_t sum = 0;
    if (qz_list_dir(dir, &names, &n, &(qz_error){0}) != QZ_OK) return 0;
    for (size_t i = 0; i < n; i++) {
        char *member = qz_path_join(dir, names[i]);
        if (member) sum += blocks_of(member);
        qz_free(member);
    }
    qz_free_names(names, n);
    return sum;
}

uint64_t qz_disk_partial(const char *path) {
    qz_str s = {0};
    qz_str_printf(&s, "%s.partial", path);
    const bool folder = !s.failed && !qz_path_is_link(s.ptr) && qz_path_is_dir(s.ptr);
    const uint64_t sum = s.failed ? 0 : folder ? blocks_in(s.ptr) : blocks_of(s.ptr);
    qz_str_release(&s);
    return sum;
}

qz_status qz_disk_check(const char *path, uint64_t need, qz_error *err) {
    uint64_t have = 0;
    const uint64_t partial = qz_disk_partial(path);
    QZ_TRY(qz_disk_free(path, &have, err));
    if (have + partial >= need) return QZ_OK;
    if (partial)
        return qz_fail(err, QZ_EIO,
                       "not enough free disk: output '%s': expected %llu bytes, found %llu and %llu in '%s.partial', "
                       "which an earlier job has left and this one uses; free space or choose another folder",
                       path, (unsigned long long)need, (unsigned long long)have, (unsigned long long)partial, path);
    return qz_fail(
        err, QZ_EIO,
        "not enough free disk: output '%s': expected %llu bytes, found %llu; free space or choose another folder",
        path, (unsigned long long)need, (unsigned long long)have);
}
