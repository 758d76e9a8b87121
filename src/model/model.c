#include "model/model.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/mathx.h"
#include "base/size.h"
#include "base/threads.h"
#include "codecs/types.h"
#include "model/config_experts.h"
#include "model/heads.h"
#include "model/leftovers.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void decode(const qz_tensor_view *t, size_t row, size_t n, float *y) {
    if (t->coded) {
        for (size_t i = 0; i < n; i++) qz_coded_decode_row(t->coded, t->first_row + row + i, y + i * t->cols);
        return;
    }
    const qz_type_info *info = qz_type_get(t->type);
    size_t row_bytes = t->cols / info->elems * info->bytes;
    for (size_t i = 0; i < n; i++)
        info->decode((const uint8_t *)t->data + (row + i) * row_bytes, t->cols, y + i * t->cols);
}

void qz_tensor_decode(const qz_tensor_view *t, size_t row, size_t n, float *y) {
    if (t->row_from == NULL) decode(t, row, n, y);
    for (size_t r = 0; t->row_from && r < n; r++) decode(t, t->row_from[row + r], 1, y + r * t->cols);
    for (size_t i = 0; t->add != 0 && i < n * t->cols; i++) y[i] += t->add;
    for (size_t i = 0; t->map == QZ_MAP_RATE && i < n * t->cols; i++) y[i] = (float)-qz_exp((double)y[i]);
    for (size_t i = 0; t->map == QZ_MAP_LOG && i < n * t->cols; i++) y[i] = (float)qz_log(-(double)y[i]);
    for (size_t r = 0; t->n_swaps && r < n; r++)
        for (size_t i = 0; i < t->n_swaps; i++) {
            float *a = y + r * t->cols + t->swaps[i][0], *b = y + r * t->cols + t->swaps[i][1], x = *a;
            *a = *b;
            *b = x;
        }
}

bool qz_tensor_has_values(const qz_tensor_view *t) {
    float *x = qz_alloc_array(t->cols, sizeof *x);
    bool any = x == NULL;
    for (size_t r = 0; r < t->rows && !any; r++) {
        qz_tensor_decode(t, r, 1, x);
        for (size_t k = 0; k < t->cols && !any; k++) any = x[k] != 0;
    }
    qz_free(x);
    return any;
}

void qz_tensor_forget(const qz_tensor_view *t) {
    if (t->data) qz_map_forget(t->data, t->bytes);
    else if (t->coded && t->coded->ops->forget) t->coded->ops->forget(t->coded);
}

qz_type qz_tensor_float_type(const qz_tensor_view *t) {
    if (t->coded) return t->coded->ops->float_type(t->coded);
    return t->type == QZ_TYPE_F32 || t->type == QZ_TYPE_BF16 ? t->type : QZ_TYPE_F16;
}

const char *qz_tensor_type_text(const qz_tensor_view *t, char buf[32]) {
    if (t->coded == NULL) return qz_type_get(t->type)->name;
    t->coded->ops->text(t->coded, buf);
    return buf;
}

double qz_model_bits_per_weight(const qz_model *m) {
    double bits = 0;
    for (size_t i = 0; i < m->n_tensors; i++) bits += 8.0 * (double)m->tensors[i].bytes;
    return bits / (double)qz_config_parameters(&m->config);
}

const qz_tensor_view *qz_block_linear(const qz_block *b, size_t linear, long expert) {
    if (expert < 0) return b->linear[linear];
    return b->expert[linear] ? b->expert[linear][expert] : NULL;
}
const qz_tensor_view *qz_model_linear(const qz_model *m) {
    size_t l = 0;
    while (l + 1 < QZ_LINEARS && m->blocks[0].linear[l] == NULL) l++;
    return m->blocks[0].linear[l];
}

size_t qz_model_rotary_heads(const qz_model *m, const char *name) {
    for (size_t l = 0; l < m->config.layers; l++)
        for (const qz_bound *b = m->blocks[l].sites; b < m->blocks[l].sites + m->blocks[l].n_sites; b++) {
            if (b->site.rotary_heads == 0) continue;
            if (strcmp(b->weight[0]->name, name) == 0 || (b->bias && strcmp(b->bias[0]->name, name) == 0))
                return (size_t)b->site.rotary_heads;
        }
    return 0;
}

float qz_model_lacks(const qz_model *m, const char *name) {
    if (!m->config.norm_plus_one) return 0;
    if (m->final_norm && strcmp(m->final_norm->name, name) == 0) return 1;
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t i = 0; i < m->blocks[l].n_sites; i++) {
            const qz_bound *b = &m->blocks[l].sites[i];
            if (b->site.kind == QZ_SITE_NORM && b->weight[0] && strcmp(b->weight[0]->name, name) == 0) return 1;
        }
    return 0;
}

/* Linear search is enough for one-off look-ups; binding sorts once. */
const qz_tensor_view *qz_model_find(const qz_model *m, const char *name) {
    for (size_t i = 0; i < m->n_tensors; i++)
        if (strcmp(m->tensors[i].name, name) == 0) return &m->tensors[i];
    return NULL;
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const qz_tensor_view *const *)a)->name, (*(const qz_tensor_view *const *)b)->name);
}

typedef struct {
    qz_model *m;
    const qz_tensor_view **sorted;
    uint8_t *claimed;                                /* [n_tensors] */
    qz_error *err;
    bool alone;                                      /* blocks from `first` on, and nothing around them */
    size_t first;
} binder;

static const qz_tensor_view *look_up(const binder *b, const char *name) {
    qz_tensor_view key = {.name = name};
    const qz_tensor_view *pk = &key;
    const qz_tensor_view **hit = bsearch(&pk, b->sorted, b->m->n_tensors, sizeof *b->sorted, by_name);
    return hit ? *hit : NULL;
}

/* The text model stands inside another model's names: save_pretrained of the wrapper wrote them. */
static const qz_tensor_view *wrapped(const binder *b, const char *name) {
    static const char *const prefixes[] = {"model.language_model.", "language_model.model.", "language_model."};
    char buf[QZ_SITE_NAME + 32];
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        /* in front of the name as it is */
        const bool whole = strstr(prefixes[i], "model.language") == NULL && strchr(prefixes[i], '.')[1] == 0;
        (void)snprintf(buf, sizeof buf, "%s%s", prefixes[i],
                       whole || strncmp(name, "model.", 6) != 0 ? name : name + 6);
        const qz_tensor_view *t = look_up(b, buf);
        if (t) return t;
    }
    return NULL;
}

/* Names that say how a checkpoint was saved: around the model, or without its head. */
static qz_status saved_wrongly(const binder *b, const char *name) {
    static const struct { const char *mark, *what, *todo; } marks[] = {
        {".base_layer.", "names of an unmerged PEFT adapter", "merge it into the model (merge_and_unload), then save"},
        {"base_model.model.", "names of an unmerged PEFT adapter",
         "merge it into the model (merge_and_unload), then save"},
        {"_orig_mod.", "names of torch.compile", "save the model that was compiled (its _orig_mod)"}};
    for (size_t k = 0; k < sizeof marks / sizeof marks[0]; k++)
        for (size_t i = 0; i < b->m->n_tensors; i++) {
            const qz_tensor_view *t = &b->m->tensors[i];
            if (strstr(t->name, marks[k].mark))
                return qz_fail(b->err, QZ_EUNSUPPORTED, "%s: file '%s', tensor '%s', offset %llu: expected '%s', "
                               "found names with '%s'; %s", marks[k].what, t->file, t->file_name,
                               (unsigned long long)t->offset, name, marks[k].mark, marks[k].todo);
        }
    const qz_tensor_view *t = strncmp(name, "model.", 6) == 0 ? look_up(b, name + 6) : NULL;
    if (t == NULL) return QZ_OK;
    return qz_fail(b->err, QZ_EUNSUPPORTED, "names of a saved base model: file '%s', tensor '%s', offset %llu: "
                   "expected '%s', found names without 'model.'; load it as a causal language model "
                   "(AutoModelForCausalLM), then save it", t->file, t->file_name, (unsigned long long)t->offset, name);
}

/* There under its name, with a type or rank that no weight has. */
static qz_status missing(const binder *b, const char *name) {
    QZ_TRY(saved_wrongly(b, name));
    const qz_tensor_view *w = wrapped(b, name);
    if (w)
        return qz_fail(b->err, QZ_EUNSUPPORTED,
                       "names of a wrapper: file '%s', tensor '%s', offset %llu: expected '%s', found the text model "
                       "inside another one; save its language model alone",
                       w->file, w->file_name, (unsigned long long)w->offset, name);
    for (size_t i = 0; i < b->m->n_left; i++) {
        const qz_leftover *t = &b->m->left[i];
        if (strcmp(t->name, name) != 0) continue;
        if (t->n_dims < 1 || t->n_dims > 2)
            return qz_fail(b->err, QZ_EUNSUPPORTED,
                           "wrong shape: file '%s', tensor '%s', offset %llu: expected 1 or 2 dimensions, found %u",
                           t->file, t->file_name, (unsigned long long)t->offset, t->n_dims);
        return qz_fail(b->err, QZ_EUNSUPPORTED,
                       "wrong dtype: file '%s', tensor '%s', offset %llu: expected %s, found %s", t->file, t->file_name,
                       (unsigned long long)t->offset, b->m->expected_types ? b->m->expected_types : "F32, F16 or BF16",
                       t->type);
    }
    return qz_fail(b->err, QZ_EFORMAT, "tensor '%s' is missing: model '%s'; the checkpoint is incomplete", name,
                   b->m->path);
}

/* Finds `name`, checks its shape and claims it. */
static qz_status want(const binder *b, const char *name, uint64_t rows, uint64_t cols, const qz_tensor_view **out) {
    const qz_tensor_view *t = look_up(b, name);
    *out = t;
    if (t == NULL) return missing(b, name);
    if (t->rows != rows || t->cols != cols)
        return qz_fail(b->err, QZ_EFORMAT,
                       "wrong shape: file '%s', tensor '%s', offset %llu: expected [%llu, %llu], found [%zu, %zu]",
                       t->file, t->file_name, (unsigned long long)t->offset, (unsigned long long)rows,
                       (unsigned long long)cols, t->rows, t->cols);
    b->claimed[t - b->m->tensors] = 1;
    return QZ_OK;
}

static bool same_values(const qz_tensor_view *a, const qz_tensor_view *b, float *x, float *y) {
    if (a->type == b->type && a->data && b->data)
        return a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
    for (size_t r = 0; r < a->rows; r++) {
        qz_tensor_decode(a, r, 1, x);
        qz_tensor_decode(b, r, 1, y);
        if (memcmp(x, y, a->cols * sizeof *x) != 0) return false;
    }
    return true;
}

/* The output matrix. A tied configuration with a stored head of other values is not tied: transformers
 * 5 loads it so. */
static qz_status bind_head(const binder *b) {
    static const char name[] = "lm_head.weight";
    qz_model *m = b->m;
    qz_config *c = &m->config;
    const qz_tensor_view *stored = look_up(b, name);
    m->head = m->embed;
    if (c->tie_embeddings && stored && stored->rows == c->vocab_size && stored->cols == c->hidden_size) {
        float *x = qz_alloc_array(2 * stored->cols, sizeof *x);
        if (x == NULL) return qz_fail(b->err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
        m->head_untied = !same_values(stored, m->embed, x, x + stored->cols);
        c->tie_embeddings = !m->head_untied;
        qz_free(x);
    }
    return c->tie_embeddings ? QZ_OK : want(b, name, c->vocab_size, c->hidden_size, &m->head);
}

/* Rows [row, row + n) of a view as a view of its own, for the parts of a fused matrix. */
static const qz_tensor_view *rows_of(qz_model *m, const qz_tensor_view *t, uint64_t row, uint64_t n) {
    qz_tensor_view *v = qz_arena_alloc(&m->arena, 1, sizeof *v);
    if (v == NULL) return NULL;
    *v = *t;
    v->rows = (size_t)n;
    v->bytes = t->bytes / t->rows * (size_t)n;
    if (t->coded) v->first_row = t->first_row + (size_t)row;
    else if (t->data) v->data = (const uint8_t *)t->data + t->bytes / t->rows * (size_t)row;
    v->offset = t->coded ? t->offset : t->offset + t->bytes / t->rows * row;
    return v;
}

/* What engines and methods ask for by part. */
static qz_status place(const binder *b, qz_block *blk, size_t layer, const qz_bound *s, qz_error *err) {
    const qz_tensor_view *t = s->weight[0];
    uint64_t row = 0;
    qz_site part;
    switch (s->site.kind) {
    case QZ_SITE_NORM:
        blk->norm[s->site.part] = t;
        blk->norm_bias[s->site.part] = s->bias ? s->bias[0] : NULL;
        break;
    case QZ_SITE_ROUTER:
        blk->router = t;
        blk->router_bias = s->bias ? s->bias[0] : NULL;
        break;
    case QZ_SITE_EXPERT:
        blk->expert[s->site.part] = s->weight;
        blk->expert_bias[s->site.part] = s->bias;
        break;
    case QZ_SITE_LINEAR:
        blk->linear[s->site.part] = t;
        blk->bias[s->site.part] = s->bias ? s->bias[0] : NULL;
        break;
    case QZ_SITE_FUSED:
        for (int i = s->site.part; i < s->site.part + s->site.parts; i++) {
            if (!qz_site_of(&b->m->config, layer, (size_t)i, &part)) continue;
            blk->linear[i] = rows_of(b->m, t, row, part.rows);
            if (blk->linear[i] == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", b->m->path);
            row += part.rows;
        }
        break;
    case QZ_SITE_PART: blk->part[s->site.part] = t; break;
    }
    return QZ_OK;
}

/* A feed-forward of the other kind than the configuration gives the layer, or another number of experts. */
static qz_status check_kind(const binder *b, const qz_site *s, size_t layer) {
    char name[QZ_SITE_NAME];
    const qz_config *c = &b->m->config;
    if (qz_family_get(c->family)->experts == 0) return QZ_OK;
    const bool router = s->kind == QZ_SITE_ROUTER;
    if (!router && !(s->kind == QZ_SITE_LINEAR && s->part == QZ_MIXER_LINEARS)) return QZ_OK;
    (void)qz_site_name(s, layer, 0, "weight", name, sizeof name);
    const qz_tensor_view *t = look_up(b, name);
    if (t && router && t->cols == s->cols && t->rows != s->rows)
        return qz_fail(b->err, QZ_EFORMAT,
                       "numbers of experts do not match: file '%s', tensor '%s', offset %llu: expected a row for each "
                       "of %llu experts, found %zu; correct %s",
                       t->file, t->file_name, (unsigned long long)t->offset, (unsigned long long)s->rows, t->rows,
                       c->experts_key);
    if (t) return QZ_OK;
    qz_config other = *c; /* large, and on the way to an error only */
    other.layer_dense[layer] = router;
    if (!router && other.experts == 0) other.experts = 1;
    qz_site sites[QZ_MAX_SITES];
    for (size_t i = 0, n = qz_sites(&other, layer, sites); i < n; i++) {
        if (sites[i].kind != (router ? QZ_SITE_LINEAR : QZ_SITE_ROUTER)
            || (router && sites[i].part != QZ_MIXER_LINEARS)) continue;
        (void)qz_site_name(&sites[i], layer, 0, "weight", name, sizeof name);
        t = look_up(b, name);
        if (t)
            return qz_fail(b->err, QZ_EFORMAT,
                           "layer %zu is %s: file '%s', tensor '%s', offset %llu: expected %s as the configuration "
                           "says; correct %s or %s",
                           layer, router ? "dense" : "one of experts", t->file, t->file_name,
                           (unsigned long long)t->offset, router ? "experts" : "a dense feed-forward",
                           qz_dense_keys(qz_family_get(c->family)), c->experts_key);
    }
    return QZ_OK;
}

/* Expert e of site s has no tensor: the last of them lack where the number is wrong, one between where a shard is. */
static qz_status lacks_expert(const binder *b, const qz_site *s, size_t layer, size_t e) {
    char name[QZ_SITE_NAME];
    size_t found = 0;
    for (size_t i = 0; i < s->experts; i++) {
        (void)qz_site_name(s, layer, i, "weight", name, sizeof name);
        found += look_up(b, name) != NULL;
    }
    (void)qz_site_name(s, layer, e, "weight", name, sizeof name);
    return qz_fail(b->err, QZ_EFORMAT,
                   "numbers of experts do not match: model '%s', tensor '%s': expected %zu experts as the "
                   "configuration says, found %zu; %s%s%sthe checkpoint is incomplete",
                   b->m->path, name, (size_t)s->experts, found, found == e ? "correct " : "",
                   found == e ? b->m->config.experts_key : "", found == e ? ", or " : "");
}

/* kv_b, where the container has it as matrices of each head. */
static qz_status join_heads(const binder *b, const char *name, size_t layer, const qz_tensor_view **out) {
    const qz_config *c = &b->m->config;
    const qz_tensor_view **t = qz_arena_calloc(&b->m->arena, 2 * (size_t)c->heads, sizeof *t);
    char part[QZ_SITE_NAME];
    if (t == NULL) return qz_fail(b->err, QZ_EMEMORY, "out of memory opening '%s'", b->m->path);
    for (size_t h = 0; h < c->heads; h++) {
        qz_head_name(layer, h, false, part);
        QZ_TRY(want(b, part, c->latent.kv_rank, c->latent.nope, &t[h]));
        qz_head_name(layer, h, true, part);
        QZ_TRY(want(b, part, c->latent.v, c->latent.kv_rank, &t[c->heads + h]));
    }
    *out = qz_heads_joined(b->m, name, t, t + c->heads);
    return *out ? QZ_OK : qz_fail(b->err, QZ_EMEMORY, "out of memory opening '%s'", b->m->path);
}
static bool in_heads(const binder *b, const qz_site *s, size_t layer, const char *name) {
    char part[QZ_SITE_NAME];
    qz_head_name(layer, 0, false, part);
    return s->use == QZ_USE_KV_B && look_up(b, name) == NULL && look_up(b, part) != NULL;
}

static qz_status bind_site(const binder *b, qz_block *blk, qz_bound *s, size_t layer) {
    char name[QZ_SITE_NAME];
    QZ_TRY(check_kind(b, &s->site, layer));
    const size_t n = s->site.experts ? s->site.experts : 1;
    const qz_tensor_view **w = qz_arena_calloc(&b->m->arena, n, sizeof *w);
    if (w == NULL) return qz_fail(b->err, QZ_EMEMORY, "out of memory opening '%s'", b->m->path);
    s->weight = w;
    for (size_t e = 0; e < n; e++) {
        (void)qz_site_name(&s->site, layer, e, "weight", name, sizeof name);
        if (e > 0 && look_up(b, name) == NULL && b->m->n_left == 0) return lacks_expert(b, &s->site, layer, e);
        if (in_heads(b, &s->site, layer, name)) QZ_TRY(join_heads(b, name, layer, &w[e]));
        else QZ_TRY(want(b, name, s->site.rows, s->site.cols, &w[e]));
    }
    if (s->site.bias) {
        const qz_tensor_view **bias = qz_arena_calloc(&b->m->arena, n, sizeof *bias);
        if (bias == NULL) return qz_fail(b->err, QZ_EMEMORY, "out of memory opening '%s'", b->m->path);
        s->bias = bias;
        for (size_t e = 0; e < n; e++) {
            (void)qz_site_name(&s->site, layer, e, "bias", name, sizeof name);
            QZ_TRY(want(b, name, 1, qz_site_bias(&s->site), &bias[e]));
        }
    }
    return place(b, blk, layer, s, b->err);
}

static qz_status bind_block(const binder *b, size_t layer) {
    qz_block *blk = &b->m->blocks[layer];
    qz_site sites[QZ_MAX_SITES];
    const size_t n = qz_sites(&b->m->config, layer, sites);
    *blk = (qz_block){.sites = qz_arena_calloc(&b->m->arena, n, sizeof *blk->sites), .n_sites = n};
    if (blk->sites == NULL) return qz_fail(b->err, QZ_EMEMORY, "out of memory opening '%s'", b->m->path);
    for (size_t i = 0; i < n; i++) {
        blk->sites[i].site = sites[i];
        QZ_TRY(bind_site(b, blk, &blk->sites[i], layer));
    }
    return QZ_OK;
}

static qz_status bind_whole(binder *b) {
    qz_model *m = b->m;
    const qz_config *c = &m->config;
    char name[QZ_SITE_NAME];
    QZ_TRY(want(b, qz_outer_name(c, QZ_OUTER_EMBED, "weight", name), c->vocab_size, c->hidden_size, &m->embed));
    if (c->position_rows)
        QZ_TRY(want(b, qz_outer_name(c, QZ_OUTER_POSITIONS, "weight", name), c->position_rows, c->hidden_size,
                    &m->positions));
    QZ_TRY(want(b, qz_outer_name(c, QZ_OUTER_NORM, "weight", name), 1, c->hidden_size, &m->final_norm));
    if (c->norm_bias)
        QZ_TRY(want(b, qz_outer_name(c, QZ_OUTER_NORM, "bias", name), 1, c->hidden_size, &m->final_bias));
    if (c->head_bias) QZ_TRY(want(b, "lm_head.bias", 1, c->vocab_size, &m->head_bias));
    for (int i = 0; i < QZ_TOKEN_SITES; i++) {
        qz_token_site t;
        if (!qz_token_site_of(c, i, &t)) continue;
        (void)snprintf(name, sizeof name, "%s.weight", t.hf);
        QZ_TRY(want(b, name, t.rows, t.cols, &m->token[i]));
    }
    QZ_TRY(bind_head(b));
    for (size_t i = 0; i < c->layers; i++) QZ_TRY(bind_block(b, i));
    return QZ_OK;
}

static qz_status bind_all(binder *b) {
    qz_model *m = b->m;
    const qz_config *c = &m->config;
    memset(b->claimed, 0, m->n_tensors);
    for (size_t i = 0; i < m->n_tensors; i++) b->sorted[i] = &m->tensors[i];
    if (m->n_tensors) qsort(b->sorted, m->n_tensors, sizeof *b->sorted, by_name);
    for (size_t i = 1; i < m->n_tensors; i++) {
        const qz_tensor_view *x = b->sorted[i - 1], *y = b->sorted[i];
        if (strcmp(x->name, y->name) != 0) continue;
        if (x->offset > y->offset) y = x, x = b->sorted[i];
        return qz_fail(b->err, QZ_EFORMAT,
                       "two tensors for one site: file '%s', tensor '%s', offset %llu: expected it or '%s' for '%s', "
                       "found both; delete the one that is not the model's",
                       y->file, y->file_name, (unsigned long long)y->offset, x->file_name, x->name);
    }
    for (size_t i = b->first; b->alone && i < c->layers; i++) QZ_TRY(bind_block(b, i));
    return b->alone ? QZ_OK : bind_whole(b);
}

/* Names of the text model alone; what is of other parts keeps its own. */
static qz_status unwrap_names(qz_model *m, qz_error *err) {
    static const struct { const char *prefix, *own; } rows[] = {
        {"model.language_model.", "model."}, {"language_model.model.", "model."},
        {"language_model.lm_head.", "lm_head."}};
    if (!m->config.wrapped) return QZ_OK;
    for (size_t i = 0; i < m->n_tensors + m->n_left; i++) {
        const char **name = i < m->n_tensors ? &m->tensors[i].name : &m->left[i - m->n_tensors].name;
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            const size_t n = strlen(rows[k].prefix);
            if (strncmp(*name, rows[k].prefix, n) != 0) continue;
            *name = qz_arena_printf(&m->arena, "%s%s", rows[k].own, *name + n);
            if (*name == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
            break;
        }
    }
    return QZ_OK;
}

static qz_status bind_model(qz_model *m, bool alone, size_t first, qz_error *err) {
    const size_t n = m->n_tensors;
    binder b = {.m = m, .err = err, .alone = alone, .first = first, .sorted = qz_alloc_array(n, sizeof *b.sorted),
                .claimed = qz_calloc_array(n, 1)};
    m->blocks = qz_arena_calloc(&m->arena, m->config.layers, sizeof *m->blocks);
    qz_status st = b.sorted == NULL || b.claimed == NULL || m->blocks == NULL
                       ? qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path)
                       : QZ_OK;
    if (st == QZ_OK) st = bind_all(&b);
    if (st == QZ_OK) st = qz_leftovers_collect(m, b.claimed, err);
    if (st == QZ_OK && m->n_tensors != n) st = bind_all(&b); /* the views have moved together */
    qz_free(b.sorted);
    qz_free(b.claimed);
    return st;
}

qz_status qz_model_bind(qz_model *m, qz_error *err) {
    QZ_TRY(unwrap_names(m, err));
    return bind_model(m, false, 0, err);
}
qz_status qz_model_bind_blocks(qz_model *m, size_t first, qz_error *err) { return bind_model(m, true, first, err); }

bool qz_floats_known(qz_type t) { return t == QZ_TYPE_F16 || t == QZ_TYPE_BF16 || t == QZ_TYPE_F32; }

bool qz_floats_finite(qz_type t, const void *values, size_t n) {
    const uint8_t *p = values;
    uint32_t wild = 0; /* top bit: an exponent of ones */
    if (t == QZ_TYPE_F32)
        for (size_t i = 0; i < n; i++) wild |= (qz_load_u32le(p + 4 * i) & 0x7fffffffu) + 0x00800000u;
    else {
        const uint32_t one = t == QZ_TYPE_F16 ? 0x04000000u : 0x00800000u; /* of the exponent, 16 bits up */
        for (size_t i = 0; i < n; i++) wild |= ((uint32_t)(qz_load_u16le(p + 2 * i) & 0x7fffu) << 16) + one;
    }
    return wild >> 31 == 0;
}

/* Rows of one tensor over the threads; each finds its first row with a value that is not finite. */
typedef struct { const qz_tensor_view *t; float *rows; size_t cols, *bad; } finite_job; /* rows [threads, cols] */

static void finite_rows(void *arg, qz_part part) {
    const finite_job *j = arg;
    float *row = j->rows + part.thread * j->cols;
    size_t lo, hi;
    qz_split(j->t->rows, 1, part, &lo, &hi);
    for (size_t r = lo; r < hi && r < j->bad[part.thread]; r++) {
        if (j->t->data && qz_floats_known(j->t->type)) {
            const size_t bytes = j->t->cols * qz_type_get(j->t->type)->bytes;
            if (!qz_floats_finite(j->t->type, (const uint8_t *)j->t->data + r * bytes, j->t->cols))
                j->bad[part.thread] = r;
            continue;
        }
        qz_tensor_decode(j->t, r, 1, row);
        float sum = 0; /* 0·x is NaN for NaN and inf: one pass that the compiler vectorizes */
        for (size_t k = 0; k < j->t->cols; k++) sum += 0.0f * row[k];
        if (sum != 0.0f) j->bad[part.thread] = r;
    }
}

static qz_status check_tensor(qz_run *run, const finite_job *j, qz_error *err) {
    const qz_tensor_view *t = j->t;
    qz_pool *pool = run ? run->pool : NULL;
    const size_t threads = qz_pool_size(pool);
    size_t first = SIZE_MAX;
    for (size_t i = 0; i < threads; i++) j->bad[i] = SIZE_MAX;
    finite_job job = *j;
    qz_pool_run(t->rows > 1 ? pool : NULL, 0, finite_rows, &job);
    for (size_t i = 0; i < threads; i++) first = qz_min_size(first, j->bad[i]);
    if (first == SIZE_MAX) return QZ_OK;
    qz_tensor_decode(t, first, 1, j->rows);
    size_t k = 0;
    while (k + 1 < t->cols && isfinite(j->rows[k])) k++;
    return qz_fail(err, QZ_ENONFINITE,
                   "non-finite weight: file '%s', tensor '%s', row %zu, column %zu: found %f; repair the checkpoint",
                   t->file, t->file_name, first, k, (double)j->rows[k]);
}

qz_status qz_model_check_finite(qz_run *run, const qz_model *m, qz_error *err) {
    const size_t threads = qz_pool_size(run ? run->pool : NULL);
    finite_job j = {.cols = 1, .bad = qz_alloc_array(threads, sizeof *j.bad)};
    for (size_t i = 0; i < m->n_tensors; i++) j.cols = qz_max_size(j.cols, m->tensors[i].cols);
    j.rows = qz_alloc_array(threads, j.cols * sizeof *j.rows);
    qz_status st = j.rows && j.bad ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory checking '%s'", m->path);
    qz_progress_begin(run);
    for (size_t i = 0; i < m->n_tensors && st == QZ_OK; i++) {
        j.t = &m->tensors[i];
        st = check_tensor(run, &j, err);
        /* resident memory stays one tensor */
        qz_tensor_forget(&m->tensors[i]);
        qz_progress_step(run, "checking weights", i + 1, m->n_tensors, "tensors");
    }
    qz_progress_end(run);
    qz_free(j.rows);
    qz_free(j.bad);
    return st;
}

void qz_model_free(qz_model *m) {
    if (m == NULL) return;
    if (m->close) m->close(m);
    qz_arena_release(&m->arena);
    qz_free(m);
}
