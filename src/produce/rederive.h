/* Is an artifact what its source, its recipe and its data give? Tensors are coded again and compared, as the proof of a
 * new artifact compares (proof.h), with what stands in the artifact: a code that was changed afterwards is found, by
 * whatever hash the file is signed.
 *   qz_rederive(run, &job, &(qz_rederive_how){path, 0.05, seed}, &out, err); qz_rederived_release(&out);
 * A sample is of tensors, or of whole blocks where a method codes a block at once; where codes depend on the blocks
 * before (statistics of the quantized model), all are coded and compared. Where all are, the files are written again
 * into `folder` (room for the artifact; removed by the caller) and compared byte for byte.
 * Errors: those of coding; what differs is no error but counted. */
#ifndef QZ_PRODUCE_REDERIVE_H
#define QZ_PRODUCE_REDERIVE_H
#include "produce/produce.h"

typedef struct { const char *path, *folder; double share; uint64_t seed; } qz_rederive_how; /* share: above 0 to 1 */
typedef struct {
    size_t tensors, compared, differ; /* of the artifact; coded again; of these unlike */
    size_t units, drawn;              /* what the sample was drawn of: tensors, or blocks */
    bool blocks, dependent;           /* blocks are drawn; all were needed, whatever share was asked for */
    bool header;                      /* settings, tokenizer and metadata are those that the job writes */
    size_t files, other_files;        /* written again and compared (0: a sample); of these unlike */
    qz_str where;                     /* the first byte that differs: file, offset, tensor */
    qz_str names;                     /* of the first that differ */
    qz_str origin;                    /* what the artifact records otherwise of source and data; empty: nothing */
} qz_rederived;
qz_status qz_rederive(qz_run *run, const qz_produce_job *job, const qz_rederive_how *how, qz_rederived *out,
                      qz_error *err);
/* Probability that at least one of n changed units is in the sample. */
double qz_rederived_chance(const qz_rederived *d, size_t n);
void qz_rederived_release(qz_rederived *d);
#endif
