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

/* Words of a "gemm" file -> codes packed along the row (int_group.h), zero points, scales, for outputs n0..n1
 * (multiples of 8). */
void qz_awq_unpack_gemm(const uint8_t *qweight, const uint8_t *qzeros, const uint8_t *scales, size_t rows, size_t cols,
                        size_t groups, size_t n0, size_t n1, uint8_t *codes, uint8_t *zeros, uint16_t *scales_out);
/* The same for "gemv": qweight [rows, cols/8], qzeros [rows, z], scales [rows, 8z], plain order. */
void qz_awq_unpack_gemv(const uint8_t *qweight, const uint8_t *qzeros, const uint8_t *scales, size_t cols,
                        size_t groups, size_t z, size_t n0, size_t n1, uint8_t *codes, uint8_t *zeros,
                        uint16_t *scales_out);

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
