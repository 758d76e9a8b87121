/* The engine runs any qz_model on the CPU; it cannot tell a checkpoint from an artifact.
 * qz_engine *e; qz_engine_open(run, model, &opt, &e, err);
 * qz_kv *kv; qz_kv_open(e, n_sequences, max_tokens, &kv, err);
 * qz_engine_forward(e, kv, &batch, logits, err); …; qz_kv_free(kv); qz_engine_free(e).
 * Arithmetic: QZ_ARITH_EXACT decodes weights to float32 and multiplies with one FMA chain per element along k
 * (bit-identical on every thread count and CPU level; perplexity, KL, tasks and calibration use it);
 * QZ_ARITH_RUNTIME quantizes activations to 8 bits per block where the format's reference runtime does
 * (fast decoding), and rounds the inputs of linears whose format says how servers do (qz_tensor_view.inputs): W8A8,
 * W4A8, W4A4 as they are served, accumulated in float32. */
#ifndef QZ_ENGINE_ENGINE_H
#define QZ_ENGINE_ENGINE_H
#include "base/run.h"
#include "kernels/matmul.h"
#include "model/lora.h"
#include "model/model.h"

typedef enum { QZ_ARITH_EXACT, QZ_ARITH_RUNTIME } qz_arith;
typedef struct {
    qz_arith arith;
    size_t batch_tokens;   /* most tokens of one forward step; 0 = 512 */
    bool forget;           /* weights of a block leave memory behind it: for a few steps over a model of any size */
    bool route_all;        /* while it is observed every expert computes every token, and shows its inputs; what is
                            * added up is what the router chose. Not where the router scales what experts read. */
    const qz_lora *lora;   /* adapters beside the linears, borrowed; NULL: none */
} qz_engine_options;

typedef struct qz_engine qz_engine;
typedef struct qz_kv qz_kv;

qz_status qz_engine_open(qz_run *run, const qz_model *m, const qz_engine_options *o, qz_engine **out, qz_error *err);
void qz_engine_free(qz_engine *e);
const qz_model *qz_engine_model(const qz_engine *e);
/* Bytes held besides the model's mapping (repacked weights, buffers). */
uint64_t qz_engine_bytes(const qz_engine *e);
/* Kernel of the block linears for reports: "q4_K×q8_K avx2", "float32 exact, fp8 token inputs". */
const char *qz_engine_kernel(const qz_engine *e);
/* How inputs are rounded, for reports: "fp8 token", of several "fp8 g128 and others"; "": nothing is rounded. */
const char *qz_engine_inputs(const qz_engine *e);

/* KV cache for n_seq independent sequences of at most max_tokens each: float32 in exact arithmetic, float16 in runtime
 * arithmetic (QZ_KV_EXACT and QZ_KV_RUNTIME of codecs/kv.h). Layers with a window keep every token too; layers of a
 * recurrent kind keep a state in float32 instead, which a failed call does not take back: its sequences then begin
 * anew. A key or value beyond float16 is QZ_ENUMERIC. */
qz_status qz_kv_open(qz_engine *e, size_t n_seq, size_t max_tokens, qz_kv **out, qz_error *err);
void qz_kv_free(qz_kv *kv);
void qz_kv_reset(qz_kv *kv, size_t seq);             /* length back to 0 */
size_t qz_kv_length(const qz_kv *kv, size_t seq);
/* Sequence `to` becomes what `from` is: keys, values, windows and states, so that several continuations branch off one
 * prompt with the values of one pass. Not where a key depends on how long its sequence will be (dynamic NTK, longrope):
 * there qz_kv_branches is false, and each continuation runs from its first token. */
bool qz_kv_branches(const qz_engine *e);
void qz_kv_copy(qz_kv *kv, size_t from, size_t to);
/* k and v [kv_heads] grow to the largest magnitudes that the cache holds of a sequence; of a cache in float32. */
void qz_kv_largest(const qz_kv *kv, size_t layer, size_t seq, float *k, float *v);
uint64_t qz_kv_bytes(const qz_kv *kv);              /* of keys and values, for all tokens, and of states */

/* Tokens of one step: seq[i] gets ids[i] appended at its current end, in order. */
typedef struct {
    const uint32_t *ids;    /* [n] */
    const uint32_t *seq;    /* [n] sequence of each token, or NULL = all in sequence 0 */
    const uint8_t *want;    /* [n] 1 = compute logits of this token; NULL = all */
    size_t n;
} qz_batch;
/* logits [number wanted, vocab_size] float32, in order of the batch; NULL when none are wanted.
 * Batches over batch_tokens are split inside. QZ_EUSAGE: id out of range, cache full. */
qz_status qz_engine_forward(qz_engine *e, qz_kv *kv, const qz_batch *b, float *logits, qz_error *err);

/* Observer: called with every input of a block (the list of model/sites.h) as it is computed. The tokens of an expert
 * come gathered, one call per step and expert that has any; in their order. */
typedef struct {
    size_t layer, input;                                 /* index of qz_input_at */
    const float *x;                                      /* [n, cols] float32 */
    size_t n, cols;
} qz_observed;
typedef void (*qz_observe_fn)(void *arg, const qz_observed *o);
void qz_engine_observe(qz_engine *e, qz_observe_fn fn, void *arg);

/* Weights of one decoder block as the engine uses them; calibration replays a block with its own (AWQ's search). */
typedef struct {
    qz_weights lin[QZ_LINEARS];                          /* by number; type QZ_TYPE_NONE: the block has none */
    const float *bias[QZ_LINEARS];                       /* [rows] or NULL */
    const float *norm[QZ_NORM_COUNT];                    /* gains as they multiply: [hidden], q and k
                                                          * [head_dim] or of all heads; NULL: none */
    const float *norm_bias[QZ_NORM_COUNT];               /* as wide, or NULL */
    qz_packed *packed[QZ_LINEARS];                       /* runtime arithmetic only */
    const float *part[QZ_PARTS];                         /* float parts by number (model/kinds.h) or NULL */
    qz_weights router;                                   /* type QZ_TYPE_NONE: the block has no experts */
    const float *router_bias;                            /* [experts] or NULL */
    qz_weights *expert[QZ_LINEARS];                      /* [experts] or NULL */
    const float *expert_bias[QZ_LINEARS];                /* [experts, rows] or NULL */
    qz_packed **expert_packed[QZ_LINEARS];               /* [experts], runtime arithmetic only */
    const qz_lora_layer *lora;                           /* beside them; NULL: none */
} qz_layer_weights;
/* Before the first step: qz_weights.inputs of weights that are handed in count in exact arithmetic too (the engine's
 * own have none there). */
void qz_engine_round_any(qz_engine *e);
const qz_layer_weights *qz_engine_layer(const qz_engine *e, size_t layer);

/* Block-wise use (calibration, exact arithmetic): x [n, hidden] holds whole sequences of seq_len tokens, n =
 * n_seq*seq_len. embed fills x (positions are counted from the begin of each sequence); block advances x through one
 * decoder block; mixer and ffn give a sub-module's output y [n, hidden] for an already normed input h [n, hidden] with
 * weights w (NULL: the layer's own); logits are of all n rows. */
qz_status qz_engine_embed(qz_engine *e, const uint32_t *ids, size_t n, size_t seq_len, float *x, qz_error *err);
/* Where the next calls stand, for blocks that look at the tokens or at keys that an earlier layer has kept: their first
 * window among those of the last qz_engine_embed (whose ids must live on), and which of two streams (0 or 1) they are.
 * Without it: the first window of stream 0. */
void qz_engine_at(qz_engine *e, size_t first_window, size_t stream);
/* Bytes of the keys and values that are kept so, of one stream. */
uint64_t qz_engine_lent_bytes(const qz_config *c, size_t windows, size_t seq_len);
qz_status qz_engine_block(qz_engine *e, size_t layer, const qz_layer_weights *w, float *x, size_t n_seq, size_t seq_len,
                          qz_error *err);
typedef struct { size_t n_seq, seq_len; } qz_chunk;
qz_status qz_engine_mixer(qz_engine *e, size_t layer, const qz_layer_weights *w, const float *h, qz_chunk c, float *y,
                          qz_error *err);
qz_status qz_engine_ffn(qz_engine *e, size_t layer, const qz_layer_weights *w, const float *h, size_t n, float *y,
                        qz_error *err);
/* h = the norm before a sub-module, for rows x [n, hidden]; where the layer has none, x as it is. */
void qz_engine_income(qz_engine *e, const qz_layer_weights *w, qz_sub sub, const float *x, size_t n, float *h);
/* The stream x goes past a sub-module that gave y: through the norm behind it and the family's multiplier (in place),
 * then added; or y is the next stream, where the family's feed-forward gives that. */
void qz_engine_outcome(qz_engine *e, const qz_layer_weights *w, qz_sub sub, float *y, size_t n, float *x);
qz_status qz_engine_logits(qz_engine *e, const float *x, size_t n, float *logits, qz_error *err);
/* h = final norm of x, [n, hidden]: the input of the output matrix. */
void qz_engine_final_norm(qz_engine *e, const float *x, size_t n, float *h);
qz_mm *qz_engine_mm(qz_engine *e);
#endif
