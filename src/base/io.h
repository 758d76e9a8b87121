/* Files: read-only mappings (map.h), whole-file reads, atomic output files (out.h), folders, free space. Every failing
 * call names the file. */
#ifndef QZ_BASE_IO_H
#define QZ_BASE_IO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/map.h"
#include "base/out.h"
#include "base/status.h"

/* ---- whole files ---- */
/* For reading; QZ_EUSAGE for a pipe, device or folder, without waiting for one. The caller closes *fd. */
qz_status qz_open_regular(const char *path, int *fd, uint64_t *size, qz_error *err);
/* Reads at most `limit` bytes (QZ_EFORMAT if larger). *out is NUL terminated, owned by the caller (qz_free). */
qz_status qz_read_file(const char *path, size_t limit, char **out, size_t *len, qz_error *err);
/* The whole of PATH.partial, on disk; qz_commit gives it its name. */
qz_status qz_stage_file(const char *path, const void *bytes, size_t n, qz_error *err);
/* Both: PATH.partial, fsync, rename. */
qz_status qz_write_file(const char *path, const void *bytes, size_t n, qz_error *err);
qz_status qz_copy_file(const char *from, const char *to, qz_error *err); /* atomic as well */

/* ---- folders and facts ---- */
/* QZ_EUSAGE: no such file or folder; a word like owner/name may be a hub id, which no verb can open. */
qz_status qz_path_missing(const char *path, qz_error *err);
/* also a link to nothing: reading it then says so, where it must not pass as absent */
bool qz_path_exists(const char *path);
bool qz_path_is_link(const char *path); /* dangling or not */
bool qz_path_is_dir(const char *path);
/* What stands at a path, links followed. DANGLING: a link to nothing; OTHER: device, pipe, socket. */
typedef enum { QZ_PATH_NONE, QZ_PATH_FILE, QZ_PATH_DIR, QZ_PATH_DANGLING, QZ_PATH_OTHER } qz_path_kind;
qz_path_kind qz_path_kind_of(const char *path);
const char *qz_path_kind_text(const char *path);       /* "a file", "a character device" … for error texts */
/* one file or folder: device and inode; false if either is missing */
bool qz_path_same(const char *a, const char *b);
bool qz_path_inside(const char *path, const char *dir); /* both exist, links resolved; dir itself is not inside */
/* QZ_EUSAGE if PATH+ending is longer than its folder (or the nearest that exists) can hold. */
qz_status qz_path_fits(const char *path, const char *ending, qz_error *err);
qz_status qz_make_dirs(const char *path, qz_error *err);
/* Makes the missing folders above path and appends their names to made[n] (free with qz_free_names, also
 * after an error). */
qz_status qz_make_parents(const char *path, char ***made, size_t *n, qz_error *err);
void qz_drop_empty_dirs(char **made, size_t n);        /* removes those that are still empty, last first */
qz_status qz_sync_dir(const char *path, qz_error *err);
qz_status qz_file_size(const char *path, uint64_t *size, qz_error *err);
qz_status qz_disk_free(const char *path, uint64_t *bytes, qz_error *err); /* nearest existing parent */
/* QZ_EIO if `need` bytes find no place at PATH. What PATH.partial of an earlier job takes is counted as free: it is
 * continued or replaced. */
qz_status qz_disk_check(const char *path, uint64_t need, qz_error *err);
/* bytes that PATH.partial, a file or folder, takes: they are free once it is removed */
uint64_t qz_disk_partial(const char *path);
/* Sorted names in a folder without "." and ".."; free each and the array with qz_free_names. */
qz_status qz_list_dir(const char *path, char ***names, size_t *n, qz_error *err);
void qz_free_names(char **names, size_t n);
/* A new folder "quantz-WHAT-…" under TMPDIR (/tmp without one), locked while its program runs: making one removes those
 * of the same WHAT that a killed run of the same user left. qz_scratch_remove ends it, with all that is in it. */
typedef struct { char path[4096]; int lock; } qz_scratch;
qz_status qz_scratch_make(const char *what, qz_scratch *s, qz_error *err);
qz_status qz_scratch_remove(qz_scratch *s, qz_error *err);
qz_status qz_remove_tree(const char *path, qz_error *err); /* of a link: the link alone */
/* "a/b" joined; owned by the caller (qz_free); NULL when out of memory. */
char *qz_path_join(const char *a, const char *b);
const char *qz_path_base(const char *path);
/* Peak resident memory of this process so far, bytes. */
uint64_t qz_peak_rss(void);
/* Gives free memory back and starts the peak anew from what is resident now. */
void qz_peak_rss_reset(void);
double qz_now(void); /* monotonic seconds */
/* At the start of a program: standard files that are closed are held, so that no output gets their number (a warning
 * would be written into an artifact); writing to them still fails. */
void qz_hold_std_files(void);

/* ---- from temporary names to final ones ----
 * All in order, or after an error none: each `from` (a whole file or folder, on disk) stands under its `to`; what stood
 * there before has changed places with it in one step, is put back after an error and removed at the end. Killed at any
 * point, either the old or the new is whole under its final name, or (file systems that cannot exchange names) as
 * FROM.old, which qz_commit_recover of the next run puts back. */
#define QZ_OLD ".old"
typedef struct { const char *from, *to; } qz_move;
qz_status qz_commit(const qz_move *moves, size_t n, qz_error *err);
/* What commit is made of; nothing is synced. exchange: the two change places. */
qz_status qz_rename(const char *from, const char *to, qz_error *err);
qz_status qz_exchange(const char *from, const char *to, qz_error *err);
/* PATH.partial alone; removed where it cannot get its name */
qz_status qz_commit_partial(const char *path, qz_error *err);
/* NEW: `to` was in its place already, FROM.old has been removed; OLD: FROM.old is `to` again. */
typedef enum { QZ_RECOVERED_NOTHING, QZ_RECOVERED_NEW, QZ_RECOVERED_OLD } qz_recovered;
qz_status qz_commit_recover(const char *from, const char *to, qz_recovered *what, qz_error *err);

/* One job at a time for an output: PATH.partial.lock, held until `drop` removes it, and by nobody once its process is
 * gone. QZ_EUSAGE if another process has it. Where no file can be made there is no lock and no error. A lock file that
 * a killed job has left is the mark that PATH.partial and what belongs to it are ours: it stays until a job
 * has finished. */
typedef struct { int fd; char *name; bool left; } qz_lock; /* fd -1: none; left: by a killed job */
bool qz_lock_left(const char *path); /* an empty lock file stands there: of a job that runs or was killed */
qz_status qz_lock_take(qz_lock *l, const char *path, qz_error *err);
void qz_lock_drop(qz_lock *l, bool finished); /* not finished: a mark that was there stays */
#endif
