/* The one way from a temporary name to a final one: all names of a job together, or none of them. */
#include "base/io.h"
#include "base/size.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *with_ending(const char *path, const char *ending) {
    const size_t n = strlen(path), k = strlen(ending);
    char *p = qz_alloc_array(n + k + 1, 1);
    if (p == NULL) return NULL;
    memcpy(p, path, n);
    memcpy(p + n, ending, k + 1);
    return p;
}

static char *parent_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return qz_strdup(".");
    return slash == path ? qz_strdup("/") : qz_strndup(path, (size_t)(slash - path));
}

qz_status qz_rename(const char *from, const char *to, qz_error *err) {
    if (rename(from, to) == 0) return QZ_OK;
    return qz_fail(err, QZ_EIO, "cannot rename '%s' to '%s': %s", from, to, strerror(errno));
}

/* Where names cannot be exchanged in one step: a file gets the second name `old`, so that its own is never without it;
 * a folder steps aside as `old` for a moment, and a kill in between is what qz_commit_recover repairs. */
static qz_status swap_in_steps(const char *from, const char *to, const char *old, qz_error *err) {
    if (link(to, old) != 0) QZ_TRY(qz_rename(to, old, err));
    qz_status st = qz_rename(from, to, err);
    if (st == QZ_OK && (st = qz_rename(old, from, err)) == QZ_OK) return QZ_OK;
    if (!qz_path_exists(from)) (void)rename(to, from);
    if (!qz_path_exists(to)) (void)rename(old, to);
    (void)unlink(old);
    return st;
}

qz_status qz_exchange(const char *from, const char *to, qz_error *err) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0) return QZ_OK;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return qz_fail(err, QZ_EIO, "cannot rename '%s' to '%s': %s", from, to, strerror(errno));
    char *old = with_ending(from, QZ_OLD);
    if (old == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status st = swap_in_steps(from, to, old, err);
    qz_free(old);
    return st;
}

static qz_status sync_parent(const char *path, qz_error *err) {
    char *dir = parent_of(path);
    if (dir == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status st = qz_sync_dir(dir, err);
    qz_free(dir);
    return st;
}

qz_status qz_commit(const qz_move *moves, size_t n, qz_error *err) {
    bool *swapped = qz_calloc_array(n, sizeof *swapped);
    size_t done = 0;
    qz_status st = swapped ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    for (; done < n && st == QZ_OK; done += st == QZ_OK) {
        swapped[done] = qz_path_exists(moves[done].to);
        st = (swapped[done] ? qz_exchange : qz_rename)(moves[done].from, moves[done].to, err);
    }
    for (size_t i = 0; i < n && st == QZ_OK; i++) st = sync_parent(moves[i].to, err);
    if (st != QZ_OK) { /* nothing has happened */
        while (done-- > 0)
            if (swapped[done]) (void)qz_exchange(moves[done].from, moves[done].to, &(qz_error){0});
            else (void)rename(moves[done].to, moves[done].from);
        qz_free(swapped);
        return st;
    }
    for (size_t i = 0; i < n && st == QZ_OK; i++)
        if (swapped[i]) st = qz_remove_tree(moves[i].from, err);
    qz_free(swapped);
    return st;
}

qz_status qz_commit_partial(const char *path, qz_error *err) {
    char *from = with_ending(path, ".partial");
    if (from == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status st = qz_commit(&(qz_move){from, path}, 1, err);
    if (st != QZ_OK) (void)unlink(from);
    qz_free(from);
    return st;
}

qz_status qz_commit_recover(const char *from, const char *to, qz_recovered *what, qz_error *err) {
    *what = QZ_RECOVERED_NOTHING;
    char *old = with_ending(from, QZ_OLD);
    if (old == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status st = QZ_OK;
    if (qz_path_exists(old)) {
        *what = qz_path_exists(to) ? QZ_RECOVERED_NEW : QZ_RECOVERED_OLD;
        st = *what == QZ_RECOVERED_NEW ? qz_remove_tree(old, err) : qz_rename(old, to, err);
        if (st == QZ_OK) st = sync_parent(to, err);
    }
    qz_free(old);
    return st;
}
