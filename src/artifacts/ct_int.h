/* Inside of the compressed-tensors scheme: what a file says of a group of modules, and the storage formats, one table
 * of operations each. ct.c writes, ct_read.c reads; both go through the formats (qz_ct_format_at).
 * Source: formats/hf-compressed-tensors.md sections 1 to 3. */
#ifndef QZ_ARTIFACTS_CT_INT_H
#define QZ_ARTIFACTS_CT_INT_H
#include "artifacts/folder.h"

typedef enum {
    QZ_CT_NONE, /* absent: inputs stay in 16 bits */
    QZ_CT_TENSOR, QZ_CT_CHANNEL, QZ_CT_GROUP, QZ_CT_TENSOR_GROUP, QZ_CT_BLOCK, QZ_CT_TOKEN,
    QZ_CT_STRATEGIES
} qz_ct_strategy;
typedef enum { QZ_CT_SCALE_OWN, QZ_CT_SCALE_E4M3, QZ_CT_SCALE_E8M0 } qz_ct_scale; /* own: the weights' type */

/* QuantizationArgs. */
typedef struct {
    qz_ct_strategy strategy;
    bool is_float;
    uint32_t bits, group_size, block_rows, block_cols;
    bool asym, dynamic, local;  /* local: block scales at run time under a static scale of the tensor */
    qz_ct_scale scale;
} qz_ct_args;

typedef struct qz_ct_format qz_ct_format;
typedef struct {
    qz_ct_args weights, inputs;
    const qz_ct_format *format; /* NULL: the modules stay float */
} qz_ct_setting;

/* A storage format. `codes` and `beside` are suffixes of tensors, without the dot. */
struct qz_ct_format {
    const char *name, *also;     /* "float-quantized"; another that is stored alike, or NULL */
    uint32_t bits;               /* of a code that is a float, 0: integers */
    const char *codes;           /* the tensor that holds the codes */
    const char *const *beside;   /* what belongs to it, NULL behind the last */
    /* Does the format store such settings in a form that is read here? */
    bool (*holds)(const qz_ct_setting *s);
    qz_status (*item)(const qz_artifact_plan *p, const qz_ct_setting *s, qz_artifact_item *it, qz_error *err);
    size_t (*parts)(const qz_artifact_plan *p, const qz_ct_setting *s, const qz_artifact_item *it, qz_arena *arena,
                    qz_st_item *out);
    qz_status (*pack)(qz_artifact_writer *w, const qz_ct_setting *s, const qz_artifact_item *it, const qz_quantized *q,
                      qz_error *err);
    /* Round to nearest, without calibration (artifacts_int.h: round); the setting is that of the plan. */
    qz_status (*round)(qz_run *run, const qz_artifact_plan *p, const qz_artifact_item *it, const float *w,
                       qz_arena *arena, const qz_coded **out, qz_error *err);
    /* Adds the view of t, the codes of `module`, with what lies beside them: shapes, scales, codes are checked. */
    qz_status (*add)(qz_folder_reader *r, const qz_ct_setting *s, const qz_st *file, const qz_st_tensor *t,
                     const char *module, qz_error *err);
    /* scheme, encoding, contract of a model whose modules are so. */
    qz_status (*describe)(const qz_ct_setting *s, qz_model *m, qz_error *err);
};

extern const qz_ct_format qz_ct_float, qz_ct_mxfp8, qz_ct_mxfp6, qz_ct_mxfp4, qz_ct_nvfp4; /* ct_float.c */
extern const qz_ct_format qz_ct_packed, qz_ct_bytes;                                       /* ct_ints.c */
/* Row i, NULL behind the last. */
const qz_ct_format *qz_ct_format_at(size_t i);

/* What the file of a level says (ct_levels.def), without flags. */
const qz_ct_setting *qz_ct_setting_of(const qz_scheme_spec *s);

/* ct_inputs.c: what servers do with such inputs, a stored scale replaced by that of the values; bits 0: nothing. */
qz_input_rounding qz_ct_rounding(const qz_ct_args *a);
/* How the module's inputs are rounded, in the model's arena; NULL: they stay float. A stored scale that is
 * missing or none is refused. */
qz_status qz_ct_inputs(const qz_folder_reader *r, const qz_ct_args *a, const qz_st *file, const char *module,
                       const qz_input_rounding **out, qz_error *err);
/* "W4A16", "W8A8 int8", "W4A4 nvfp4"; NULL: no memory. */
const char *qz_ct_contract(const qz_ct_setting *s, qz_model *m);

/* Do files hold a scale of the inputs? */
bool qz_ct_static(const qz_ct_args *inputs);
const char *qz_ct_strategy_name(qz_ct_strategy s); /* "channel" */
/* Refuses the folder: what is read, key and what was found. */
qz_status qz_ct_wrong(const qz_folder_config *f, const char *what, const char *found, qz_error *err);

qz_status qz_ct_detect(const char *path, bool *yes, qz_error *err);
qz_status qz_ct_read_model(qz_run *run, const char *path, qz_model **out, qz_error *err);
#endif
