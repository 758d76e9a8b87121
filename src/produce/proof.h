/* The proof of an artifact: for every tensor a checksum of what the method meant, compared with what our reader finds
 * in the written file: of every row's bytes where a type decodes them (blocks, matrices of 16-bit floats: type and
 * shape must be the same), else of its float values. Rows count with their place (GGUF moves rows of q and k: the
 * place in the source counts), a non-finite value is a failure, and no tensor is left out: what an earlier, interrupted
 * run wrote has its checksum in the journal, generated tensors are compared byte by byte. Sums do not depend on
 * threads.
 *   qz_proof_open(&p, run, plan, err); writer open; qz_proof_attach(&p, w);
 *   per item: qz_proof_begin(&p, i), then what is meant (before it is put), in rows from the first on;
 *   qz_proof_check(run, &p, source, partial, out, err); qz_proof_release(&p).
 * The header (GGUF) and the texts beside the weights are compared too.
 * Errors: QZ_EMEMORY, QZ_ENUMERIC for non-finite values, QZ_EIO when the file holds anything else than
 * what was meant, QZ_EBUG where a tensor has another shape or type. */
#ifndef QZ_PRODUCE_PROOF_H
#define QZ_PRODUCE_PROOF_H
#include "artifacts/artifact.h"
#include "produce/produce.h"

typedef struct {
    qz_run *run;
    const qz_artifact_plan *plan;
    qz_artifact_writer *writer; /* takes each checksum to its journal; NULL: none */
    uint64_t *sums;             /* [n_items] */
    uint8_t *known;             /* [n_items] */
    uint32_t *keys;             /* of the row hash */
    float *rows;                /* [threads, 3, widest] */
    uint64_t *parts;            /* [threads, 2] */
    size_t widest, current, row; /* row: rows of the current item that were given */
} qz_proof;
qz_status qz_proof_open(qz_proof *p, qz_run *run, const qz_artifact_plan *plan, qz_error *err);
/* and takes the checksums of items that are written already */
void qz_proof_attach(qz_proof *p, qz_artifact_writer *w);
void qz_proof_begin(qz_proof *p, size_t item);
qz_status qz_proof_blocks(qz_proof *p, const qz_quantized *q, qz_error *err); /* adds the rows given */
qz_status qz_proof_codes(qz_proof *p, const qz_quantized *q, qz_error *err);
/* the source's values as the item's type has them */
qz_status qz_proof_float(qz_proof *p, qz_error *err);
/* the same for values that a method changed */
qz_status qz_proof_folded(qz_proof *p, const qz_folded *f, qz_error *err);
/* Every tensor of the plan in m, which was read from `partial`. */
qz_status qz_proof_compare(const qz_proof *p, const qz_model *m, const char *partial, qz_error *err);
/* The same of item i alone; QZ_EIO, QZ_EBUG or QZ_ENUMERIC: it holds something else. */
qz_status qz_proof_compare_item(const qz_proof *p, size_t i, const qz_model *m, const char *partial, qz_error *err);
/* Codes the wanted items [n_items] of a job and adds what they are to hold. w: takes them, all wanted; NULL: nothing is
 * written. (produce.c) */
qz_status qz_produce_meant(qz_run *run, const qz_produce_job *job, const uint8_t *wanted, qz_artifact_writer *w,
                           qz_proof *proof, qz_error *err);
/* Opens `partial`, compares, runs a short text through source and artifact (out->self_kl, proof_text, greedy): of the
 * file `data`, calibration or evaluation, where it is given, else a bundled one. */
/* Blocks of FP4 are measured against the source (out->block_text; the manifest takes them). */
qz_status qz_proof_check(qz_run *run, const qz_proof *p, const qz_source *s, const char *partial, const char *data,
                         qz_produced *out, qz_error *err);
/* What the KL of so few tokens says, and what it does not: behind the figure in text, proof_note in JSON. */
extern const char qz_proof_note[];
/* The text part, in proof_text.c. */
qz_status qz_proof_text(qz_run *run, const qz_source *s, const qz_model *m, const char *data, qz_produced *out,
                        qz_error *err);
/* Of a family that nothing here runs. */
void qz_proof_not_run(const qz_source *s, qz_produced *out);
/* "  proof: …" with its figures and which text they are of; nothing if none was run. */
void qz_proof_line(const qz_produced *p, qz_str *s);
void qz_proof_release(qz_proof *p);
#endif
