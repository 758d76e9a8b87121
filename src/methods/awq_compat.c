#include "methods/awq_compat.h"
#include "codecs/int_group.h"
#include "base/half.h"
#include "base/size.h"
#include "codecs/types.h"
#include <math.h>
#include <string.h>

static float clampf(float v, float lo, float hi) { return v < lo ? lo : v > hi ? hi : v; }
static float half_of(float v) { return qz_f16_to_f32(qz_f32_to_f16(v)); }

void qz_awq_pseudo(const float *w, size_t rows, size_t cols, size_t group, uint32_t bits, bool sym, float *out) {
    float qmax = (float)((1u << bits) - 1);
    for (size_t g = 0; g < rows * cols; g += group) {
        float mn = w[g], mx = w[g], s, z = 0, lo = 0, hi = qmax;
        for (size_t k = 0; k < group; k++) {
            mn = w[g + k] < mn ? w[g + k] : mn;
            mx = w[g + k] > mx ? w[g + k] : mx;
        }
        if (sym) {
            float m = -mn > mx ? -mn : mx;
            hi = (float)((1u << (bits - 1)) - 1);
            lo = -hi - 1;
            s = (m > 1e-5f ? m : 1e-5f) / hi;
        } else {
            s = (mx - mn > 1e-5f ? mx - mn : 1e-5f) / qmax;
            z = clampf(-rintf(mn / s), 0, qmax);
        }
        for (size_t k = 0; k < group; k++) out[g + k] = (clampf(rintf(w[g + k] / s) + z, lo, hi) - z) * s;
    }
}

static void column_mean(const float *x, size_t tokens, size_t cols, float *mean) {
    for (size_t k = 0; k < cols; k++) mean[k] = 0;
    for (size_t t = 0; t < tokens; t++)
        for (size_t k = 0; k < cols; k++) mean[k] += fabsf(x[t * cols + k]);
    for (size_t k = 0; k < cols; k++) mean[k] /= (float)tokens;
}
static double mean_square(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        float d = a[i] - b[i];
        sum += (double)(d * d);
    }
    return sum / (double)n;
}

void qz_awq_try_scales(const qz_awq_grid *g, const qz_awq_linear *l, const float *s, float *out) {
    const size_t rows = l->rows, cols = l->cols;
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < cols; k++) out[r * cols + k] = l->w[r * cols + k] * s[k];
    qz_awq_pseudo(out, rows, cols, g->group, g->bits, g->sym, out);
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < cols; k++) out[r * cols + k] /= s[k];
}

/* ---- clip ---- */
typedef struct {
    const float *w, *x;
    size_t rows, cols, group, tokens, step, n; /* n tokens are looked at: 0, step, 2·step … */
    uint32_t bits;
    float *bounds, *scratch;
} clip_job;

static void clip_group(const clip_job *j, const float *w, size_t col, float *bound, float *qw) {
    float m0 = 0, best_err = 1e9f;
    for (size_t k = 0; k < j->group; k++) m0 = fabsf(w[k]) > m0 ? fabsf(w[k]) : m0;
    *bound = m0;
    for (int i = 0; i < 10; i++) {
        float m = m0 * (1.0f - (float)i / 20.0f);
        double sum = 0;
        for (size_t k = 0; k < j->group; k++) qw[k] = clampf(w[k], -m, m);
        qz_awq_pseudo(qw, 1, j->group, j->group, j->bits, false, qw);
        for (size_t k = 0; k < j->group; k++) qw[k] -= w[k];
        for (size_t t = 0; t < j->n; t++) {
            const float *x = j->x + t * j->step * j->cols + col;
            float acc[8] = {0};
            for (size_t k = 0; k + 8 <= j->group; k += 8)
                for (size_t l = 0; l < 8; l++) acc[l] += x[k + l] * qw[k + l];
            float d = ((acc[0] + acc[4]) + (acc[2] + acc[6])) + ((acc[1] + acc[5]) + (acc[3] + acc[7]));
            sum += (double)(d * d);
        }
        float e = (float)(sum / (double)j->n);
        if (e < best_err) best_err = e, *bound = m;
    }
}
static void clip_worker(void *arg, qz_part part) {
    const clip_job *j = arg;
    size_t lo, hi, groups = j->cols / j->group;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++)
        for (size_t g = 0; g < groups; g++)
            clip_group(j, j->w + r * j->cols + g * j->group, g * j->group, j->bounds + r * groups + g,
                       j->scratch + part.thread * j->group);
}
qz_status qz_awq_clip(qz_run *run, const qz_awq_clipping *c, float *bounds, qz_error *err) {
    clip_job j = {.w = c->w, .x = c->x, .rows = c->rows, .cols = c->cols, .group = c->group, .tokens = c->tokens,
                  .bits = c->bits, .bounds = bounds};
    j.step = qz_max_size(1, c->tokens / 512);
    j.n = (c->tokens + j.step - 1) / j.step;
    j.scratch = qz_alloc_array(qz_pool_size(run->pool) * c->group, sizeof *j.scratch);
    if (j.scratch == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory in the clip search");
    qz_pool_run(run->pool, 0, clip_worker, &j);
    qz_free(j.scratch);
    return QZ_OK;
}

/* ---- the block ---- */
typedef struct {
    qz_run *run;
    qz_mm *mm;
    qz_awq_block *b;
    const qz_awq_replay *rep;
    const qz_awq_options *o;
    float *kept[QZ_LINEARS];    /* unscaled weights of the input's linears */
    float *y0, *y, *stat;
} compat;

/* What the reference compares for an input, for the block's current weights: the whole sub-module behind a norm, else
 * its one linear. */
static qz_status module_output(compat *c, size_t input, float *y, qz_error *err) {
    const qz_awq_input *in = &c->b->input[input];
    const qz_awq_linear *l = &c->b->linear[in->first];
    if (in->fold.kind == QZ_FOLD_NORM) return c->rep->module(c->rep->ctx, c->b, input, y, err);
    const qz_weights w = {.type = QZ_TYPE_F32, .rows = l->rows, .cols = l->cols, .data = l->w};
    return qz_mm_exact(c->mm, &w, c->rep->x[input], c->rep->tokens, y, err);
}

static qz_status search_input(compat *c, size_t e, float *scales, qz_awq_report *r, qz_error *err) {
    const qz_awq_input *in = &c->b->input[e];
    size_t cols = in->cols, rows = 0, outs = c->rep->tokens * c->rep->hidden, group = c->o->codes.group_size;
    const qz_awq_grid grid = {.bits = c->o->codes.bits, .group = group, .sym = c->o->codes.sym};
    double *sum = qz_calloc_array(cols, sizeof *sum), best = INFINITY;
    if (sum == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory searching scales");
    for (size_t i = in->first; i < in->first + in->n; i++) {
        const qz_awq_linear *l = &c->b->linear[i];
        qz_awq_weight_mean(l->w, l->rows, cols, group, sum);
        rows += l->rows;
        memcpy(c->kept[i], l->w, l->rows * cols * sizeof(float));
    }
    float *xm = c->stat, *wm = xm + cols, *s = wm + cols;
    column_mean(c->rep->x[e], c->rep->tokens, cols, xm);
    for (size_t k = 0; k < cols; k++) wm[k] = (float)(sum[k] / (double)rows);
    qz_free(sum);
    qz_status st = module_output(c, e, c->y0, err);
    for (size_t i = 0; i < QZ_AWQ_GRID && st == QZ_OK; i++) {
        qz_awq_scales(xm, wm, cols, (double)i / QZ_AWQ_GRID, s);
        for (size_t k = in->first; k < in->first + in->n; k++) {
            qz_awq_linear plain = c->b->linear[k];
            plain.w = c->kept[k];
            qz_awq_try_scales(&grid, &plain, s, c->b->linear[k].w);
        }
        st = module_output(c, e, c->y, err);
        double loss = st == QZ_OK ? mean_square(c->y0, c->y, outs) : INFINITY;
        if (i == 0) r->plain[e] = loss;
        if (!(loss < best)) continue;
        best = r->scaled[e] = loss;
        r->ratio[e] = (double)i / QZ_AWQ_GRID;
        memcpy(scales, s, cols * sizeof *s);
    }
    for (size_t k = in->first; k < in->first + in->n; k++)
        memcpy(c->b->linear[k].w, c->kept[k], c->b->linear[k].rows * cols * sizeof(float));
    if (st == QZ_OK && !isfinite(best)) st = qz_fail(err, QZ_ENUMERIC, "no finite loss in the AWQ scale search");
    return st;
}

/* Plain folding of the reference: no float16 correction of the scales. */
static void fold(qz_awq_block *b, size_t input, const float *s) {
    const qz_awq_input *in = &b->input[input];
    qz_awq_linear *before = &b->linear[in->fold.linear];
    for (size_t k = 0; k < in->cols; k++) {
        if (in->fold.kind == QZ_FOLD_NORM) {
            in->norm[k] /= s[k];
            if (in->norm_bias) in->norm_bias[k] /= s[k];
            continue;
        }
        /* column k is row k: no heads share */
        for (size_t i = 0; i < before->cols; i++) before->w[k * before->cols + i] /= s[k];
        if (before->bias) before->bias[k] /= s[k];
    }
    for (qz_awq_linear *l = b->linear + in->first; l < b->linear + in->first + in->n; l++)
        for (size_t r = 0; r < l->rows; r++)
            for (size_t k = 0; k < in->cols; k++) l->w[r * in->cols + k] *= s[k];
}

static qz_status clip_linear(compat *c, const qz_awq_linear *l, const float *s, qz_error *err) {
    size_t rows = l->rows, cols = l->cols, group = c->o->codes.group_size, groups = cols / group;
    size_t step = qz_max_size(1, c->rep->tokens / 512);
    size_t n = (c->rep->tokens + step - 1) / step;
    const float *x = c->rep->x[l->stage];
    float *xs = qz_alloc_array(n * cols, sizeof *xs), *bounds = qz_alloc_array(rows * groups, sizeof *bounds);
    qz_status st = xs && bounds ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory in the clip search");
    for (size_t t = 0; t < n && st == QZ_OK; t++)
        for (size_t k = 0; k < cols; k++) xs[t * cols + k] = x[t * step * cols + k] / (s ? s[k] : 1.0f);
    /* the rows are the reference's sample already: n < 1024 would be sampled again only above 1023 rows,
     * step stays 1 */
    if (st == QZ_OK)
        st = qz_awq_clip(c->run, &(qz_awq_clipping){l->w, xs, rows, cols, n, group, c->o->codes.bits}, bounds, err);
    for (size_t r = 0; r < rows && st == QZ_OK; r++)
        for (size_t k = 0; k < cols; k++) {
            float m = bounds[r * groups + k / group], *w = &l->w[r * cols + k];
            *w = clampf(*w, -m, m);
        }
    qz_free(xs);
    qz_free(bounds);
    return st;
}

/* Final codes: every operation rounded to float16, as the reference's half tensors do. */
static qz_status round_half(const qz_awq_linear *l, const qz_code_setting *o, qz_arena *arena, qz_quantized *out,
                            qz_error *err) {
    size_t rows = l->rows, cols = l->cols, g = o->group_size, groups = cols / g;
    uint8_t *codes = qz_arena_alloc(arena, rows * cols, 1), *zeros = qz_arena_alloc(arena, rows * groups, 1);
    float *scales = qz_arena_alloc(arena, rows * groups, sizeof *scales), qmax = (float)((1u << o->bits) - 1);
    double mse = 0;
    if (!codes || !zeros || !scales) return qz_fail(err, QZ_EMEMORY, "out of memory for codes");
    for (size_t i = 0; i < rows * groups; i++) {
        const float *w = l->w + i * g;
        float mn = INFINITY, mx = -INFINITY;
        for (size_t k = 0; k < g; k++) {
            float v = half_of(w[k]);
            mn = v < mn ? v : mn;
            mx = v > mx ? v : mx;
        }
        float range = half_of(mx - mn), floor_h = half_of(1e-5f),
              s = half_of((range > floor_h ? range : floor_h) / qmax);
        float z = clampf(-rintf(half_of(mn / s)), 0, qmax);
        scales[i] = s;
        zeros[i] = (uint8_t)z;
        for (size_t k = 0; k < g; k++) {
            float q = clampf(rintf(half_of(half_of(w[k]) / s)) + z, 0, qmax);
            codes[i * g + k] = (uint8_t)q;
            mse += (double)((w[k] - (q - z) * s) * (w[k] - (q - z) * s));
        }
    }
    const qz_int_codes c = {.bits = o->bits, .group_size = o->group_size, .codes = codes, .scales = scales,
                            .zero_points = zeros};
    *out = (qz_quantized){.type = QZ_TYPE_CODED, .rows = rows, .cols = cols,
                          .coded = qz_int_codes_keep(c, rows, cols, arena), .error = mse,
                          .weight_mse = mse / (double)(rows * cols)};
    return out->coded ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for codes");
}

/* The reference leaves an input alone that nothing takes a scale of or that heads share, and one whose linear has not
 * the shape of the earlier one. */
static bool scales_input(const qz_awq_block *b, size_t input) {
    const qz_awq_input *in = &b->input[input];
    const qz_awq_linear *before = &b->linear[in->fold.linear], *l = &b->linear[in->first];
    if (in->n == 0 || in->fold.kind == QZ_FOLD_NONE || in->fold.kind == QZ_FOLD_SHARED) return false;
    return in->fold.width == 0 || (before->rows == l->rows && before->cols == l->cols);
}

static qz_status run_all(compat *c, float *scales[QZ_STAGES], qz_awq_made *out, qz_error *err) {
    qz_awq_report *r = &out->report;
    for (size_t i = 0; i < QZ_STAGES; i++)
        if (scales_input(c->b, i)) QZ_TRY(search_input(c, i, scales[i], r, err));
        else r->ratio[i] = -1;
    for (size_t i = 0; i < QZ_STAGES; i++)
        if (scales_input(c->b, i)) fold(c->b, i, scales[i]);
    /* nor does it clip what makes scores */
    for (const qz_awq_linear *l = c->b->linear; l < c->b->linear + QZ_LINEARS; l++)
        if (l->rows && !l->rotary && !c->o->no_clip)
            QZ_TRY(clip_linear(c, l, scales_input(c->b, l->stage) ? scales[l->stage] : NULL, err));
    for (size_t l = 0; l < QZ_LINEARS; l++)
        if (c->b->linear[l].rows) QZ_TRY(round_half(&c->b->linear[l], &c->o->codes, out->arena, &out->lin[l], err));
    return QZ_OK;
}

qz_status qz_awq_compat_block(qz_run *run, qz_mm *mm, qz_awq_block *b, const qz_awq_replay *replay,
                              const qz_awq_options *o, qz_awq_made *out, qz_error *err) {
    out->report = (qz_awq_report){0};
    compat c = {.run = run, .mm = mm, .b = b, .rep = replay, .o = o};
    size_t outs = replay->tokens * replay->hidden, widest = 0;
    float *scales[QZ_STAGES] = {0};
    c.y0 = qz_alloc_aligned(outs, sizeof(float));
    c.y = qz_alloc_aligned(outs, sizeof(float));
    bool ok = c.y0 && c.y;
    for (size_t l = 0; l < QZ_LINEARS; l++) {
        if (b->linear[l].rows == 0) continue; /* the block has none of that number */
        c.kept[l] = qz_alloc_aligned(b->linear[l].rows * b->linear[l].cols, sizeof(float));
        widest = qz_max_size(widest, b->linear[l].cols);
        ok = ok && c.kept[l];
        if (o->codes.group_size == QZ_WHOLE_ROW || b->linear[l].cols % o->codes.group_size) ok = false;
    }
    for (size_t i = 0; i < QZ_STAGES; i++) ok = (scales[i] = qz_alloc_array(widest, sizeof(float))) != NULL && ok;
    c.stat = qz_alloc_array(3 * widest, sizeof(float));
    qz_status st = ok && c.stat ? run_all(&c, scales, out, err)
                                : qz_fail(err, QZ_EMEMORY, "out of memory for AWQ of one block");
    for (size_t l = 0; l < QZ_LINEARS; l++) qz_free(c.kept[l]);
    for (size_t i = 0; i < QZ_STAGES; i++) qz_free(scales[i]);
    qz_free(c.y0);
    qz_free(c.y);
    qz_free(c.stat);
    return st;
}
