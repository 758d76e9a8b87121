/* Scales that are wrong and look like scales: of another size than their neighbours', or of another sign or size
 * than the source's. Judged by the decoded values in chunks of a row, so that it holds for every format. size:
 * log2 of a chunk's root mean square without its largest values, less the median of its row and of its column. A
 * wrong exponent moves one chunk away from both; a heavy value, a small row or a loud column of a healthy model
 * does not. source: the same of the ratio of both sizes (scales that AWQ moved between operations are moved back
 * first), and the sign of the product of both. Sees a factor of two, and a flipped sign, which nothing else
 * shows. The same of whole tensors, floats among them, whose chunks agree with each other. */
#include "artifacts/diff.h"
#include "artifacts/open.h"
#include "base/io.h"
#include "base/size.h"
#include "base/str.h"
#include "codecs/types.h"
#include "deploy/check_job.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 32, CHUNK_MOST = 128, LEAST_ROWS = 8, LEAST_CHUNKS = 2 };
#define APART 3.0F        /* log2: eight times its row and its column */
#define APART_SOURCE 0.9F /* against the source: nearly twice */
#define APART_CODED 1.5F  /* the same of codes with error feedback, which moves weights on purpose */
#define FOLDED 0.3F       /* rows and columns of a ratio are this far from 1 where scales were moved */
#define WHOLE 1.5         /* a whole tensor against the source, times */
#define WHOLE_CODED 1.75  /* the same of codes with error feedback, which damps, */
#define WHOLE_FEW 2.5     /* and where codes are so few that scales which were moved are not recognized: 2 bits */
#define WHOLE_FLOATS 1.25 /* the same of floats: norms, embeddings, biases */
#define VALUE_OFF 0.75    /* a value of a norm, of its own size or the tensor's */
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
    qz_diff_folds folds; /* scales that the artifact has moved between operations; of NULL: not looked for */
    float *x, *y, *tmp, *mid;
    size_t compared; /* tensors that were large enough, and there in the source */
} scanner;

/* A tensor beside the source's: chunks whose product is negative, the first of them; sums of all that was read, of the
 * artifact (x) and of the source (y), and the value that is furthest off. */
typedef struct {
    size_t n, row, chunk;
    double xx, yy, xy, off;
    float x, y;
    size_t column;
} likeness;

/* Values with a scale of their own, as far as that is of use: inside of a group, small values are mostly rounding. */
static size_t chunk_of(const scanner *s, const qz_tensor_view *t) {
    const long group = s->j->spec.group_size;
    if (t->coded == NULL) return CHUNK;
    return group < CHUNK || group > CHUNK_MOST ? CHUNK_MOST : (size_t)group;
}

static bool plain_floats(const qz_tensor_view *t) {
    return t->type < QZ_TYPE_COUNT && qz_type_get(t->type)->kind == QZ_KIND_FLOAT;
}

/* Row r of t in x, and what the source has there in y: gains as gains, moved scales undone. */
static void read_pair(const scanner *s, const qz_tensor_view *t, const qz_tensor_view *o, size_t r) {
    if (o) {
        qz_tensor_decode(o, t->rows > 1 ? qz_diff_row(s->source, s->j->model, o, r) : r, 1, s->x);
        if (t->rows > 1) qz_diff_columns(s->source, s->j->model, o, s->x, s->y);
        else memcpy(s->y, s->x, t->cols * sizeof *s->y);
    }
    qz_tensor_decode(t, r, 1, s->x);
    if (o == NULL) return;
    const float mine = qz_model_lacks(s->j->model, t->name), its = qz_model_lacks(s->source, o->name);
    const qz_diff_scale *back = s->folds.of ? &s->folds.of[o - s->source->tensors] : NULL;
    for (size_t k = 0; k < t->cols && (mine > 0 || its > 0); k++) s->x[k] += mine, s->y[k] += its;
    for (size_t k = 0; k < t->cols && back && back->col; k++) s->x[k] *= back->col[k];
    for (size_t k = 0; k < t->cols && back && back->row; k++) s->x[k] *= back->row[r];
}

static void add_row(const scanner *s, size_t cols, likeness *f) {
    for (size_t k = 0; k < cols; k++) {
        const double x = (double)s->x[k], y = (double)s->y[k], off = fabs(x - y);
        f->xx += x * x, f->yy += y * y, f->xy += x * y;
        if (off > f->off) f->off = off, f->x = s->x[k], f->y = s->y[k], f->column = k;
    }
}

static void fill(const scanner *s, const qz_tensor_view *t, const qz_tensor_view *o, grid *g, likeness *f) {
    for (size_t i = 0; i < g->rows; i++) {
        const size_t r = g->first + i * g->step;
        read_pair(s, t, o, r);
        if (o) add_row(s, t->cols, f);
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

/* The whole tensor by a factor, or with the other sign: no chunk of it is odd then. Floats that were not coded
 * are nearer to the source than codes; methods that refit norms move them by some percent. */
static bool judge_whole(const scanner *s, const qz_tensor_view *t, const qz_tensor_view *o, const likeness *f) {
    /* what of the source is in it: error feedback adds energy of its own, which this does not count */
    const double factor = f->yy > 0 ? fabs(f->xy) / f->yy : f->xx > 0 ? INFINITY : 1;
    const bool grouped = qz_deploy_get(s->j->spec.kind)->grouped && t->coded;
    const double limit = plain_floats(t) && plain_floats(o) ? WHOLE_FLOATS
                         : !grouped                         ? WHOLE
                         : s->j->spec.bits > 2              ? WHOLE_CODED
                                                            : WHOLE_FEW;
    if (factor > limit || factor < 1 / limit)
        qz_check_add(&s->j->f, "CHK-SOURCE", t->name, "the whole tensor is %.3g times the size that the source has",
                     factor);
    else if (f->xy < -0.5 * sqrt(f->xx * f->yy))
        qz_check_add(&s->j->f, "CHK-SOURCE", t->name, "the whole tensor has the other sign than in the source");
    else return false;
    return true;
}

/* Norms and biases: few values, and nobody codes them. */
static bool judge_vector(const scanner *s, const qz_tensor_view *t, const qz_tensor_view *o, const likeness *f) {
    const double rms = sqrt(f->yy / (double)t->cols);
    if (judge_whole(s, t, o, f)) return true;
    /* a permuted bias has the same values in another order */
    if (f->off <= VALUE_OFF * fmax(fabs((double)f->y), rms) || qz_str_ends(t->name, ".bias")) return false;
    qz_check_add(&s->j->f, "CHK-SOURCE", t->name, "column %zu: %.6g, and the source has %.6g", f->column, (double)f->x,
                 (double)f->y);
    return true;
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
    likeness f = {0};
    if (o && (o->rows != t->rows || o->cols != t->cols)) o = NULL; /* another model's tensor of that name */
    if (o && t->rows == 1) {
        s->compared++;
        read_pair(s, t, o, 0);
        add_row(s, t->cols, &f);
        *found = judge_vector(s, t, o, &f);
        return QZ_OK;
    }
    const size_t chunk = chunk_of(s, t), chunks = t->cols / chunk,
                 want = qz_max_size(LEAST_ROWS, budget / qz_max_size(1, t->cols));
    grid g = {.cols = chunks, .chunk = chunk, .step = s->j->o.deep || want >= t->rows ? 1 : t->rows / want};
    g.rows = t->rows / g.step;
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
        *found = (o && judge_whole(&w, t, o, &f)) || judge(&w, t, &g, o != NULL);
        if (f.n && f.xy >= 0) {
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
    qz_arena arena = {0};
    const qz_source artifact = {.model = j->model};
    qz_status st = QZ_OK;
    /* all of both is read for it: only where a method may have moved scales */
    const bool moves = qz_deploy_get(j->spec.kind)->grouped;
    if (s.source && moves) st = qz_diff_folds_find(&source, &artifact, &arena, &s.folds, err);
    if (st == QZ_OK) st = scan(&s, err);
    qz_arena_release(&arena);
    qz_source_release(&source);
    return st;
}
