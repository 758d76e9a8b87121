/* Deployment artifacts: what a scheme will write (plan), and the resumable writers. Readers: open.h.
 * Write: qz_scheme_parse("gguf:Q4_K_M", &spec, err);
 *        qz_artifact_plan_make(run, model, &spec, &ctx, &arena, &plan, err);
 *        qz_artifact_writer_open(run, &plan, path, flags, &w, err);
 *        for each plan.items[i] from qz_artifact_writer_next(w) on:
 *        qz_artifact_writer_put (encoded), _put_folded (float32 from a method) or _put_view (float tensor as it is);
 *        qz_artifact_writer_finish(w, &partial, err); [open and check `partial`]; qz_artifact_writer_commit(w, err);
 *        qz_artifact_writer_free(w) (before commit: keeps the partial output for --resume).
 * Ownership: the plan lives in the arena given and borrows the model and the context's strings; the writer borrows the
 * plan.
 * Errors: what a file cannot hold is QZ_EUNSUPPORTED naming the tensor; fallbacks are listed in plan.notes, never
 * silent.
 * Source: formats/gguf-*.md, formats/hf-awq.md, hf-gptq.md, hf-bitsandbytes.md. */
#ifndef QZ_ARTIFACTS_ARTIFACT_H
#define QZ_ARTIFACTS_ARTIFACT_H
#include "artifacts/scheme.h"
#include "base/arena.h"
#include "base/run.h"
#include "base/str.h"
#include "codecs/quantized.h"
#include "formats/safetensors.h"
#include "model/model.h"
#include "text/tokenizer.h"

/* ---- plan ---- */
/* json: the value is an object's text; in_manifest: the text that the manifest has in its place (NULL: the same). */
typedef struct { const char *key, *value; bool json; const char *in_manifest; } qz_provenance;

typedef struct {
    const char *source_dir;           /* checkpoint folder (config.json, tokenizer files …) or NULL */
    const qz_tokenizer *tokenizer;    /* NULL: the model has none */
    const char *forced_pre;           /* --pre: GGUF pre-tokenizer name, NULL = by its pattern */
    bool named;                       /* `name` is the user's */
    const char *name;                 /* model name in cards and metadata; NULL = from source_dir */
    bool has_imatrix;
    const char *imatrix_file, *imatrix_dataset;
    uint32_t imatrix_entries, imatrix_chunks;
    const qz_provenance *provenance;  /* version, command, seed, hashes; no time of day */
    size_t n_provenance;
    bool solved, together;            /* how integer codes were found: input by input, or a block's linears at once */
    double damp;                      /* share of the mean diagonal; 0: not one number */
    bool as_reference;                /* --search compat: codes as the reference library rounds them; GGUF files as it
                                       * lays them out, without room for edits */
    float mse_norm;                   /* with as_reference: ranges by the library's mse observer; 0: by the largest */
    const float *k_largest, *v_largest; /* [layers, kv_heads], for a spec with kv; NULL: not known yet */
    uint64_t shard_bytes;             /* most data of one safetensors file; 0 = 5 GB */
} qz_artifact_context;

/* rows of q and k, done by the writer */
/* Of rows of query and key; TILE, GROUP: of value heads, from head by head of their key heads to turns over these, and
 * back. */
typedef enum { QZ_PERMUTE_NONE, QZ_PERMUTE_INTERLEAVE, QZ_PERMUTE_SPLIT, QZ_PERMUTE_TILE, QZ_PERMUTE_GROUP } qz_permute;

typedef struct {
    const qz_tensor_view *source;     /* NULL for generated tensors: the writer puts them itself */
    const char *name;                 /* HF spelling */
    const char *out_name;             /* in the artifact: tensor, or module of integer groups */
    qz_type type;                     /* float or block type, or QZ_TYPE_CODED */
    size_t rows, cols;
    uint32_t n_dims;                  /* 1 or 2 */
    uint32_t bits, group_size;        /* QZ_TYPE_CODED: of a code; columns that share a scale */
    bool sym;
    bool act_order;                   /* groups need not be in order (g_idx) */
    qz_permute permute;
    size_t heads;                     /* of the permutation; TILE and GROUP: value heads, */
    size_t groups, moved;             /* key heads, rows that move (the last ones) */
    long layer;                       /* -1: outside the blocks */
    qz_use use;                       /* GGUF: what types go by */
    int linear;                       /* its number in the block (of a fused matrix the first), or -1 */
    size_t expert, experts;           /* one of a stack (GGUF stores it as one tensor
                                       * under out_name); experts 0: none */
    size_t half, halves;              /* one of so many matrices of an expert that the tensor holds one below the other
                                       * (gate and up); halves 0: one */
    const qz_scheme_spec *as;         /* another level of the scheme by a rule for its module; NULL: the plan's */
    float input_amax;                 /* largest magnitude of its inputs in the calibration; 0: not known */
    float scale_amax;                 /* what a tensor's scale is made for; 0: what engines merge it with decides */
    bool head;                        /* of layers that predict more tokens, no part of the plan's model: proved by
                                       * what stands at its place in the file */
    bool importance_matters;          /* bytes change with an importance vector (give it if there is one) */
    bool importance_required;         /* the reference refuses this type without one */
    bool misfit;                      /* a matrix that stays float because the scheme cannot hold it or its part in the
                                       * model is not known: no rule and no option keeps it */
    const char *note;                 /* why it is not as the others: fallback, rule; or NULL */
    const float *generated;           /* data of a generated tensor */
    const qz_st_tensor *raw;          /* carried over byte for byte, source NULL */
    const struct qz_loose_rule *rule; /* why it stays, where names alone decide (loose.h) */
    size_t file;                      /* index into plan.files */
    uint64_t offset, bytes;           /* of its data in that file, all parts together */
} qz_artifact_item;
/* Its place among the matrices of its tensor, and their number. */
static inline size_t qz_item_place(const qz_artifact_item *it) {
    return it->expert * (it->halves ? it->halves : 1) + it->half;
}
/* Of what predicts tokens beyond the next: written, but in no count of the model's weights. */
static inline bool qz_item_is_head(const qz_artifact_item *it) { return it->head || (it->raw && !it->rule); }
static inline size_t qz_item_places(const qz_artifact_item *it) {
    return (it->experts ? it->experts : 1) * (it->halves ? it->halves : 1);
}

typedef struct {
    const char *name;                 /* relative to the folder; NULL: the artifact's file or its part i */
    uint64_t bytes;
    const char *copy_from;            /* carried over unchanged */
    const char *text;                 /* written from the plan (config.json, index), `bytes` long */
    bool weights;
} qz_artifact_file;

typedef struct {
    qz_scheme_spec spec;
    const qz_model *model;
    qz_artifact_item *items; size_t n_items;   /* order of writing */
    qz_artifact_file *files; size_t n_files;
    uint64_t total_bytes;             /* all files, exact; the manifest comes on top */
    uint64_t weight_bytes;            /* tensor data alone */
    uint64_t head_bytes;              /* of it, of what predicts tokens beyond the next: no part of the model */
    double bits_per_weight;           /* the rest of weight_bytes over all weights of the model */
    const char **notes; size_t n_notes; /* fallbacks and what the container cannot say, one line each */
    size_t head_layers;               /* GGUF: layers behind the last that predict more tokens */
    size_t n_carried;                 /* GGUF: keys of a GGUF source that stay as they are */
    size_t n_fallbacks;               /* tensors that got another type than asked for */
    bool own_scales;                  /* merged matrices keep tensor scales of their own, as the reference */
    const qz_artifact_context *context;
    const void *impl;                 /* the scheme's own */
} qz_artifact_plan;

/* Path of file i of the artifact at `path` (which may end in .partial). Owned by the caller; NULL: no
 * memory. */
char *qz_artifact_file_path(const qz_artifact_plan *p, const char *path, size_t i);

/* Row of the source that stands at row `to` of the file (item's permute and heads); n = rows of the tensor. */
size_t qz_item_source_row(const qz_artifact_item *it, size_t n, size_t to);
/* Has a GGUF file the columns of a site's matrix in another order than the model? order: of qz_item_source_row, for
 * their number. */
bool qz_gguf_columns(const qz_config *c, const qz_site *s, qz_artifact_item *order);
/* All rows of the source in the order of the file, x [rows, cols]: for codes whose blocks run over rows. */
void qz_item_decode_as_filed(const qz_artifact_item *it, float *x);

/* The codes of a scheme's coded matrices. */
typedef struct {
    const char *name;                 /* "integer groups"; NULL: the scheme has block types and floats only */
    bool affine;                      /* a grid of equal steps per group: methods and other grids can give the codes */
    bool as_filed;                    /* blocks run over the ends of rows: matrices come in
                                       * the order of the file's rows */
    bool free;                        /* of integer groups: whole rows, symmetric or not, groups spread over
                                       * the row (g_idx), rules for single modules */
} qz_code_kind;
const qz_code_kind *qz_scheme_code_kind(const qz_scheme_spec *s);
/* What the item is coded as: its own level, or the plan's; and that level's codes. */
const qz_scheme_spec *qz_item_spec(const qz_artifact_plan *plan, const qz_artifact_item *it);
const qz_code_kind *qz_item_code_kind(const qz_artifact_plan *plan, const qz_artifact_item *it);
/* Codes of item it (QZ_TYPE_CODED) rounded to nearest, w [rows, cols] in the order that the kind wants. */
qz_status qz_artifact_round(qz_run *run, const qz_artifact_plan *plan, const qz_artifact_item *it, const float *w,
                            qz_arena *arena, const qz_coded **out, qz_error *err);

qz_status qz_artifact_plan_make(qz_run *run, const qz_model *m, const qz_scheme_spec *spec,
                                const qz_artifact_context *ctx, qz_arena *arena, qz_artifact_plan *out, qz_error *err);

/* "bf16", "i64": of an item that is not coded. */
const char *qz_item_type_name(const qz_artifact_item *it);
/* What is coded, and what stays and why, one row a kind of tensor. */
enum { QZ_KEPT_KINDS = 32 };
/* what: "norms", one: "norm" */
typedef struct { const char *what, *one, *type, *why; size_t tensors; uint64_t weights; } qz_kept;
typedef struct {
    uint64_t weights, coded;          /* of the model; in fewer bits than a float */
    double bits, bits_all;            /* a coded weight with its scales; over all */
    uint64_t misfit;                  /* weights that stay float without a rule (qz_artifact_item.misfit) */
    qz_kept kept[QZ_KEPT_KINDS]; size_t n_kept;
} qz_plan_summary;
void qz_plan_summarize(const qz_artifact_plan *p, qz_plan_summary *out); /* borrows the plan's strings */
/* "4718592 of 5771264 weights in 4.5 bits, 6.6 bits per weight over all; kept: 25 norms f32 (…), …" */
void qz_plan_summary_text(const qz_plan_summary *s, qz_str *out);
void qz_plan_summary_json(const qz_plan_summary *s, qz_str *out);
/* Matrices without a rule that stay float, together more than a hundredth of the weights: QZ_EUNSUPPORTED naming the
 * largest, unless run->accept has QZ_CODE_FLOAT. (Together, as single matrices of a deep model are all below that.) */
#define QZ_CODE_FLOAT "MOD-FLOAT"
qz_status qz_plan_judge(qz_run *run, const qz_artifact_plan *p, qz_error *err);

/* ---- writer ---- */
typedef struct qz_artifact_writer qz_artifact_writer;
enum {
    QZ_WRITE_RESUME = 1,  /* continue PATH.partial if its journal fits this plan, else start again */
    QZ_WRITE_FORCE = 2    /* replace an existing output at commit */
};
/* path: the final file or folder. Refuses an existing output without FORCE (QZ_EUSAGE); too little free
 * disk is QZ_EIO. */
qz_status qz_artifact_writer_open(qz_run *run, const qz_artifact_plan *plan, const char *path, unsigned flags,
                                  qz_artifact_writer **out, qz_error *err);
/* Index of the item expected next (after a resume: the first missing one); n_items when all are there. */
size_t qz_artifact_writer_next(const qz_artifact_writer *w);
/* Encoded data of the next item: type, cols, bits and group as planned. Block types without permutation may come in
 * several calls of consecutive rows (q->rows each). q->name must be the item's HF name. */
qz_status qz_artifact_writer_put(qz_artifact_writer *w, const qz_quantized *q, qz_error *err);
/* Float tensors: float32 data that a method changed, or the view itself. Converted to the item's type; a finite value
 * that becomes infinite there is QZ_EUNSUPPORTED naming tensor and element. */
qz_status qz_artifact_writer_put_folded(qz_artifact_writer *w, const qz_folded *f, qz_error *err);
qz_status qz_artifact_writer_put_raw(qz_artifact_writer *w, qz_error *err); /* the next item's own bytes */
qz_status qz_artifact_writer_put_view(qz_artifact_writer *w, const qz_tensor_view *t, qz_error *err);
/* A checksum of what item i is meant to hold, given before its last put: it goes to the journal, so that a
 * resumed run knows it. */
void qz_artifact_writer_meant(qz_artifact_writer *w, size_t i, uint64_t sum);
uint64_t qz_artifact_writer_meant_of(const qz_artifact_writer *w, size_t i);
/* All bytes are on disk under the temporary name; *partial (owned by w) can be opened with qz_artifact_open. */
qz_status qz_artifact_writer_finish(qz_artifact_writer *w, const char **partial, qz_error *err);
/* Final names of manifest and artifact, both or none (base/io.h: qz_commit), then the end of the journal. */
qz_status qz_artifact_writer_commit(qz_artifact_writer *w, qz_error *err);
/* Values other than 0 that this writer wrote as 0 because they are below float16's smallest; *tensors:
 * that held some. */
uint64_t qz_artifact_writer_flushed(const qz_artifact_writer *w, size_t *tensors);
/* Goes into the manifest as "block_errors": JSON, taken over. Before the commit. */
void qz_artifact_writer_block_errors(qz_artifact_writer *w, qz_str *json);
void qz_artifact_writer_discard(qz_artifact_writer *w); /* removes the partial output */
void qz_artifact_writer_free(qz_artifact_writer *w);    /* NULL is fine */

/* *yes: what stands at `path` is whole and what this plan's job writes, by its manifest (recipe, source, calibration),
 * its metadata and the hash of every file. Else why: what differs, expected and found. */
/* QZ_EIO if the files at `partial` do not hold the header and the texts (config.json …) that were written. */
qz_status qz_artifact_as_planned(const qz_artifact_plan *plan, const char *partial, qz_error *err);
qz_status qz_artifact_finished(const qz_artifact_plan *plan, const char *path, bool *yes, qz_str *why, qz_error *err);
/* Value of a provenance key that the artifact will carry, or NULL. */
const char *qz_plan_provenance(const qz_artifact_plan *p, const char *key);
#endif
