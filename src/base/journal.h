/* A journal makes long work resumable after kill -9: one line per finished step, appended and fsynced. A line counts
 * only if it ends in a newline. qz_journal j; qz_journal_open(&j, path, fresh, err); qz_journal_add; …;
 * qz_journal_close(&j, remove). */
#ifndef QZ_BASE_JOURNAL_H
#define QZ_BASE_JOURNAL_H
#include <stdbool.h>
#include <stddef.h>
#include "base/status.h"

typedef struct {
    int fd;
    char *path;
    char **lines; size_t n; /* complete lines found when it was opened, without their newline */
} qz_journal;
/* fresh: start empty. Else the existing lines are read (a missing file is empty); a torn last line is cut off. */
qz_status qz_journal_open(qz_journal *j, const char *path, bool fresh, qz_error *err);
qz_status qz_journal_add(qz_journal *j, qz_error *err, const char *fmt, ...) QZ_PRINTF(3, 4);
void qz_journal_close(qz_journal *j, bool remove_file); /* accepts a zeroed journal */
#endif
