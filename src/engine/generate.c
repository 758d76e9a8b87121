#include "engine/generate.h"
#include "base/io.h"
#include "base/size.h"
#include <string.h>

static bool is_stop(const qz_generate_options *o, uint32_t id) {
    for (size_t i = 0; i < o->n_stop; i++)
        if (o->stop_ids[i] == (int64_t)id) return true;
    return false;
}

typedef struct {
    float *logits;
    uint32_t *history; /* prompt and new tokens */
    uint8_t *want;
    qz_sampler sampler;
} gen_state;

static qz_status prefill(qz_engine *e, qz_kv *kv, gen_state *g, const uint32_t *prompt, size_t n, qz_error *err) {
    memset(g->want, 0, n);
    g->want[n - 1] = 1;
    return qz_engine_forward(e, kv, &(qz_batch){.ids = prompt, .want = g->want, .n = n}, g->logits, err);
}

static qz_status decode(qz_engine *e, qz_kv *kv, gen_state *g, size_t n_prompt, const qz_generate_options *o, uint32_t *out,
                        qz_generated *info, double start, qz_error *err) {
    for (size_t i = 0; i < o->max_new; i++) {
        uint32_t id = qz_sampler_pick(&g->sampler, g->logits, g->history, n_prompt + i);
        if (i == 0) info->first_token_seconds = qz_now() - start;
        out[i] = g->history[n_prompt + i] = id;
        info->n_new = i + 1;
        if (o->on_token && !o->on_token(o->arg, id)) break;
        if (is_stop(o, id)) {
            info->stopped = true;
            break;
        }
        if (i + 1 == o->max_new) break;
        QZ_TRY(qz_engine_forward(e, kv, &(qz_batch){.ids = &id, .n = 1}, g->logits, err));
    }
    info->decode_seconds = qz_now() - start - info->first_token_seconds;
    return QZ_OK;
}

qz_status qz_generate(qz_engine *e, qz_kv *kv, const uint32_t *prompt, size_t n_prompt, const qz_generate_options *o, uint32_t *out,
                      qz_generated *info, qz_error *err) {
    *info = (qz_generated){.n_prompt = n_prompt};
    if (n_prompt == 0) return qz_fail(err, QZ_EUSAGE, "the prompt is empty: expected at least one token");
    if (o->max_new == 0) return QZ_OK;
    size_t vocab = qz_engine_model(e)->config.vocab_size;
    gen_state g = {.logits = qz_alloc_aligned(vocab, sizeof(float)), .history = qz_alloc_array(n_prompt + o->max_new, sizeof(uint32_t)),
                   .want = qz_alloc_array(n_prompt, 1)};
    qz_status st = qz_sampler_init(&g.sampler, &o->sampling, vocab, err);
    if (st == QZ_OK && (g.logits == NULL || g.history == NULL || g.want == NULL)) st = qz_fail(err, QZ_EMEMORY, "out of memory generating");
    if (st == QZ_OK) {
        memcpy(g.history, prompt, n_prompt * sizeof *prompt);
        double start = qz_now();
        st = prefill(e, kv, &g, prompt, n_prompt, err);
        info->prefill_seconds = qz_now() - start;
        if (st == QZ_OK) st = decode(e, kv, &g, n_prompt, o, out, info, start, err);
    }
    qz_sampler_release(&g.sampler);
    qz_free(g.logits);
    qz_free(g.history);
    qz_free(g.want);
    return st;
}
