#include "codecs/observer.h"
#include "base/size.h"
#include "codecs/round_float.h"
#include <float.h>
#include <math.h>

static qz_range ends(const float *w, size_t n) {
    qz_range r = {w[0], w[0]};
    for (size_t k = 1; k < n; k++) {
        r.lo = w[k] < r.lo ? w[k] : r.lo;
        r.hi = w[k] > r.hi ? w[k] : r.hi;
    }
    return r;
}

static float int_value(const qz_int_ct *how, float w, float scale, uint8_t zero) {
    uint8_t code;
    qz_int_ct_codes(how, &w, 1, scale, zero, &code);
    return qz_round_float(how->dtype, (float)(code - zero) * scale);
}

static float small_value(qz_small_float element, float w, float scale) {
    const float most = qz_small_max(element), v = fminf(fmaxf(w / scale, -most), most);
    return qz_small_decode(element, qz_small_encode(element, v)) * scale;
}

/* Σ |rounded − w|^norm under a range. */
static float error_of(const qz_observer *how, const float *w, size_t n, qz_range r) {
    uint8_t zero = 0;
    float sum = 0, scale = qz_range_amax(r) / (how->ints ? 1 : qz_small_max(how->element));
    if (how->ints) scale = qz_int_ct_range(how->ints, r.lo, r.hi, &zero);
    else if (scale == 0) scale = FLT_EPSILON;
    for (size_t k = 0; k < n; k++) {
        const float v = how->ints ? int_value(how->ints, w[k], scale, zero) : small_value(how->element, w[k], scale);
        sum += powf(fabsf(v - w[k]), how->norm);
    }
    return sum;
}

typedef struct {
    const qz_observer *how;
    const float *w;
    size_t blocks;
    float p, *least;
    qz_range *best;
    bool *gained; /* [blocks] */
} step;

static void try_step(void *arg, qz_part part) {
    const step *s = arg;
    const size_t n = s->how->block;
    size_t from, to;
    qz_split(s->blocks, 1, part, &from, &to);
    for (size_t i = from; i < to; i++) {
        const float *w = s->w + i * n, expand = s->how->expand;
        const qz_range full = ends(w, n), r = {full.lo * expand * s->p, full.hi * expand * s->p};
        const float e = error_of(s->how, w, n, r);
        s->gained[i] = e < s->least[i];
        if (s->gained[i]) s->least[i] = e, s->best[i] = r;
    }
}

qz_status qz_observe_mse(qz_run *run, const qz_observer *how, const float *w, size_t blocks, qz_range *out,
                         qz_error *err) {
    step s = {.how = how, .w = w, .blocks = blocks, .best = out, .least = qz_alloc_array(blocks, sizeof *s.least),
              .gained = qz_alloc_array(blocks, sizeof *s.gained)};
    qz_status st = s.least && s.gained ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for %zu ranges", blocks);
    for (size_t i = 0; i < blocks && st == QZ_OK; i++) {
        out[i] = ends(w + i * how->block, how->block);
        s.least[i] = INFINITY;
    }
    int without = 0;
    for (int i = 0; st == QZ_OK && i < how->steps && without < how->patience; i++) {
        bool gained = false;
        s.p = (float)(1.0 - (double)i / how->grid);
        qz_pool_run(run ? run->pool : NULL, 0, try_step, &s);
        for (size_t b = 0; b < blocks; b++) gained |= s.gained[b];
        without = gained ? 0 : without + 1;
    }
    qz_free(s.least);
    qz_free(s.gained);
    return st;
}
