/* Pre-flight: will this artifact load and run on that engine, with that many GPUs? Needs shapes only: a config, or a
 * model without data. One implementation for check, quantize and release.
 *   qz_deploy_shape s; qz_deploy_shape_config(&config, &arena, &s, err);      (or _of a qz_shape, or _model)
 *   qz_deploy_spec spec; qz_deploy_spec_scheme(&scheme_spec, &spec);                   (or _json of a config.json)
 *   qz_findings f = {.arena = &arena}; qz_preflight(&s, &spec, &target, &f, err);
 *   char near[96]; qz_preflight_nearest(&s, &spec, &target, near);                     (what works instead)
 * Ownership: everything lives in the arena given. Errors: memory, or a quantization_config that cannot be read
 * (QZ_EFORMAT).
 * Source: formats/engines.md section 4, as rows of rules.def with their own sources. */
#ifndef QZ_DEPLOY_PREFLIGHT_H
#define QZ_DEPLOY_PREFLIGHT_H
#include "artifacts/scheme.h"
#include "formats/safetensors.h"
#include "deploy/engines.h"
#include "plan/levels.h"
#include "plan/machine.h"

/* ---- findings ---- */
typedef enum { QZ_FINDING_NOTE, QZ_FINDING_WARN, QZ_FINDING_ERROR } qz_finding_level;
typedef struct {
    const char *code;      /* "PRE-TP-ROW", "CHK-FP16" */
    qz_finding_level level;
    const char *subject;   /* tensor, file or key; "" = the whole */
    const char *problem;
    const char *fix;       /* nearest setting that works, or what to do */
    const char *source;
} qz_finding;
typedef struct {
    qz_finding *rows; size_t n, cap;
    qz_arena *arena;       /* NULL: findings are counted, texts are not kept */
    size_t count[3];       /* by level */
    bool failed;           /* out of memory: check once at the end */
} qz_findings;
/* "note", "warning", "error" */
const char *qz_finding_level_name(qz_finding_level l);
/* Row i of rules.def as `explain` tells it (why may be "", fix NULL: the nearest setting is computed); false
 * behind the last. */
typedef struct { const char *code; qz_finding_level level; const char *why, *fix, *source; } qz_rule_info;
bool qz_rule_at(size_t i, qz_rule_info *out);
/* Adds one, without its problem, which is put together here; its subject is copied, its other strings are kept as
 * pointers: pass arena or static ones. */
void qz_findings_add(qz_findings *f, const qz_finding *x, const char *problem, ...) QZ_PRINTF(3, 4);
bool qz_findings_has(const qz_findings *f, const char *code);

/* ---- shapes ---- */
typedef struct {
    const char *name;      /* "self_attn.q_proj" in every block */
    const char *fused;     /* set that engines load as one matrix ("qkv", "gate_up"), or NULL */
    qz_shard shard;
    bool last;             /* of that set */
    uint64_t rows, cols;   /* out_features, in_features */
    const char *scheme;    /* how it is stored, when an artifact says so; NULL = as the spec */
    const char *odd;       /* full name of the first tensor of the fused set that differs, or NULL */
} qz_deploy_linear;

/* A scale of one number that differs between parts of fused layers. */
typedef struct {
    const char *fused, *scale;      /* "qkv", "weight_global_scale" */
    const char *tensor, *first;     /* the first two that differ, full names */
    double value, first_value;
    size_t n;                       /* tensors of the model that differ from the first part of their set */
} qz_fused_scale;

typedef struct {
    char family[64];       /* model_type */
    uint64_t hidden, layers, heads, kv_heads, head_dim, experts; /* experts 0: dense */
    bool tied;
    const char *dtype;     /* "bfloat16", "float16", "float32", "" = not said */
    qz_deploy_linear *linears; size_t n;
    qz_fused_scale *unequal; size_t n_unequal; /* _scales fills them */
} qz_deploy_shape;
/* Any decoder, whether quantz can run it or not. */
qz_status qz_deploy_shape_of(const qz_shape *shape, const char *dtype, qz_arena *arena, qz_deploy_shape *out,
                             qz_error *err);
qz_status qz_deploy_shape_config(const qz_config *c, qz_arena *arena, qz_deploy_shape *out, qz_error *err);
/* Adds to a shape of that model what the file really holds (fused sets). */
qz_status qz_deploy_shape_model(const qz_model *m, qz_arena *arena, qz_deploy_shape *out, qz_error *err);

/* Is it linear k of a layer, by the name of its kind or of its tensor? */
bool qz_deploy_linear_is(const qz_deploy_linear *l, const qz_model *m, size_t layer, size_t k, qz_arena *a);
/* Adds to a shape the scalar scales that differ inside fused sets of a folder, whatever its format: headers and
 * scalars are read. */
qz_status qz_deploy_shape_scales(const qz_st_dir *d, qz_arena *arena, qz_deploy_shape *shape, qz_error *err);

/* ---- what is deployed ---- */
typedef struct {
    qz_deploy kind;
    unsigned bits;
    unsigned block;         /* GGUF: values of a block of the type that most linears get; 0: not known */
    long group_size;        /* -1: one group a row; 0: the kind has none */
    bool sym, act_order, lm_head, v1;
    bool zero_point;        /* AWQ key; true unless the file says false */
    char version[24];       /* AWQ layout, GPTQ checkpoint_format; "" = default */
    char method[32];        /* quant_method as written in the file, "" = none */
    unsigned block_rows, block_cols; /* FP8 blocks */
    char status[24];        /* compressed-tensors quantization_status, "" = not said */
    char stray_key[40];     /* first key of a scheme that strict readers refuse, "" = none */
    char kv_scheme[24];     /* strategy of kv_cache_scheme, "" = none; "unsupported" when no engine reads it */
    bool transforms, sparse;
    char inputs[8];         /* compressed-tensors integers: "int8", "fp8" that inputs are rounded to; "" = none */
    bool plain_scales;      /* method fp8, scales named weight_scale; false: weight_scale_inv, or not known */
    const char *dtype;      /* activations, NULL = the model's */
} qz_deploy_spec;
void qz_deploy_spec_scheme(const qz_scheme_spec *s, qz_deploy_spec *out);
/* Of a level of plan, by its name; level QZ_LEVEL_COUNT: nothing but its kind is known. */
void qz_deploy_spec_level(const char *name, qz_level level, qz_deploy_spec *out);
/* From quantization_config (or compression_config) of a config.json; FLOAT if there is none. */
qz_status qz_deploy_spec_json(const json_t *root, const char *name, qz_deploy_spec *out, qz_error *err);
/* The same for a quantize_config.json, quant_config.json object. */
qz_status qz_deploy_spec_object(const json_t *q, const char *name, qz_deploy_spec *out, qz_error *err);
/* Type of the KV cache that the artifact has scales for: "fp8"; NULL: none that engines read. */
const char *qz_deploy_cache(const qz_deploy_spec *s);
/* Sets plain_scales and a coded head from the headers of the folder. */
void qz_deploy_spec_scales(const qz_st_dir *d, qz_deploy_spec *spec);
/* "gptq, 4 bits, group 128, symmetric" */
const char *qz_deploy_spec_text(const qz_deploy_spec *s, char buf[96]);

/* ---- the check ---- */
typedef struct {
    qz_runtime engine;       /* QZ_RUNTIME_NONE: writer rules only */
    unsigned tp;            /* GPUs; 0 = 1 */
    unsigned cc;            /* capability x10; 0 = unknown, no capability rule */
    const char *kv;         /* KV cache type asked for, NULL = the engine's default */
    bool lora;
    const char *host;       /* name of the machine when it has no GPU; NULL = it has one, or none is named */
} qz_target;
qz_status qz_preflight(const qz_deploy_shape *s, const qz_deploy_spec *spec, const qz_target *t, qz_findings *f,
                       qz_error *err);
/* The fewest changes (symmetry, act-order, group size, width, GPUs) after which nothing is refused: "group_size 32",
 * "sym, no act_order", "tensor parallel 4"; "nothing to change"; or another kind that the engine loads. */
const char *qz_preflight_nearest(const qz_deploy_shape *s, const qz_deploy_spec *spec, const qz_target *t,
                                 char buf[128]);
/* Largest tensor parallel degree of 1, 2, 4, 8 that a group size allows by divisibility alone (no engine's list); 0 =
 * none. group -1 = one group a row. */
unsigned qz_preflight_max_tp(const qz_deploy_shape *s, const qz_deploy_spec *spec, long group_size);
#endif
