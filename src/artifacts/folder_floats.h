/* What the schemes of small floats share: how a file holds such a matrix, its items, tensors, bytes, and the reader of
 * one linear. Source: formats/hf-fp8.md section 1, hf-fp4.md sections 2 and 3. */
#ifndef QZ_ARTIFACTS_FOLDER_FLOATS_H
#define QZ_ARTIFACTS_FOLDER_FLOATS_H
#include "artifacts/folder.h"
#include "codecs/scaled_float.h"

typedef struct {
    qz_small_float element;
    uint32_t bits;                 /* of a code; 4 and 6 are packed into bytes */
    size_t block_rows, block_cols; /* values of a scale, 0: all; read: one row of blocks may be one scale (1, 0) */
    qz_scale_type stored;
    qz_type values;                /* of E8M0 and E4M3 scales: what the library decodes to; others: the scales' own */
    const char *codes, *scale;     /* suffixes of tensors: "weight", "weight_scale" */
    const char *tensor;            /* of the tensor's scale under E4M3 scales, else NULL */
    bool scalar;                   /* written: one scale of a tensor has no dimension (else [1]), */
    bool flat;                     /* those of rows one ([rows], else [rows, 1]), */
    bool typed;                    /* E8M0 scales are of the type F8_E8M0 (else U8); read: either */
} qz_floats_form;

/* Bytes, bits and groups; QZ_EUNSUPPORTED where packed groups do not divide the columns. */
qz_status qz_folder_floats_item(qz_artifact_item *it, const qz_floats_form *form, qz_error *err);
size_t qz_folder_floats_parts(const qz_artifact_item *it, const qz_floats_form *form, qz_arena *arena, qz_st_item *out);
qz_status qz_folder_floats_pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q,
                                const qz_floats_form *form, qz_error *err);
qz_status qz_folder_floats_code(qz_run *run, const qz_float_rounding *how, const qz_artifact_item *it, const float *w,
                                qz_arena *arena, const qz_coded **out, qz_error *err);
/* Adds the view of t, the codes of `module`, with the scales beside it: shapes, scales and codes are checked. */
qz_status qz_folder_floats_add(const qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, const char *module,
                               const qz_floats_form *form, qz_error *err);
/* The scale of a linear's inputs as one value of `type`, made of the item's input_amax: QZ_ENUMERIC if that is not
 * known or the type cannot say it. */
qz_status qz_folder_put_input_scale(qz_artifact_writer *w, const qz_artifact_item *it, qz_type type, float scale,
                                    qz_error *err);
/* What a server decodes the tensor to: of codes what the configuration says, which is what a reader of the new file
 * sees; floats are what they are. */
qz_type qz_folder_value_type(const qz_model *m, const qz_tensor_view *t);
/* One type that holds the floats of all coded matrices: theirs, float32 where they differ; as_said: of sources with
 * codes the configuration's, for files whose scales do not say it (powers of two, E4M3). */
qz_type qz_folder_values_type(const qz_model *m, bool as_said);
/* Largest magnitude of the linears that engines merge with the item's (q k v; gate up; an expert's): they share a
 * tensor's scale. Decodes them. */
qz_status qz_folder_merged_amax(const qz_artifact_plan *p, const qz_artifact_item *it, float *out, qz_error *err);
/* The largest value that their scales can say (a block of small codes has a larger scale than its values need). */
qz_status qz_folder_merged_top(const qz_artifact_plan *p, const qz_artifact_item *it, float *out, qz_error *err);
#endif
