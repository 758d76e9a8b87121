/* Atomic output files: everything goes to PATH.partial; the final name appears only after every byte is on disk. */
#include "base/io.h"
#include "base/side_hash.h"
#include "base/size.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OUT_BUFFER = 1 << 20, RING = QZ_SIDE_SLOTS };

static qz_status prepare(qz_out *o, const char *path, qz_error *err) {
    *o = (qz_out){.fd = -1};
    size_t n = strlen(path);
    o->path = qz_strdup(path);
    o->partial = qz_alloc_array(n + 9, 1);
    o->buf = qz_alloc_array(OUT_BUFFER, 1);
    if (o->path == NULL || o->partial == NULL || o->buf == NULL) {
        qz_out_abort(o, true);
        return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    }
    memcpy(o->partial, path, n);
    memcpy(o->partial + n, ".partial", 9);
    return QZ_OK;
}

/* rename would put a file in the place of a device or a pipe, and a folder cannot be replaced at all. */
static qz_status check_target(const char *path, qz_error *err) {
    qz_path_kind k = qz_path_kind_of(path);
    if (k == QZ_PATH_NONE || k == QZ_PATH_FILE) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "output '%s' is %s and will not be replaced: expected a regular file or a new name",
                   path, qz_path_kind_text(path));
}

qz_status qz_out_open(qz_out *o, const char *path, qz_error *err) {
    QZ_TRY(check_target(path, err));
    QZ_TRY(prepare(o, path, err));
    /* a new file, never through a link: an old PATH.partial may be a second name of something that is
     * dear to the user */
    struct stat old;
    if (lstat(o->partial, &old) == 0 && (S_ISREG(old.st_mode) || S_ISLNK(old.st_mode))) (void)unlink(o->partial);
    o->fd = open(o->partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (o->fd < 0) {
        qz_status s = qz_fail(err, QZ_EIO, "cannot write '%s': %s; choose another output folder", o->partial,
                              strerror(errno));
        qz_out_abort(o, true);
        return s;
    }
    return QZ_OK;
}

static qz_status rehash(qz_out *o, uint64_t offset, qz_error *err) {
    uint64_t at = 0;
    while (at < offset) {
        size_t want = offset - at < OUT_BUFFER ? (size_t)(offset - at) : OUT_BUFFER;
        ssize_t k = pread(o->fd, o->buf, want, (off_t)at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0)
            return qz_fail(err, QZ_EIO,
                           "cannot resume: file '%s', offset %llu: expected %llu bytes; start again without --resume",
                           o->partial, (unsigned long long)at, (unsigned long long)offset);
        qz_sha256_update(&o->sha, o->buf, (size_t)k);
        at += (uint64_t)k;
    }
    return QZ_OK;
}

qz_status qz_out_resume(qz_out *o, const char *path, uint64_t offset, qz_error *err) {
    QZ_TRY(prepare(o, path, err));
    o->fd = open(o->partial, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    qz_status s = QZ_OK;
    if (o->fd < 0)
        s = qz_fail(err, QZ_EIO, "cannot resume '%s': %s; start again without --resume", o->partial, strerror(errno));
    if (s == QZ_OK) s = rehash(o, offset, err);
    if (s == QZ_OK && (ftruncate(o->fd, (off_t)offset) != 0 || lseek(o->fd, (off_t)offset, SEEK_SET) < 0))
        s = qz_fail(err, QZ_EIO, "cannot resume '%s': %s", o->partial, strerror(errno));
    if (s != QZ_OK) {
        qz_out_abort(o, true);
        return s;
    }
    o->size = offset;
    return QZ_OK;
}

static qz_status drain(qz_out *o, const uint8_t *p, size_t n, qz_error *err) {
    for (size_t at = 0; at < n;) {
        ssize_t k = write(o->fd, p + at, n - at);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0)
            return qz_fail(err, QZ_EIO, "cannot write '%s' at offset %llu: %s%s", o->partial,
                           (unsigned long long)(o->size - o->used + at), strerror(errno),
                           errno == ENOSPC ? "; free space or choose another output folder, then use --resume" : "");
        at += (size_t)k;
    }
    return QZ_OK;
}

/* Writes and hashes the buffer, which is empty then. */
static qz_status spill(qz_out *o, qz_error *err) {
    if (o->used == 0) return QZ_OK;
    if (o->aside && o->side == NULL) {
        uint8_t *ring = qz_alloc_array(RING, OUT_BUFFER);
        o->side = ring ? qz_side_hash_open(&o->sha) : NULL;
        o->aside = o->side != NULL; /* else as usual */
        if (o->aside) {
            memcpy(ring, o->buf, o->used);
            qz_free(o->buf);
            o->buf = o->ring = ring;
        } else qz_free(ring);
    }
    if (o->side) qz_side_hash_add(o->side, o->buf, o->used);
    else qz_sha256_update(&o->sha, o->buf, o->used);
    QZ_TRY(drain(o, o->buf, o->used, err));
    o->used = 0;
    if (o->side) { /* the next buffer is free once all but the RING - 1 behind it are taken */
        o->slot = (o->slot + 1) % RING;
        o->buf = o->ring + o->slot * OUT_BUFFER;
        qz_side_hash_wait(o->side, RING - 1);
    }
    return QZ_OK;
}

void qz_out_aside(qz_out *o) { o->aside = true; }

qz_status qz_out_write(qz_out *o, const void *bytes, size_t n, qz_error *err) {
    const uint8_t *p = bytes;
    if (n >= OUT_BUFFER && !o->aside) { /* past the buffer */
        QZ_TRY(spill(o, err));
        qz_sha256_update(&o->sha, p, n);
        o->size += n;
        o->used = n; /* where drain says that it failed */
        qz_status st = drain(o, p, n, err);
        o->used = 0;
        return st;
    }
    while (n) {
        const size_t k = qz_min_size(n, OUT_BUFFER - o->used);
        memcpy(o->buf + o->used, p, k);
        o->used += k;
        o->size += k;
        p += k;
        n -= k;
        if (o->used == OUT_BUFFER) QZ_TRY(spill(o, err));
    }
    return QZ_OK;
}

qz_status qz_out_zeros(qz_out *o, size_t n, qz_error *err) {
    static const uint8_t zeros[4096];
    while (n) {
        size_t k = n < sizeof zeros ? n : sizeof zeros;
        QZ_TRY(qz_out_write(o, zeros, k, err));
        n -= k;
    }
    return QZ_OK;
}

qz_status qz_out_flush(qz_out *o, qz_error *err) {
    QZ_TRY(spill(o, err));
    if (fdatasync(o->fd) != 0) return qz_fail(err, QZ_EIO, "cannot write '%s': %s", o->partial, strerror(errno));
    return QZ_OK;
}

qz_status qz_out_close(qz_out *o, char sha_hex[65], qz_error *err) {
    QZ_TRY(spill(o, err));
    if (fsync(o->fd) != 0) return qz_fail(err, QZ_EIO, "cannot write '%s': %s", o->partial, strerror(errno));
    int fd = o->fd;
    o->fd = -1;
    if (close(fd) != 0) return qz_fail(err, QZ_EIO, "cannot write '%s': %s", o->partial, strerror(errno));
    char hex[65];
    qz_side_hash_close(o->side);
    o->side = NULL;
    qz_sha256_final_hex(&o->sha, hex);
    if (sha_hex != NULL) memcpy(sha_hex, hex, 65);
    o->whole = true;
    return QZ_OK;
}
qz_status qz_out_commit(qz_out *o, char sha_hex[65], qz_error *err) {
    QZ_TRY(qz_out_close(o, sha_hex, err));
    qz_status st = qz_commit(&(qz_move){o->partial, o->path}, 1, err);
    o->whole = st == QZ_OK;
    return st;
}

void qz_out_abort(qz_out *o, bool keep_partial) {
    if (o->path == NULL && o->partial == NULL) return; /* zeroed */
    if (o->fd >= 0) (void)close(o->fd);
    if (!keep_partial && !o->whole) (void)unlink(o->partial);
    qz_side_hash_close(o->side);
    qz_sha256_release(&o->sha);
    qz_free(o->path);
    qz_free(o->partial);
    qz_free(o->ring ? o->ring : o->buf);
    *o = (qz_out){.fd = -1};
}
