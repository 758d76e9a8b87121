/* A feed-forward that reads the residual stream and gives the next one (formats/families-2.md section 3): the gated MLP
 * and, where the kind has them, experts beside it, each between norms of its own; then an input of each token; then the
 * scale of the layer. The vectors of the tokens are computed where they are used, layer by layer from the tokens'
 * numbers, so that nothing is kept of them. */
#include "base/size.h"
#include "codecs/types.h"
#include "engine/elementwise.h"
#include "engine/engine_int.h"
#include "model/kinds.h"
#include <math.h>
#include <string.h>

typedef struct { qz_engine *e; float *x; const float *y; size_t n, cols; } rows_job;

static void add_worker(void *arg, qz_part part) {
    const rows_job *j = arg;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    qz_add_rows(j->x + lo * j->cols, j->y + lo * j->cols, (hi - lo) * j->cols);
}
static void add(qz_engine *e, float *x, const float *y, size_t n) {
    rows_job j = {e, x, y, n, (size_t)e->model->config.hidden_size};
    qz_step_rows(e, add_worker, n, &j);
}
static void scale_worker(void *arg, qz_part part) {
    const rows_job *j = arg;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    qz_scale_row(j->x + lo * j->cols, (hi - lo) * j->cols, *j->y);
}

/* ---- experts ---- */
static void router_worker(void *arg, qz_part part) {
    const rows_job *j = arg;
    const float eps = (float)j->e->model->config.rms_norm_eps, by = 1 / sqrtf((float)j->cols);
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t t = lo; t < hi; t++) {
        float *x = j->x + t * j->cols;
        qz_rms_plain(x, j->cols, eps);
        for (size_t k = 0; k < j->cols; k++) x[k] *= j->y[k] * by;
    }
}

/* The experts' sum to the buffer of their down_proj; room [n, hidden]. */
static qz_status experts(qz_engine *e, const qz_place *at, const float *x, size_t n, float *room, qz_error *err) {
    const qz_layer_weights *w = at->w;
    const size_t d = (size_t)e->model->config.hidden_size;
    memcpy(room, x, n * d * sizeof *x);
    rows_job j = {e, room, w->part[QZ_STREAM_ROUTER_SCALE], n, d};
    qz_step_rows(e, router_worker, n, &j);
    QZ_TRY(qz_step_choose(e, at, room, n, (qz_choice){.scale = w->part[QZ_STREAM_EXPERT_SCALE]}, err));
    qz_step_norm(e, x, (qz_gains){w->part[QZ_STREAM_EXPERTS_IN], NULL}, n, room);
    qz_step_observe(e, at->layer, qz_input_of(&e->inputs, at->layer, QZ_MLP_GATE, -1), room, n, d);
    return qz_step_chosen(e, at, room, n, e->step.linear[QZ_MLP_DOWN], err);
}

/* ---- the input of each token ---- */
/* Values [first, first + n) of a row. */
static void decode_part(const qz_tensor_view *t, size_t row, size_t first, size_t n, float *whole, float *y) {
    const qz_type_info *info = t->coded ? NULL : qz_type_get(t->type);
    if (info && qz_tensor_as_stored(t) && first % info->elems == 0 && n % info->elems == 0) {
        const size_t row_bytes = t->cols / info->elems * info->bytes;
        info->decode((const uint8_t *)t->data + row * row_bytes + first / info->elems * info->bytes, n, y);
        return;
    }
    qz_tensor_decode(t, row, 1, whole);
    memcpy(y, whole + first, n * sizeof *y);
}

typedef struct { qz_engine *e; size_t layer, n; float *x; } token_job;
static void token_worker(void *arg, qz_part part) {
    const token_job *j = arg;
    const qz_engine *e = j->e;
    const qz_config *c = &e->model->config;
    const qz_tensor_view *table = e->model->token[QZ_TOKEN_EMBED];
    const size_t width = (size_t)c->token.width;
    const float by = 1 / sqrtf((float)c->hidden_size), own = sqrtf((float)width), half = sqrtf(0.5f);
    float *whole = e->step.token_rows + part.thread * (table->cols + width), *row = whole + table->cols;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t t = lo; t < hi; t++) {
        float *x = j->x + t * width;
        qz_scale_row(x, width, by);
        qz_mm_rms_norm(e->mm, x, e->token_gains, width, (float)c->rms_norm_eps, x);
        decode_part(table, e->step.ids[t], j->layer * width, width, whole, row);
        for (size_t k = 0; k < width; k++) x[k] = (x[k] + row[k] * own) * half;
    }
}

/* The vectors [n, width] of the step's tokens for a layer; x0 [n, hidden]: room for their embeddings. */
static qz_status token_vectors(qz_engine *e, size_t layer, size_t n, float *x0, float *out, qz_error *err) {
    const qz_tensor_view *m = e->model->token[QZ_TOKEN_MATRIX], *table = e->model->token[QZ_TOKEN_EMBED];
    const size_t width = (size_t)e->model->config.token.width;
    if (e->step.ids == NULL) return qz_fail(err, QZ_EBUG, "layer %zu asks for tokens that nobody has given", layer);
    for (size_t t = 0; t < n; t++)
        if (e->step.ids[t] >= table->rows)
            return qz_fail(err, QZ_EUSAGE,
                           "token id without an input of its own: expected below %zu (vocab_size_per_layer_input), "
                           "found %u; the tokenizer does not fit the model",
                           table->rows, e->step.ids[t]);
    QZ_TRY(qz_step_embed(e, e->step.ids, n, x0, err));
    qz_weights w = {.type = m->type, .rows = width, .cols = m->cols, .data = m->data, .coded = m->coded,
                    .first_row = m->first_row + layer * width};
    if (m->data) w.data = (const uint8_t *)m->data + m->bytes / m->rows * layer * width;
    QZ_TRY(qz_mm_exact(e->mm, &w, x0, n, out, err));
    token_job j = {e, layer, n, out};
    qz_step_rows(e, token_worker, n, &j);
    return QZ_OK;
}

/* x += norm(projection(act(gate x) * vector)) */
static qz_status token_input(qz_engine *e, const qz_place *at, float *x, size_t n, qz_error *err) {
    float *g = e->step.linear[QZ_TOKEN_GATE], *y = e->step.linear[QZ_TOKEN_PROJ], *v = e->step.input[QZ_SUB_FFN][3];
    QZ_TRY(token_vectors(e, at->layer, n, y, v, err));
    QZ_TRY(qz_step_input(e, at, QZ_TOKEN_GATE, x, n, err));
    QZ_TRY(qz_step_linears(e, at->w, (qz_linears){QZ_TOKEN_GATE, 1}, x, n, &g, err));
    qz_step_gate(e, g, v, n, (size_t)e->model->config.token.width);
    QZ_TRY(qz_step_input(e, at, QZ_TOKEN_PROJ, g, n, err));
    QZ_TRY(qz_step_linears(e, at->w, (qz_linears){QZ_TOKEN_PROJ, 1}, g, n, &y, err));
    qz_step_norm(e, y, (qz_gains){at->w->part[QZ_TOKEN_NORM], NULL}, n, y);
    add(e, x, y, n);
    return QZ_OK;
}

qz_status qz_step_stream(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    const qz_layer_weights *w = at->w;
    const qz_config *c = &e->model->config;
    const size_t d = (size_t)c->hidden_size, first = c->experts ? QZ_SHARED_GATE : QZ_MLP_GATE;
    float *m = e->step.linear[first + 2];
    qz_step_norm(e, h, (qz_gains){w->norm[QZ_NORM_FFN], w->norm_bias[QZ_NORM_FFN]}, n, y);
    QZ_TRY(qz_step_gated(e, at, first, y, n, e->step.linear[first + 2], err));
    if (c->experts) {
        float *sum = e->step.linear[QZ_MLP_DOWN];
        qz_step_norm(e, m, (qz_gains){w->part[QZ_STREAM_MLP_NORM], NULL}, n, m);
        QZ_TRY(experts(e, at, h, n, y, err));
        qz_step_norm(e, sum, (qz_gains){w->part[QZ_STREAM_EXPERTS_NORM], NULL}, n, sum);
        add(e, m, sum, n);
    }
    qz_step_norm(e, m, (qz_gains){w->norm[QZ_NORM_FFN_OUT], w->norm_bias[QZ_NORM_FFN_OUT]}, n, m);
    memcpy(y, h, n * d * sizeof *y);
    add(e, y, m, n);
    if (c->token.width) QZ_TRY(token_input(e, at, y, n, err));
    rows_job scale = {e, y, w->part[QZ_LAYER_SCALE], n, d};
    qz_step_rows(e, scale_worker, n, &scale);
    return QZ_OK;
}
