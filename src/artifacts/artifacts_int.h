/* Inside of artifacts/: what a scheme implements, the writer's state, and helpers shared by the schemes. */
#ifndef QZ_ARTIFACTS_INT_H
#define QZ_ARTIFACTS_INT_H
#include "artifacts/artifact.h"
#include "artifacts/open.h"
#include "base/io.h"
#include "base/journal.h"
#include "base/str.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"

typedef struct qz_scheme_ops {
    /* level and flags ("" when absent, flags joined with '+') -> spec; fills level and the scheme's fields. */
    qz_status (*parse)(qz_scheme_spec *spec, const char *level, const char *flags, qz_error *err);
    const char *(*level)(size_t i);
    /* Fills items, files, notes of `out` (spec, model, context are set). */
    qz_status (*plan)(qz_run *run, const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena,
                      qz_artifact_plan *out, qz_error *err);
    /* Opens the sink behind the first `done` items; then receives the bytes of item w->next in pieces. */
    qz_status (*open)(qz_artifact_writer *w, size_t done, qz_error *err);
    qz_status (*write)(qz_artifact_writer *w, const void *bytes, size_t n, qz_error *err);
    qz_status (*flush)(qz_artifact_writer *w, qz_error *err);
    /* Writes the bytes of an item that is coded as a matrix (QZ_TYPE_CODED), of the kind that the scheme plans. */
    qz_status (*pack)(qz_artifact_writer *w, const qz_artifact_item *item, const qz_quantized *q, qz_error *err);
    /* Round to nearest: w (rows as the scheme's code_kind wants them) as codes of the item, without any calibration. */
    qz_status (*round)(qz_run *run, const qz_artifact_plan *plan, const qz_artifact_item *item, const float *w,
                       qz_arena *arena, const qz_coded **out, qz_error *err);
    bool loose;               /* plans a model of any family, by names and shapes alone (loose.h) */
    bool mixed;               /* modules may have levels of their own (--module PATTERN=LEVEL): items have `as` */
    qz_code_kind kind;
    const qz_code_kind *(*kind_of)(const qz_scheme_spec *spec); /* instead, where levels differ */
    /* All data complete and on disk under temporary names; fills w->file_sha. */
    qz_status (*finish)(qz_artifact_writer *w, qz_error *err);
    /* *yes: what stands at `path` begins as this plan's file does (names, tokenizer, metadata). NULL: the files of the
     * plan say it all. */
    qz_status (*begins)(const qz_artifact_plan *plan, const char *path, bool *yes, qz_error *err);
    /* The same of file i alone, for artifacts of several files that lie beside each other. */
    qz_status (*file_begins)(const qz_artifact_plan *plan, size_t i, const char *path, bool *yes, qz_error *err);
    /* The first item that can be written again where `done` are complete (NULL: done). */
    size_t (*resume_at)(const qz_artifact_plan *plan, size_t done);
    void (*close)(qz_artifact_writer *w, bool keep);
    /* *yes: path looks like this scheme's artifact. */
    qz_status (*detect)(const char *path, bool *yes, qz_error *err);
    qz_status (*read)(qz_run *run, const char *path, qz_model **out, qz_error *err);
} qz_scheme_ops;
#define QZ_SCHEME(id, name, level, dir, best, compat, ops, help) extern const qz_scheme_ops ops;
#include "artifacts/schemes.def"
#undef QZ_SCHEME
const qz_scheme_ops *qz_scheme_ops_get(qz_scheme s);

struct qz_artifact_writer {
    qz_run *run;
    const qz_artifact_plan *plan;
    const qz_scheme_ops *ops;
    unsigned flags;
    char *path;              /* final name */
    char *partial;           /* temporary file or folder */
    char *journal_path;
    qz_journal journal;
    size_t next;             /* item expected */
    size_t row;              /* rows of it that are written */
    uint64_t in_item;        /* bytes of it that are written */
    qz_sum64 sum;            /* of them */
    qz_str pending;          /* journal lines whose data are not flushed yet */
    uint64_t pending_bytes;
    size_t pending_items;
    char (*file_sha)[65];    /* [plan->n_files] */
    uint64_t *meant;         /* [plan->n_items] checksums of the proof */
    uint64_t flushed;        /* values that are not 0 and became 0 in a float type, of what this writer wrote */
    size_t flushed_tensors;
    qz_str block_errors;     /* JSON for the manifest; empty: none */
    bool finished, committed;
    union {
        struct { qz_gguf_writer out; size_t part; bool open, closed; } gguf; /* closed: part is whole, none is open */
        struct { qz_st_writer st; bool open; size_t file; } shards;
    } sink;
};

/* Bytes of the current item, for `pack`. */
qz_status qz_artifact_writer_bytes(qz_artifact_writer *w, const void *bytes, size_t n, qz_error *err);

/* Where file i of the plan stands while it is written; a finished shard of a folder has its own name already. Owned by
 * the caller. */
char *qz_artifact_file_written(const qz_artifact_writer *w, size_t i);

/* ---- plan helpers ---- */
/* A tensor that every scheme must place, in the order of the model: embedding, blocks, final norm, head if not tied. */
typedef struct {
    const qz_tensor_view *t;
    long layer;          /* -1 outside the blocks */
    int linear;          /* its number in the block if it is one's weight, else -1 */
    const qz_bound *site; /* of its block, NULL outside */
    size_t expert;       /* of a stack */
    bool bias;           /* of the site, not its matrix */
} qz_slot;
qz_status qz_collect_slots(const qz_model *m, qz_arena *arena, qz_slot **out, size_t *n, qz_error *err);
/* The slot's tensor as the container stores it: gains of norms minus one in a folder of a family that does so,
 * never in GGUF. */
qz_status qz_slot_source(const qz_model *m, const qz_slot *s, bool gguf, qz_arena *arena, const qz_tensor_view **out,
                         qz_error *err);
/* Fills permute and what belongs to it: rows in the file's order, of q and k by the rope order, of value heads by their
 * own. */
void qz_slot_order(const qz_model *m, const qz_slot *s, bool gguf, qz_artifact_item *it);
qz_use qz_slot_use(const qz_model *m, const qz_slot *s);
/* Appends a note to the plan (copied). */
qz_status qz_plan_note(qz_artifact_plan *p, qz_arena *arena, qz_error *err, const char *fmt, ...) QZ_PRINTF(4, 5);
/* Sums of items and files; bits per weight. */
void qz_plan_totals(qz_artifact_plan *p);

/* ---- names ---- */
/* HF spelling -> GGUF and back, into buf; false if the name is not known. */
/* What llama.cpp's loader computes for the architecture, where the file cannot say: scale of scores,
 * layers that slide. */
/* Experts in metadata: numbers, then (later in the converter's order) rules, widths, dense layers; and back. */
void qz_gguf_put_expert_counts(const qz_config *c, const char *arch, qz_gguf_meta *m);
void qz_gguf_put_expert_rules(const qz_config *c, const char *arch, qz_gguf_meta *m);
qz_status qz_gguf_read_experts(const qz_gguf *g, const char *arch, qz_config *c, qz_error *err);
/* Dense layers before the first of experts; every n-th layer is of experts, 0: no n says it. */
uint64_t qz_gguf_first_dense(const qz_config *c);
bool qz_gguf_qk_plain(const qz_config *c); /* of the loader: are queries and keys normed without gains? */
uint64_t qz_gguf_expert_step(const qz_config *c);
double qz_gguf_attn_scale(const qz_config *c);
bool qz_gguf_slides(const qz_config *c, size_t layer);
/* Structure that the loader of the architecture fixes otherwise: the file would not load, or another
 * model would run. */
qz_status qz_gguf_refuse(const qz_model *m, qz_error *err);
bool qz_gguf_name_of(const qz_model *m, const qz_slot *s, char *buf, size_t size);
/* Hugging Face name of expert `expert` (any for what is not stacked) behind a GGUF name; *experts: matrices in that
 * tensor, 0: one. */
bool qz_gguf_name_to_hf(const qz_config *c, const char *gguf, size_t expert, size_t *experts, char *buf, size_t size);

/* ---- GGUF metadata both ways ---- */
/* Both may add notes about what the keys cannot say. */
qz_status qz_gguf_meta_build(qz_artifact_plan *p, qz_arena *arena, qz_gguf_meta *meta, qz_error *err);
/* Behind build: keys of a GGUF source that build did not write, and the spec's overrides. */
qz_status qz_gguf_meta_carry(qz_artifact_plan *p, qz_arena *arena, qz_gguf_meta *meta, qz_error *err);
/* Keys of the architecture that nothing reads go to c->keys. */
void qz_gguf_keys_judge(const qz_gguf *g, const char *arch, qz_config *c);
/* The kind in which readers expect a key; false: nothing is known of it. */
bool qz_gguf_key_kind(const char *key, const char *arch, qz_gguf_kind *out);
qz_status qz_gguf_config_read(const qz_gguf *g, qz_config *c, qz_error *err);
/* Blocks behind the last one that predict tokens beyond the next; block_count counts them. */
qz_status qz_gguf_prediction_layers(const qz_gguf *g, const char *arch, const qz_config *c, uint64_t *out,
                                    qz_error *err);
/* Our own key, [u32]: every id that ends a text, where eos, eot and eom cannot hold them all. */
#define QZ_GGUF_ENDS_KEY "quantz.eos_token_ids"
qz_status qz_gguf_vocab_put(qz_artifact_plan *p, qz_arena *arena, qz_gguf_meta *meta, qz_error *err);
#define QZ_GGUF_PIPELINE_KEY "quantz.tokenizer.pattern"
/* ours: with that key, which other runtimes do not know. */
qz_status qz_gguf_vocab_read(const qz_gguf *g, bool ours, qz_tokenizer **out, qz_error *err);
/* llama3 scaling as the divisor of each frequency, in float32 as the reference converter does; pairs =
 * head_dim/2 values. */
bool qz_gguf_has_factors(const qz_config *c);
void qz_gguf_rope_factors(const qz_rope *r, size_t head_dim, float *out);

/* ---- latent attention (gguf_latent.c) ---- */
bool qz_gguf_is_kv_b(const qz_slot *s);
/* Room for the items that stand for its matrices, and those of one slot. */
size_t qz_gguf_head_items(const qz_config *c);
qz_status qz_gguf_put_heads(const qz_model *m, const qz_slot *s, qz_arena *arena, qz_artifact_plan *out, qz_error *err);
/* Layers of sizes of their own, of a family by_layer: in the order of the converter; the three keys stand apart. */
void qz_gguf_put_ffn_widths(const qz_config *c, const char *arch, qz_gguf_meta *m);
void qz_gguf_put_key_heads(const qz_config *c, const char *arch, qz_gguf_meta *m);
void qz_gguf_put_wide(const qz_config *c, const char *arch, qz_gguf_meta *m);
qz_status qz_gguf_read_wide(const qz_gguf *g, const char *arch, qz_config *c, qz_error *err);
void qz_gguf_put_latent(const qz_config *c, const char *arch, qz_gguf_meta *m);
/* Behind the number of heads and the rotary keys. */
qz_status qz_gguf_read_latent(const qz_gguf *g, const char *arch, qz_config *c, qz_error *err);
/* Views of each head; room is the caller's; *mine: the tensor is such a stack. */
qz_status qz_gguf_add_heads(qz_model *m, const qz_gguf_tensor *t, bool *mine, qz_error *err);

/* ---- GGUF reader (gguf_read.c) ---- */
qz_status qz_gguf_read_model(qz_run *run, const char *path, qz_model **out, qz_error *err);
/* Adds the tensor, or one for each expert of a stack, to m->tensors (room is the caller's) or m->left. */
qz_status qz_gguf_add_view(qz_model *m, const qz_gguf *g, const qz_gguf_tensor *t, qz_error *err);
qz_status qz_gguf_detect(const char *path, bool *yes, qz_error *err);

/* ---- manifest ---- */
/* Of a folder in its place in the folder, of a file under the temporary name of qz_manifest_path(w->path). */
qz_status qz_manifest_stage(const qz_artifact_writer *w, qz_error *err);
#endif
