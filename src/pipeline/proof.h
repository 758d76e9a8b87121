/* The proof of an artifact: for every tensor a checksum of the float values the method meant (independent of the order of
 * rows, because GGUF moves rows of q and k), compared with what our reader decodes from the written file. */
#ifndef QZ_PIPELINE_PROOF_H
#define QZ_PIPELINE_PROOF_H
#include "pipeline/produce.h"

typedef struct {
    const qz_artifact_plan *plan;
    uint64_t *sums;       /* [n_items] */
    uint8_t *known;       /* [n_items] 1: to be compared (items of an earlier, interrupted run are not) */
    size_t current;
} qz_proof;
qz_status qz_proof_open(qz_proof *p, const qz_artifact_plan *plan, qz_error *err);
void qz_proof_begin(qz_proof *p, size_t item);
void qz_proof_blocks(qz_proof *p, const qz_quantized *q);  /* adds the rows given */
void qz_proof_codes(qz_proof *p, const qz_quantized *q);
void qz_proof_float(qz_proof *p, const qz_artifact_item *item);
void qz_proof_skip(qz_proof *p);                           /* float tensors that folding changed: checked by the writer's conversion */
/* Opens `partial`, compares every known tensor, runs a short text through source and artifact (out->self_kl, greedy). */
qz_status qz_proof_check(qz_run *run, const qz_proof *p, const qz_source *s, const char *partial, qz_produced *out, qz_error *err);
/* The text part, in proof_text.c. */
qz_status qz_proof_text(qz_run *run, const qz_source *s, const qz_model *m, qz_produced *out, qz_error *err);
void qz_proof_release(qz_proof *p);
#endif
