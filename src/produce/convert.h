/* Conversion between artifacts without calibration, tensor by tensor, each edge labelled: exact (the same real
 * numbers), bounded (at most so far off, by construction) or lossy (coded again, the loss is measured).
 * qz_convert_plan decides every edge and refuses what is lossy unless asked; qz_convert_write writes, proves and
 * commits. Common ground is the grid (methods/convert_grid.h). */
#ifndef QZ_PRODUCE_CONVERT_H
#define QZ_PRODUCE_CONVERT_H
#include "artifacts/artifact.h"
#include "methods/convert_grid.h"
#include "produce/produce.h"

typedef enum { QZ_EDGE_EXACT, QZ_EDGE_BOUNDED, QZ_EDGE_LOSSY, QZ_EDGES } qz_edge_kind;
typedef struct {
    qz_edge_kind kind;
    double bound;              /* bounded: most it can be off, in steps (codes) or
                                * relative to the value (float rounding) */
    bool relative;             /* of bound and worst */
    double worst;              /* measured */
    double error, power;       /* Σ(w' − w)², Σw² */
    char why[160];             /* why the edge is not exact; behind a colon the place where it was seen first */
} qz_edge;

/* ---- conversion ---- */
typedef struct {
    const qz_source *source;
    qz_artifact_plan plan;
    qz_edge *edges;                   /* [plan.n_items] */
    bool lossy;                       /* allowed */
} qz_conversion;
/* Where the grid of an item of such a plan goes. */
qz_grid_target qz_convert_target(const qz_artifact_item *it, const qz_scheme_spec *spec);
/* to: scheme; a bare "awq" or "gptq" takes bits, group size and symmetry of the source. */
qz_status qz_convert_spec(const qz_model *m, const char *to, qz_scheme_spec *spec, qz_error *err);
/* Fills the items' input_amax of a target with static inputs from the scales that the source stores; QZ_EUNSUPPORTED
 * names the first module without one. */
qz_status qz_convert_inputs(qz_run *run, const qz_source *s, qz_artifact_plan *plan, qz_error *err);
qz_status qz_convert_plan(qz_run *run, const qz_source *s, const qz_produce_options *o, qz_arena *arena,
                          qz_conversion *c, qz_error *err);
qz_status qz_convert_write(qz_run *run, qz_conversion *c, const qz_produce_options *o, const char *path,
                           qz_produced *out, qz_error *err);
#endif
