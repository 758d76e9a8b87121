/* Conversion between artifacts without calibration, tensor by tensor, each edge labelled: exact (the same real numbers), bounded
 * (at most so far off, by construction) or lossy (coded again, the loss is measured).
 * qz_convert_plan decides every edge and refuses what is lossy unless asked; qz_convert_write writes, proves and commits.
 * Common ground is the grid: w = scale·u with a float16 scale for each group and whole numbers u. AWQ, GPTQ, Q4_0, Q5_0 and Q8_0
 * are grids; Q4_1 and Q5_1 are where their minimum is a multiple of the step. */
#ifndef QZ_PIPELINE_CONVERT_H
#define QZ_PIPELINE_CONVERT_H
#include "artifacts/artifact.h"
#include "pipeline/produce.h"

typedef enum { QZ_EDGE_EXACT, QZ_EDGE_BOUNDED, QZ_EDGE_LOSSY, QZ_EDGES } qz_edge_kind;
typedef struct {
    qz_edge_kind kind;
    double bound;              /* bounded: most it can be off, in steps (codes) or relative to the value (float rounding) */
    bool relative;             /* of bound and worst */
    double worst;              /* measured */
    double error, power;       /* Σ(w' − w)², Σw² */
    char why[160];             /* why the edge is not exact; behind a colon the place where it was seen first */
} qz_edge;

/* ---- grids ---- */
typedef struct {
    size_t rows, cols, group, groups; /* group: columns that share a scale */
    const uint32_t *g_idx;            /* group of each column, NULL = k / group */
    float *scales;                    /* [rows, groups], float16 values */
    int16_t *u;                       /* [rows, cols] */
    int16_t *zeros;                   /* [rows, groups] zero point of the source, to keep where it fits */
} qz_grid;
/* False with a reason in why if the tensor is no grid. QZ_EMEMORY alone is an error. */
qz_status qz_grid_read(const qz_tensor_view *t, qz_arena *arena, qz_grid *g, bool *ok, char why[160], qz_error *err);
/* Codes of an integer-group item on the same grid. */
qz_status qz_grid_to_group(const qz_grid *g, const qz_artifact_item *item, const qz_scheme_spec *spec, qz_arena *arena, qz_quantized *q, bool *ok,
                           char why[160], qz_error *err);
/* Blocks of Q4_0 … Q8_0; *bound > 0 (in steps) where a float16 minimum cannot say scale·zero. */
qz_status qz_grid_to_blocks(const qz_grid *g, const qz_artifact_item *item, qz_arena *arena, qz_quantized *q, double *bound, bool *ok, char why[160],
                            qz_error *err);

/* ---- conversion ---- */
typedef struct {
    const qz_source *source;
    qz_artifact_plan plan;
    qz_edge *edges;                   /* [plan.n_items] */
    bool lossy;                       /* allowed */
} qz_conversion;
/* to: scheme; a bare "awq" or "gptq" takes bits, group size and symmetry of the source. */
qz_status qz_convert_spec(const qz_model *m, const char *to, qz_scheme_spec *spec, qz_error *err);
qz_status qz_convert_plan(qz_run *run, const qz_source *s, const qz_produce_options *o, qz_arena *arena,
                          qz_conversion *c, qz_error *err);
qz_status qz_convert_write(qz_run *run, qz_conversion *c, const qz_produce_options *o, const char *path, qz_produced *out, qz_error *err);
#endif
