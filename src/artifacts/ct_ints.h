/* Integer formats of the compressed-tensors scheme: ct_ints.c writes them, ct_ints_read.c reads them. */
#ifndef QZ_ARTIFACTS_CT_INTS_H
#define QZ_ARTIFACTS_CT_INTS_H
#include "artifacts/ct_int.h"

/* 32-bit words that hold n codes as one dense stream. */
static inline uint64_t qz_ct_words(uint64_t n, uint32_t bits) { return (n * bits + 31) / 32; }

qz_status qz_ct_add_packed(qz_folder_reader *r, const qz_ct_setting *s, const qz_st *file, const qz_st_tensor *t,
                           const char *module, qz_error *err);
qz_status qz_ct_add_bytes(qz_folder_reader *r, const qz_ct_setting *s, const qz_st *file, const qz_st_tensor *t,
                          const char *module, qz_error *err);
#endif
