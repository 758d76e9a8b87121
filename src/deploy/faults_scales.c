/* Tensor scales: which convention they follow, and whether what engines load as one matrix has one. NVFP4 holds
 * G = 2688 / amax in compressed-tensors (block scales are divided by it) and amax / 2688 in ModelOpt (multiplied).
 * Which one a number is follows from the weights that it gives: of ordinary size under one, millions of times that
 * under the other. Source: formats/hf-fp4.md section 3, hf-fp8.md section 3. */
#include "deploy/faults_int.h"
#include "deploy/preflight_int.h"
#include "base/size.h"
#include "codecs/small_float.h"
#include "formats/dtypes.h"
#include <math.h>
#include <string.h>

#define LEAST 1e-3F      /* the largest weight of a matrix lies between */
#define MOST 1e3F
enum { PARTS = 4, FULL = 2688 }; /* merged matrices at most; 6 * 448, codes and block scales at their largest */

/* A matrix with one scale of the tensor. */
typedef struct {
    qz_mended *scale, *codes, *blocks; /* blocks NULL: FP8 */
    size_t module;                     /* letters of its name in scale->item.name */
    float v;                           /* as stored */
} member;

static const char *nv_scale(const qz_mending *m) {
    return m->method == QZ_MEND_CT ? ".weight_global_scale" : m->method == QZ_MEND_MODELOPT ? ".weight_scale_2" : NULL;
}
static const char *nv_codes(const qz_mending *m) { return m->method == QZ_MEND_CT ? ".weight_packed" : ".weight"; }
static qz_scale_type nv_stored(const qz_mending *m) {
    return m->method == QZ_MEND_CT ? QZ_SCALE_E4M3 : QZ_SCALE_E4M3_TIMES;
}

/* Codes and block scales fit each other. */
static bool fp4(const qz_mended *codes, const qz_mended *blocks) {
    const qz_st_item *c = &codes->item, *b = &blocks->item;
    return c->dtype == QZ_ST_U8 && b->dtype == QZ_ST_F8_E4M3 && c->n_dims == 2 && b->n_dims == 2 && c->dims[0] > 0 &&
           c->dims[1] > 0 && c->dims[0] == b->dims[0] && c->dims[1] == 8 * b->dims[1];
}

static bool member_of(const qz_mending *m, qz_mended *x, member *out) {
    size_t n = nv_scale(m) ? qz_mended_module(x, nv_scale(m)) : 0;
    *out = (member){.scale = x};
    if (n) {
        out->codes = qz_mended_find(m, x->item.name, n, nv_codes(m));
        out->blocks = qz_mended_find(m, x->item.name, n, ".weight_scale");
        if (!out->codes || !out->blocks || !fp4(out->codes, out->blocks)) return false;
    } else {
        n = qz_mended_module(x, ".weight_scale");
        out->codes = n ? qz_mended_find(m, x->item.name, n, ".weight") : NULL;
        if (!out->codes || out->codes->item.dtype != QZ_ST_F8_E4M3 || out->codes->item.n_dims != 2 ||
            x->item.n_dims > 1) /* [1, 1] is a block's */
            return false;
    }
    out->module = n;
    return qz_mended_scalar(x, &out->v) && isfinite(out->v) && out->v > 0;
}

/* ---- convention ---- */
/* Largest weight that the block scales can give under 1. */
static float largest_under_one(const qz_mended *blocks) {
    const uint8_t *p = blocks->t->data;
    uint8_t most = 0;
    for (uint64_t i = 0; i < blocks->t->bytes; i++)
        if (p[i] < 0x7f && p[i] > most) most = p[i];
    return qz_small_max(QZ_E2M1) * qz_small_decode(QZ_E4M3FN, most);
}
static bool plausible(float amax) { return amax >= LEAST && amax <= MOST; }

static qz_status turn(qz_mending *m, qz_mended *x, qz_error *err) {
    float v;
    if (!qz_mended_scalar(x, &v)) return QZ_OK;
    v = 1 / v;
    return qz_mended_set(m, x, &v, 1, err);
}

/* Inputs of a module whose weights were turned: their largest value is at most FULL under one reading alone. */
static qz_status turn_input(qz_mending *m, const member *w, size_t *n, qz_error *err) {
    const bool divides = m->method == QZ_MEND_CT;
    qz_mended *x = qz_mended_find(m, w->scale->item.name, w->module, divides ? ".input_global_scale" : ".input_scale");
    float v;
    if (!qz_mended_scalar(x, &v) || !(v > 0)) return QZ_OK;
    const float amax = divides ? FULL / v : FULL * v, other = divides ? FULL * v : FULL / v;
    if (amax <= FULL || other > FULL) return QZ_OK;
    ++*n;
    return turn(m, x, err);
}

static qz_status convention(qz_mending *m, qz_error *err) {
    const qz_scale_type stored = nv_stored(m);
    qz_fault *f = NULL;
    size_t inputs = 0;
    float first[3] = {0};
    for (size_t i = 0; i < m->n; i++) {
        member w;
        if (!member_of(m, &m->t[i], &w) || !w.blocks || !w.blocks->t) continue;
        const float one = largest_under_one(w.blocks), as_read = qz_scale_under(stored, w.v, one),
                    turned = qz_scale_under(stored, 1 / w.v, one);
        if (plausible(as_read) || !plausible(turned)) continue;
        if (!f) {
            QZ_TRY(qz_fault_add(m, QZ_FAULT_CONVENTION, w.scale->item.name, 0, &f, err));
            first[0] = w.v, first[1] = as_read, first[2] = turned;
            f->cost = fabs((double)as_read / (double)turned - 1);
        }
        f->n++;
        QZ_TRY(turn(m, w.scale, err));
        QZ_TRY(turn_input(m, &w, &inputs, err));
    }
    if (!f) return QZ_OK;
    f->left = 0;
    QZ_TRY(qz_fault_text(m, &f->problem, err,
                         "%.6g gives weights up to %.3g, its reciprocal up to %.3g (expected %g to %g): it is %s",
                         (double)first[0], (double)first[1], (double)first[2], (double)LEAST, (double)MOST,
                         stored == QZ_SCALE_E4M3 ? "ModelOpt's multiplier under compressed-tensors' name"
                                                 : "compressed-tensors' divisor under ModelOpt's name"));
    return qz_fault_text(m, &f->mend, err, "reciprocals (float32) of %zu scales of weights and %zu of inputs", f->n,
                         inputs);
}

/* ---- merged layers ---- */
static const char *last_word(const char *name, size_t n, size_t *len) {
    size_t at = n;
    while (at > 0 && name[at - 1] != '.') at--;
    *len = n - at;
    return name + at;
}

/* Tensors prefix + part + suffix of the set that x, prefix + part + suffix with `module` letters before the suffix, is
 * the first part of; 0: it is none, or not the first. */
static size_t set_of(const qz_mending *m, const qz_mended *x, size_t module, const char *suffix,
                     qz_mended *out[PARTS]) {
    size_t len, n = 0;
    char name[QZ_ST_MAX_NAME + 64];
    const char *word = last_word(x->item.name, module, &len), *fused = qz_fused_set(word, len), *part;
    for (size_t i = 0; fused && n < PARTS && (part = qz_fused_part(fused, i)) != NULL; i++) {
        const int k = snprintf(name, sizeof name, "%.*s%s", (int)(word - x->item.name), x->item.name, part);
        qz_mended *y = k > 0 && (size_t)k < sizeof name ? qz_mended_find(m, name, (size_t)k, suffix) : NULL;
        bool known = !y; /* parts stand once for each family that has them */
        for (size_t o = 0; o < n; o++) known |= out[o] == y;
        if (known) continue;
        if (n == 0 && y != x) return 0;
        out[n++] = y;
    }
    return n;
}

/* What a server that takes the largest number makes of a matrix of this power. */
static double taken(qz_scale_type stored, float largest, float own, double power) {
    const double f = stored == QZ_SCALE_E4M3 ? (double)own / (double)largest : (double)largest / (double)own;
    return (f - 1) * (f - 1) * power;
}

/* to, largest: the number for all of a set, and the one that a server takes. */
typedef struct { float to, largest; double served, left, power; size_t coded; } sums;

static qz_status unify_one(qz_run *run, bool measure, qz_mending *m, const member *w, sums *s, qz_error *err) {
    const float to = s->to;
    const qz_scale_type stored = w->blocks ? nv_stored(m) : QZ_SCALE_F32;
    qz_recoding *r = qz_arena_alloc(&m->arena, 1, sizeof *r);
    double error = 0, power = 0;
    if (!r) return qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", m->path);
    *r = (qz_recoding){w->codes->t, w->blocks ? w->blocks->t : NULL, stored, w->v, to};
    if (measure) QZ_TRY(qz_recode(run, r, NULL, NULL, &error, &power, err));
    s->power += power;
    s->left += w->v == to ? 0 : error;
    s->served += w->blocks ? taken(stored, s->largest, w->v, power) : w->v == to ? 0 : error;
    if (w->v == to) return QZ_OK;
    s->coded++;
    w->codes->again = r;
    if (w->blocks) w->blocks->again = r;
    return qz_mended_set(m, w->scale, &to, 1, err);
}

static qz_status say_merged(qz_mending *m, const member *w, size_t n, const sums *s, bool measure, qz_error *err) {
    qz_fault *f;
    qz_str values = {0};
    for (size_t i = 0; i < n; i++) {
        size_t len;
        const char *word = last_word(w[i].scale->item.name, w[i].module, &len);
        qz_str_printf(&values, "%s%.*s %.6g", i ? ", " : "", (int)len, word, (double)w[i].v);
    }
    qz_status st = qz_fault_add(m, QZ_FAULT_MERGED, w[0].scale->item.name, s->coded, &f, err);
    if (st == QZ_OK && measure && s->power > 0)
        f->cost = sqrt(s->served / s->power), f->left = sqrt(s->left / s->power);
    if (st == QZ_OK)
        st = qz_fault_text(m, &f->problem, err, "%s: %s", values.ptr ? values.ptr : "",
                           w[0].blocks ? "a server takes the largest number for all and decodes the others wrongly"
                                       : "a server codes all again under the largest, or decodes them wrongly");
    if (st == QZ_OK)
        st = qz_fault_text(m, &f->mend, err, "all under %.6g, the widest range; %zu of %zu matrices coded again",
                           (double)s->to, s->coded, n);
    qz_str_release(&values);
    return st;
}

static qz_status merged(qz_run *run, bool measure, qz_mending *m, qz_mended *x, qz_error *err) {
    member w[PARTS];
    qz_mended *set[PARTS];
    if (!member_of(m, x, &w[0]) || !w[0].codes->t || (w[0].blocks && !w[0].blocks->t)) return QZ_OK;
    const size_t n = set_of(m, x, w[0].module, x->item.name + w[0].module, set);
    bool equal = true, divides = w[0].blocks && nv_stored(m) == QZ_SCALE_E4M3;
    float low = w[0].v, high = w[0].v;
    for (size_t i = 1; i < n; i++) {
        if (!member_of(m, set[i], &w[i]) || (w[i].blocks == NULL) != (w[0].blocks == NULL)) return QZ_OK;
        equal &= w[i].v == w[0].v;
        low = fminf(low, w[i].v), high = fmaxf(high, w[i].v);
    }
    if (n < 2 || equal) return QZ_OK;
    sums s = {.to = divides ? low : high, .largest = high};
    for (size_t i = 0; i < n; i++) QZ_TRY(unify_one(run, measure, m, &w[i], &s, err));
    return say_merged(m, w, n, &s, measure, err);
}

/* ---- inputs of merged layers ---- */
static qz_status ranges(qz_mending *m, const char *suffix, bool divides, qz_error *err) {
    qz_fault *f = NULL;
    double worst = 1;
    for (size_t i = 0; i < m->n; i++) {
        qz_mended *x = &m->t[i], *set[PARTS];
        const size_t module = qz_mended_module(x, suffix), n = module ? set_of(m, x, module, suffix, set) : 0;
        float v, low = INFINITY, high = 0;
        bool all = n > 1;
        for (size_t k = 0; k < n && all; k++) {
            all = qz_mended_scalar(set[k], &v) && v > 0 && isfinite(v);
            low = fminf(low, v), high = fmaxf(high, v);
        }
        if (!all || low == high) continue;
        if (!f) QZ_TRY(qz_fault_add(m, QZ_FAULT_RANGES, x->item.name, 0, &f, err));
        worst = fmax(worst, (double)high / (double)low);
        f->n++;
        for (size_t k = 0; k < n; k++) QZ_TRY(qz_mended_set(m, set[k], divides ? &low : &high, 1, err));
    }
    if (!f) return QZ_OK;
    QZ_TRY(qz_fault_text(m, &f->problem, err,
                         "%zu set%s of merged layers read one input under '%s' that differ up to %.3g times: a server "
                         "takes one of them for all",
                         f->n, qz_plural(f->n), suffix + 1, worst));
    return qz_fault_text(m, &f->mend, err, "the widest range of each set");
}

qz_status qz_faults_scales(qz_run *run, bool measure, qz_mending *m, qz_error *err) {
    if (nv_scale(m)) QZ_TRY(convention(m, err));
    for (size_t i = 0; i < m->n; i++) QZ_TRY(merged(run, measure, m, &m->t[i], err));
    return qz_faults_ranges(m, err);
}
qz_status qz_faults_ranges(qz_mending *m, qz_error *err) {
    QZ_TRY(ranges(m, ".input_scale", false, err));
    return ranges(m, ".input_global_scale", true, err);
}
