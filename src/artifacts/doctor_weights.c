/* The ways in which weights go wrong, each with its test on the values alone; the first that explains them is named. */
#include "artifacts/doctor_int.h"
#include "artifacts/artifact.h"
#include "base/size.h"
#include <math.h>
#include <string.h>

enum { SAMPLE = 48, GROUP = 32 };
static const double SURE = 0.8; /* cosine from which two rows are the same one, rounded */

typedef struct { double wv, ww, vv; } dots;
static dots dots_of(const float *w, const float *v, size_t n, size_t step_w, size_t step_v) {
    dots d = {0};
    for (size_t k = 0; k < n; k++) {
        const double x = (double)w[k * step_w], y = (double)v[k * step_v];
        d.wv += x * y, d.ww += x * x, d.vv += y * y;
    }
    return d;
}
static double cosine(dots d) { return d.ww > 0 && d.vv > 0 ? d.wv / sqrt(d.ww * d.vv) : 0; }
static dots whole(const qz_doctor_pair *p) { return dots_of(p->w, p->v, p->rows * p->cols, 1, 1); }

double qz_doctor_error(const qz_doctor_pair *p) {
    double error = 0, power = 0;
    for (size_t i = 0; i < p->rows * p->cols; i++) {
        const double d = (double)p->v[i] - (double)p->w[i];
        error += d * d, power += (double)p->w[i] * (double)p->w[i];
    }
    if (!isfinite(error)) return INFINITY;
    return power > 0 ? sqrt(error / power) : error > 0 ? INFINITY : 0;
}

/* Share of the squared difference that groups of columns have in common: rounding leaves about 1 in GROUP. */
static double common(const qz_doctor_pair *p, double *mean) {
    double shared = 0, all = 0;
    size_t n = 0;
    *mean = 0;
    for (size_t r = 0; r < p->rows; r++)
        for (size_t g = 0; g + GROUP <= p->cols; g += GROUP, n++) {
            double sum = 0;
            for (size_t k = g; k < g + GROUP; k++) {
                const double d = (double)p->v[r * p->cols + k] - (double)p->w[r * p->cols + k];
                sum += d, all += d * d;
            }
            shared += sum * sum / GROUP, *mean += sum / GROUP;
        }
    if (n) *mean /= (double)n;
    return all > 0 ? shared / all : 0;
}

bool qz_doctor_suspects(const qz_doctor_pair *p, double rounding) {
    double mean;
    const double error = qz_doctor_error(p);
    if (!(error <= rounding)) return true;
    return p->rows > 1 && error > 0.02 && common(p, &mean) > 0.5;
}

/* ---- scales ---- */
/* Gains of groups against the source: cosine over all once each group has its own gain, and how the logarithm of the
 * gain goes with that of the group's size (-2: the scale's reciprocal). */
static double by_groups(const qz_doctor_pair *p, size_t group, double *slope, double *spread) {
    double num = 0, den = 0, n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
    for (size_t r = 0; r < p->rows; r++)
        for (size_t g = 0; g < p->cols; g += group) {
            const size_t m = qz_min_size(group, p->cols - g);
            const dots d = dots_of(p->w + r * p->cols + g, p->v + r * p->cols + g, m, 1, 1);
            if (!(d.ww > 0) || !(d.vv > 0)) continue;
            num += fabs(d.wv), den += sqrt(d.ww * d.vv);
            const double x = log(d.ww) / 2, y = log(d.vv / d.ww) / 2;
            n++, sx += x, sy += y, sxx += x * x, sxy += x * y, syy += y * y;
        }
    const double vx = n > 0 ? sxx - sx * sx / n : 0;
    *slope = vx > 0 ? (sxy - sx * sy / n) / vx : 0;
    *spread = n > 0 ? sqrt(fmax(0, syy / n - sy / n * (sy / n))) : 0;
    return den > 0 ? num / den : 0;
}

/* Is what is left, once gains are taken out, much less than the error? left: 1 - cosine² under them. */
static bool explains(const qz_doctor_pair *p, double cos) {
    const dots d = whole(p);
    return sqrt(fmax(0, 1 - cos * cos) * (d.ww > 0 ? d.vv / d.ww : 1)) < 0.6 * qz_doctor_error(p);
}

static const char *scales(const qz_doctor_pair *p) {
    double slope, spread;
    const dots d = whole(p);
    const double gain = d.ww > 0 ? d.wv / d.ww : 0;
    if (cosine(d) < -SURE) return "every value has the other sign";
    if (cosine(d) > 0.95 && fabs(gain - 1) > (p->rows == 1 ? 0.15 : 0.03) && explains(p, cosine(d)))
        return qz_arena_printf(p->arena,
                               "every value is %.4g times the source's: a scale of the whole tensor is wrong "
                               "(left out, used twice, or its reciprocal)",
                               gain);
    const size_t groups[] = {p->cols, 128, 64, 32, 16};
    double best = 0.93, of_best = 0;
    size_t group = 0; /* the largest that explains most */
    for (size_t i = 0; i < sizeof groups / sizeof *groups && p->rows > 1; i++) {
        if (groups[i] > p->cols) continue;
        const double cos = by_groups(p, groups[i], &slope, &spread);
        if (cos <= best || spread < 0.1 || !explains(p, cos)) continue;
        best = cos + 0.005, of_best = slope, group = groups[i];
    }
    if (group && of_best < -1.5)
        return qz_arena_printf(p->arena, "scales of groups are stored as their reciprocal (groups of %zu columns)",
                               group);
    if (group)
        return qz_arena_printf(p->arena, "codes are right, scales are not: groups of %zu columns have the wrong one "
                                         "(another order, another row's, or damaged)", group);
    return NULL;
}

/* ---- zero points ---- */
static const char *zero_points(const qz_doctor_pair *p) {
    double mean;
    const dots d = whole(p);
    if (p->rows < 2) {
        size_t near = 0;
        const double first = (double)p->v[0] - (double)p->w[0];
        for (size_t k = 0; k < p->cols; k++)
            near += fabs((double)p->v[k] - (double)p->w[k] - first) <= 0.02 * fmax(fabs(first), 1e-3);
        if (p->cols > 1 && near * 10 >= p->cols * 9 && fabs(first) > 1e-3)
            return qz_arena_printf(p->arena,
                                   "every value is the source's %+.4g: a norm is stored as gain minus one on "
                                   "one side alone",
                                   first);
        return NULL;
    }
    if (common(p, &mean) < 0.35 || cosine(d) < 0.3 || cosine(d) > 0.9995) return NULL;
    const double shift = d.ww > 0 ? fabs(mean) * sqrt((double)(p->rows * p->cols) / d.ww) : 0;
    if (shift < 0.4 * qz_doctor_error(p)) return NULL; /* to both sides: what methods leave in small matrices */
    return qz_arena_printf(p->arena,
                           "values are shifted within their groups (%+.3g on average, %.2g of the values' own "
                           "size): zero points are off, by one as a rule",
                           mean, shift);
}

/* ---- order ---- */
typedef struct { size_t n, found, moved, at[SAMPLE], from[SAMPLE]; } moves;

/* Which of the `count` lines of w is line i of v? Lines are rows (step 1) or columns. */
static moves find_moves(const qz_doctor_pair *p, bool columns) {
    const size_t count = columns ? p->cols : p->rows, n = columns ? p->rows : p->cols;
    const size_t step = columns ? p->cols : 1, line = columns ? 1 : p->cols;
    moves m = {.n = qz_min_size(SAMPLE, count)};
    for (size_t i = 0; i < m.n; i++) {
        size_t best = 0;
        double most = -2;
        m.at[i] = i * count / m.n;
        for (size_t j = 0; j < count; j++) {
            const double c = cosine(dots_of(p->w + j * line, p->v + m.at[i] * line, n, step, step));
            if (c > most) most = c, best = j;
        }
        m.from[i] = most > SURE ? best : SIZE_MAX;
        m.found += most > SURE;
        m.moved += most > SURE && best != m.at[i];
    }
    return m;
}

static bool fits(const moves *m, const qz_artifact_item *order, size_t rows) {
    size_t good = 0;
    for (size_t i = 0; i < m->n; i++)
        good += m->from[i] == qz_item_source_row(order, rows, m->at[i]);
    return good * 10 >= m->n * 8;
}

static const char *row_order(const qz_doctor_pair *p) {
    const moves m = find_moves(p, false);
    if (p->rows < 4 || m.found * 10 < m.n * 7 || m.moved * 10 < m.found * 2) return NULL;
    const qz_permute ways[] = {QZ_PERMUTE_SPLIT, QZ_PERMUTE_INTERLEAVE};
    for (size_t i = 0; i < 2 && p->heads && p->rows % (2 * p->heads) == 0; i++)
        if (fits(&m, &(qz_artifact_item){.permute = ways[i], .heads = p->heads}, p->rows))
            return qz_arena_printf(p->arena,
                                   "rows of heads stand in the order of the other rotary pairing (halves and "
                                   "neighbours exchanged): each position is turned against the wrong partner");
    size_t same = 0;
    const size_t shift = (m.from[0] + p->rows - m.at[0]) % p->rows;
    for (size_t i = 0; i < m.n; i++)
        same += m.from[i] != SIZE_MAX && (m.from[i] + p->rows - m.at[i]) % p->rows == shift;
    if (m.from[0] != SIZE_MAX && shift && same * 10 >= m.n * 8)
        return qz_arena_printf(p->arena, "rows are shifted by %zu: row 0 holds row %zu of the source", shift, shift);
    return qz_arena_printf(p->arena, "rows stand in another order (row %zu holds row %zu of the source)",
                           m.at[m.from[0] == m.at[0] ? m.n - 1 : 0], m.from[m.from[0] == m.at[0] ? m.n - 1 : 0]);
}

static const char *column_order(const qz_doctor_pair *p) {
    const moves m = find_moves(p, true);
    if (p->rows < 8 || m.found * 10 < m.n * 7 || m.moved * 10 < m.found * 2) return NULL;
    size_t near = 0;
    for (size_t i = 0; i < m.n; i++) near += m.from[i] / 8 == m.at[i] / 8;
    if (near * 10 >= m.found * 9)
        return "columns are exchanged within words of eight codes: the order of packing is another one (AWQ and GPTQ "
               "interleave otherwise)";
    return "input columns stand in another order (act-order without its g_idx, or a permutation undone twice)";
}

static const char *transposed(const qz_doctor_pair *p) {
    if (p->rows != p->cols || p->rows < 2) return NULL;
    dots d = {0};
    for (size_t r = 0; r < p->rows; r++) {
        const dots one = dots_of(p->w + r, p->v + r * p->cols, p->cols, p->cols, 1);
        d.wv += one.wv, d.ww += one.ww, d.vv += one.vv;
    }
    return cosine(d) > SURE ? "the matrix is transposed" : NULL;
}

/* ---- another tensor's values ---- */
static const char *exchanged(const qz_doctor_pair *p, qz_error *err) {
    const size_t n = p->cols;
    float *u = qz_alloc_array(n, sizeof *u);
    const qz_tensor_view *found = NULL;
    if (u == NULL) return (void)qz_fail(err, QZ_EMEMORY, "out of memory"), NULL;
    for (size_t i = 0; i < p->a->model->n_tensors && !found; i++) {
        const qz_tensor_view *t = &p->a->model->tensors[i];
        if (t->rows != p->rows || t->cols != n || t == p->x) continue;
        size_t good = 0, tried = qz_min_size(4, p->rows);
        for (size_t k = 0; k < tried; k++) {
            const size_t r = k * p->rows / tried;
            qz_tensor_decode(t, qz_diff_row(p->a->model, p->b->model, t, r), 1, u);
            good += cosine(dots_of(u, p->v + r * n, n, 1, 1)) > (p->rows == 1 ? 0.9999 : SURE);
        }
        if (good == tried) found = t;
    }
    qz_free(u);
    return found ? qz_arena_printf(p->arena, "it holds what the source has as '%s': two tensors are exchanged",
                                   found->name) : NULL;
}

/* Lines of the artifact without a value. */
static size_t empty_rows(const qz_doctor_pair *p) {
    size_t n = 0;
    for (size_t r = 0; r < p->rows; r++) {
        const dots d = dots_of(p->w + r * p->cols, p->v + r * p->cols, p->cols, 1, 1);
        n += d.ww > 0 && !(d.vv > 0);
    }
    return n;
}

static const char *structural(const qz_doctor_pair *p, qz_error *err) {
    const dots d = whole(p);
    if (!isfinite(d.vv)) return "values are not finite (NaN or infinite): codes or scales are damaged";
    if (!(d.vv > 0)) return d.ww > 0 ? "every value is 0: it was never filled" : NULL;
    const size_t empty = empty_rows(p);
    if (p->rows > 1 && empty * 20 > p->rows)
        return qz_arena_printf(p->arena, "%zu of %zu rows are 0: a part was not written", empty, p->rows);
    const char *why = zero_points(p);
    if (!why) why = scales(p);
    if (!why && cosine(d) < 0.98) why = exchanged(p, err);
    const bool matrix = p->rows > 1 && cosine(d) < 0.98 && err->code == QZ_OK;
    if (!why && matrix) why = row_order(p);
    if (!why && matrix) why = transposed(p);
    if (!why && matrix) why = column_order(p);
    return why;
}

qz_status qz_doctor_cause(const qz_doctor_pair *p, double allowed, const char **cause, qz_error *err) {
    qz_error inner = {0};
    const double error = qz_doctor_error(p);
    *cause = structural(p, &inner);
    if (inner.code != QZ_OK) return *err = inner, inner.code;
    if (*cause || error <= allowed) return QZ_OK;
    *cause = cosine(whole(p)) > 0.5
                 ? qz_arena_printf(p->arena,
                                   "%.3g %% away from the source, more than its bits explain: noise, damage, "
                                   "or scales that are too coarse",
                                   100 * error)
                 : qz_arena_printf(p->arena, "nothing in common with the source (cosine %.2f): other weights",
                                   cosine(whole(p)));
    return *cause ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
}
