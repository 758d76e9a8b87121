/* Levels: what a model weighs in each format. GGUF levels go through the reference's own per-tensor rules
 * (artifacts/gguf_mix.h); the others are rows of levels.def: bits of a weight, of a scale, of a zero point, what stays
 * in 16 bits. qz_level l; qz_level_parse("gguf:Q4_K_M", &l, err); qz_level_weigh(shape, l, imatrix, NULL, &w, err).
 * Where this program can write the artifact, qz_level_file plans it with the writer's own code: exact bytes of all
 * files.
 * Errors: QZ_EUNSUPPORTED naming the tensor that a format cannot hold. Source: checklist 7,
 * formats/gguf-mixes.md, hf-*.md. */
#ifndef QZ_PLAN_LEVELS_H
#define QZ_PLAN_LEVELS_H
#include "artifacts/gguf_mix.h"
#include "plan/shapes.h"
#include "text/tokenizer.h"

typedef enum {
#define QZ_LEVEL(id, ...) QZ_LEVEL_##id,
#include "plan/levels.def"
#undef QZ_LEVEL
    QZ_LEVEL_COUNT
} qz_level;

typedef enum { QZ_LEVEL_FLOAT, QZ_LEVEL_GGUF, QZ_LEVEL_CODES } qz_level_kind;
typedef struct {
    const char *name;          /* "awq:w4g128", "gguf:Q4_K_M", "bf16" */
    const char *title;         /* "AWQ W4 g128" */
    qz_level_kind kind;
    qz_ftype ftype;            /* GGUF */
    uint32_t bits, group;      /* CODES: bits of a code; values of a scale's group (0 = a row, 1 = the tensor) */
    double scale_bits, zero_bits; /* of a group */
    double tensor_bytes;       /* constant of every quantized tensor */
    double column_bytes;       /* g_idx */
    double nominal;            /* bits per weight as the format is advertised */
    const char *contract;      /* precision contract: "W4A16" … */
    uint32_t rows_of, cols_of; /* CODES: what rows and columns must be multiples of, besides the group */
} qz_level_info;
const qz_level_info *qz_level_get(qz_level l);
/* Names in any case; "AWQ", "Q4_K_M", "gguf:q4_k_m" are understood. QZ_EUSAGE names the nearest. */
qz_status qz_level_parse(const char *text, qz_level *out, qz_error *err);
/* "default", "all", "gguf" or a comma list of formats. */
qz_status qz_plan_levels(const char *text, qz_arena *arena, qz_level **out, size_t *n, qz_error *err);

typedef struct {
    uint64_t bytes;            /* tensor data, all tensors */
    /* parts of it: output head, embedding, norms and biases, the rest */
    uint64_t head_bytes, embed_bytes, float_bytes, linear_bytes;
    uint64_t expert_bytes;     /* all routed experts, part of linear_bytes */
    uint64_t read_bytes;       /* read for one token at batch 1: active experts, head, no embedding table (one row) */
    double bpw;                /* 8*bytes/params */
    uint64_t substituted;      /* weights whose type is a fallback for rows that do not divide (U-19) */
    size_t n_substituted;
    bool imatrix_required;     /* the reference refuses the level without one */
} qz_weighed;
/* bytes_of [s->n_tensors] or NULL receives each tensor's bytes. */
qz_status qz_level_weigh(const qz_shape *s, qz_level l, bool imatrix, uint64_t *bytes_of, qz_weighed *out,
                         qz_error *err);

/* The scheme under which this program writes artifacts of the level; NULL: it does not. */
const char *qz_level_scheme(qz_level l);
/* What a person may ask for: that scheme, "bf16", or "ct:nvfp4 (by another tool)". */
const char *qz_level_named(const qz_shape *s, qz_level l, char buf[64]);
typedef struct { bool known; uint64_t file_bytes, weight_bytes; bool vocabulary; } qz_level_files;
/* Exact bytes of all files, without a vocabulary, where a writer exists (known). source_dir: folder whose other files
 * are carried over, or NULL (then folders of files are not known). */
qz_status qz_level_file(qz_run *run, const qz_shape *s, qz_level l, bool imatrix, const char *source_dir,
                        qz_level_files *out, qz_error *err);
#endif
