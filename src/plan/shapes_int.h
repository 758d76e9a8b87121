/* Inside of plan/shapes*.c. */
#ifndef QZ_PLAN_SHAPES_INT_H
#define QZ_PLAN_SHAPES_INT_H
#include "plan/shapes.h"

enum {
    QZ_SF_QK_NORM = 1, QZ_SF_QKV_BIAS = 2, QZ_SF_O_BIAS = 4, QZ_SF_MOE = 8, QZ_SF_SHARED_GATE = 16, QZ_SF_HYBRID = 32,
    QZ_SF_SANDWICH = 128,  /* norms after attention and feed-forward too */
    QZ_SF_SLIDE_ALL = 256, /* sliding_window applies to all layers when set */
    QZ_SF_LATENT = 512, QZ_SF_EXPERT_BIAS = 1024, QZ_SF_SINKS = 2048,
    QZ_SF_Q_GATE = 4096    /* q_proj also makes the output gate: twice the rows */
};
typedef struct {
    const char *model_type, *gguf_arch;
    bool tied;
    uint64_t head_dim, pattern;
    unsigned flags;
} qz_shape_family;
/* NULL if not listed. */
const qz_shape_family *qz_shape_family_find(const char *model_type);
/* Reads config.json's fields into s (no tensors). *flags receives the family's. */
qz_status qz_shape_read(const json_t *root, qz_shape *s, unsigned *flags, qz_error *err);
/* Copies what the planner needs of s->config. */
void qz_shape_take_config(qz_shape *s);
/* Lists all tensors and sums the weights; refuses sizes that cannot be. */
qz_status qz_shape_list(qz_shape *s, unsigned flags, qz_error *err);
#endif
