/* What every folder artifact has in common: a checkpoint folder of safetensors shards in the model's order (so that a
 * block is written as soon as it is ready), config.json with quantization_config, and the files carried over from the
 * source. A scheme gives a qz_folder_kind; its plan calls qz_folder_plan; its ops table names qz_folder_open …
 * qz_folder_close.
 * Read: qz_folder_read opens config and weights and calls the scheme's `add` for every tensor. */
#ifndef QZ_ARTIFACTS_FOLDER_H
#define QZ_ARTIFACTS_FOLDER_H
#include "codecs/int_group.h"
#include "artifacts/artifacts_int.h"
#include "codecs/input_rounding.h"
#include <jansson.h>
#include "model/checkpoint.h"

enum { QZ_FOLDER_PARTS = 8 }; /* most file tensors of one item */

/* ---- writing ---- */
typedef struct {
    const char *name;                 /* for texts: "AWQ" */
    /* *yes: the slot's weight is stored quantized (a linear of a block; the head where the scheme can). */
    qz_status (*quantizes)(const qz_artifact_plan *p, const qz_slot *s, bool *yes, qz_error *err);
    /* Completes the item of such a slot: type, bits, group_size, bytes. out_name is the tensor's name
     * without ".weight". */
    qz_status (*item)(const qz_artifact_plan *p, qz_artifact_item *it, qz_error *err);
    /* Its tensors in the file, in order of writing; 0 = out of memory. */
    size_t (*parts)(const qz_artifact_plan *p, const qz_artifact_item *it, qz_arena *arena, qz_st_item *out);
    json_t *(*quantization)(const qz_artifact_plan *p); /* quantization_config; NULL = out of memory */
    bool keeps_dtype;                 /* other tensors stay as in the source instead of float16 */
    bool cache_in_projections;        /* scales of an FP8 cache are k_proj.k_scale, v_proj.v_scale */
    const char *twin;                 /* a file that repeats quantization_config (quantize_config.json), or NULL */
    json_t *(*twin_text)(const qz_artifact_plan *p); /* what it says instead; NULL: it repeats */
} qz_folder_kind;

typedef struct {
    const qz_folder_kind *kind;
    qz_st_item *parts;                /* of all shards, in order */
    size_t *item_part;                /* [n_items + 1] first part of an item */
    size_t *first;                    /* [n_shards + 1] first part of a shard */
    size_t n_shards;
} qz_folder_plan_state;               /* plan->impl */

/* `quantizes` of schemes that code the linears of the blocks and nothing else, and name what they leave: those of a
 * row or two for each head. */
qz_status qz_folder_linears(const qz_artifact_plan *p, const qz_slot *s, bool *yes, qz_error *err);
qz_status qz_folder_plan(const qz_folder_kind *kind, const qz_model *m, qz_arena *arena, qz_artifact_plan *out,
                         qz_error *err);
/* Completes an item whose names, shape and float type are set: what --module says of it, then the scheme. */
qz_status qz_folder_settle(const qz_folder_kind *kind, const qz_artifact_plan *p, bool coded, qz_arena *arena,
                           qz_artifact_item *it, qz_error *err);
qz_status qz_folder_open(qz_artifact_writer *w, size_t done, qz_error *err);
qz_status qz_folder_write(qz_artifact_writer *w, const void *bytes, size_t n, qz_error *err);
qz_status qz_folder_flush(qz_artifact_writer *w, qz_error *err);
qz_status qz_folder_finish(qz_artifact_writer *w, qz_error *err);
void qz_folder_close(qz_artifact_writer *w, bool keep);
qz_st_dtype qz_folder_dtype(qz_type t);      /* of a float type */
const char *qz_folder_dtype_name(qz_type t); /* as configurations have it: "bfloat16" */
/* A tensor of the folder that a model was opened from, by its name there; NULL: none, or no folder. */
const qz_st_tensor *qz_folder_stored(const qz_model *m, const char *name);
/* Index of a sharded artifact, config.json, its twin and the carried files (folder_files.c). */
qz_status qz_folder_add_files(qz_artifact_plan *p, qz_arena *arena, qz_error *err);
/* The text of a configuration, numbers as short as they read back; free(). NULL = out of memory. */
char *qz_folder_json(const json_t *root);
/* Full names of the modules that engines would expect as codes and that stay float: the head where asked for, routers,
 * and what --module keeps. A new array, NULL = out of memory. */
json_t *qz_folder_kept(const qz_artifact_plan *p, bool head);

/* ---- integer groups: common to AWQ and GPTQ ---- */
/* Codes, zero points and scales in range of the item; g_idx only where `act_order` allows it. */
qz_status qz_folder_int_codes(const qz_quantized *q, const char *scheme, bool act_order, const qz_int_codes **out,
                              qz_error *err);
qz_status qz_folder_round(qz_run *run, const qz_artifact_plan *plan, const qz_artifact_item *it, const float *w,
                          qz_arena *arena, const qz_coded **out, qz_error *err);
/* [rows] source row of each row of the file, NULL in *map if they are the same. Owned by the caller. */
qz_status qz_folder_row_map(const qz_artifact_writer *w, const qz_artifact_item *it, size_t **map, qz_error *err);
/* scales [groups, rows] as float16, through the writer. */
qz_status qz_folder_put_scales(qz_artifact_writer *w, const qz_quantized *q, const size_t *map, qz_error *err);

/* ---- reading ---- */
/* quantization_config of a folder: from config.json, else from the legacy files beside it. *root owns (json_decref), *q
 * borrows and is NULL if the folder has none; *name: the file, for texts, in `file`. */
typedef struct { json_t *root; const json_t *q; char file[512]; } qz_folder_config;
qz_status qz_folder_config_load(const char *dir, qz_folder_config *c, qz_error *err);
void qz_folder_config_release(qz_folder_config *c);
/* "awq", "gptq", "bitsandbytes" …: quant_method, or what the keys of files from before it say; NULL if
 * there is none. */
const char *qz_folder_method(const qz_folder_config *c);
#define QZ_FOLDER_MODELOPT "modelopt" /* any of its spellings, or quant_algo alone */
/* Scheme of a quant_algo of ModelOpt: "modelopt:nvfp4", "modelopt:mixed" under MIXED_PRECISION; NULL: none that
 * is known. */
const char *qz_folder_modelopt_scheme(const char *algo);
/* Do the settings name bitsandbytes and switch it off? Merged fine-tunes keep them so; transformers then quantizes
 * nothing. */
bool qz_folder_bnb_off(const json_t *q);
/* Does the folder hold matrices of codes? */
bool qz_folder_holds_codes(const char *dir);
qz_status qz_folder_detect(const char *path, const char *method, bool *yes, qz_error *err);

typedef struct qz_folder_reader qz_folder_reader;
struct qz_folder_reader {
    qz_run *run;
    qz_model *m;
    const qz_st_dir *dir;
    const qz_folder_config *config;
    const void *options;              /* the scheme's own */
    void *state;                      /* and what it counts on the way */
    /* Tensor t of file `file`: adds views to m->tensors (one at most) or does nothing if it belongs to another. */
    qz_status (*add)(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err);
};
/* m->path and arena ready: reads config and weights, adds and binds tensors. */
qz_status qz_folder_read_into(qz_folder_reader *r, qz_error *err);
/* A fresh model that `fill` completes; freed on failure. */
qz_status qz_folder_read(qz_run *run, const char *path, qz_status (*fill)(qz_run *run, qz_model *m, qz_error *err),
                         qz_model **out, qz_error *err);
/* A part of a module's codes (scales, zero points …) that `add` of the module reads; one without its module
 * is left over. */
qz_status qz_folder_add_part(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, const char *suffix,
                             const char *owner, qz_error *err);
/* folder_claims.c: settings of quantization_config that are not honoured (before the files are read); modules that its
 * lists leave float and that have codes, and entries that name none, counted (all tensors added); linears without codes
 * that it does not leave float, scales of inputs: a note each (bound). */
qz_status qz_folder_claims(const qz_folder_reader *r, qz_error *err);
qz_status qz_folder_claims_lists(qz_folder_reader *r, qz_error *err);
qz_status qz_folder_say_floats(const qz_folder_reader *r, qz_error *err);
/* A scale beside FP8 codes: as qz_folder_add_part, refused beside a weight that is float. */
qz_status qz_folder_beside_codes(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, const char *suffix,
                                 qz_error *err);
/* The stored scale of a module's inputs into x->scale (x->zero, where it is not sym): its tensor `name`. QZ_EFORMAT if
 * it is missing, no single float, or not above 0. */
qz_status qz_folder_static_input(const qz_folder_reader *r, const qz_st *file, const char *module, const char *name,
                                 qz_input_rounding *x, qz_error *err);
/* The failure of a folder whose method has codes and that holds none: what was found instead. */
qz_status qz_folder_no_codes(const qz_folder_reader *r, const char *method, const char *expected, qz_error *err);
/* "module.suffix", NULL if absent. */
const qz_st_tensor *qz_folder_part(const qz_st_dir *d, const char *module, const char *suffix);
/* A part of a module: missing, or of a type other than a (or b), is said as such. */
qz_status qz_folder_typed(const qz_st *file, const char *module, const char *suffix, const qz_st_tensor *t,
                          qz_st_dtype a, qz_st_dtype b, qz_error *err);
/* The tensors of a module do not fit together: "expected …, found qweight [16, 64], qzeros none …";
 * parts[n] may be NULL. */
qz_status qz_folder_misfit(const qz_st *file, const char *module, const char *expected,
                           const qz_st_tensor *const *parts, size_t n, qz_error *err);
bool qz_folder_shaped(const qz_st_tensor *t, qz_st_dtype d, uint32_t n_dims, uint64_t a, uint64_t b);
#endif
