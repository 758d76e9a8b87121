#include "methods/block_feedback.h"
#include "base/half.h"
#include "base/size.h"
#include "codecs/fields.h"
#include "codecs/types.h"
#include "kernels/encode.h"
#include "methods/block_search.h"
#include "methods/book_points.h"
#include "methods/lanes.h"
#include "methods/refit.h"
#include "methods/solve_small.h"
#include "methods/sweep.h"
#include <math.h>
#include <string.h>

enum { STEPS = 128, ROUNDS = 3, SWEEPS = 4 };

typedef struct {
    qz_run *run;
    const qz_hessian *h;
    qz_type type;
    const qz_type_info *info;
    const qz_block_shape *shape;
    qz_encode_fn encode;
    qz_refiner refiner;
    const float *w, *importance;
    size_t rows, cols, e;        /* e: values of a block */
    size_t row_bytes;
    uint8_t *out;                /* [rows, row_bytes] */
    float *lost, *target;        /* [rows, cols], [rows, nb] */
    float *err, *grad;           /* [rows, cols] w − ŵ and its product with H */
    double *row_error;           /* [rows] */
    size_t u0, nb;
    size_t point;                /* values coded together; 1 or 0: each for itself */
    struct forms *forms;         /* [cols / point] */
    qz_add_rows_fn add_rows;
    qz_sweep *sweeps;            /* [threads] */
    qz_block_fields *fields;     /* [threads][QZ_SWEEP_ROWS, blocks] */
    float *old;                  /* [rows, blocks, 2] d and dmin before those that are tried */
} job;

size_t qz_block_feedback_group(qz_type type) { 
    return qz_block_shape_get(type) ? qz_type_get(type)->elems : 0;
}
size_t qz_block_feedback_point(qz_type type) {
    const qz_block_shape *s = qz_block_shape_get(type);
    return s && s->book ? s->book->point : 0;
}

/* Value of code 0 and the step of sub-block b. */
static float step_of(const job *j, const qz_block_fields *f, size_t b) { return qz_block_step(j->shape, f, b); }
static float base_of(const qz_block_fields *f, size_t b) { return f->dmin * (float)f->m[b]; }

static int16_t nearest(const qz_block_shape *s, float v, float step) {
    if (s->book) return qz_book_nearest(s->book, s->q_max, step != 0 ? v / step : 0);
    if (step == 0) return (int16_t)(s->q_min > 0 ? s->q_min : 0);
    float q = rintf(v / step);
    return (int16_t)(q < (float)s->q_min ? s->q_min : q > (float)s->q_max ? s->q_max : (int)q);
}

/* ---- points of a code book ---- */
/* The quadratic forms of every point, in column order: of the errors that its codes hand on (the conditional variances
 * of its columns, feedback inside the point included), of the loss with all else held, and the inverse of that. */
struct forms { float later[QZ_POINT * QZ_POINT], loss[QZ_POINT * QZ_POINT], inverse[QZ_POINT * QZ_POINT]; };

static void make_forms(const qz_hessian *h, size_t n, size_t u, struct forms *f) {
    enum { N = QZ_POINT };
    const size_t k = h->cols, c0 = h->order[u];
    double b[N * N] = {0}, a[N * N], x[N];
    *f = (struct forms){{0}, {0}, {0}};
    for (size_t i = 0; i < n; i++) { /* what column i loses of a unit that column y misses */
        b[i * N + i] = 1;
        for (size_t y = 0; y < i; y++)
            for (size_t l = y; l < i; l++) b[i * N + y] += (double)h->feedback[(u + i) * k + u + l] * b[l * N + y];
    }
    for (size_t y = 0; y < n; y++)
        for (size_t z = 0; z < n; z++) {
            double sum = 0;
            for (size_t i = 0; i < n; i++) sum += b[i * N + y] * (double)h->weight[u + i] * b[i * N + z];
            f->later[y * N + z] = (float)sum;
            f->loss[y * N + z] = h->h[(c0 + y) * k + c0 + z];
        }
    for (size_t y = 0; y < n; y++) {
        for (size_t z = 0; z < n; z++) x[z] = z == y;
        for (size_t z = 0; z < n * n; z++) a[z] = (double)f->loss[z / n * N + z % n];
        if (!qz_solve_small(a, x, n)) /* no more than a better start: the diagonal does */
            for (size_t z = 0; z < n; z++) x[z] = z == y ? 1 / (double)f->loss[y * N + y] : 0;
        for (size_t z = 0; z < n; z++) f->inverse[y * N + z] = (float)x[z];
    }
}
static void forms_part(void *arg, qz_part part) {
    const job *j = arg;
    size_t lo, hi;
    qz_split(j->cols / j->point, 1, part, &lo, &hi);
    for (size_t p = lo; p < hi; p++)
        make_forms(j->h, j->point, p * j->point, &j->forms[j->h->order[p * j->point] / j->point]);
}

/* The shift that the values around a point share (IQ1_S). */
static unsigned shift_at(const job *j, const qz_block_fields *f, size_t at) {
    const size_t shared = j->shape->book->shared;
    return qz_point_down(f->q + at / shared * shared);
}

/* The points of a block, one after the other, each with the errors of those before it. */
static void code_points(const job *j, size_t u, const float *target, qz_block_fields *f, float *lost) {
    const qz_hessian *h = j->h;
    const size_t k = j->cols, n = j->point;
    for (size_t i = 0; i < j->e; i += n) {
        const size_t col = h->order[u + i], at = col % j->e;
        const float step = step_of(j, f, at / j->shape->sub_len);
        float c[QZ_POINT];
        for (size_t x = 0; x < n; x++)
            c[x] = target[i + x] + qz_dot_lanes(lost + u, h->feedback + (u + i + x) * k + u, i);
        (void)qz_point_choose(&(qz_point_job){j->shape->book, shift_at(j, f, at), 32}, j->forms[col / n].later, c, step,
                              f->q + at);
        for (size_t x = 0; x < n; x++)
            lost[u + i + x] = c[x] + qz_dot_lanes(lost + u + i, h->feedback + (u + i + x) * k + u + i, x) -
                              step * (float)f->q[at + x];
    }
}

/* ---- feedback ---- */
/* One block of one row: scales from its targets, codes with the errors of the codes before them. */
static void code_block(const job *j, size_t row, size_t u, float *target) {
    const qz_hessian *h = j->h;
    const size_t e = j->e, k = j->cols, block = h->order[u] / e;
    float *lost = j->lost + row * k, x[QZ_FIELDS_MAX] = {0}, weight[QZ_FIELDS_MAX] = {0};
    uint8_t *bytes = j->out + row * j->row_bytes + block * j->info->bytes;
    for (size_t i = 0; i < e; i++) {
        size_t at = h->order[u + i] % e;
        target[i] += qz_dot_lanes(lost + j->u0, h->feedback + (u + i) * k + j->u0, u - j->u0);
        x[at] = target[i];
        weight[at] = h->weight[u + i];
    }
    j->encode(x, weight, e, bytes);
    qz_block_refine_row(&j->refiner, j->type, x, weight, e, bytes);
    qz_block_fields f;
    qz_block_unpack(j->type, bytes, &f);
    if (j->point > 1) code_points(j, u, target, &f, lost);
    for (size_t i = 0; i < e && j->point <= 1; i++) {
        size_t at = h->order[u + i] % e, b = at / j->shape->sub_len;
        float c = target[i] + qz_dot_lanes(lost + u, h->feedback + (u + i) * k + u, i), step = step_of(j, &f, b),
              base = base_of(&f, b);
        f.q[at] = nearest(j->shape, c + base, step);
        lost[u + i] = c - (step * (float)f.q[at] - base);
    }
    qz_block_pack(j->type, &f, bytes);
}

static void feedback_rows(void *arg, qz_part part) {
    const job *j = arg;
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++)
        for (size_t u = 0; u < j->nb; u += j->e) code_block(j, r, j->u0 + u, j->target + r * j->nb + u);
}

static qz_status feedback(job *j, qz_mm *mm, qz_error *err) {
    size_t k = j->cols, most = qz_max_size(j->e, STEPS);
    for (j->u0 = 0; j->u0 < k; j->u0 += j->nb) {
        j->nb = qz_min_size(most, k - j->u0);
        for (size_t r = 0; r < j->rows; r++)
            for (size_t i = 0; i < j->nb; i++) j->target[r * j->nb + i] = j->w[r * k + j->h->order[j->u0 + i]];
        if (j->u0 > 0)
            QZ_TRY(qz_mm_gemm_nt(mm, &(qz_product){j->rows, j->nb, j->u0, j->lost, k, j->h->feedback + j->u0 * k, k,
                                                   j->target, j->nb}, true, err));
        qz_pool_run(j->run->pool, 0, feedback_rows, j);
    }
    return QZ_OK;
}

/* ---- descent ---- */
static void row_errors(const job *j, size_t r, float *e) {
    j->info->decode(j->out + r * j->row_bytes, j->cols, e);
    for (size_t c = 0; c < j->cols; c++) e[c] = j->w[r * j->cols + c] - e[c];
}
static void error_rows(void *arg, qz_part part) {
    const job *j = arg;
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++) row_errors(j, r, j->err + r * j->cols);
}

/* A batch of rows at hand: the fields of all its blocks. */
typedef struct { const job *j; qz_block_fields *f; } batch;
static qz_block_fields *fields_of(const batch *b, size_t i) { return b->f + i * (b->j->cols / b->j->e); }

/* Points by what lies nearest to the least of the loss with all else held. */
static void sweep_points(void *ctx, qz_sweep *w, size_t i) {
    const job *j = ((const batch *)ctx)->j;
    qz_block_fields *f = fields_of(ctx, i);
    const size_t n = j->point, row = w->first + i;
    float *e = j->err + row * j->cols;
    const float *grad = j->grad + row * j->cols;
    for (size_t c = w->j0; c < w->j1; c += n) {
        qz_block_fields *b = &f[c / j->e];
        const size_t at = c % j->e;
        const struct forms *form = &j->forms[c / n];
        const float step = step_of(j, b, at / j->shape->sub_len);
        float t[QZ_POINT], was = 0, now;
        int16_t q[QZ_POINT] = {0};
        if (step == 0) continue;
        for (size_t x = 0; x < n; x++) {
            const float way = qz_dot_lanes(form->inverse + x * QZ_POINT, grad + c, n);
            t[x] = step * (float)b->q[at + x] + way;
            was += grad[c + x] * way;
        }
        memcpy(q, b->q + at, n * sizeof *q);
        now = qz_point_choose(&(qz_point_job){j->shape->book, shift_at(j, b, at), 16}, form->loss, t, step, q);
        if (!(now < was * (1 - 1e-5f)) || memcmp(q, b->q + at, n * sizeof *q) == 0) continue;
        for (size_t x = 0; x < n; x++) {
            const float change = step * (float)(q[x] - b->q[at + x]);
            if (change == 0) continue;
            e[c + x] -= change;
            qz_sweep_take(w, i, c + x, -change);
        }
        memcpy(b->q + at, q, n * sizeof *q);
    }
}

/* Single codes of a table by the value nearest to the least of the loss, others held. */
static void sweep_table(void *ctx, qz_sweep *w, size_t i) {
    const job *j = ((const batch *)ctx)->j;
    qz_block_fields *f = fields_of(ctx, i);
    const size_t row = w->first + i;
    float *e = j->err + row * j->cols;
    const float *grad = j->grad + row * j->cols;
    for (size_t c = w->j0; c < w->j1; c++) {
        qz_block_fields *b = &f[c / j->e];
        const size_t at = c % j->e;
        const float step = step_of(j, b, at / j->shape->sub_len), hjj = j->h->h[c * j->cols + c];
        if (step == 0) continue;
        const int16_t q = nearest(j->shape, step * (float)b->q[at] + grad[c] / hjj, step);
        const float change = step * (float)(q - b->q[at]);
        if (!(2 * change * grad[c] - change * change * hjj > 1e-6f * change * change * hjj)) continue;
        b->q[at] = q;
        e[c] -= change;
        qz_sweep_take(w, i, c, -change);
    }
}

/* Single codes by ±1 where that lowers the loss. */
static void sweep_codes(void *ctx, qz_sweep *w, size_t i) {
    const job *j = ((const batch *)ctx)->j;
    qz_block_fields *f = fields_of(ctx, i);
    const size_t row = w->first + i;
    float *e = j->err + row * j->cols;
    const float *grad = j->grad + row * j->cols;
    for (size_t c = w->j0; c < w->j1; c++) {
        qz_block_fields *b = &f[c / j->e];
        size_t at = c % j->e;
        float step = step_of(j, b, at / j->shape->sub_len), hjj = j->h->h[c * j->cols + c], size = fabsf(step);
        int dir = grad[c] * step > 0 ? 1 : -1, next = b->q[at] + dir;
        float gain = 2.0f * size * fabsf(grad[c]) - step * step * hjj;
        if (!(gain > 1e-6f * step * step * hjj) || next < j->shape->q_min || next > j->shape->q_max) continue;
        b->q[at] = (int16_t)next;
        e[c] -= (float)dir * step;
        qz_sweep_take(w, i, c, (float)-dir * step);
    }
}

static void sweep_batch(void *arg, qz_part part) {
    const job *j = arg;
    const size_t k = j->cols, blocks = k / j->e;
    qz_sweep *w = &j->sweeps[part.thread];
    batch b = {j, j->fields + part.thread * QZ_SWEEP_ROWS * blocks};
    qz_sweep_open(w, j->add_rows, j->grad, k, part.i, j->rows);
    for (size_t i = 0; i < w->rows * blocks; i++)
        qz_block_unpack(j->type, j->out + w->first * j->row_bytes + i * j->info->bytes, &b.f[i]);
    const qz_sweep_fn strip = j->point > 1 ? sweep_points : j->shape->book ? sweep_table : sweep_codes;
    for (size_t t = 0; t < SWEEPS; t++) {
        qz_sweep_pass(w, QZ_SWEEP_COLUMNS, j->h->h, strip, &b);
        if (!qz_sweep_more(w)) break;
    }
    for (size_t i = 0; i < w->rows * blocks; i++)
        qz_block_pack(j->type, &b.f[i], j->out + w->first * j->row_bytes + i * j->info->bytes);
}

/* ---- d and dmin of every block, with codes and small scales fixed ---- */
static size_t unknowns_of(const job *j) { return j->shape->m_max || j->shape->float_min ? 2 : 1; }
/* Unknown 0: the block's codes times their small scales; 1: minus the small minima. */
static void units_of(void *ctx, size_t row, size_t i, float *v) {
    const job *j = ctx;
    for (size_t p = 0; p < j->cols / j->e; p++) {
        qz_block_fields f;
        qz_block_unpack(j->type, j->out + row * j->row_bytes + p * j->info->bytes, &f);
        for (size_t c = 0; c < j->e; c++) {
            const size_t b = c / j->shape->sub_len;
            v[p * j->e + c] = i ? -(float)f.m[b]
                                : j->shape->unit * qz_block_scale(j->shape, f.sc[b]) * (float)f.q[c];
        }
    }
}
static float as_stored(double d) { return qz_f16_to_f32(qz_f32_to_f16((float)d)); }
static bool apply(void *ctx, size_t row, const double *change) {
    const job *j = ctx;
    const size_t per = unknowns_of(j), blocks = j->cols / j->e;
    uint8_t *bytes = j->out + row * j->row_bytes;
    float *old = j->old + row * blocks * 2;
    for (int set = 0; set < 2; set++) /* all of them can be taken, then all are */
        for (size_t p = 0; p < blocks; p++) {
            qz_block_fields f;
            qz_block_unpack(j->type, bytes + p * j->info->bytes, &f);
            const double d = (double)f.d + change[p * per], dmin = per == 2 ? (double)f.dmin + change[p * per + 1] : 0;
            if (!isfinite(d) || fabs(d) > 60000 || !isfinite(dmin) || fabs(dmin) > 60000 || as_stored(d) == 0)
                return false;
            if (!set) continue;
            old[2 * p] = f.d;
            old[2 * p + 1] = f.dmin;
            f.d = as_stored(d);
            if (per == 2) f.dmin = as_stored(dmin);
            qz_block_pack(j->type, &f, bytes + p * j->info->bytes);
        }
    row_errors(j, row, j->err + row * j->cols);
    return true;
}
static void undo(void *ctx, size_t row) {
    const job *j = ctx;
    const size_t blocks = j->cols / j->e;
    const float *old = j->old + row * blocks * 2;
    for (size_t p = 0; p < blocks; p++) {
        uint8_t *bytes = j->out + row * j->row_bytes + p * j->info->bytes;
        qz_block_fields f;
        qz_block_unpack(j->type, bytes, &f);
        f.d = old[2 * p];
        f.dmin = old[2 * p + 1];
        qz_block_pack(j->type, &f, bytes);
    }
    row_errors(j, row, j->err + row * j->cols);
}

/* Errors of the codes as they are, and their gradients: made anew in every round, since single steps drift in float. */
static qz_status gradients(job *j, qz_mm *mm, qz_error *err) {
    qz_pool_run(j->run->pool, 0, error_rows, j);
    return qz_mm_gemm_nt(mm, &(qz_product){j->rows, j->cols, j->cols, j->err, j->cols, j->h->h, j->cols, j->grad,
                                           j->cols}, false, err);
}
static void losses(void *arg, qz_part part) {
    const job *j = arg;
    const size_t k = j->cols;
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++) j->row_error[r] = (double)qz_dot_lanes(j->err + r * k, j->grad + r * k, k);
}

static qz_status descend(job *j, qz_mm *mm, qz_error *err) {
    const bool scales = j->shape->book == NULL || j->shape->book->d == QZ_D_HALF;
    const qz_refit_rows rows = {.run = j->run, .rows = j->rows, .cols = j->cols, .block = j->e, .per = unknowns_of(j),
                                .ridge = 1e-7, .h = j->h->h, .err = j->err, .grad = j->grad, .ctx = j,
                                .units = units_of, .apply = apply, .undo = undo};
    qz_refit refit = {0};
    qz_status st = QZ_OK;
    for (size_t round = 0; round <= ROUNDS && st == QZ_OK; round++) {
        st = gradients(j, mm, err);
        if (st == QZ_OK) st = qz_refit_judge(&refit, &rows, mm, err);
        if (st != QZ_OK || round == ROUNDS) break;
        qz_pool_run(j->run->pool, qz_sweep_batches(j->rows), sweep_batch, j);
        if (scales) st = qz_refit_try(&refit, &rows, mm, err);
    }
    if (st == QZ_OK) qz_pool_run(j->run->pool, 0, losses, j);
    qz_refit_release(&refit);
    return st;
}

/* Rows where the reference's own bytes are better get those. */
static qz_status guard(job *j, qz_mm *mm, qz_arena *arena, qz_error *err) {
    qz_quantized ref;
    uint8_t *ours = j->out;
    QZ_TRY(qz_block_quantize(&(qz_block_job){j->run, j->type, j->w, j->rows, j->cols, j->importance, QZ_SEARCH_COMPAT},
                             arena, &ref, err));
    double *before = qz_arena_alloc(arena, j->rows, sizeof *before);
    if (before == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory encoding");
    memcpy(before, j->row_error, j->rows * sizeof *before);
    j->out = (uint8_t *)(uintptr_t)ref.blocks;
    qz_status st = gradients(j, mm, err);
    if (st == QZ_OK) qz_pool_run(j->run->pool, 0, losses, j);
    for (size_t r = 0; r < j->rows && st == QZ_OK; r++) {
        if (j->row_error[r] < before[r]) memcpy(ours + r * j->row_bytes, j->out + r * j->row_bytes, j->row_bytes);
        else j->row_error[r] = before[r];
    }
    j->out = ours;
    return st;
}

static qz_status reserve(job *j, qz_arena *arena, qz_error *err) {
    size_t n, total, blocks = j->cols / j->e, threads = qz_pool_size(j->run->pool);
    QZ_TRY(qz_row_bytes(j->type, j->cols, &j->row_bytes, err));
    QZ_TRY(qz_tensor_bytes(j->type, j->rows, j->cols, &total, err));
    if (qz_mul_size(j->rows, j->cols, &n)) {
        j->out = qz_arena_alloc(arena, total, 1);
        j->lost = qz_alloc_aligned(n, sizeof(float));
        j->err = qz_alloc_aligned(n, sizeof(float));
        j->grad = qz_alloc_aligned(n, sizeof(float));
    }
    j->target = qz_alloc_aligned(j->rows, qz_max_size(j->e, STEPS) * sizeof(float));
    j->row_error = qz_calloc_array(j->rows, sizeof *j->row_error);
    j->sweeps = qz_alloc_array(threads, sizeof *j->sweeps);
    j->fields = qz_alloc_array(threads * QZ_SWEEP_ROWS * blocks, sizeof *j->fields);
    j->old = qz_alloc_array(j->rows * blocks, 2 * sizeof *j->old);
    j->forms = qz_alloc_array(j->point > 1 ? j->cols / j->point : 1, sizeof *j->forms);
    if (j->forms && j->out && j->lost && j->err && j->grad && j->target && j->row_error && j->sweeps && j->fields &&
        j->old)
        return QZ_OK;
    return qz_fail(err, QZ_EMEMORY, "out of memory encoding a [%zu, %zu] tensor", j->rows, j->cols);
}

qz_status qz_block_feedback(const qz_block_job *b, qz_mm *mm, const qz_hessian *h, qz_arena *arena, qz_quantized *out,
                            qz_error *err) {
    qz_run *run = b->run;
    const qz_type type = b->type;
    const size_t rows = b->rows;
    job j = {.run = run, .h = h, .type = type, .info = qz_type_get(type), .shape = qz_block_shape_get(type), .w = b->w,
             .importance = b->importance,
             .rows = rows, .cols = h->cols, .e = qz_block_feedback_group(type),
             .point = qz_block_feedback_point(type)};
    qz_arena own = {0};
    if (j.shape == NULL || h->cols % j.e != 0)
        return qz_fail(err, QZ_EBUG, "type %s cannot be refined under a matrix of %zu columns", j.info->name, h->cols);
    j.add_rows = qz_rows_adder(run->cpu);
    j.encode = qz_encoder(run->cpu, type);
    j.refiner = qz_refiner_at(run->cpu);
    qz_status st = reserve(&j, arena, err);
    if (st == QZ_OK && j.point > 1) qz_pool_run(run->pool, 0, forms_part, &j);
    if (st == QZ_OK) st = feedback(&j, mm, err);
    if (st == QZ_OK) st = descend(&j, mm, err);
    if (st == QZ_OK) st = guard(&j, mm, &own, err);
    if (st == QZ_OK) {
        *out = (qz_quantized){.type = type, .rows = rows, .cols = j.cols, .blocks = j.out, .bytes = rows * j.row_bytes};
        qz_pool_run(run->pool, 0, error_rows, &j);
        double mse = 0;
        for (size_t i = 0; i < rows * j.cols; i++) mse += (double)(j.err[i] * j.err[i]);
        out->weight_mse = mse / (double)(rows * j.cols);
        for (size_t r = 0; r < rows; r++) out->error += j.row_error[r];
        st = qz_quadratic_error(mm, &(qz_quadratic){h->h, j.cols, j.grad}, b->w, rows, &out->energy, err);
    }
    qz_arena_release(&own);
    qz_free(j.lost);
    qz_free(j.err);
    qz_free(j.grad);
    qz_free(j.target);
    qz_free(j.row_error);
    qz_free(j.sweeps);
    qz_free(j.fields);
    qz_free(j.old);
    qz_free(j.forms);
    return st;
}
