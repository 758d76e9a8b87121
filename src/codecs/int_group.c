/* Integer group codec (int_group.h): bit fields along the row, little endian, as one long bit stream per row. */
#include "codecs/int_group.h"
#include "codecs/codecs_int.h"

size_t qz_int_group_row_bytes(uint32_t bits, size_t cols) { return cols / 8 * bits + (cols % 8 * bits + 7) / 8; }

void qz_int_pack_row(const uint8_t *codes, size_t cols, uint32_t bits, uint8_t *out) {
    uint32_t mask = (1u << bits) - 1u, acc = 0, have = 0;
    for (size_t i = 0; i < cols; ++i) {
        acc |= (codes[i] & mask) << have;
        for (have += bits; have >= 8; have -= 8, acc >>= 8) *out++ = (uint8_t)acc;
    }
    if (have) *out = (uint8_t)acc;
}

void qz_int_unpack_row(const uint8_t *packed, size_t cols, uint32_t bits, uint8_t *codes) {
    if (bits == 8) {
        memcpy(codes, packed, cols);
        return;
    }
    if (bits == 4) { /* the common width without a bit buffer */
        for (size_t i = 0; i + 1 < cols; i += 2) {
            codes[i] = packed[i / 2] & 15;
            codes[i + 1] = packed[i / 2] >> 4;
        }
        if (cols % 2) codes[cols - 1] = packed[cols / 2] & 15;
        return;
    }
    uint32_t mask = (1u << bits) - 1u, acc = 0, have = 0;
    for (size_t i = 0; i < cols; ++i) {
        if (have < bits) {
            acc |= (uint32_t)*packed++ << have;
            have += 8;
        }
        codes[i] = (uint8_t)(acc & mask);
        acc >>= bits;
        have -= bits;
    }
}

void qz_int_group_decode_part(const qz_int_group *g, size_t row, size_t first, size_t n, float *y) {
    enum { CHUNK = 256 };
    uint8_t codes[CHUNK];
    const uint8_t *packed = g->codes + row * qz_int_group_row_bytes(g->bits, g->cols);
    const uint16_t *scales = g->scales + row * g->groups;
    const uint8_t *zeros = g->zero_points + row * g->groups;
    for (size_t k = first; k < first + n;) {
        size_t m = first + n - k < CHUNK ? first + n - k : CHUNK; /* first is a multiple of 8: whole bytes */
        qz_int_unpack_row(packed + k / 8 * g->bits, m, g->bits, codes);
        for (size_t i = 0; i < m;) {
            size_t group = g->g_idx ? g->g_idx[k + i] : (k + i) / g->group_size;
            size_t end = g->g_idx ? i + 1 : (group + 1) * g->group_size - k;
            if (end > m) end = m;
            float s = qz_f16_to_f32(scales[group]);
            int z = zeros[group];
            for (; i < end; ++i) y[k - first + i] = (float)((int)codes[i] - z) * s;
        }
        k += m;
    }
}

void qz_int_group_decode_row(const qz_int_group *g, size_t row, float *y) {
    qz_int_group_decode_part(g, row, 0, g->cols, y);
}

/* Nearest-even of v, clamped to a range far beyond every code so that the rounding trick stays exact. */
static int nearest_code(float v) {
    v = v > 4.0e6f ? 4.0e6f : v < -4.0e6f ? -4.0e6f : v;
    return qz_nearest(v);
}

int qz_int_group_code(float w, float scale, int zero, int lo, int hi) { return qz_clamp_int(nearest_code(w / scale) + zero, lo, hi); }

void qz_int_group_rtn_row(const float *w, size_t cols, size_t group_size, uint32_t bits, bool sym,
                          uint8_t *codes, float *scales, uint8_t *zeros) {
    const int half = 1 << (bits - 1), top = sym ? half - 1 : 2 * half - 1;
    for (size_t g = 0; g < cols / group_size; ++g, w += group_size, codes += group_size) {
        float mx = w[0], mn = w[0];
        for (size_t i = 1; i < group_size; ++i) {
            mx = w[i] > mx ? w[i] : mx;
            mn = w[i] < mn ? w[i] : mn;
        }
        float range = sym ? (-mn > mx ? -mn : mx) : mx - mn;
        float s = (range > 1e-5f ? range : 1e-5f) / (float)top;
        int z = sym ? half : qz_clamp_int(-nearest_code(mn / s), 0, top);
        for (size_t i = 0; i < group_size; ++i)
            codes[i] = (uint8_t)qz_int_group_code(w[i], s, z, 0, 2 * half - 1);
        scales[g] = s;
        zeros[g] = (uint8_t)z;
    }
}
