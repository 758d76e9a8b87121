/* Rotary frequencies (formats/families.md section 4): computed in double with base/mathx.h, rounded to float once. */
#include "base/mathx.h"
#include "model/config.h"
#include <math.h>

#define PI 3.14159265358979323846

static double llama3(const qz_rope *r, double f) {
    double wavelength = 2.0 * PI / f, l = (double)r->original_max_position;
    if (wavelength < l / r->high_freq_factor) return f;
    if (wavelength > l / r->low_freq_factor) return f / r->factor;
    double s = (l / wavelength - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
    return (1.0 - s) * f / r->factor + s * f;
}

static double yarn_corr(const qz_rope *r, double rotations, double dim) {
    return dim * qz_log((double)r->original_max_position / (2.0 * PI * rotations)) / (2.0 * qz_log(r->theta));
}
static double yarn_scale(double factor, double m) { return factor <= 1.0 ? 1.0 : 0.1 * m * qz_log(factor) + 1.0; }

static void yarn(const qz_rope *r, size_t dim, float *inv, float *att) {
    double lo = yarn_corr(r, r->beta_fast, (double)dim), hi = yarn_corr(r, r->beta_slow, (double)dim);
    if (r->truncate) lo = floor(lo), hi = ceil(hi);
    if (lo < 0) lo = 0;
    if (hi > (double)dim - 1) hi = (double)dim - 1;
    if (lo == hi) hi += 0.001;
    for (size_t j = 0; j < dim / 2; j++) {
        double f = qz_pow(r->theta, -2.0 * (double)j / (double)dim), t = ((double)j - lo) / (hi - lo);
        t = t < 0 ? 0 : t > 1 ? 1 : t;
        inv[j] = (float)(f / r->factor * t + f * (1.0 - t));
    }
    double a = r->attention_factor;
    if (a == 0 && r->mscale != 0 && r->mscale_all_dim != 0)
        a = yarn_scale(r->factor, r->mscale) / yarn_scale(r->factor, r->mscale_all_dim);
    if (a == 0) a = yarn_scale(r->factor, 1.0);
    *att = (float)a;
}

bool qz_rope_by_call(const qz_config *c) { return c->rope.kind == QZ_ROPE_DYNAMIC || c->rope.kind == QZ_ROPE_LONGROPE; }

static void longrope(const qz_config *c, size_t length, float *inv, float *att) {
    const qz_rope *r = &c->rope;
    const double l = (double)r->original_max_position, f = r->factor > 0 ? r->factor : (double)c->max_position / l;
    const float *ext = length > r->original_max_position ? r->long_factor : r->short_factor;
    for (size_t j = 0; j < c->rotary_dim / 2; j++)
        inv[j] = (float)(qz_pow(r->theta, -2.0 * (double)j / (double)c->rotary_dim) / (double)ext[j]);
    const double own = length > r->original_max_position ? r->long_mscale : r->short_mscale;
    *att = own > 0 ? (float)own
           : r->attention_factor > 0 ? (float)r->attention_factor
           : f <= 1                ? 1.0f
                                   : (float)sqrt(1.0 + qz_log(f) / qz_log(l));
}

void qz_rope_frequencies(const qz_config *c, bool sliding, size_t length, float *inv, float *attention_factor) {
    const qz_rope *r = &c->rope;
    const bool local = sliding && r->local_theta > 0;
    const qz_rope_kind kind = local ? QZ_ROPE_NONE : r->kind;
    const size_t dim = (size_t)qz_rotary_dim(c, sliding);
    double theta = local ? r->local_theta : r->theta;
    *attention_factor = 1.0f;
    if (kind == QZ_ROPE_YARN) {
        yarn(r, dim, inv, attention_factor);
    } else if (kind == QZ_ROPE_LONGROPE) {
        longrope(c, length, inv, attention_factor);
    } else {
        if (kind == QZ_ROPE_DYNAMIC && dim > 2) {
            double m = (double)c->max_position, s = (double)length > m ? (double)length : m;
            theta *= qz_pow(r->factor * s / m - (r->factor - 1.0), (double)dim / ((double)dim - 2.0));
        }
        for (size_t j = 0; j < dim / 2; j++) {
            double f = qz_pow(theta, -2.0 * (double)j / (double)dim);
            if (kind == QZ_ROPE_LINEAR) f /= r->factor;
            if (kind == QZ_ROPE_LLAMA3) f = llama3(r, f);
            if (kind == QZ_ROPE_PROPORTIONAL && j >= (size_t)(r->share * (double)dim / 2)) f = 0;
            inv[j] = (float)f;
        }
    }
    if (r->has_freq_factors && !local)
        for (size_t j = 0; j < dim / 2; j++) inv[j] /= r->freq_factors[j];
}

float qz_plain_query_growth(const qz_config *c, size_t pos) {
    if (!(c->query_growth > 0)) return 1;
    return (float)(1.0 + c->query_growth * qz_log(1.0 + floor((double)(pos + 1) / c->query_floor)));
}
float qz_query_growth(const qz_rope *r, size_t pos) {
    if (!(r->query_beta > 0)) return 1;
    return (float)(1.0 + r->query_beta * qz_log(1.0 + (double)(pos / r->original_max_position)));
}
