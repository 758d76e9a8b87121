/* Scales that are wrong and look like scales: of another size than their neighbours', or of another sign or size than
 * the source's. Judged by the decoded values in chunks of a row, so that it holds for every format.
 *   size:   log2 of a chunk's root mean square without its largest values, less the median of its row and of its
 *           column. A wrong exponent moves one chunk away from both; a heavy value, a small row or a loud column of a
 *           healthy model does not.
 *   source: the same of the ratio of both sizes (so scales that AWQ moved between operations cancel), and the sign of
 *           the product of both. Sees a factor of two, and a flipped sign, which nothing else shows. */
#include "artifacts/diff.h"
#include "artifacts/open.h"
#include "base/io.h"
#include "base/size.h"
#include "deploy/check_job.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 32, CHUNK_MOST = 128, LEAST_ROWS = 8, LEAST_CHUNKS = 2 };
#define APART 3.0F        /* log2: eight times its row and its column */
#define APART_SOURCE 0.9F /* against the source: nearly twice */
#define APART_CODED 1.5F  /* the same of codes with error feedback, which moves weights on purpose */
#define FOLDED 0.3F       /* rows and columns of a ratio are this far from 1 where scales were moved */
#define AT_MOST 0.01      /* more chunks than this share is structure, and no accident */

/* One figure for each chunk of the rows that are read; NAN: it has none. */
typedef struct {
    float *v;
    size_t rows, cols, first, step, chunk;
} grid;

static int by_value(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}
static float median(float *v, size_t n) {
    if (n == 0) return NAN;
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}
static float median_of(const grid *g, size_t start, size_t stride, size_t n, float *tmp) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(g->v[start + i * stride])) tmp[k++] = g->v[start + i * stride];
    return median(tmp, k);
}

/* log2 of the root mean square of x[0..n) without its two largest values. */
static float size_of(const float *x, size_t n) {
    float first = 0, second = 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const float a = fabsf(x[i]);
        sum += (double)a * (double)a;
        if (a > first) second = first, first = a;
        else if (a > second) second = a;
    }
    sum -= (double)first * (double)first + (double)second * (double)second;
    return sum > 1e-12 * (double)first * (double)first ? (float)(0.5 * log2(sum / (double)n)) : NAN;
}

/* The chunk furthest from what its row and its column have; how many are beyond `limit`. */
typedef struct {
    size_t row, chunk, n;
    float by;
    bool whole_row;
} outlier;
typedef struct {
    float *row, *col, all;
} middles;

static void middles_of(const grid *g, float *tmp, middles *m) {
    for (size_t r = 0; r < g->rows; r++) m->row[r] = median_of(g, r * g->cols, 1, g->cols, tmp);
    for (size_t c = 0; c < g->cols; c++) m->col[c] = median_of(g, c, g->cols, g->rows, tmp);
    m->all = median_of(g, 0, 1, g->rows * g->cols, tmp);
}
/* Have rows or columns of a ratio scales of their own? More than one in twenty, that is, and not by accident. */
static bool folded(const grid *g, const middles *m) {
    size_t rows = 0, cols = 0;
    for (size_t r = 0; r < g->rows; r++) rows += fabsf(m->row[r]) > FOLDED;
    for (size_t c = 0; c < g->cols; c++) cols += fabsf(m->col[c]) > FOLDED;
    return 20 * rows > g->rows || 20 * cols > g->cols;
}
static bool furthest(const grid *g, const middles *m, bool absolute, float limit, outlier *out) {
    *out = (outlier){0};
    for (size_t r = 0; r < g->rows; r++)
        for (size_t c = 0; c < g->cols; c++) {
            const float v = g->v[r * g->cols + c], d = absolute ? v : v - m->row[r] - m->col[c] + m->all;
            /* away from its row, from its column, and from both together: on the same side */
            const float least =
                absolute ? fabsf(v) : fminf(fabsf(d), fminf(fabsf(v - m->row[r]), fabsf(v - m->col[c])));
            if (!isfinite(least) || least <= limit || (!absolute && (v > m->row[r]) != (v > m->col[c]))) continue;
            out->n++;
            if (least > fabsf(out->by)) *out = (outlier){r, c, out->n, d < 0 ? -least : least, false};
        }
    return out->n && (double)out->n <= fmax(1, AT_MOST * (double)(g->rows * g->cols));
}
/* A row that no other is near: where one scale is a whole row's, its chunks agree with each other. tmp: [rows] */
static bool lone_row(const grid *g, const middles *m, float *tmp, outlier *out) {
    size_t n = 0;
    for (size_t r = 0; r < g->rows; r++)
        if (isfinite(m->row[r])) tmp[n++] = m->row[r];
    if (n < LEAST_ROWS) return false;
    qsort(tmp, n, sizeof *tmp, by_value);
    const float above = tmp[n - 1] - tmp[n - 2], below = tmp[1] - tmp[0];
    if (fmaxf(above, below) <= APART) return false;
    const float which = above > below ? tmp[n - 1] : tmp[0];
    *out = (outlier){.n = g->cols, .by = above > below ? above : -below, .whole_row = true};
    while (out->row + 1 < g->rows && m->row[out->row] != which) out->row++;
    return true;
}

typedef struct {
    qz_check_job *j;
    const qz_model *source;
    float *x, *y, *tmp, *mid;
    size_t compared; /* tensors that were large enough, and there in the source */
} scanner;

/* Chunks whose product with the source's is negative: the first of them. */
typedef struct {
    size_t n, row, chunk;
} flips;

/* Values with a scale of their own, as far as that is of use: inside of a group, small values are mostly rounding. */
static size_t chunk_of(const scanner *s, const qz_tensor_view *t) {
    const long group = s->j->spec.group_size;
    if (t->coded == NULL) return CHUNK;
    return group < CHUNK || group > CHUNK_MOST ? CHUNK_MOST : (size_t)group;
}

static void fill(const scanner *s, const qz_tensor_view *t, const qz_tensor_view *o, grid *g, flips *f) {
    for (size_t i = 0; i < g->rows; i++) {
        const size_t r = g->first + i * g->step;
        qz_tensor_decode(t, r, 1, s->x);
        if (o) qz_tensor_decode(o, qz_diff_row(s->source, s->j->model, o, r), 1, s->y);
        for (size_t c = 0; c < g->cols; c++) {
            const float *x = s->x + c * g->chunk, *y = s->y + c * g->chunk;
            double xx = 0, yy = 0, xy = 0;
            for (size_t k = 0; k < g->chunk && o; k++)
                xx += (double)x[k] * (double)x[k], yy += (double)y[k] * (double)y[k], xy += (double)x[k] * (double)y[k];
            g->v[i * g->cols + c] = !o ? size_of(x, g->chunk) : xx > 0 && yy > 0 ? (float)(0.5 * log2(xx / yy)) : NAN;
            if (o && xy < -0.5 * sqrt(xx * yy) && f->n++ == 0) f->row = r, f->chunk = c;
        }
    }
}

static bool judge(const scanner *s, const qz_tensor_view *t, const grid *g, bool against) {
    outlier x;
    middles m = {.row = s->mid, .col = s->mid + g->rows};
    middles_of(g, s->tmp, &m);
    const float limit = !against ? APART : t->coded ? APART_CODED : APART_SOURCE;
    bool found = furthest(g, &m, against && !folded(g, &m), limit, &x);
    if (!found && !against) found = lone_row(g, &m, s->tmp, &x);
    if (!found) return false;
    const size_t from = x.whole_row ? 0 : x.chunk * g->chunk, to = x.whole_row ? t->cols : from + g->chunk;
    qz_check_add(&s->j->f, against ? "CHK-SOURCE" : "CHK-STEP", t->name,
                 "row %zu, columns %zu to %zu: %.3g times %s (%zu of %zu chunks of %zu values)",
                 g->first + x.row * g->step, from, to - 1, exp2((double)x.by),
                 against       ? "the size that the source has there"
                 : x.whole_row ? "the size of any other row"
                               : "the size of its row and of its column",
                 x.n, g->rows * g->cols, g->chunk);
    return true;
}

/* True: something was found. */
static qz_status one(scanner *s, const qz_tensor_view *t, size_t budget, bool *found, qz_error *err) {
    const qz_tensor_view *o = s->source ? qz_model_find(s->source, t->name) : NULL;
    const size_t chunk = chunk_of(s, t), chunks = t->cols / chunk,
                 want = qz_max_size(LEAST_ROWS, budget / qz_max_size(1, t->cols));
    grid g = {.cols = chunks, .chunk = chunk, .step = s->j->o.deep || want >= t->rows ? 1 : t->rows / want};
    flips f = {0};
    g.rows = t->rows / g.step;
    if (o && (o->rows != t->rows || o->cols != t->cols)) o = NULL;
    if (o && (o->rows != t->rows || o->cols != t->cols)) o = NULL; /* another model's tensor of that name */
    if (g.rows < LEAST_ROWS || chunks < LEAST_CHUNKS || (s->source && !o)) return QZ_OK;
    s->compared++;
    size_t n, both;
    if (!qz_mul_size(g.rows, chunks, &n) || !qz_add_size(g.rows, chunks, &both)) return QZ_OK;
    scanner w = *s;
    g.v = qz_alloc_array(n, sizeof *g.v);
    w.tmp = qz_alloc_array(n, sizeof *w.tmp);
    w.mid = qz_alloc_array(both, sizeof *w.mid);
    qz_status st = g.v && w.tmp && w.mid ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory checking '%s'", t->name);
    if (st == QZ_OK) {
        fill(&w, t, o, &g, &f);
        *found = judge(&w, t, &g, o != NULL);
        if (f.n) {
            qz_check_add(&s->j->f, "CHK-SOURCE", t->name,
                         "row %zu, columns %zu to %zu: the sign is the other one than in the source (%zu of %zu chunks "
                         "of %zu values)",
                         f.row, f.chunk * g.chunk, (f.chunk + 1) * g.chunk - 1, f.n, n, g.chunk);
            *found = true;
        }
    }
    qz_free(g.v);
    qz_free(w.tmp);
    qz_free(w.mid);
    return st;
}

static qz_status scan(scanner *s, qz_error *err) {
    const qz_model *m = s->j->model;
    size_t cols = 1, weights = 1, found = 0;
    for (size_t i = 0; i < m->n_tensors; i++)
        cols = qz_max_size(cols, m->tensors[i].cols), weights += m->tensors[i].rows * m->tensors[i].cols;
    s->x = qz_alloc_array(cols, sizeof *s->x);
    s->y = qz_alloc_array(cols, sizeof *s->y);
    qz_status st = s->x && s->y ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory checking '%s'", m->path);
    qz_progress_begin(s->j->run);
    for (size_t i = 0; i < m->n_tensors && st == QZ_OK && found < QZ_CHECK_SCALES_SAID; i++) {
        const qz_tensor_view *t = &m->tensors[i];
        const double share = (double)t->rows * (double)t->cols / (double)weights;
        bool one_found = false;
        st = one(s, t, (size_t)(share * QZ_CHECK_VALUES), &one_found, err);
        found += one_found;
        if (s->j->o.deep && t->data) qz_map_forget(t->data, t->bytes);
        qz_progress_step(s->j->run, "comparing scales", i + 1, m->n_tensors, "tensors");
    }
    qz_progress_end(s->j->run);
    if (st == QZ_OK && s->source && s->compared == 0)
        qz_check_add(&s->j->f, "CHK-SOURCE", "",
                     "nothing could be compared with '%s': none of its tensors has a name and a shape that are here",
                     s->j->o.against);
    qz_free(s->x);
    qz_free(s->y);
    return st;
}

qz_status qz_check_scales(qz_check_job *j, qz_error *err) {
    scanner s = {.j = j};
    qz_source source = {0};
    if (j->o.against) {
        QZ_TRY(qz_source_open(j->run, j->o.against, &source, err));
        s.source = source.model;
    }
    qz_status st = scan(&s, err);
    qz_source_release(&source);
    return st;
}
