#include "artifacts/gguf_deviations.h"
#include "artifacts/artifacts_int.h"
#include "base/json.h"
#include <stdio.h>
#include <string.h>

#define OTHERS "other log-probabilities"
/* Largest differences of log-probabilities between llama.cpp and the model on the test models, families-2.md
 * section 14. */
#define UP_TO(figure) "up to " figure " apart on the family's test model"

/* The one that is looked for, and how many were passed. */
typedef struct {
    size_t left;
    bool found;
    qz_gguf_deviation *out;
} search;

static void put(search *s, qz_deviates how, const char *size, const char *fmt, ...) QZ_PRINTF(4, 5);
static void put(search *s, qz_deviates how, const char *size, const char *fmt, ...) {
    if (s->found || s->left-- > 0) return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(s->out->text, sizeof s->out->text, fmt, ap);
    va_end(ap);
    s->out->size = size;
    s->out->how = how;
    s->found = true;
}

static void rope(search *s, const qz_config *c, const qz_family_info *f) {
    const qz_rope *r = &c->rope;
    const unsigned long long trained = r->original_max_position;
    if (r->kind == QZ_ROPE_DYNAMIC)
        put(s, QZ_DEVIATES_LATER, "",
            "dynamic rope scaling (factor %g) cannot be stored in GGUF: the file runs without "
            "scaling",
            r->factor);
    if (r->kind == QZ_ROPE_YARN && !r->truncate)
        put(s, QZ_DEVIATES, UP_TO("5.8"),
            "yarn scaling with 'truncate': false cannot be stored in GGUF: the file runs "
            "with truncated bounds: " OTHERS);
    if (r->kind == QZ_ROPE_LONGROPE)
        put(s, QZ_DEVIATES_LATER, "",
            "longrope factors: llama.cpp takes the long ones for every text once its context "
            "is beyond %llu tokens: " OTHERS " for shorter texts there",
            trained);
    if (r->short_mscale > 0)
        put(s, QZ_DEVIATES, "",
            "short_mscale %g cannot be stored in GGUF: llama.cpp computes the attention factor from "
            "the lengths: " OTHERS " there",
            r->short_mscale);
    if (r->query_beta > 0 && c->latent.kv_rank)
        put(s, QZ_DEVIATES_LATER, UP_TO("5.9"),
            "queries that grow by llama_4_scaling_beta %g cannot be stored in GGUF "
            "(%s): " OTHERS " from position %llu on",
            r->query_beta, f->gguf_arch, trained);
    /* llama.cpp b11549: for grok and mistral3 alone */
    if (!f->gguf_yarn_betas && r->kind == QZ_ROPE_YARN && (r->beta_fast != 32 || r->beta_slow != 1))
        put(s, QZ_DEVIATES, "",
            "yarn scaling with beta_fast %g and beta_slow %g: llama.cpp does not read the keys for "
            "architecture %s and runs with 32 and 1: " OTHERS " there",
            r->beta_fast, r->beta_slow, f->gguf_arch);
}

static void attention(search *s, const qz_config *c, const qz_family_info *f) {
    const char *arch = f->gguf_arch;
    const double scale = qz_gguf_attn_scale(c);
    if (c->chunked && c->sliding_window != f->sliding_window)
        put(s, QZ_DEVIATES, UP_TO("11"),
            "attention_chunk_size %llu cannot be stored in GGUF: llama.cpp runs %s with "
            "%llu: " OTHERS,
            (unsigned long long)c->sliding_window, arch, (unsigned long long)f->sliding_window);
    if (c->qk_plain != qz_gguf_qk_plain(c))
        put(s, QZ_DEVIATES, "",
            "use_qk_norm cannot be stored in GGUF: llama.cpp norms queries and keys of %s unless it "
            "has 128 experts: " OTHERS,
            arch);
    if (c->sliding_window && !c->chunked && f->window != QZ_WINDOW_PATTERN)
        put(s, QZ_DEVIATES_LATER, "",
            "the sliding window of %llu tokens cannot be stored in GGUF: the file runs with "
            "full attention",
            (unsigned long long)c->sliding_window);
    if (!(f->numbers[QZ_NUMBER_attn_scale] > 0) && !c->latent.kv_rank && (float)c->attn_scale != (float)scale)
        put(s, QZ_DEVIATES, "",
            "query_pre_attn_scalar cannot be stored in GGUF: scores are scaled by %.6g there instead "
            "of %.6g: " OTHERS,
            scale, c->attn_scale);
    if (c->delta.v_heads && c->delta.k_dim != c->delta.v_dim)
        put(s, QZ_DEVIATES_STOPS, "",
            "linear_key_head_dim %llu and linear_value_head_dim %llu: llama.cpp has one width of "
            "both (ssm.state_size) and does not load the file",
            (unsigned long long)c->delta.k_dim, (unsigned long long)c->delta.v_dim);
}

static void rest(search *s, const qz_config *c, const qz_family_info *f) {
    const char *arch = f->gguf_arch;
    if (c->norm_mean && c->norm_bias)
        put(s, QZ_DEVIATES, UP_TO("14 with the router"),
            "llama.cpp computes the norms of %s without the mean: " OTHERS " there", arch);
    if (c->route == QZ_ROUTE_SPARSEMIXER)
        put(s, QZ_DEVIATES, UP_TO("14 with the norms"),
            "llama.cpp's router of %s is a softmax, its two largest to the sum "
            "1, and not the sparse mixer: " OTHERS " there",
            arch);
    for (int i = 0; i < QZ_NUMBERS; i++) /* the architecture has a number, and no key for it */
        if (i != QZ_NUMBER_route_jitter && f->numbers[i] > 0 && !*qz_number_get(i)->gguf &&
            qz_config_number(c, i) != f->numbers[i])
            put(s, QZ_DEVIATES, c->chunked ? UP_TO("11") : "",
                "%s %g cannot be stored in GGUF: llama.cpp runs %s with %g: " OTHERS, qz_number_get(i)->key,
                qz_config_number(c, i), arch, f->numbers[i]);
    if (c->experts && c->norm_topk && f->gguf_topk_as_is)
        put(s, QZ_DEVIATES, "",
            "norm_topk_prob true cannot be stored in GGUF: the weights of the chosen experts of %s do not sum to 1 "
            "there: " OTHERS, arch);
    if (c->group_max && c->groups > 1)
        put(s, QZ_DEVIATES, UP_TO("1.5"),
            "groups of experts by their largest cannot be stored in GGUF: llama.cpp takes the two largest of each: "
            OTHERS);
    if (c->experts && c->route == QZ_ROUTE_SOFTMAX && !c->norm_topk && c->groups == 0 && !f->gguf_topk_as_is)
        put(s, QZ_DEVIATES, "",
            "norm_topk_prob false cannot be stored in GGUF: the weights of the chosen experts sum to "
            "1 there: " OTHERS);
}

static const char *const how_words[] = {
    [QZ_DEVIATES_LATER] = "long texts", [QZ_DEVIATES] = "every text", [QZ_DEVIATES_STOPS] = "does not load"};
enum { N_WORDS = sizeof how_words / sizeof *how_words };

void qz_gguf_deviation_json(const qz_gguf_deviation *x, qz_str *out) {
    const struct {
        const char *key, *value;
    } rows[] = {{"{\"what\": ", x->text}, {", \"size\": ", x->size}, {", \"where\": ", how_words[x->how]}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        qz_str_puts(out, rows[i].key), qz_json_quote(out, rows[i].value, strlen(rows[i].value));
    qz_str_puts(out, "}");
}

bool qz_gguf_deviation_read(const json_t *o, qz_gguf_deviation *out) {
    const char *what = json_string_value(json_object_get(o, "what")),
               *size = json_string_value(json_object_get(o, "size")),
               *where = json_string_value(json_object_get(o, "where"));
    if (!what || !size || !where) return false;
    (void)snprintf(out->text, sizeof out->text, "%s", what);
    out->size = size;
    for (size_t i = 0; i < N_WORDS; i++)
        if (strcmp(where, how_words[i]) == 0) return out->how = (qz_deviates)i, true;
    return false;
}

bool qz_gguf_deviation_at(const qz_config *c, size_t i, qz_gguf_deviation *out) {
    const qz_family_info *f = qz_family_get(c->family);
    search s = {.left = i, .out = out};
    if (f == NULL || !f->gguf_arch) return false;
    attention(&s, c, f);
    rope(&s, c, f);
    rest(&s, c, f);
    return s.found;
}
