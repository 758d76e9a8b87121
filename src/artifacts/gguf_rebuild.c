/* The files that a folder made of a GGUF file needs, from the file's keys: config.json, tokenizer.json,
 * tokenizer_config.json. What was written is read again and must be the same model: what the keys do not say is named,
 * and refused. */
#include "artifacts/folder.h"
#include "artifacts/gguf_rebuild.h"
#include "base/json.h"
#include "base/size.h"
#include "model/config_keys.h"
#include "model/families.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static qz_status cannot(const qz_model *m, const char *what, qz_error *err) {
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "config.json cannot be rebuilt from the keys of '%s': %s; give the checkpoint's folder with "
                   "--config-dir",
                   m->path, what);
}

/* Keys hold float32: the shortest decimal that is the same one. */
static json_t *real(double x) {
    char text[40];
    for (int digits = 1; digits <= 9; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, x);
        if ((float)strtod(text, NULL) == (float)x) break;
    }
    return json_real(strtod(text, NULL));
}

typedef struct { json_t *root; bool ok; } writer;
static void put(writer *w, const char *key, json_t *v) {
    w->ok = v && json_object_set_new(w->root, key, v) == 0 && w->ok;
}
static void count(writer *w, const char *key, uint64_t v) { put(w, key, json_integer((json_int_t)v)); }

static void put_rope(writer *w, const qz_config *c, const qz_family_info *f) {
    const qz_rope *r = &c->rope;
    put(w, "rope_theta", real(r->theta));
    if (f->local_theta > 0 && !f->local_plain) put(w, "rope_local_base_freq", real(r->local_theta));
    if (r->kind == QZ_ROPE_LINEAR)
        put(w, "rope_scaling", json_pack("{s:s,s:o}", "rope_type", "linear", "factor", real(r->factor)));
    if (r->kind != QZ_ROPE_YARN) return;
    json_t *s = json_pack("{s:s,s:o,s:I,s:o,s:o}", "rope_type", "yarn", "factor", real(r->factor),
                          "original_max_position_embeddings", (json_int_t)r->original_max_position, "beta_fast",
                          real(r->beta_fast), "beta_slow", real(r->beta_slow));
    if (s && r->query_beta > 0)
        w->ok = json_object_set_new(s, "llama_4_scaling_beta", real(r->query_beta)) == 0 && w->ok;
    if (s && r->mscale_all_dim != 0)
        w->ok = json_object_set_new(s, "mscale", real(r->mscale)) == 0 &&
                json_object_set_new(s, "mscale_all_dim", real(r->mscale_all_dim)) == 0 && w->ok;
    if (s && r->attention_factor > 0)
        w->ok = json_object_set_new(s, "attention_factor", real(r->attention_factor)) == 0 && w->ok;
    put(w, "rope_scaling", s);
}

static void put_window(writer *w, const qz_config *c, const qz_family_info *f) {
    if (c->sliding_window) count(w, "sliding_window", c->sliding_window);
    else if (f->window != QZ_WINDOW_NONE) put(w, "sliding_window", json_null());
    if (f->window == QZ_WINDOW_BY_KEY || f->window == QZ_WINDOW_USE_ALL)
        put(w, "use_sliding_window", json_boolean(c->sliding_window > 0));
    if (!qz_window_listed(f->window) || c->sliding_window == 0) return;
    json_t *types = json_array();
    for (size_t l = 0; types && l < c->layers; l++)
        w->ok = json_array_append_new(types, json_string(c->layer_sliding[l] ? "sliding_attention"
                                                                            : "full_attention")) == 0 && w->ok;
    put(w, "layer_types", types);
}

static void put_ids(writer *w, const qz_config *c) {
    if (c->bos_id >= 0) put(w, "bos_token_id", json_integer(c->bos_id));
    if (c->pad_id >= 0) put(w, "pad_token_id", json_integer(c->pad_id));
    if (c->n_eos == 1) put(w, "eos_token_id", json_integer(c->eos_ids[0]));
    if (c->n_eos < 2) return;
    json_t *ids = json_array();
    for (size_t i = 0; ids && i < c->n_eos; i++)
        w->ok = json_array_append_new(ids, json_integer(c->eos_ids[i])) == 0 && w->ok;
    put(w, "eos_token_id", ids);
}

static void put_all(writer *w, const qz_config *c) {
    const qz_family_info *f = qz_family_get(c->family);
    const double scalar = c->attn_scale > 0 ? 1 / (c->attn_scale * c->attn_scale) : 0;
    put(w, "architectures", json_pack("[s]", f->architecture));
    put(w, "model_type", json_string(f->name));
    count(w, "vocab_size", c->vocab_size);
    count(w, "hidden_size", c->hidden_size);
    count(w, "intermediate_size", c->intermediate_size);
    count(w, "num_hidden_layers", c->layers);
    count(w, "num_attention_heads", c->heads);
    count(w, "num_key_value_heads", c->kv_heads);
    count(w, "max_position_embeddings", c->max_position);
    if (f->head_dim || c->head_dim * c->heads != c->hidden_size) count(w, "head_dim", c->head_dim);
    if (*qz_eps_key(f)) put(w, qz_eps_key(f), real(c->rms_norm_eps));
    put(w, "tie_word_embeddings", json_boolean(c->tie_embeddings));
    put(w, f->act == QZ_ACT_SILU ? "hidden_act" : "hidden_activation",
        json_string(f->act == QZ_ACT_SILU ? "silu" : "gelu_pytorch_tanh"));
    if (f->attention_bias_key) put(w, "attention_bias", json_boolean(c->qkv_bias));
    if (f->mlp_bias_key) put(w, "mlp_bias", json_boolean(c->mlp_bias));
    if (f->query_scalar > 0) {
        put(w, "query_pre_attn_scalar", json_integer((json_int_t)lround(scalar)));
        put(w, "attn_logit_softcapping", c->attn_softcap > 0 ? real(c->attn_softcap) : json_null());
        put(w, "final_logit_softcapping", c->logit_softcap > 0 ? real(c->logit_softcap) : json_null());
    }
    for (int i = 0; i < QZ_NUMBERS; i++)
        if (f->numbers[i] > 0) put(w, qz_number_get(i)->key, real(qz_config_number(c, i)));
    put_rope(w, c, f);
    put_window(w, c, f);
    put_ids(w, c);
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-6 * fmax(fabs(a), fabs(b)); }

/* What the written file would be read as, against what the keys say: the first that differs. */
static const char *other_part(qz_config *a, qz_config *b) {
    const qz_rope *x = &a->rope, *y = &b->rope;
    if (a->vocab_size != b->vocab_size || a->hidden_size != b->hidden_size || a->layers != b->layers ||
        a->intermediate_size != b->intermediate_size || a->heads != b->heads || a->kv_heads != b->kv_heads ||
        a->head_dim != b->head_dim || a->max_position != b->max_position)
        return "sizes";
    if (a->qkv_bias != b->qkv_bias || a->o_bias != b->o_bias || a->mlp_bias != b->mlp_bias) return "biases";
    if (a->tie_embeddings != b->tie_embeddings || a->qk_norm != b->qk_norm) return "norms or the tied embedding";
    if (a->sliding_window != b->sliding_window || memcmp(a->layer_sliding, b->layer_sliding, a->layers) != 0)
        return "layers with a window";
    for (int i = 0; i < QZ_LAYER_FLAGS; i++)
        if (memcmp(qz_config_layer_flag(a, i), qz_config_layer_flag(b, i), a->layers) != 0)
            return "options of single layers";
    for (int i = 0; i < QZ_NUMBERS; i++)
        if (!near(qz_config_number(a, i), qz_config_number(b, i))) return qz_number_get(i)->key;
    if (!near(a->rms_norm_eps, b->rms_norm_eps) || !near(a->attn_softcap, b->attn_softcap) ||
        !near(a->logit_softcap, b->logit_softcap))
        return "rms_norm_eps or softcapping";
    if (x->kind != y->kind || !near(x->theta, y->theta) || a->rotary_dim != b->rotary_dim ||
        !near(x->local_theta, y->local_theta))
        return "rotary positions";
    if (!near(x->query_beta, y->query_beta)) return "the growth of queries";
    if (x->kind != QZ_ROPE_NONE && !near(x->factor, y->factor)) return "the factor of rotary positions";
    if (x->kind == QZ_ROPE_YARN && (x->original_max_position != y->original_max_position ||
                                    !near(x->attention_factor, y->attention_factor) ||
                                    !near(x->beta_fast, y->beta_fast) || !near(x->beta_slow, y->beta_slow)))
        return "yarn's settings";
    return b->keys.n_refused ? b->keys.refused : NULL;
}

qz_status qz_gguf_rebuild_config(const qz_model *m, json_t **out, qz_error *err) {
    qz_config own = m->config, back = {0};
    const qz_config *c = &own;
    qz_error why = {0};
    writer w = {json_object(), true};
    *out = NULL;
    if (c->experts) return json_decref(w.root), cannot(m, "how experts' weights are normalized is in no key", err);
    if (c->rope.has_freq_factors || c->rope.kind == QZ_ROPE_LONGROPE || c->rope.kind == QZ_ROPE_LLAMA3)
        return json_decref(w.root), cannot(m, "it holds factors of rotary positions, and no key says what made them",
                                           err);
    if (w.root) put_all(&w, c);
    qz_status st = w.root && w.ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    if (st == QZ_OK && qz_config_from_json(w.root, "config.json", &back, &why) != QZ_OK) st = cannot(m, why.text, err);
    const char *part = st == QZ_OK ? other_part(&own, &back) : NULL;
    if (part) st = cannot(m, part, err);
    if (st == QZ_OK) *out = w.root;
    else json_decref(w.root);
    return st;
}

static qz_status add_text(qz_artifact_plan *p, const char *name, const qz_str *s, qz_arena *arena, qz_error *err) {
    char *copy = s->failed ? NULL : qz_arena_strndup(arena, s->ptr, s->len);
    if (!copy) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    p->files[p->n_files++] = (qz_artifact_file){ .name = name, .bytes = s->len, .text = copy };
    return QZ_OK;
}

qz_status qz_gguf_rebuild_files(qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    const qz_tokenizer *t = p->context->tokenizer;
    qz_str tokenizer = {0}, config = {0};
    if (t == NULL) return qz_plan_note(p, arena, err, "config.json is made from the keys of '%s'", p->model->path);
    qz_status st = qz_tokenizer_to_json(t, &tokenizer, &config, err);
    if (st == QZ_OK) st = add_text(p, "tokenizer.json", &tokenizer, arena, err);
    if (st == QZ_OK) st = add_text(p, "tokenizer_config.json", &config, arena, err);
    qz_str_release(&tokenizer);
    qz_str_release(&config);
    if (st != QZ_OK) return st;
    return qz_plan_note(p, arena, err,
                        "config.json, tokenizer.json and tokenizer_config.json are made from the keys of '%s': what a "
                        "checkpoint has besides (generation defaults, licence) comes with --config-dir",
                        p->model->path);
}
