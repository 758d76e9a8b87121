#include "base/io.h"
#include "base/size.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Open and locked, or fd -1 where no file can be made (whoever writes there says why). `again`: the file was
 * removed meanwhile. */
static qz_status lock_once(const char *name, const char *path, int *fd, bool *again, qz_error *err) {
    struct stat ours, named;
    *again = false;
    *fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (*fd < 0) return QZ_OK;
    qz_status st = QZ_OK;
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        st = qz_fail(err, QZ_EUSAGE, "another quantz is writing '%s'; wait for it, or choose another output", path);
    else if (fstat(*fd, &ours) != 0 || stat(name, &named) != 0 || ours.st_ino != named.st_ino ||
             ours.st_dev != named.st_dev)
        *again = true;
    else if (ours.st_size != 0)
        st = qz_fail(err, QZ_EUSAGE,
                     "output '%s' would replace '%s', which is not ours; move it away or choose another output", path,
                     name);
    if (st != QZ_OK || *again) {
        (void)close(*fd);
        *fd = -1;
    }
    return st;
}

static char *name_of(const char *path, qz_error *err) {
    qz_str s = {0};
    qz_str_printf(&s, "%s.partial.lock", path);
    if (!s.failed) return s.ptr;
    qz_str_release(&s);
    (void)qz_fail(err, QZ_EMEMORY, "out of memory");
    return NULL;
}

bool qz_lock_left(const char *path) {
    struct stat st;
    char *name = name_of(path, NULL);
    const bool yes = name && lstat(name, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
    qz_free(name);
    return yes;
}

qz_status qz_lock_take(qz_lock *l, const char *path, qz_error *err) {
    *l = (qz_lock){.fd = -1, .left = qz_lock_left(path), .name = name_of(path, err)};
    if (l->name == NULL) return QZ_EMEMORY;
    qz_status st = QZ_OK;
    bool again = true;
    for (int i = 0; i < 100 && again && st == QZ_OK; i++) st = lock_once(l->name, path, &l->fd, &again, err);
    if (st != QZ_OK) {
        qz_free(l->name);
        l->name = NULL;
    }
    return st;
}

void qz_lock_drop(qz_lock *l, bool finished) {
    /* while it is held: nobody else has this file */
    if (l->fd >= 0 && l->name && (finished || !l->left)) (void)unlink(l->name);
    if (l->fd >= 0) (void)close(l->fd);
    qz_free(l->name);
    *l = (qz_lock){.fd = -1};
}
