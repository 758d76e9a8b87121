/* Inside of the GPTQ scheme: words of codes and zero points (gptq_pack.c), reader (gptq_read.c).
 * Source: formats/hf-gptq.md section 4 (AutoGPTQ 9f7d370, GPTQModel 7.3.4). */
#ifndef QZ_ARTIFACTS_GPTQ_INT_H
#define QZ_ARTIFACTS_GPTQ_INT_H
#include "artifacts/folder.h"

/* What GPTQ files are written with (readers take more). group -1: whole rows. */
bool qz_gptq_bits_known(long bits);
bool qz_gptq_group_known(long group);

/* Little-endian bit stream of n codes (below 2^bits), one word every `stride` words of out; n*bits a multiple of 32.
 * out must be zero. */
void qz_gptq_pack_stream(const uint8_t *codes, size_t n, uint32_t bits, size_t stride, uint32_t *out);
/* The same back from little-endian words in a file, which need not be aligned; planar: 32 codes in bit planes (n a
 * multiple of 32, bits 3 5 6 7, hf-gptq.md section 4.5). */
void qz_gptq_unpack_stream(const uint8_t *words, size_t n, uint32_t bits, size_t stride, bool planar, uint8_t *codes);

/* What a v1 file stores for zero points and what they mean (section 4.3). */
typedef enum {
    QZ_GPTQ_V2,          /* z as it is */
    QZ_GPTQ_V1_FIELDS,   /* z − 1 in each field */
    QZ_GPTQ_V1_WORDS     /* 32-bit word minus 0x11111111 …: borrows cross fields (GPTQModel ≥ 0.9.0; 2 4 8 bits) */
} qz_gptq_zeros;
/* Zero points of n rows from one row of qzeros; *suspicious counts fields whose meaning is lost (v1,
 * stored 2^bits − 1). */
void qz_gptq_unpack_zeros(const uint8_t *words, size_t n, uint32_t bits, bool planar, qz_gptq_zeros kind,
                          uint8_t *zeros, size_t *suspicious);

qz_status qz_gptq_detect(const char *path, bool *yes, qz_error *err);
qz_status qz_gptq_read_model(qz_run *run, const char *path, qz_model **out, qz_error *err);
#endif
