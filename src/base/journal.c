#include "base/journal.h"
#include "base/io.h"
#include "base/size.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { JOURNAL_LIMIT = 64 << 20 };

/* Splits complete lines; returns the bytes they take. */
static qz_status split_lines(qz_journal *j, const char *text, size_t len, size_t *used, qz_error *err) {
    size_t count = 0;
    for (size_t i = 0; i < len; i++) count += text[i] == '\n';
    j->lines = qz_calloc_array(count, sizeof *j->lines);
    if (j->lines == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", j->path);
    *used = 0;
    while (j->n < count) {
        const char *nl = memchr(text + *used, '\n', len - *used);
        size_t n = (size_t)(nl - (text + *used));
        j->lines[j->n] = qz_strndup(text + *used, n);
        if (j->lines[j->n] == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", j->path);
        j->n++;
        *used += n + 1;
    }
    return QZ_OK;
}

qz_status qz_journal_open(qz_journal *j, const char *path, bool fresh, qz_error *err) {
    *j = (qz_journal){.fd = -1, .path = qz_strdup(path)};
    if (j->path == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    size_t used = 0;
    qz_status st = QZ_OK;
    if (!fresh && qz_path_exists(path)) {
        char *text = NULL;
        size_t len = 0;
        st = qz_read_file(path, JOURNAL_LIMIT, &text, &len, err);
        if (st == QZ_OK) st = split_lines(j, text, len, &used, err);
        qz_free(text);
    }
    if (st == QZ_OK) {
        j->fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (j->fd < 0 || ftruncate(j->fd, (off_t)used) != 0 || lseek(j->fd, (off_t)used, SEEK_SET) < 0)
            st = qz_fail(err, QZ_EIO, "cannot write '%s': %s; choose another output folder", path, strerror(errno));
    }
    if (st != QZ_OK) qz_journal_close(j, false);
    return st;
}

qz_status qz_journal_add(qz_journal *j, qz_error *err, const char *fmt, ...) {
    qz_str s = {0};
    va_list ap;
    va_start(ap, fmt);
    qz_str_vprintf(&s, fmt, ap);
    va_end(ap);
    qz_str_putc(&s, '\n');
    qz_status st = s.failed ? qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", j->path) : QZ_OK;
    if (st == QZ_OK && (write(j->fd, s.ptr, s.len) != (ssize_t)s.len || fdatasync(j->fd) != 0))
        st = qz_fail(err, QZ_EIO, "cannot write '%s': %s", j->path, strerror(errno));
    qz_str_release(&s);
    return st;
}

void qz_journal_close(qz_journal *j, bool remove_file) {
    if (j->path == NULL) return;
    if (j->fd >= 0) (void)close(j->fd);
    if (remove_file) (void)unlink(j->path);
    qz_free_names(j->lines, j->n);
    qz_free(j->path);
    *j = (qz_journal){.fd = -1};
}
