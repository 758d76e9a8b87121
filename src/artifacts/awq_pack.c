/* AWQ words. Layout: formats/hf-awq.md sections 1, 7.1 and 7.2 (AutoAWQ 0.2.9). */
#include "artifacts/awq_int.h"
#include "base/bytes.h"
#include <string.h>

static const uint8_t slot_of_output[8] = { 0, 4, 1, 5, 2, 6, 3, 7 }; /* output 8c + n sits in this slot */

void qz_awq_pack_codes(const uint8_t *codes, size_t rows, size_t cols, const size_t *map, size_t k0, size_t k1, uint32_t *out) {
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

void qz_awq_unpack_gemm(const uint8_t *qweight, const uint8_t *qzeros, const uint8_t *scales, size_t rows, size_t cols, size_t groups,
                        size_t n0, size_t n1, uint8_t *codes, uint8_t *zeros, uint16_t *scales_out) {
    size_t words = rows / 8, row_bytes = (cols + 1) / 2;
    for (size_t c = n0 / 8; c < n1 / 8; c++) {
        for (size_t k = 0; k < cols; k += 2) {
            uint32_t lo = qz_load_u32le(qweight + 4 * (k * words + c));
            uint32_t hi = k + 1 < cols ? qz_load_u32le(qweight + 4 * ((k + 1) * words + c)) : 0;
            for (size_t i = 0; i < 8; i++) {
                unsigned s = 4u * slot_of_output[i];
                codes[(8 * c + i) * row_bytes + k / 2] = (uint8_t)((lo >> s & 15u) | (hi >> s & 15u) << 4);
            }
        }
        for (size_t j = 0; j < groups; j++) {
            uint32_t z = qz_load_u32le(qzeros + 4 * (j * words + c));
            for (size_t i = 0; i < 8; i++) {
                zeros[(8 * c + i) * groups + j] = (uint8_t)(z >> (4u * slot_of_output[i]) & 15u);
                scales_out[(8 * c + i) * groups + j] = qz_load_u16le(scales + 2 * (j * rows + 8 * c + i));
            }
        }
    }
}

void qz_awq_unpack_gemv(const uint8_t *qweight, const uint8_t *qzeros, const uint8_t *scales, size_t cols, size_t groups, size_t z,
                        size_t n0, size_t n1, uint8_t *codes, uint8_t *zeros, uint16_t *scales_out) {
    for (size_t n = n0; n < n1; n++) {
        memcpy(codes + n * (cols / 2), qweight + n * (cols / 2), cols / 2); /* eight nibbles of a word, low first: already our order */
        for (size_t j = 0; j < groups; j++) {
            zeros[n * groups + j] = (uint8_t)(qz_load_u32le(qzeros + 4 * (n * z + j / 8)) >> (4u * (j % 8)) & 15u);
            scales_out[n * groups + j] = qz_load_u16le(scales + 2 * (n * 8 * z + j));
        }
    }
}
