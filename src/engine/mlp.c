/* The gated MLP and the plain one. Gated: down(act(gate x) * up x) (formats/families.md section 1). */
#include "engine/elementwise.h"
#include "engine/engine_int.h"
#include "model/kinds.h"

typedef struct { qz_engine *e; float *gate; const float *up; size_t n, cols; } gate_job;

static void gate_worker(void *arg, qz_part part) {
    const gate_job *j = arg;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t t = lo; t < hi; t++) {
        qz_gate_mul(j->e->mm, j->e->model->config.act, j->gate + t * j->cols, j->up + t * j->cols, j->cols);
        qz_step_watch(j->e, j->gate + t * j->cols, j->cols);
    }
}

void qz_step_gate(qz_engine *e, float *gate, const float *up, size_t n, size_t cols) {
    gate_job j = {.e = e, .gate = gate, .up = up, .n = n, .cols = cols};
    qz_step_rows(e, gate_worker, n, &j);
}

qz_status qz_step_gated(qz_engine *e, const qz_place *at, size_t first, const float *h, size_t n, float *y,
                        qz_error *err) {
    float *const *out = e->step.linear + first;
    QZ_TRY(qz_step_input(e, at, first, h, n, err));
    QZ_TRY(qz_step_linears(e, at->w, (qz_linears){first, 2}, h, n, out, err));
    qz_step_gate(e, out[0], out[1], n, at->w->lin[first].rows);
    QZ_TRY(qz_step_input(e, at, first + 2, out[0], n, err));
    return qz_step_linears(e, at->w, (qz_linears){first + 2, 1}, out[0], n, &y, err);
}
qz_status qz_step_mlp(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    return qz_step_gated(e, at, QZ_MLP_GATE, h, n, y, err);
}

/* Two matrices: fc2(relu(fc1 x)) (formats/families-2.md section 16). */
static void relu_worker(void *arg, qz_part part) {
    const gate_job *j = arg;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t i = lo * j->cols; i < hi * j->cols; i++) j->gate[i] = j->gate[i] < 0 ? 0 : j->gate[i];
    for (size_t t = lo; t < hi; t++) qz_step_watch(j->e, j->gate + t * j->cols, j->cols);
}

qz_status qz_step_plain_mlp(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    float *x = e->step.linear[QZ_PLAIN_FC1];
    QZ_TRY(qz_step_input(e, at, QZ_PLAIN_FC1, h, n, err));
    QZ_TRY(qz_step_linears(e, at->w, (qz_linears){QZ_PLAIN_FC1, 1}, h, n, &x, err));
    gate_job j = {.e = e, .gate = x, .n = n, .cols = at->w->lin[QZ_PLAIN_FC1].rows};
    qz_step_rows(e, relu_worker, n, &j);
    QZ_TRY(qz_step_input(e, at, QZ_PLAIN_FC2, x, n, err));
    return qz_step_linears(e, at->w, (qz_linears){QZ_PLAIN_FC2, 1}, x, n, &y, err);
}
