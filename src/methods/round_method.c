/* Codes that no search makes: a matrix is rounded as a whole, by the scheme's own rule. */
#include "base/io.h"
#include "base/size.h"
#include "methods/method_rows.h"

typedef struct {
    qz_method_host host;
    qz_method_tensor t;
    qz_quantized q;
    qz_arena arena;
} state;

static qz_status open(const qz_method_job *job, void **out, qz_error *err) {
    state *s = *out = qz_calloc_array(1, sizeof *s);
    if (s == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory encoding");
    s->host = job->host;
    return QZ_OK;
}

static qz_status next(void *ctx, const qz_method_tensor *t, bool *mine, qz_error *err) {
    state *s = ctx;
    (void)err;
    s->t = *t;
    *mine = t->type == QZ_TYPE_CODED;
    return QZ_OK;
}

/* Mean squared difference of the codes to w. */
static qz_status measure(qz_quantized *q, const float *w, qz_arena *arena, qz_error *err) {
    float *y = qz_arena_alloc(arena, q->cols, sizeof *y);
    double sum = 0;
    if (y == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory encoding '%s'", q->name);
    for (size_t r = 0; r < q->rows; r++) {
        qz_coded_decode_row(q->coded, r, y);
        for (size_t k = 0; k < q->cols; k++) {
            const double d = (double)y[k] - (double)w[r * q->cols + k];
            sum += d * d;
        }
    }
    q->weight_mse = sum / ((double)q->rows * (double)q->cols);
    return QZ_OK;
}

static qz_status result(void *ctx, qz_method_result *out, qz_error *err) {
    state *s = ctx;
    const float *w;
    qz_arena_reset(&s->arena);
    s->q = (qz_quantized){.name = s->t.name, .type = s->t.type, .rows = s->t.rows, .cols = s->t.cols};
    QZ_TRY(s->host.round(s->host.ctx, &s->t, &s->arena, &w, &s->q.coded, err));
    QZ_TRY(measure(&s->q, w, &s->arena, err));
    qz_tensor_forget(s->t.source);
    *out = (qz_method_result){.q = &s->q};
    return QZ_OK;
}

static void notes(const void *ctx, qz_method_notes *out) { (void)ctx, (void)out; }

static void release(void *ctx) {
    state *s = ctx;
    if (s) qz_arena_release(&s->arena);
    qz_free(s);
}

/* The matrix, its codes and what rounding looks at. */
static qz_method_memory memory(const qz_method_options *o, const qz_method_sizes *s) {
    (void)o;
    return (qz_method_memory){.held = s->largest * 4 * 5};
}

const qz_method_ops qz_round_method = {.open = open, .next = next, .result = result, .notes = notes, .release = release,
                                       .memory = memory};
