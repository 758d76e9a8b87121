/* Codes of a matrix under another scale of the tensor: for NVFP4 of the block scales near the one that would be equal
 * the one of least squared error, for FP8 the nearest code. The decoded values are what is kept. */
#include "deploy/faults_int.h"
#include "base/size.h"
#include "codecs/small_float.h"
#include <math.h>
#include <string.h>

enum { GROUP = 16, AROUND = 4 }; /* columns of a block scale; E4M3 neighbours tried on either side */

typedef struct {
    const qz_recoding *r;
    uint8_t *codes, *scales;
    double *error, *power;   /* [rows] */
    float value[256];        /* of a stored byte: E4M3 */
    size_t rows, cols;
} job;

uint64_t qz_recoding_codes(const qz_recoding *r) { return r->codes->bytes; }

/* Σ(w' − w)² of a block under scale s; q gets the codes. */
static float encode_block(const float *w, float s, uint8_t *q) {
    float sum = 0;
    for (size_t k = 0; k < GROUP; k++) {
        q[k] = s > 0 ? qz_small_encode(QZ_E2M1, w[k] / s) : (uint8_t)(w[k] < 0 ? 8 : 0);
        const float d = qz_small_decode(QZ_E2M1, q[k]) * s - w[k];
        sum += d * d;
    }
    return sum;
}

static void block_again(const job *j, const uint8_t *in, uint8_t byte, uint8_t *out, uint8_t *scale, double *error,
                        double *power) {
    const qz_recoding *r = j->r;
    const float s = qz_scale_under(r->stored, r->from, j->value[byte]);
    uint8_t q[GROUP], best[GROUP] = {0};
    float w[GROUP], least = INFINITY;
    for (size_t k = 0; k < GROUP; k++) {
        w[k] = qz_small_decode(QZ_E2M1, (uint8_t)(in[k / 2] >> (k % 2 ? 4 : 0) & 15)) * s;
        *power += (double)w[k] * (double)w[k];
    }
    const int middle = qz_scale_byte(r->stored, r->to, s);
    for (int c = middle - AROUND; c <= middle + AROUND; c++) {
        if (c < (byte ? 1 : 0) || c > 0x7e || (byte == 0 && c > 0)) continue;
        const float sum = encode_block(w, qz_scale_under(r->stored, r->to, j->value[c]), q);
        if (!(sum < least)) continue;
        least = sum;
        *scale = (uint8_t)c;
        memcpy(best, q, sizeof best);
    }
    *error += (double)least;
    for (size_t k = 0; k < GROUP / 2; k++) out[k] = (uint8_t)(best[2 * k] | best[2 * k + 1] << 4);
}

static void row_again(const job *j, size_t row) {
    const qz_recoding *r = j->r;
    double *error = &j->error[row], *power = &j->power[row];
    if (!r->scales) {
        const uint8_t *in = r->codes->data + row * j->cols;
        for (size_t k = 0; k < j->cols; k++) {
            const float w = j->value[in[k]] * r->from;
            const uint8_t q = j->codes[row * j->cols + k] = qz_small_encode(QZ_E4M3FN, w / r->to);
            const double d = (double)(j->value[q] * r->to) - (double)w;
            *error += d * d, *power += (double)w * (double)w;
        }
        return;
    }
    const size_t groups = j->cols / GROUP;
    for (size_t g = 0; g < groups; g++) {
        const size_t at = row * groups + g;
        block_again(j, r->codes->data + at * (GROUP / 2), r->scales->data[at], j->codes + at * (GROUP / 2),
                    &j->scales[at], error, power);
    }
}
static void some_rows(void *arg, qz_part part) {
    const job *j = arg;
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t row = lo; row < hi; row++) row_again(j, row);
}

qz_status qz_recode(qz_run *run, const qz_recoding *r, uint8_t *codes, uint8_t *scales, double *error, double *power,
                    qz_error *err) {
    job j = {.r = r, .rows = (size_t)r->codes->dims[0], .cols = (size_t)r->codes->dims[1] * (r->scales ? 2 : 1)};
    uint8_t *own = qz_alloc_array(codes ? 1 : (size_t)r->codes->bytes, 1),
            *own_scales = qz_alloc_array(scales || !r->scales ? 1 : (size_t)r->scales->bytes, 1);
    j.codes = codes ? codes : own, j.scales = scales ? scales : own_scales;
    j.error = qz_calloc_array(j.rows, sizeof *j.error), j.power = qz_calloc_array(j.rows, sizeof *j.power);
    const bool ok = own && own_scales && j.error && j.power;
    for (int c = 0; c < 256; c++) j.value[c] = qz_small_decode(QZ_E4M3FN, (uint8_t)c);
    if (ok) qz_pool_run(run ? run->pool : NULL, 0, some_rows, &j);
    for (size_t i = 0; ok && i < j.rows; i++) {
        if (error) *error += j.error[i];
        if (power) *power += j.power[i];
    }
    qz_free(own), qz_free(own_scales), qz_free(j.error), qz_free(j.power);
    return ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory coding '%s' again", r->codes->name);
}
