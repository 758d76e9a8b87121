/* What a kind of codes offers a solver: which ranges a group of columns may have, the nearest code under one, and how
 * the result is packed. Solvers (feedback.h, gptq.h, damping.h) see this alone; integer groups are one kind
 * (int_grid.h), another needs no solver of its own. A value is unit(code) · scale, so that scales can be refitted in
 * closed form with the codes held. Every operation is a pure function: the same bits on any thread. Scales are what the
 * file holds after `scale`, never 0. */
#ifndef QZ_METHODS_CODE_GRID_H
#define QZ_METHODS_CODE_GRID_H
#include "base/arena.h"
#include "codecs/coded.h"

enum { QZ_RANGE_STEPS = 64, QZ_RANGES_MOST = 3 * QZ_RANGE_STEPS };
typedef struct { float scale, zero; } qz_code_range; /* of a group of one row; zero: kinds that have one */
typedef struct qz_code_grid qz_code_grid;

/* What a solver found, for `pack`: codes [rows, cols], ranges [rows, cols / group]. */
typedef struct {
    size_t rows, cols;
    const uint8_t *codes;
    const qz_code_range *ranges;
    const uint32_t *g_idx;        /* [cols] group of each column, NULL: in order */
} qz_code_result;

typedef struct {
    /* Ranges worth trying for targets t [n], from the widest to the narrowest of `steps` (at most QZ_RANGE_STEPS);
     * returns how many. */
    size_t (*candidates)(const qz_code_grid *g, const float *t, size_t n, size_t steps,
                         qz_code_range out[QZ_RANGES_MOST]);
    /* Of a group that nothing is known of. */
    qz_code_range (*least)(const qz_code_grid *g);
    /* Σ weight·(t − nearest)² over n columns. */
    float (*error)(const qz_code_grid *g, const float *t, const float *weight, size_t n, qz_code_range r);
    /* The nearest value, for weighing candidates; may round a tie otherwise than `nearest` does. */
    float (*near)(const qz_code_grid *g, qz_code_range r, float v);
    uint8_t (*nearest)(const qz_code_grid *g, qz_code_range r, float v);
    float (*unit)(const qz_code_grid *g, qz_code_range r, uint8_t code);
    float (*scale)(const qz_code_grid *g, float s);
    /* The code beside `code` on the side that a loss with gradient `grad` falls towards (of w − ŵ); *step: change of
     * the value. False: there is none. */
    bool (*move)(const qz_code_grid *g, qz_code_range r, uint8_t code, float grad, uint8_t *next, float *step);
    /* The same for all values of a group at once, codes held; NULL: the kind cannot. */
    bool (*shift)(const qz_code_grid *g, qz_code_range r, float grad, qz_code_range *next, float *step);
    /* The published loop's range of t [n]; norm > 0: shrunk under |error|^norm. NULL: the kind has none. */
    qz_code_range (*reference)(const qz_code_grid *g, const float *t, size_t n, float norm);
    /* Before the codes of w [rows, cols]: the grid of this matrix, in the arena; NULL: out of memory. A kind without it
     * has one grid for all. */
    const qz_code_grid *(*fit)(const qz_code_grid *g, const float *w, size_t rows, size_t cols, qz_arena *arena);
    /* The range of a group of a row that `fit` has decided, because rows share it; NULL: it is searched. */
    const qz_code_range *(*fixed)(const qz_code_grid *g, size_t row, size_t group, size_t groups);
    /* In the arena; NULL: out of memory. */
    const qz_coded *(*pack)(const qz_code_grid *g, const qz_code_result *x, qz_arena *arena);
} qz_code_grid_ops;

struct qz_code_grid {
    const qz_code_grid_ops *ops;
    size_t group;                 /* columns that share a range */
    bool few_scales;              /* candidates are all there are: each is judged with feedback, none is refitted */
};

/* Ranges of this row decided beforehand, NULL: searched. */
static inline const qz_code_range *qz_code_fixed(const qz_code_grid *g, size_t row, size_t group, size_t groups) {
    return g->ops->fixed ? g->ops->fixed(g, row, group, groups) : NULL;
}

static inline float qz_code_value(const qz_code_grid *g, qz_code_range r, uint8_t code) {
    return g->ops->unit(g, r, code) * r.scale;
}
#endif
