/* AWQ words. Layouts: formats/hf-awq.md sections 1 and 7 (AutoAWQ 0.2.9). */
#include "artifacts/awq_int.h"
#include "base/bytes.h"
#include <math.h>
#include <string.h>

static const uint8_t slot_of_output[8] = { 0, 4, 1, 5, 2, 6, 3, 7 }; /* output 8c + n sits in this slot */

void qz_awq_pack_codes(const uint8_t *codes, size_t rows, size_t cols, const size_t *map, size_t k0, size_t k1,
                       uint32_t *out) {
    size_t words = rows / 8;
    memset(out, 0, (k1 - k0) * words * sizeof *out);
    for (size_t n = 0; n < rows; n++) {
        const uint8_t *row = codes + (map ? map[n] : n) * cols;
        unsigned shift = 4u * slot_of_output[n % 8];
        uint32_t *o = out + n / 8;
        for (size_t k = k0; k < k1; k++, o += words) *o |= (uint32_t)row[k] << shift;
    }
}

void qz_awq_pack_zeros(const uint8_t *zeros, size_t rows, size_t groups, const size_t *map, size_t j, uint32_t *out) {
    memset(out, 0, rows / 8 * sizeof *out);
    for (size_t n = 0; n < rows; n++)
        out[n / 8] |= (uint32_t)zeros[(map ? map[n] : n) * groups + j] << (4u * slot_of_output[n % 8]);
}

void qz_awq_unpack_gemm(const qz_awq_words *a, size_t n0, size_t n1) {
    const size_t words = a->rows / 8, row_bytes = (a->cols + 1) / 2, groups = a->groups;
    for (size_t c = n0 / 8; c < n1 / 8; c++) {
        for (size_t k = 0; k < a->cols; k += 2) {
            uint32_t lo = qz_load_u32le(a->qweight + 4 * (k * words + c));
            uint32_t hi = k + 1 < a->cols ? qz_load_u32le(a->qweight + 4 * ((k + 1) * words + c)) : 0;
            for (size_t i = 0; i < 8; i++) {
                unsigned s = 4u * slot_of_output[i];
                a->codes[(8 * c + i) * row_bytes + k / 2] = (uint8_t)((lo >> s & 15u) | (hi >> s & 15u) << 4);
            }
        }
        for (size_t j = 0; j < groups; j++) {
            uint32_t z = qz_load_u32le(a->qzeros + 4 * (j * words + c));
            for (size_t i = 0; i < 8; i++) {
                a->zeros[(8 * c + i) * groups + j] = (uint8_t)(z >> (4u * slot_of_output[i]) & 15u);
                a->scales[(8 * c + i) * groups + j] = qz_load_u16le(a->qscales + 2 * (j * a->rows + 8 * c + i));
            }
        }
    }
}

void qz_awq_unpack_gemv(const qz_awq_words *a, size_t n0, size_t n1) {
    const size_t groups = a->groups, z = a->z_words;
    for (size_t n = n0; n < n1; n++) {
        /* eight nibbles of a word, low first: already our order */
        memcpy(a->codes + n * (a->cols / 2), a->qweight + n * (a->cols / 2), a->cols / 2);
        for (size_t j = 0; j < groups; j++) {
            a->zeros[n * groups + j] =
                (uint8_t)(qz_load_u32le(a->qzeros + 4 * (n * z + j / 8)) >> (4u * (j % 8)) & 15u);
            a->scales[n * groups + j] = qz_load_u16le(a->qscales + 2 * (n * 8 * z + j));
        }
    }
}

static void put_code(uint8_t *codes, size_t cols, size_t n, size_t k, unsigned q) {
    uint8_t *b = codes + n * (cols / 2) + k / 2;
    *b = (uint8_t)(k % 2 ? (*b & 15u) | q << 4 : (*b & 0xf0u) | q);
}

void qz_awq_unpack_fast(const uint8_t *qweight, size_t cols, size_t n0, size_t n1, uint8_t *codes) {
    for (size_t n = n0; n < n1; n++)
        for (size_t k = 0; k < cols; k++) {
            size_t i = k % 32, a = i / 8, b = i / 2 % 4, c = i % 2, kk = k % 64 / 32 * 32 + 8 * b + 4 * c + a;
            size_t column = k / 64 * 64 + n % 4 * 16 + kk / 4;
            put_code(codes, cols, n, k,
                     (unsigned)qz_load_u16le(qweight + 2 * (n / 4 * cols + column)) >> (4 * (kk % 4)) & 15u);
        }
}

bool qz_awq_scaled_zero(float scale, float scaled, uint8_t *zero) {
    float z = scale == 0 ? 0 : -scaled / scale, whole = rintf(z);
    *zero = whole > 0 && whole < 16 ? (uint8_t)whole : 0;
    return fabsf(z - whole) < 0.1f && whole > -1 && whole < 16;
}

/* Element of a 16 x 64 tile (row major, four 16 x 16 tiles side by side as they lie in memory) that
 * stands at place j. */
static size_t marlin_source(size_t j) {
    static const uint8_t order[8] = { 0, 2, 4, 6, 1, 3, 5, 7 };
    size_t at = j / 8 * 8 + order[j % 8], i = at / 32, tile = at % 32 / 8, e = at % 8, block = e / 4, m = e % 4;
    size_t row = 2 * (i % 4) + m % 2 + m / 2 * 8;
    return 256 * tile + 16 * row + i / 4 + 8 * block;
}

void qz_awq_unpack_marlin(const uint8_t *qweight, size_t rows, size_t cols, size_t n0, size_t n1, uint8_t *codes) {
    for (size_t kt = 0; kt < cols / 16; kt++)
        for (size_t chunk = n0 / 64; chunk < n1 / 64; chunk++)
            for (size_t j = 0; j < 1024; j++) {
                size_t s = marlin_source(j), n = chunk * 64 + s / 256 * 16 + s % 16, k = kt * 16 + s % 256 / 16;
                uint32_t word = qz_load_u32le(qweight + 4 * (kt * 2 * rows + chunk * 128 + j / 8));
                put_code(codes, cols, n, k, word >> (4 * (j % 8)) & 15u);
            }
}

size_t qz_awq_marlin_scale(size_t n, bool one_group) {
    if (!one_group) return n / 64 * 64 + n % 8 * 8 + n % 64 / 8;
    static const uint8_t pair[16] = { 0, 1, 8, 9, 16, 17, 24, 25 };
    for (size_t p = 0; p < 32; p++) /* place p holds 2·(p / 8) + pair[p % 8] */
        if (2 * (p / 8) + pair[p % 8] == n % 32) return n / 32 * 32 + p;
    return n;
}
