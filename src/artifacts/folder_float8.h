/* What the FP8 schemes share: items, tensors, bytes and the reader of one linear. block_rows, block_cols: values of a
 * scale, 0 = all. */
#ifndef QZ_ARTIFACTS_FOLDER_FLOAT8_H
#define QZ_ARTIFACTS_FOLDER_FLOAT8_H
#include "artifacts/folder.h"
#include "codecs/float8.h"

void qz_float8_item(qz_artifact_item *it, size_t block_rows, size_t block_cols, qz_type scale);
/* X.weight, X.<suffix> */
size_t qz_float8_parts(const qz_artifact_item *it, size_t block_rows, size_t block_cols, qz_type scale,
                       const char *suffix, qz_arena *arena, qz_st_item *out);
qz_status qz_float8_pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q, qz_type scale,
                         qz_error *err);
qz_status qz_float8_code(qz_run *run, const qz_float8_setting *how, const qz_artifact_item *it, const float *w,
                         qz_arena *arena, const qz_coded **out, qz_error *err);
/* Adds the view of t, an F8_E4M3 weight, with the scales beside it: shapes, scales and codes are checked. */
qz_status qz_float8_add(const qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, const char *suffix,
                        size_t block_rows, size_t block_cols, qz_error *err);
#endif
