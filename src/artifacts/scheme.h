/* What to write: a scheme with its level and options, as users spell it.
 * qz_scheme_spec s; qz_scheme_parse("gguf:Q4_K_M", &s, err). */
#ifndef QZ_ARTIFACTS_SCHEME_H
#define QZ_ARTIFACTS_SCHEME_H
#include "artifacts/gguf_mix.h"
#include "codecs/bnb.h"
#include "codecs/code_setting.h"
#include "codecs/input_rounding.h"

typedef unsigned qz_scheme; /* a QZ_SCHEME_… of schemes.h */

typedef struct {
    const char *name, *default_level;
    bool directory;
    const char *best, *compat; /* rows of methods/methods.def that make its codes, by --search */
    const char *help;
} qz_scheme_info;
const qz_scheme_info *qz_scheme_get(qz_scheme s);

/* Files of a GGUF artifact (gguf_layout.h). They do not change a tensor's bytes. */
typedef struct {
    uint64_t max_bytes, max_tensors; /* of a part; 0: no limit */
    bool keep;                       /* the parts of the source */
    bool room_as_usual;              /* by size and search mode; else `room` bytes */
    uint64_t room;
} qz_gguf_layout;

/* Scales of an FP8 KV cache in the file: one a layer, one a KV head of a layer. */
typedef enum { QZ_KV_SCALES_NONE, QZ_KV_SCALES_TENSOR, QZ_KV_SCALES_HEAD } qz_kv_scales;

typedef struct qz_module_rule qz_module_rule; /* module_rules.h */

typedef struct {
    qz_scheme scheme;
    char name[80];          /* canonical spelling: "gguf:Q4_K_M", "awq:w4g64" */
    char level[32];
    qz_ftype ftype;         /* gguf */
    qz_mix_options mix;     /* gguf */
    qz_gguf_layout layout;  /* gguf */
    const char *const *overrides; size_t n_overrides; /* gguf: KEY=TYPE:VALUE (formats/gguf_edit.h) */
    qz_element element;        /* of codes; this and the fields below: as in qz_code_setting */
    qz_scale_type scale;
    qz_type values;
    uint32_t bits, group_size; /* group_size: or QZ_WHOLE_ROW ("g-1") */
    uint32_t block_rows;
    bool sym, rounded;
    qz_input_rounding inputs;  /* what its servers do to inputs, bits 0: nothing; scales that calibration gives are
                                * those of the values here */
    bool static_inputs;        /* its matrices have a scale of their inputs, which calibration gives */
    qz_kv_scales kv;           /* which calibration gives, too */
    bool act_order, static_groups, v2; /* gptq: v2 = zero points stored as they are */
    bool lm_head;              /* gptq, ct: the output matrix is coded too */
    const qz_module_rule *modules; size_t n_modules; /* settings of single modules; see qz_module_rules_parse */
    qz_bnb_kind bnb;
    bool nested;            /* bnb: double quantization of the scales */
    bool no_mtp;            /* what predicts tokens beyond the next is left out */
    const char *compute;    /* bnb: type that its kernels compute in; NULL: the source's */
} qz_scheme_spec;

/* "scheme[:level][+flag…]", any case; a bare level of llama-quantize ("Q4_K_M") is gguf. QZ_EUSAGE names the
 * nearest known. */
qz_status qz_scheme_parse(const char *text, qz_scheme_spec *out, qz_error *err);
/* QZ_EUSAGE with the choices if a bare level ("nvfp4") is one of several schemes; QZ_OK for all else. */
qz_status qz_scheme_one_of(const char *level, qz_error *err);
/* Levels of a scheme that can be written, i = 0, 1, …; NULL behind the last. */
const char *qz_scheme_level(qz_scheme s, size_t i);
/* Does the file, of whatever level of its modules, hold scales of inputs? */
/* Can it code a model of any family from names and shapes alone (loose.h)? */
bool qz_scheme_loose(const qz_scheme_spec *s);
bool qz_scheme_static_inputs(const qz_scheme_spec *s);
/* Least zero point that the file can say: GPTQ v1 stores them minus one. */
uint8_t qz_scheme_least_zero(const qz_scheme_spec *s);
/* What rules for single modules (module_rules.h) the file can say: none (gguf has --tensor-type), that a module stays
 * float (folders have a list of such), or that and another level of the scheme (ct), or numbers of its own (gptq). */
typedef enum { QZ_MODULES_NONE, QZ_MODULES_KEEP, QZ_MODULES_LEVELS, QZ_MODULES_ALL } qz_module_room;
qz_module_room qz_scheme_module_room(qz_scheme s);
#endif
