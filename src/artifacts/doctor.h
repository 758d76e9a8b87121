/* Why does an artifact answer otherwise than its source? The walk of a text through both, step by step: tokenizer,
 * embedding, configuration, each block's parts, last norm, output matrix, chat template, sampling defaults. A part
 * whose values lie further from the source's than its bits explain is held against the ways in which weights go wrong
 * (doctor_weights.c), and the first that explains it is named.
 *   qz_doctor_run(run, &source, &artifact, paths, &arena, &d, err);
 * Errors: QZ_EMEMORY and those of reading; a fault is no error but a row. */
#ifndef QZ_ARTIFACTS_DOCTOR_H
#define QZ_ARTIFACTS_DOCTOR_H
#include "artifacts/diff.h"

typedef struct {
    const char *step;      /* "tokenizer", "block 3: self_attn.q_proj" */
    bool wrong;
    const char *text;      /* the cause, or what was compared */
} qz_doctor_step;
typedef struct {
    qz_doctor_step *steps; size_t n, wrong; /* in the order of the walk */
    bool exchanged;        /* the source has coded matrices and the artifact none */
} qz_doctor;
qz_status qz_doctor_run(qz_run *run, const qz_source *a, const qz_source *b, const char *const paths[2],
                        qz_arena *arena, qz_doctor *out, qz_error *err);
#endif
