/* Writes a folder as deploy/faults.h mends it: the same shards with the same tensors, the settings that changed, every
 * other file as it stands, and a manifest that says what was mended. With calibration data the folder is written, run,
 * and written again with what only data can give.
 *   qz_repair j = {.run = run, .r = r, .out = out}; qz_repair_find(&j, err);
 *   if (j.m.n_faults) qz_repair_write(&j, err); qz_repair_release(&j);
 * The output is claimed by the caller. Errors: QZ_EUNSUPPORTED where a fault cannot be mended, QZ_EFORMAT if the mended
 * folder does not open. */
#ifndef QZ_PRODUCE_REPAIR_H
#define QZ_PRODUCE_REPAIR_H
#include "deploy/faults.h"
#include "produce/request.h"

typedef struct {
    qz_run *run;
    const qz_request *r;      /* operands[0]: the folder; data: --calib or NULL */
    const char *out;
    qz_mending m;
    size_t files, exact;      /* written: tensors with the bytes they had */
    size_t coded, changed, added, dropped, renamed;
    uint64_t bytes;
    const char *opens;        /* how the mended folder was opened: a text, or why it was not (in m.arena) */
    char *partial;
} qz_repair;

qz_status qz_repair_find(qz_repair *j, qz_error *err);
/* What will be left out or computed is settled; with r->dry_run nothing is computed or written. */
qz_status qz_repair_write(qz_repair *j, qz_error *err);
void qz_repair_release(qz_repair *j);

/* repair_calib.c: gives m (found anew) what it lacks, measured on the mended folder at `path`. */
qz_status qz_repair_measure(qz_repair *j, const char *path, qz_mending *m, qz_error *err);
#endif
