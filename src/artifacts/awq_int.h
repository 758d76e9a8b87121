/* Inside of the AWQ scheme: packing of codes (awq_pack.c) and reader (awq_read.c). */
#ifndef QZ_ARTIFACTS_AWQ_INT_H
#define QZ_ARTIFACTS_AWQ_INT_H
#include "artifacts/folder.h"

/* qweight [cols, rows/8] words for input rows k0..k1 from codes [rows, cols] (one byte each); map[n] = row of codes
 * that stands at output n, or NULL. Slot i of word c holds output 8c + (0 2 4 6 1 3 5 7)[i]. */
void qz_awq_pack_codes(const uint8_t *codes, size_t rows, size_t cols, const size_t *map, size_t k0, size_t k1,
                       uint32_t *out);
/* qzeros row of group j: [rows/8] words from zero_points [rows, groups]. */
void qz_awq_pack_zeros(const uint8_t *zeros, size_t rows, size_t groups, const size_t *map, size_t j, uint32_t *out);

/* The words of a file, and what is made of them: codes packed along the row (int_group.h), zero points and scales
 * [rows, groups]. z_words: words of a row of qzeros in "gemv". */
typedef struct {
    const uint8_t *qweight, *qzeros, *qscales;
    size_t rows, cols, groups, z_words;
    uint8_t *codes, *zeros;
    uint16_t *scales;
} qz_awq_words;
/* Outputs n0..n1 (multiples of 8) of a "gemm" file. */
void qz_awq_unpack_gemm(const qz_awq_words *a, size_t n0, size_t n1);
/* The same for "gemv": qweight [rows, cols/8], qzeros [rows, z_words], scales [rows, 8·z_words], plain order. */
void qz_awq_unpack_gemv(const qz_awq_words *a, size_t n0, size_t n1);

/* Codes of "gemv_fast" (int16 [rows/4, cols]) for outputs n0..n1, multiples of 4. */
void qz_awq_unpack_fast(const uint8_t *qweight, size_t cols, size_t n0, size_t n1, uint8_t *codes);
/* Codes of "marlin" ([cols/16, 2·rows] words; rows a multiple of 64) for outputs n0..n1, multiples of 64. */
void qz_awq_unpack_marlin(const uint8_t *qweight, size_t rows, size_t cols, size_t n0, size_t n1, uint8_t *codes);
/* Where the scale of output n of a group stands in the permuted row; one_group: scales of whole rows. */
size_t qz_awq_marlin_scale(size_t n, bool one_group);
/* z of "gemv_fast", which stores −(s·z) rounded; false if it is no whole number of steps in 0..15. */
bool qz_awq_scaled_zero(float scale, float scaled, uint8_t *zero);

qz_status qz_awq_detect(const char *path, bool *yes, qz_error *err);
qz_status qz_awq_read_model(qz_run *run, const char *path, qz_model **out, qz_error *err);
#endif
