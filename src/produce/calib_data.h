/* Calibration data to statistics: dataset, lint, windows, one pass. Shared by calibrate, quantize and release. */
#ifndef QZ_PRODUCE_CALIB_DATA_H
#define QZ_PRODUCE_CALIB_DATA_H
#include "artifacts/source.h"
#include "base/table.h"
#include "calibrate/kv_ranges.h"
#include "calibrate/stats.h"
#include "produce/request.h"

/* Lints r->data against r->text, r->tasks and r->traffic; fills a table of findings. QZ_ECHECK if one refuses and is
 * not in r->accept; what r->accept lets pass, leaks too, is written to data->accepted. table may be NULL: findings then
 * go to the log as warnings. */
qz_status qz_calib_lint(qz_run *run, const qz_source *s, qz_dataset *data, const qz_request *r, qz_arena *arena,
                        qz_table *table, qz_error *err);
/* r->data against r->text and r->tasks before any work: QZ_EUSAGE if samples stand in both and r->accept lacks
 * CAL-LEAK; with it *accepted (arena) says so, NULL: nothing in both. */
qz_status qz_calib_leaks(const qz_source *s, const qz_request *r, qz_arena *arena, const char **accepted,
                         qz_error *err);
/* Bytes that a calibration of so many windows takes at most, planned before it starts; r->ram bounds it. */
uint64_t qz_calib_memory(const qz_source *s, const qz_request *r, uint64_t windows, uint64_t seq_len);
/* r->data as windows, linted; the caller releases both. Counts of what was used, cut and dropped go to the log. */
qz_status qz_calib_windows(qz_run *run, const qz_source *s, const qz_request *r, qz_dataset *d, qz_windows *w,
                           qz_error *err);
/* Largest keys and values over the windows, in the arena, and what a cache without scales would clip of them. */
qz_status qz_calib_cache_ranges(qz_run *run, const qz_source *s, const qz_windows *w, qz_arena *arena,
                                qz_kv_ranges *out, qz_error *err);
/* r->data -> statistics file at path (resumable; *finished: r->resume, and it stood there already, of the same data and
 * settings). finished NULL: statistics of the job's own, which replaces what stands there and removes them at the end;
 * messages do not name them. */
qz_status qz_calib_make(qz_run *run, qz_source *s, const qz_request *r, const char *path, bool *finished,
                        qz_error *err);
#endif
