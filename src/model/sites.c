#include "model/sites.h"
#include "model/families.h"
#include "model/kinds.h"
#include "base/size.h"
#include <stdio.h>
#include <string.h>

static qz_sub sub_of(size_t linear) { return linear < QZ_MIXER_LINEARS ? QZ_SUB_MIXER : QZ_SUB_FFN; }
static size_t first_of(qz_sub s) { return s == QZ_SUB_MIXER ? 0 : QZ_MIXER_LINEARS; }

uint64_t qz_wide_of(const qz_config *c, qz_wide w) {
    switch (w) {
#define QZ_WIDTH(id, key, value) case QZ_WIDE_##id: return value;
#include "model/widths.def"
#undef QZ_WIDTH
    case QZ_WIDES: break;
    }
    return 0;
}
const char *qz_wide_key(qz_wide w) {
    static const char *const keys[QZ_WIDES] = {
#define QZ_WIDTH(id, key, value) [QZ_WIDE_##id] = key,
#include "model/widths.def"
#undef QZ_WIDTH
    };
    return keys[w];
}

/* A layer without experts in a model that has them has the gated MLP. */
qz_kind_id qz_kind_of(const qz_config *c, size_t l, qz_sub sub) {
    if (sub == QZ_SUB_MIXER) return (qz_kind_id)c->layer_mixer[l];
    if (c->layer_ffn[l]) return (qz_kind_id)c->layer_ffn[l];
    const qz_kind_id own = c->ffn ? c->ffn : c->experts ? QZ_KIND_EXPERTS : QZ_KIND_MLP;
    return qz_kind_get(own)->experts && !qz_config_sparse(c, l) ? QZ_KIND_MLP : own;
}
static const qz_kind *kind_at(const qz_config *c, size_t layer, qz_sub s) {
    return qz_kind_get(qz_kind_of(c, layer, s));
}
/* Inputs of a block before those of its feed-forward. */
static size_t stages_before(const qz_config *c, size_t layer) { return kind_at(c, layer, QZ_SUB_MIXER)->n_inputs; }

static bool has_bias(const qz_config *c, qz_bias b) {
    switch (b) {
    case QZ_BIAS_NONE: break;
    case QZ_BIAS_QKV: return c->qkv_bias;
    case QZ_BIAS_O: return c->o_bias;
    case QZ_BIAS_MLP: return c->mlp_bias;
    case QZ_BIAS_EXPERTS: return (c->parts & QZ_PART_EXPERT_BIAS) != 0;
    }
    return false;
}

/* ---- sites ---- */
static const qz_fused *fused_of(const qz_kind *k, size_t input) {
    return k->inputs[input].fused.set ? &k->inputs[input].fused : NULL;
}

/* What a row says without a configuration. */
static qz_site site_of_row(const qz_kind *k, size_t i, size_t first, size_t first_stage) {
    const qz_linear_row *r = &k->linears[i];
    return (qz_site){.kind = k->experts && !r->alone ? QZ_SITE_EXPERT : QZ_SITE_LINEAR, .part = (int)(first + i),
                     .parts = 1,
                     .name = r->name, .hf = r->stored ? r->stored : r->name, .gguf = r->gguf,
                     .few = r->few, .stage = first_stage + r->input, .shard = r->shard, .fused = fused_of(k, r->input),
                     .use = r->use ? r->use : QZ_USE_OTHER, .inside = r->inside};
}

/* Width of the heads of query or key that a row makes. */
static uint64_t head_of(const qz_config *c, const qz_linear_row *r) {
    return r->head ? qz_wide_of(c, r->head) : c->head_dim;
}

bool qz_site_of(const qz_config *c, size_t layer, size_t linear, qz_site *out) {
    const qz_sub sub = sub_of(linear);
    const qz_kind *k = kind_at(c, layer, sub);
    const size_t i = linear - first_of(sub);
    if (i >= k->n_linears) return false;
    const qz_linear_row *r = &k->linears[i];
    *out = site_of_row(k, i, first_of(sub), sub == QZ_SUB_MIXER ? 0 : stages_before(c, layer));
    out->rows = qz_wide_of(c, r->rows);
    out->cols = qz_wide_of(c, k->inputs[r->input].cols);
    out->bias = has_bias(c, r->bias);
    if (r->rotary) out->rotary_heads = out->rows / qz_max_size(1, head_of(c, r));
    out->gguf_rest = r->gguf_rest;
    if (r->gguf_rest) out->rest_rows = qz_wide_of(c, r->rest);
    if (r->value_rows) out->value_rows = qz_wide_of(c, r->value_rows);
    if (k->inputs[r->input].value_heads) out->value_cols = out->cols;
    if (out->rows == 0 || out->cols == 0) return false;
    const qz_family_info *f = qz_family_get(c->family);
    const char *own = k->experts ? f->expert_names[i] : sub == QZ_SUB_FFN && i < 3 ? f->mlp_names[i] : NULL;
    if (own) out->hf = own;
    out->root = qz_family_get(c->family)->root;
    if (sub == QZ_SUB_MIXER && r->use == QZ_USE_O && qz_family_get(c->family)->o_name)
        out->hf = out->name = qz_family_get(c->family)->o_name;
    if (own && (r->alone || !k->experts)) out->name = own;
    if (out->kind == QZ_SITE_EXPERT && qz_family_get(c->family)->gguf_gate_up && linear != QZ_MLP_DOWN)
        out->gguf = "ffn_gate_up_exps", out->gguf_half = linear == QZ_MLP_GATE ? 1 : 2;
    if (out->kind == QZ_SITE_EXPERT) out->experts = (size_t)c->experts;
    return true;
}

typedef struct { const qz_config *c; size_t layer; qz_site *out; size_t n; } lister;

static void norm(lister *k, qz_norm which, const char *hf, const char *gguf, uint64_t cols) {
    const qz_family_info *f = qz_family_get(k->c->family);
    const char *own = which == QZ_NORM_ATTN ? f->norm_names[0] : which == QZ_NORM_FFN ? f->norm_names[1] : NULL;
    const size_t stage = which == QZ_NORM_FFN ? stages_before(k->c, k->layer) : 0;
    k->out[k->n++] = (qz_site){.kind = QZ_SITE_NORM, .part = (int)which, .parts = 1, .hf = own ? own : hf,
                               .root = f->root, .gguf = gguf, .rows = 1,
                               .cols = cols, .stage = stage, .use = QZ_USE_KEPT,
                               .bias = k->c->norm_bias && which != QZ_NORM_Q && which != QZ_NORM_K};
}

/* The linears [first, first + parts) as one matrix. */
static void fused(lister *k, size_t first, size_t parts) {
    qz_site s, all = {0};
    for (size_t i = 0; i < parts && qz_site_of(k->c, k->layer, first + i, &s); i++) {
        if (i == 0) all = s;
        else all.rows += s.rows;
    }
    all.kind = QZ_SITE_FUSED;
    all.parts = (int)parts;
    all.name = all.hf = all.fused->hf;
    all.gguf = all.fused->gguf;
    all.use = all.fused->use;
    all.fused = NULL;
    all.bias = false;
    all.rotary_heads = 0; /* of a part of the rows only: no file has another order for them */
    k->out[k->n++] = all;
}

static void sub_module(lister *k, qz_sub sub) {
    const qz_config *c = k->c;
    const qz_kind *kind = kind_at(c, k->layer, sub);
    const char *router = qz_family_get(c->family)->router_name;
    if (kind->experts)
        k->out[k->n++] = (qz_site){.kind = QZ_SITE_ROUTER, .parts = 1,
                                   .hf = router ? router : "mlp.gate",
                                   .gguf = "ffn_gate_inp", .rows = c->experts, .cols = c->hidden_size,
                                   .bias = has_bias(c, QZ_BIAS_EXPERTS),
                                   .stage = stages_before(c, k->layer), .use = QZ_USE_KEPT};
    for (size_t i = 0; i < kind->n_linears; i++) {
        const qz_linear_row *r = &kind->linears[i];
        size_t same = 1;
        while (i + same < kind->n_linears && kind->linears[i + same].input == r->input) same++;
        if (c->fused && kind->inputs[r->input].fused.hf) {
            fused(k, first_of(sub) + i, same);
            i += same - 1;
            continue;
        }
        k->n += qz_site_of(c, k->layer, first_of(sub) + i, &k->out[k->n]);
        if (r->norm_hf && c->qk_norm)
            norm(k, r->norm, r->norm_hf, r->norm_gguf, c->qk_norm_whole ? k->out[k->n - 1].rows : head_of(c, r));
    }
    for (size_t i = 0; i < kind->n_parts; i++) {
        const qz_part_row *p = &kind->parts[i];
        const qz_site s = {.kind = QZ_SITE_PART, .part = (int)(i + (sub == QZ_SUB_FFN ? QZ_SUB_PARTS : 0)),
                           .parts = 1, .name = p->hf, .hf = p->hf, .gguf = p->gguf,
                           .value_rows = p->value_rows ? qz_wide_of(c, p->value_rows) : 0,
                           .rates = p->rates, .taps = p->taps, .module = p->module,
                           .rows = qz_wide_of(c, p->rows),
                           .cols = qz_wide_of(c, p->cols),
                           .stage = sub == QZ_SUB_MIXER ? 0 : stages_before(c, k->layer), .use = QZ_USE_KEPT};
        if (s.rows && s.cols && (p->when == 0 || c->parts & p->when)) k->out[k->n++] = s;
    }
}

size_t qz_sites(const qz_config *c, size_t layer, qz_site out[QZ_MAX_SITES]) {
    lister k = {.c = c, .layer = layer, .out = out};
    const uint64_t d = c->hidden_size;
    if (!c->no_norms_before) norm(&k, QZ_NORM_ATTN, "input_layernorm", "attn_norm", d);
    sub_module(&k, QZ_SUB_MIXER);
    if (c->norms_after) norm(&k, QZ_NORM_ATTN_OUT, "post_attention_layernorm", "post_attention_norm", d);
    if (!c->no_norms_before && !c->parallel)
        norm(&k, QZ_NORM_FFN, c->norms_after ? "pre_feedforward_layernorm" : "post_attention_layernorm",
             qz_family_get(c->family)->ffn_norm_as_stored ? "post_attention_norm" : "ffn_norm", d);
    sub_module(&k, QZ_SUB_FFN);
    if (c->norms_after) norm(&k, QZ_NORM_FFN_OUT, "post_feedforward_layernorm", "post_ffw_norm", d);
    return k.n;
}

const char *qz_outer_name(const qz_config *c, qz_outer which, const char *suffix, char buf[QZ_SITE_NAME]) {
    const qz_family_info *f = qz_family_get(c->family);
    const char *const names[] = {"embed_tokens", "embed_positions", f->final_name ? f->final_name : "norm"};
    (void)snprintf(buf, QZ_SITE_NAME, "%s%s.%s", f->root ? f->root : "model.", names[which], suffix);
    return buf;
}

bool qz_token_site_of(const qz_config *c, int i, qz_token_site *out) {
    const uint64_t all = c->layers * c->token.width;
    const qz_token_site sites[QZ_TOKEN_SITES] = {
        [QZ_TOKEN_EMBED] = {"model.embed_tokens_per_layer", "per_layer_token_embd", c->token.rows, all, QZ_USE_EMBED},
        [QZ_TOKEN_MATRIX] = {"model.per_layer_model_projection", "per_layer_model_proj", all, c->hidden_size,
                             QZ_USE_KEPT},
        [QZ_TOKEN_GAINS] = {"model.per_layer_projection_norm", "per_layer_proj_norm", 1, c->token.width, QZ_USE_KEPT}};
    *out = sites[i];
    return all > 0;
}

bool qz_site_name(const qz_site *s, size_t layer, size_t expert, const char *suffix, char *buf, size_t size) {
    char inner[96];
    const char *at = strstr(s->hf, "%zu");
    int n = at ? snprintf(inner, sizeof inner, "%.*s%zu%s", (int)(at - s->hf), s->hf, expert, at + 3)
               : snprintf(inner, sizeof inner, "%s", s->hf);
    if (n < 0 || (size_t)n >= sizeof inner) return false;
    const bool whole = s->kind == QZ_SITE_PART;
    n = snprintf(buf, size, "%slayers.%zu.%s%s%s", s->root ? s->root : "model.", layer, inner,
                 whole ? "" : ".", whole ? "" : suffix);
    return n > 0 && (size_t)n < size;
}

/* Site i of a kind as qz_site_known counts them: its linears, its fused matrices, norms of heads. */
static bool known_of(const qz_kind *k, size_t first, size_t i, qz_site *out) {
    if (i < k->n_linears) {
        *out = site_of_row(k, i, first, 0);
        return true;
    }
    i -= k->n_linears;
    for (size_t l = 0; l < k->n_linears; l++) {
        const qz_linear_row *r = &k->linears[l];
        const qz_fused *f = fused_of(k, r->input);
        const bool starts = f && f->hf && (l == 0 || k->linears[l - 1].input != r->input);
        if (starts && i-- == 0) {
            *out = (qz_site){.kind = QZ_SITE_FUSED, .part = (int)(first + l), .parts = 1, .name = f->hf, .hf = f->hf,
                             .gguf = f->gguf, .shard = r->shard};
            return true;
        }
        if (r->norm_hf && i-- == 0) {
            *out = (qz_site){.kind = QZ_SITE_NORM, .part = (int)r->norm, .parts = 1, .name = r->norm_hf,
                             .hf = r->norm_hf, .gguf = r->norm_gguf};
            return true;
        }
    }
    return false;
}

/* How many known_of has. */
static size_t known_count(const qz_kind *k) {
    size_t n = k->n_linears;
    for (size_t l = 0; l < k->n_linears; l++) {
        const qz_linear_row *r = &k->linears[l];
        const qz_fused *f = fused_of(k, r->input);
        if (f && f->hf && (l == 0 || k->linears[l - 1].input != r->input)) n++;
        if (r->norm_hf) n++;
    }
    return n;
}

bool qz_site_known(size_t i, qz_site *out) {
    for (int k = 0; k < QZ_KIND_COUNT; k++) {
        const qz_kind *kind = qz_kind_get((qz_kind_id)k);
        if (!qz_kind_runs((qz_kind_id)k) || kind->again) continue;
        const size_t n = known_count(kind);
        if (i < n) return known_of(kind, first_of(qz_kind_sub((qz_kind_id)k)), i, out);
        i -= n;
    }
    const qz_kind *experts = qz_kind_get(QZ_KIND_SHARED_EXPERTS);
    for (int f = 0; f < QZ_FAMILY_COUNT; f++)
        for (size_t l = 0; l < experts->n_linears; l++) {
            const char *own = qz_family_get((qz_family)f)->expert_names[l];
            if (own == NULL || i-- != 0) continue;
            *out = site_of_row(experts, l, QZ_MIXER_LINEARS, 0);
            out->hf = own;
            return true;
        }
    return false;
}

void qz_sites_biases(qz_config *c, bool (*has)(const void *file, const char *gguf), const void *file) {
    /* of experts: the family's row says it */
    bool *const flags[] = {[QZ_BIAS_QKV] = &c->qkv_bias, [QZ_BIAS_O] = &c->o_bias, [QZ_BIAS_MLP] = &c->mlp_bias,
                           [QZ_BIAS_EXPERTS] = NULL};
    for (int k = 0; k < QZ_KIND_COUNT; k++) {
        const qz_kind *kind = qz_kind_get((qz_kind_id)k);
        for (size_t i = kind->n_linears; i-- > 0;) {
            const qz_linear_row *r = &kind->linears[i];
            /* the first decides: it comes last */
            if (r->bias != QZ_BIAS_NONE && flags[r->bias]) *flags[r->bias] = has(file, r->gguf);
        }
    }
}

const char *qz_last_word(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* ---- inputs ---- */
void qz_input_widths_of(const qz_config *c, qz_input_widths *out) {
    *out = (qz_input_widths){.layers = c->layers, .experts = c->experts};
    for (int i = 0; i < QZ_WIDES; i++)
        if (qz_wide_key((qz_wide)i)) out->wide[i] = qz_wide_of(c, (qz_wide)i);
    for (int s = 0; s < QZ_SUBS; s++)
        for (size_t l = 0; l < c->layers; l++) out->kind[s][l] = (uint8_t)qz_kind_of(c, l, (qz_sub)s);
}
static const qz_kind *kind_in(const qz_input_widths *w, size_t layer, qz_sub s) {
    return qz_kind_get((qz_kind_id)w->kind[s][layer]);
}
static size_t mixer_stages(const qz_input_widths *w, size_t layer) { return kind_in(w, layer, QZ_SUB_MIXER)->n_inputs; }

bool qz_inputs_sparse(const qz_input_widths *w, size_t layer) {
    return layer < w->layers && kind_in(w, layer, QZ_SUB_FFN)->experts;
}
size_t qz_stages(const qz_input_widths *w, size_t layer) {
    return mixer_stages(w, layer) + kind_in(w, layer, QZ_SUB_FFN)->n_inputs;
}

/* Inputs of one expert; those behind them in the feed-forward are of all tokens again. */
static size_t own_inputs(const qz_kind *k) {
    size_t n = 0;
    for (size_t i = 0; i < k->n_linears; i++)
        if (!k->linears[i].alone) n = k->linears[i].input + 1;
    return n;
}
size_t qz_inputs(const qz_input_widths *w, size_t layer) {
    if (layer == w->layers) return 1;
    const qz_kind *k = kind_in(w, layer, QZ_SUB_FFN);
    const size_t before = mixer_stages(w, layer), own = own_inputs(k);
    return before + (k->experts ? 1 + own * (size_t)w->experts + k->n_inputs - own : k->n_inputs);
}

/* What the linears of a stage read, of the block itself or of an expert. */
static qz_input input_at_stage(const qz_input_widths *w, size_t layer, size_t stage, long expert) {
    const size_t before = mixer_stages(w, layer);
    const qz_sub sub = stage < before ? QZ_SUB_MIXER : QZ_SUB_FFN;
    const qz_kind *k = kind_in(w, layer, sub);
    const size_t at = sub == QZ_SUB_MIXER ? stage : stage - before;
    const qz_input_row *r = &k->inputs[at];
    qz_input in = {.stage = stage, .expert = expert, .cols = (size_t)w->wide[r->cols], .sub = sub,
                   .first_of_sub = at == 0, .inside = at > 0 || r->inside, .residual = r->residual, .fold = r->fold,
                   .fused = fused_of(k, at)};
    for (size_t i = k->n_linears; i-- > 0;)
        if (k->linears[i].input == at) in.first = first_of(sub) + i, in.n++;
    return in;
}

qz_input qz_input_at(const qz_input_widths *w, size_t layer, size_t i) {
    if (layer == w->layers) return (qz_input){.expert = -1, .cols = (size_t)w->wide[QZ_WIDE_HIDDEN]};
    const size_t before = mixer_stages(w, layer), own = own_inputs(kind_in(w, layer, QZ_SUB_FFN)),
                 alone = before + 1 + own * (size_t)w->experts;
    if (!qz_inputs_sparse(w, layer) || i < before) return input_at_stage(w, layer, i, -1);
    if (i == before)
        return (qz_input){.stage = before, .expert = -1, .cols = (size_t)w->wide[QZ_WIDE_HIDDEN], .sub = QZ_SUB_FFN,
                          .fold = QZ_FOLD_SHARED};
    if (i >= alone) return input_at_stage(w, layer, before + own + i - alone, -1);
    return input_at_stage(w, layer, before + (i - before - 1) % own, (long)((i - before - 1) / own));
}

static size_t index_of(const qz_input_widths *w, size_t layer, size_t stage, long expert) {
    const qz_kind *k = kind_in(w, layer, QZ_SUB_FFN);
    const size_t before = mixer_stages(w, layer), own = own_inputs(k);
    if (expert < 0) return k->experts && stage >= before + own ? stage - own + 1 + own * (size_t)w->experts : stage;
    return before + 1 + own * (size_t)expert + (stage - before);
}
size_t qz_input_of(const qz_input_widths *w, size_t layer, size_t linear, long expert) {
    const qz_sub sub = sub_of(linear);
    const size_t input = kind_in(w, layer, sub)->linears[linear - first_of(sub)].input;
    return index_of(w, layer, (sub == QZ_SUB_MIXER ? 0 : mixer_stages(w, layer)) + input, expert);
}
size_t qz_site_input(const qz_input_widths *w, size_t layer, const qz_site *s, size_t expert) {
    return index_of(w, layer, s->stage, s->experts ? (long)expert : -1);
}
qz_input qz_stage_input(const qz_input_widths *w, size_t layer, size_t stage) {
    const size_t before = mixer_stages(w, layer);
    if (stage >= qz_stages(w, layer)) return (qz_input){.stage = stage, .expert = -1};
    const bool expert = qz_inputs_sparse(w, layer) && stage >= before &&
                        stage < before + own_inputs(kind_in(w, layer, QZ_SUB_FFN));
    return input_at_stage(w, layer, stage, expert ? 0 : -1);
}

qz_fold qz_fold_of(const qz_config *c, size_t layer, const qz_input *in) {
    const qz_kind *k = kind_at(c, layer, in->sub);
    const qz_input_row *r = &k->inputs[in->sub == QZ_SUB_MIXER ? in->stage : in->stage - stages_before(c, layer)];
    qz_fold f = {.kind = in->fold, .norm = in->sub == QZ_SUB_MIXER ? QZ_NORM_ATTN : QZ_NORM_FFN, .share = 1};
    if (f.kind == QZ_FOLD_NORM && c->no_norms_before) f.kind = QZ_FOLD_NONE;
    if (f.kind == QZ_FOLD_NORM && c->parallel) f.kind = QZ_FOLD_SHARED;
    if (f.kind == QZ_FOLD_ROWS) f.linear = first_of(in->sub) + r->from;
    if (f.kind == QZ_FOLD_ROWS && r->heads) f.width = (size_t)c->head_dim, f.share = (size_t)(c->heads / c->kv_heads);
    return f;
}

size_t qz_widest_input(const qz_input_widths *w) {
    size_t widest = (size_t)w->wide[QZ_WIDE_HIDDEN]; /* of the output matrix */
    for (size_t l = 0; l < w->layers; l++)
        for (size_t s = 0; s < qz_stages(w, l); s++) {
            const size_t cols = qz_stage_input(w, l, s).cols;
            if (cols > widest) widest = cols;
        }
    return widest;
}

static void at_least(uint64_t *most, uint64_t n) {
    if (*most < n) *most = n;
}
void qz_step_widths_of(const qz_config *c, qz_step_widths *out) {
    *out = (qz_step_widths){0};
    for (size_t l = 0; l < c->layers; l++)
        for (int s = 0; s < QZ_SUBS; s++) {
            const qz_kind *k = kind_at(c, l, (qz_sub)s);
            for (size_t i = 0; i < k->n_linears; i++)
                if (!k->inputs[k->linears[i].input].residual && !k->linears[i].inside)
                    at_least(&out->linear[first_of((qz_sub)s) + i], qz_wide_of(c, k->linears[i].rows));
            for (size_t i = 1; i < k->n_inputs; i++)
                if (!k->inputs[i].in_place) at_least(&out->input[s][i], qz_wide_of(c, k->inputs[i].cols));
        }
}
uint64_t qz_step_floats(const qz_config *c) {
    qz_step_widths w;
    uint64_t n = 3 * c->hidden_size;
    qz_step_widths_of(c, &w);
    for (size_t i = 0; i < QZ_LINEARS; i++) n += w.linear[i];
    for (int s = 0; s < QZ_SUBS; s++)
        for (size_t i = 0; i < QZ_SUB_INPUTS; i++) n += w.input[s][i];
    return n;
}

const char *qz_input_text(const qz_input_widths *w, size_t layer, const qz_input *in, char buf[QZ_SITE_NAME]) {
    const qz_kind *k = kind_in(w, layer, in->sub);
    const char *name = k->linears[in->n ? in->first - first_of(in->sub) : 0].name, *word = qz_last_word(name);
    if (in->expert < 0) return name;
    (void)snprintf(buf, QZ_SITE_NAME, "expert %ld %.*s", in->expert, (int)strcspn(word, "_"), word);
    return buf;
}
