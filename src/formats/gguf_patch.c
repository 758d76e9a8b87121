#include "formats/gguf_patch.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/size.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "quantz-undo 2\n"
#define RECORD_LIMIT ((size_t)2 << 30)
/* size of the file, offset, count n, n bytes that stood there, n that come, a hash of all */
enum { HEAD = sizeof MAGIC - 1 + 24, SHA = 64 };

/* Beside the file itself, whatever name it is opened by: caches are full of links. */
static char *record_name(const char *path) {
    qz_str s = {0};
    char *real = realpath(path, NULL);
    qz_str_printf(&s, "%s.undo", real ? real : path);
    free(real);
    if (!s.failed) return s.ptr;
    qz_str_release(&s);
    return NULL;
}

static qz_status read_at(int fd, const char *path, uint64_t at, uint8_t *to, size_t n, qz_error *err) {
    while (n) {
        const ssize_t k = pread(fd, to, n, (off_t)at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0)
            return qz_fail(err, QZ_EIO, "cannot read '%s' at offset %llu: %s", path, (unsigned long long)at,
                           k < 0 ? strerror(errno) : "the file ends");
        to += k;
        at += (uint64_t)k;
        n -= (size_t)k;
    }
    return QZ_OK;
}

static qz_status write_at(int fd, const char *path, uint64_t at, const uint8_t *from, size_t n, qz_error *err) {
    bool ok = lseek(fd, (off_t)at, SEEK_SET) >= 0;
    while (ok && n) {
        const ssize_t k = write(fd, from, n);
        if (k < 0 && errno == EINTR) continue;
        ok = k > 0;
        from += ok ? k : 0;
        n -= ok ? (size_t)k : 0;
    }
    if (ok && fsync(fd) == 0) return QZ_OK;
    return qz_fail(err, QZ_EIO, "cannot write '%s': %s; 'quantz gguf repair' puts back what stood there", path,
                   strerror(errno));
}

static qz_status open_file(const char *path, int *fd, qz_error *err) {
    *fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    return *fd >= 0 ? QZ_OK : qz_fail(err, QZ_EIO, "cannot write '%s': %s", path, strerror(errno));
}

static qz_status forget(const char *path, const char *name, qz_error *err) {
    if (unlink(name) != 0) return qz_fail(err, QZ_EIO, "cannot remove '%s': %s", name, strerror(errno));
    const size_t n = (size_t)(qz_path_base(path) - path);
    char *dir = n ? qz_strndup(path, n) : qz_strdup(".");
    qz_status st = dir ? qz_sync_dir(dir, err) : qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_free(dir);
    return st;
}

/* The record of what stands at [offset, offset + n). */
static qz_status keep(int fd, const char *path, const char *name, uint64_t offset, const uint8_t *bytes, size_t n,
                      qz_error *err) {
    uint64_t size = 0;
    QZ_TRY(qz_file_size(path, &size, err));
    if (offset > size || n > size - offset)
        return qz_fail(err, QZ_EBUG, "edit outside the file: '%s': %zu bytes at offset %llu of %llu", path, n,
                       (unsigned long long)offset, (unsigned long long)size);
    uint8_t *r = qz_alloc_array(HEAD + 2 * n + SHA + 1, 1);
    if (r == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory editing '%s'", path);
    memcpy(r, MAGIC, sizeof MAGIC - 1);
    qz_store_u64le(r + sizeof MAGIC - 1, size);
    qz_store_u64le(r + sizeof MAGIC + 7, offset);
    qz_store_u64le(r + sizeof MAGIC + 15, n);
    qz_status st = read_at(fd, path, offset, r + HEAD, n, err);
    char hex[65];
    memcpy(r + HEAD + n, bytes, n);
    qz_sha256_bytes_hex(r, HEAD + 2 * n, hex);
    memcpy(r + HEAD + 2 * n, hex, SHA);
    if (st == QZ_OK) st = qz_write_file(name, r, HEAD + 2 * n + SHA, err);
    qz_free(r);
    return st;
}

qz_status qz_gguf_patch(const char *path, uint64_t offset, const uint8_t *bytes, size_t n, qz_error *err) {
    char *name = record_name(path);
    int fd = -1;
    qz_status st = name ? open_file(path, &fd, err) : qz_fail(err, QZ_EMEMORY, "out of memory editing '%s'", path);
    if (st == QZ_OK) st = keep(fd, path, name, offset, bytes, n, err);
    if (st == QZ_OK) {
        st = write_at(fd, path, offset, bytes, n, err);
        qz_patch_left left;
        if (st == QZ_OK) st = forget(path, name, err);
        else (void)qz_gguf_patch_recover(path, &left, &(qz_error){0});
    }
    if (fd >= 0) (void)close(fd);
    qz_free(name);
    return st;
}

/* What stands in the file is of this edit: every byte is the old one or the new one, in whatever order they arrived. */
static qz_status same_edit(int fd, const char *path, uint64_t offset, const uint8_t *old, size_t n, bool *same,
                           qz_error *err) {
    uint8_t *now = qz_alloc_array(n + 1, 1);
    if (now == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory repairing '%s'", path);
    qz_status st = read_at(fd, path, offset, now, n, err);
    *same = st == QZ_OK;
    for (size_t i = 0; i < n && *same; i++) *same = now[i] == old[i] || now[i] == old[n + i];
    qz_free(now);
    return st;
}

typedef struct { char *name, *bytes; size_t n; uint64_t offset; const uint8_t *old; qz_patch_left left; } record;
static void release(record *r) {
    qz_free(r->name);
    qz_free(r->bytes);
}

/* The record beside a file, and whether it is of this file (left: TAKEN_BACK if its edit is to be). */
static qz_status read_record(const char *path, int flags, int *fd, record *r, qz_error *err) {
    uint64_t now = 0;
    size_t size = 0;
    char hex[65];
    const size_t m = sizeof MAGIC - 1;
    *fd = -1;
    *r = (record){.name = record_name(path)};
    if (r->name == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    if (!qz_path_exists(r->name)) return QZ_OK;
    QZ_TRY(qz_read_file(r->name, RECORD_LIMIT, &r->bytes, &size, err));
    const uint8_t *b = (const uint8_t *)r->bytes;
    bool ok = size >= HEAD + SHA && memcmp(b, MAGIC, m) == 0;
    const uint64_t n = ok ? qz_load_u64le(b + m + 16) : 0;
    r->offset = ok ? qz_load_u64le(b + m + 8) : 0;
    ok = ok && n <= RECORD_LIMIT && 2 * n == size - HEAD - SHA;
    if (ok) qz_sha256_bytes_hex(b, HEAD + 2 * (size_t)n, hex);
    if (!ok || memcmp(b + HEAD + 2 * n, hex, SHA) != 0)
        return qz_fail(err, QZ_EFORMAT,
                       "not a record of an edit: file '%s': damaged, or not ours; whether '%s' is whole cannot be "
                       "told: move the record away, then 'quantz verify'",
                       r->name, path);
    r->n = (size_t)n;
    r->old = b + HEAD;
    r->left = QZ_PATCH_OTHER;
    QZ_TRY(qz_file_size(path, &now, err));
    if (now != qz_load_u64le(b + m) || r->offset > now || n > now - r->offset) return QZ_OK;
    *fd = open(path, flags | O_CLOEXEC);
    if (*fd < 0) return qz_fail(err, QZ_EIO, "cannot open '%s': %s", path, strerror(errno));
    bool same = false;
    QZ_TRY(same_edit(*fd, path, r->offset, r->old, r->n, &same, err));
    if (same) r->left = QZ_PATCH_TAKEN_BACK;
    return QZ_OK;
}

bool qz_gguf_patch_left(const char *path) {
    record r;
    int fd;
    const qz_status st = read_record(path, O_RDONLY, &fd, &r, &(qz_error){0});
    if (fd >= 0) (void)close(fd);
    release(&r);
    return st != QZ_OK || r.left == QZ_PATCH_TAKEN_BACK;
}

qz_status qz_gguf_patch_recover(const char *path, qz_patch_left *left, qz_error *err) {
    record r;
    int fd;
    *left = QZ_PATCH_NONE;
    qz_status st = read_record(path, O_RDWR | O_NOFOLLOW, &fd, &r, err);
    if (st == QZ_OK && r.left == QZ_PATCH_TAKEN_BACK) st = write_at(fd, path, r.offset, r.old, r.n, err);
    if (st == QZ_OK && r.left != QZ_PATCH_NONE) st = forget(path, r.name, err);
    if (st == QZ_OK) *left = r.left;
    if (fd >= 0) (void)close(fd);
    release(&r);
    return st;
}
