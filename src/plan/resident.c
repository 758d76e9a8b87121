#include "plan/resident.h"
#include "base/size.h"
#include "codecs/fields.h"
#include "codecs/kv.h"
#include "codecs/types.h"
#include "model/cache.h"
#include "model/steps.h"

/* Sizes of the engine's and the kernels' buffers (engine/engine.c, engine/attention.c, kernels/mm_int.h). A change
 * there shows in scripts/bench_memory. */
enum {
    STEP = 512,
    QUERY_BLOCK = 32,
    KC = 512,
    STRIDE = KC + 16,
    VC = 128,
    TILE_COLS = 32,
    PANEL = 16,
    HUGE = 2 << 20,
    ACT_LEGACY = 40,
    ACT_K = 372,
    WRITTEN_256 = 146, /* types of a table or code book, written out (kernels/layout.h) */
    WRITTEN_32 = 18,
    FEW = 24,
    PAGE = 4 << 10
};
/* Measured: a process of this program without model, and what a tokenizer keeps (parsed JSON included; 1855
 * and 4096 tokens). */
#define PROGRAM 3720000u
#define TOKENIZER_BASE 540000u
#define TOKENIZER_PER_TOKEN 344u

typedef struct { uint64_t packed, unpacked, act, widest_float; } sums;

/* Of a coded matrix (kernels/pack_coded.c), rows padded to panels: bytes packed, and of a token's whole numbers. */
typedef struct { uint64_t packed, act; } coded_bytes;
static coded_bytes coded(const qz_code_layout *l, uint64_t rows, uint64_t cols) {
    const uint64_t values = rows * cols, scales = rows * l->groups;
    const bool integers = l->form == QZ_CODES_AFFINE, e2m1 = l->form == QZ_CODES_FLOAT && l->element == QZ_E2M1;
    if (l->group == 0) return (coded_bytes){0, 0};
    if (l->form == QZ_CODES_TABLE) return (coded_bytes){values * l->bits / 8 + scales * 4, 0};
    if ((integers || e2m1) && l->group % 8 == 0) {
        const uint64_t step = l->group % 32 == 0 ? 32 : l->group % 16 == 0 ? 16 : 8;
        return (coded_bytes){values / (l->bits <= 4 ? 2 : 1) + scales * (l->stored == QZ_SCALE_F32 ? 4 : 2) +
                                 (integers ? scales * 2 : 0),
                             2 * cols + 8 * cols / step + 4 * l->groups + (l->g_idx ? 4 * cols : 0)};
    }
    if (integers || l->group % 4 != 0) return (coded_bytes){0, 0};
    return (coded_bytes){values + scales * 4, 0};
}

static void linear(sums *s, const qz_tensor_view *t, uint64_t batch) {
    uint64_t rows = (t->rows + PANEL - 1) / PANEL * PANEL;
    if (qz_tensor_floats(t)) {
        s->widest_float = qz_max_size(s->widest_float, t->cols);
        return;
    }
    if (t->coded) { /* scales and codes beside the mapping; packed with them unless a block crosses rows */
        const qz_code_layout l = t->coded->ops->layout(t->coded);
        s->unpacked += t->coded->ops->held(t->coded);
        const coded_bytes b = coded(&l, rows, t->cols);
        s->packed += b.packed;
        s->act = qz_max_size(s->act, qz_min_size(batch, FEW) * b.act);
        s->widest_float = qz_max_size(s->widest_float, t->cols); /* more tokens go through the exact product's panels */
        return;
    }
    const qz_type_info *i = qz_type_get(t->type);
    const qz_block_shape *shape = qz_block_shape_get(t->type);
    const bool wide = i->elems == 256;
    if (shape == NULL) s->widest_float = qz_max_size(s->widest_float, t->cols); /* numbers: through the exact product */
    else if (shape->book == NULL) s->packed += rows * (t->cols / i->elems * i->bytes);
    else s->packed += rows * (wide ? t->cols / 256 * WRITTEN_256
                                   : t->cols / 32 * (WRITTEN_32 + (shape->sub_len < 32 ? 2u : 0u)));
    s->act = qz_max_size(s->act, wide ? batch * t->cols / 256 * ACT_K : batch * t->cols / 32 * ACT_LEGACY);
}

/* Pages of codes that were copied and are gone after it: all whole ones (qz_map_forget). They stay away: what the next
 * matrix needs of a piece of the file that the kernel maps at once was mapped with it. */
static uint64_t forgotten(const qz_tensor_view *t) {
    uint64_t end = t->offset + t->rows * ((t->cols * t->coded->ops->layout(t->coded).bits + 7) / 8),
             lo = (t->offset + PAGE - 1) / PAGE * PAGE, hi = end / PAGE * PAGE;
    return hi > lo ? hi - lo : 0;
}

/* The embedding is read by row: its pages count only when it is the output matrix too. */
static uint64_t mapped(const qz_model *m) {
    uint64_t n = m->file_bytes;
    for (size_t i = 0; i < m->n_tensors; i++)
        if (m->tensors[i].coded && m->tensors[i].coded->ops->copied) n -= qz_min_size(n, forgotten(&m->tensors[i]));
    if (m->head != m->embed) n -= qz_min_size(n, m->embed->bytes);
    return n;
}

/* Floats of a thread in attention: scores of a block of queries, with latent attention a head of kv_b beside them. */
static uint64_t scores_of(const qz_config *c, uint64_t keys) {
    if (c->latent.kv_rank)
        return (c->latent.nope + c->latent.v) * c->latent.kv_rank +
               QUERY_BLOCK * (2 * (c->latent.kv_rank + c->latent.rope) + keys);
    const uint64_t fewest = c->wide.kv_heads && c->wide.kv_heads < c->kv_heads ? c->wide.kv_heads : c->kv_heads;
    return keys * qz_max_size(QUERY_BLOCK, (size_t)(c->heads / fewest));
}

void qz_resident_plan(const qz_model *m, uint64_t tokenizer_tokens, uint64_t ctx, uint64_t threads, qz_resident *out) {
    const qz_config *c = &m->config;
    uint64_t batch = qz_min_size(STEP, ctx), keys = (ctx + 15) / 16 * 16;
    sums s = {0};
    for (size_t l = 0; l < c->layers; l++)
        for (size_t i = 0; i < m->blocks[l].n_sites; i++) {
            const qz_bound *b = &m->blocks[l].sites[i];
            for (size_t e = 0; qz_site_linear(&b->site) && e < qz_max_size(1, b->site.experts); e++)
                linear(&s, b->weight[e], batch);
        }
    linear(&s, m->head, 1);
    *out = (qz_resident){.mapped = mapped(m), .unpacked = s.unpacked, .packed = (s.packed + HUGE - 1) / HUGE * HUGE,
                         .program = PROGRAM};
    for (size_t l = 0; l < c->layers; l++) { /* the engine keeps all tokens of a layer with a window, too */
        uint64_t token = 0;
        const qz_layer_cache k = qz_cache_of(c, l);
        const qz_kv_entry e = {{QZ_KV_RUNTIME, QZ_KV_RUNTIME}, k.heads, k.k_dim, k.v_dim};
        if (qz_kv_token_bytes(&e, m->path, &token, NULL) != QZ_OK ||
            !qz_kv_cache_bytes(token, 1, 1, ctx + 1, &out->kv) ||
            !qz_kv_cache_bytes(4, 1, 1, k.window + k.state, &out->kv)) {
            out->kv = UINT64_MAX / 16;
            break;
        }
    }
    out->rope = 4 * ctx * qz_max_size((size_t)c->head_dim, (size_t)c->wide.head_dim) *
                (c->rope.local_theta > 0 ? 2 : 1);
    out->step = 4 * batch * qz_step_floats(c);
    uint64_t passes = s.widest_float > KC ? 2 : s.widest_float ? 1 : 0;
    out->kernels = passes * batch * STRIDE * 4 +
                   (s.widest_float ? threads * VC * 4 * qz_min_size(KC, s.widest_float) : 0) +
                   threads * TILE_COLS * STRIDE * 4 +
                   threads * scores_of(c, keys) * 4 + s.act + 8 * c->vocab_size;
    out->tokenizer = tokenizer_tokens ? TOKENIZER_BASE + TOKENIZER_PER_TOKEN * tokenizer_tokens : 0;
    out->total = out->mapped + out->unpacked + out->packed + out->kv + out->rope + out->step + out->kernels +
                 out->tokenizer + out->program;
}
