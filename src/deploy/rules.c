/* The predicates that rules.def names, and the loop over the rows. */
#include "deploy/preflight_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALL_ENGINES ((1u << QZ_RUNTIME_COUNT) - 1u)
#define ANY_ENGINE (ALL_ENGINES | 1u << QZ_RUNTIME_NONE)
#define ALL_KINDS ((1u << QZ_DEPLOY_COUNT) - 1u)
_Static_assert(QZ_RUNTIME_COUNT < 31 && QZ_DEPLOY_COUNT < 31, "engines and kinds are bits of a set");

typedef struct rule rule;
typedef struct {
    const qz_deploy_shape *s;
    const qz_deploy_spec *spec;
    const qz_target *t;
    qz_findings *f;
    const char *near;      /* nearest setting, for rows without a fix of their own */
    uint64_t tp;
    char engine[64];
} rule_check;
struct rule {
    const char *id, *code;
    unsigned engines, kinds;
    void (*test)(const rule_check *j, const rule *r);
    uint64_t a, b;
    const char *list;
    qz_finding_level level;
    const char *why, *fix, *source;
};

#define REPORT(j, r, subject, ...) report(j, r, (r)->level, subject, __VA_ARGS__)
static void report(const rule_check *j, const rule *r, qz_finding_level level, const char *subject, const char *fmt,
                   ...) QZ_PRINTF(5, 6);
static void report(const rule_check *j, const rule *r, qz_finding_level level, const char *subject, const char *fmt,
                   ...) {
    if (j->f->arena == NULL) {
        j->f->count[level]++;
        return;
    }
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *source = qz_arena_printf(j->f->arena, "%s (%s)", r->id, r->source);
    const qz_finding x = {.code = r->code, .level = level, .subject = subject,
                          .fix = r->fix ? r->fix : j->near ? j->near : "",
                          .source = source ? source : r->source};
    qz_findings_add(j->f, &x, "%s%s%s", text, *r->why ? ": " : "", r->why);
}
static unsigned long long ull(uint64_t x) { return x; }

/* ---- the engine as such ---- */
static const char *where(const rule_check *j) { return qz_runtime_label(j->t->engine, (char *)j->engine); }

static void test_LOADS(const rule_check *j, const rule *r) {
    const qz_loads *l = qz_loads_get(j->spec->kind, j->t->engine);
    const char *title = qz_deploy_get(j->spec->kind)->title;
    if (l == NULL)
        report(j, r, QZ_FINDING_NOTE, "", "whether %s loads %s is unknown here: try it before you rely on it", where(j),
               title);
    else if (l->how == QZ_REFUSES)
        report(j, r, qz_runtime_sure(j->t->engine) ? QZ_FINDING_ERROR : QZ_FINDING_WARN, "",
               "%s does not load %s%s%s", where(j), title, *l->note ? ": " : "", l->note);
}
static void test_NO_GPU(const rule_check *j, const rule *r) {
    if (j->t->host) REPORT(j, r, "", "%s serves on GPUs, %s has none", where(j), j->t->host);
}
static void test_CAPABILITY(const rule_check *j, const rule *r) {
    const qz_loads *l = qz_loads_get(j->spec->kind, j->t->engine);
    if (l && l->how != QZ_REFUSES && j->t->cc && j->t->cc < l->cc)
        REPORT(j, r, "", "%s needs compute capability %u.%u for %s, this card has %u.%u", where(j), l->cc / 10,
               l->cc % 10, qz_deploy_get(j->spec->kind)->title, j->t->cc / 10, j->t->cc % 10);
}
static void test_NATIVE(const rule_check *j, const rule *r) {
    const qz_loads *l = qz_loads_get(j->spec->kind, j->t->engine);
    if (l && l->how == QZ_RUNS && j->t->cc >= l->cc && j->t->cc && j->t->cc < l->native_cc)
        REPORT(j, r, "", "%s runs %s fully from capability %u.%u, this card has %u.%u%s%s", where(j),
               qz_deploy_get(j->spec->kind)->title, l->native_cc / 10, l->native_cc % 10, j->t->cc / 10, j->t->cc % 10,
               *l->note ? "; " : "", l->note);
}
static void test_DEQUANTIZED(const rule_check *j, const rule *r) {
    const qz_loads *l = qz_loads_get(j->spec->kind, j->t->engine);
    if (l && l->how == QZ_DEQUANTIZES)
        REPORT(j, r, "", "%s dequantizes %s on load%s%s", where(j), qz_deploy_get(j->spec->kind)->title,
               *l->note ? " (" : "", *l->note ? l->note : "");
}
static void test_BF16_CC(const rule_check *j, const rule *r) {
    const char *dtype = j->spec->dtype ? j->spec->dtype : j->s->dtype;
    if (j->spec->kind == QZ_DEPLOY_GGUF) return; /* holds its own types */
    if (j->t->cc && j->t->cc < r->a && strcmp(dtype, "bfloat16") == 0)
        REPORT(j, r, "torch_dtype", "bfloat16 on compute capability %u.%u", j->t->cc / 10, j->t->cc % 10);
}
static void test_BF16_AWQ(const rule_check *j, const rule *r) {
    const char *dtype = j->spec->dtype ? j->spec->dtype : j->s->dtype;
    const qz_loads *l = qz_loads_get(j->spec->kind, j->t->engine);
    if (l && j->t->cc && j->t->cc < l->native_cc && strcmp(dtype, "bfloat16") == 0)
        REPORT(j, r, "torch_dtype", "the model is bfloat16");
}
static void test_LORA(const rule_check *j, const rule *r) {
    if (j->t->lora)
        REPORT(j, r, "", "%s cannot put LoRA adapters on %s", where(j), qz_deploy_get(j->spec->kind)->title);
}

/* ---- the scheme ---- */
static bool listed(const char *list, long v) {
    for (qz_piece p; qz_list_next(&list, &p);)
        if (strtol(p.at, NULL, 10) == v) return true;
    return false;
}
static bool in_names(const char *list, const char *name) {
    for (qz_piece p; qz_list_next(&list, &p);)
        if (qz_piece_is(p, name)) return true;
    return false;
}
static void test_BITS(const rule_check *j, const rule *r) {
    if (!listed(r->list, (long)j->spec->bits))
        REPORT(j, r, "bits", "%u bits, supported are %s", j->spec->bits, r->list);
}
/* Widths and formats that younger releases of the library brought; list: widths that every release packs. */
static void test_NEW_PACKING(const rule_check *j, const rule *r) {
    const qz_deploy_info *k = qz_deploy_get(j->spec->kind);
    if (!listed(r->list, (long)j->spec->bits))
        REPORT(j, r, "",
               "%s of %u bits needs a compressed-tensors package of 0.%llu to 0.%llu or younger (the first version is "
               "not known exactly)",
               k->title, j->spec->bits, ull(r->a), ull(r->b));
}
static void test_SYM(const rule_check *j, const rule *r) {
    if (!j->spec->sym) REPORT(j, r, "sym", "sym is false");
}
static void test_ASYM_BITS(const rule_check *j, const rule *r) {
    if (!j->spec->sym && j->spec->bits != r->a && j->spec->bits == 8 && j->t->cc && j->t->cc < r->b)
        REPORT(j, r, "sym", "asymmetric %u-bit weights", j->spec->bits);
}
/* list: the inputs meant. a: the one capability whose kernel takes them; 0: it is the same on all. */
static void test_INPUTS(const rule_check *j, const rule *r) {
    if (!in_names(r->list, j->spec->inputs)) return;
    const unsigned cc = j->t->cc;
    if (r->a == 0) REPORT(j, r, "input_activations", "%s inputs of %u-bit weights", j->spec->inputs, j->spec->bits);
    else if (cc && cc != r->a)
        REPORT(j, r, "input_activations", "%s inputs of %u-bit weights on compute capability %u.%u", j->spec->inputs,
               j->spec->bits, cc / 10, cc % 10);
    else if (cc == 0)
        report(j, r, QZ_FINDING_WARN, "input_activations", "%s inputs of %u-bit weights", j->spec->inputs,
               j->spec->bits);
}
static void test_PLAIN_SCALES(const rule_check *j, const rule *r) {
    if (j->spec->plain_scales)
        REPORT(j, r, "weight_scale", "scales are named weight_scale; %s reads weight_scale_inv", where(j));
}
static void test_ACT_ORDER(const rule_check *j, const rule *r) {
    if (j->spec->act_order && j->spec->group_size > 0)
        REPORT(j, r, "desc_act", "act-order with groups of %ld", j->spec->group_size);
}
static void test_ACT_ORDER_TP(const rule_check *j, const rule *r) {
    if (j->spec->act_order && j->spec->group_size > 0 && j->tp > 1)
        REPORT(j, r, "desc_act", "act-order on %llu GPUs", ull(j->tp));
}
static void test_GROUPS(const rule_check *j, const rule *r) {
    if (j->spec->group_size && !listed(r->list, j->spec->group_size))
        REPORT(j, r, "group_size", "group_size %ld, supported are %s", j->spec->group_size, r->list);
}
static void test_VERSION(const rule_check *j, const rule *r) {
    if (j->spec->version[0] && strcasecmp(j->spec->version, r->list) != 0)
        REPORT(j, r, "version", "AWQ layout '%s', expected '%s'", j->spec->version, r->list);
}
static void test_AWQ_SYM(const rule_check *j, const rule *r) {
    if (!j->spec->zero_point) REPORT(j, r, "zero_point", "zero_point is false");
}
static void test_V1_ASYM(const rule_check *j, const rule *r) {
    if (j->spec->v1 && !j->spec->sym) REPORT(j, r, "checkpoint_format", "asymmetric in format v1");
}
static void test_TIED_HEAD(const rule_check *j, const rule *r) {
    if (j->spec->lm_head && j->s->tied) REPORT(j, r, "lm_head", "lm_head is quantized and tied to the embedding");
}

static void test_CODED_HEAD(const rule_check *j, const rule *r) {
    if (j->spec->lm_head && !j->s->tied) REPORT(j, r, "lm_head", "lm_head is quantized in compressed-tensors");
}

/* ---- shapes and tensor parallelism ---- */
#define EACH_LINEAR(l) for (const qz_deploy_linear *l = j->s->linears; l < j->s->linears + j->s->n; l++)

static void test_COLS_GROUP(const rule_check *j, const rule *r) {
    if (j->spec->group_size > 0) EACH_LINEAR(l)
    if (l->cols % (uint64_t)j->spec->group_size)
        REPORT(j, r, l->name, "%llu inputs are not a multiple of group_size %ld", ull(l->cols), j->spec->group_size);
}
static void test_ROW_BLOCK(const rule_check *j, const rule *r) {
    EACH_LINEAR(l)
        if (j->spec->block && l->cols % j->spec->block == 0) continue; /* the chosen type fits */
        else if (l->cols % r->b)
            REPORT(j, r, l->name, "%llu inputs are not a multiple of %llu, the smallest block", ull(l->cols),
                   ull(r->b));
        else if (l->cols % r->a)
            REPORT(j, r, l->name, "%llu inputs are not a multiple of %llu (K and IQ types)", ull(l->cols), ull(r->a));
}
static void test_ROW_TP(const rule_check *j, const rule *r) {
    EACH_LINEAR(l)
    if (l->shard == QZ_SHARD_ROW && l->cols % j->tp)
        REPORT(j, r, l->name, "%llu inputs do not divide by %llu GPUs", ull(l->cols), ull(j->tp));
}
static void test_COL_TP(const rule_check *j, const rule *r) {
    EACH_LINEAR(l)
        if (l->shard == QZ_SHARD_COLUMN && l->rows % j->tp && !(l->fused && strcmp(l->fused, "qkv") == 0))
            REPORT(j, r, l->name, "%llu outputs do not divide by %llu GPUs", ull(l->rows), ull(j->tp));
}
static void test_ROW_GROUP_TP(const rule_check *j, const rule *r) {
    if (j->tp > 1 && j->spec->group_size > 0) EACH_LINEAR(l)
    if (l->shard == QZ_SHARD_ROW && l->cols % j->tp == 0 && l->cols % (uint64_t)j->spec->group_size == 0 &&
        l->cols / j->tp % (uint64_t)j->spec->group_size)
        REPORT(j, r, l->name, "%llu inputs / %llu GPUs = %llu, not a multiple of group_size %ld", ull(l->cols),
               ull(j->tp), ull(l->cols / j->tp), j->spec->group_size);
}
/* Outputs of a column-parallel layer on one GPU; k and v of grouped-query attention replicate above
 * their head count. */
static uint64_t rows_per_gpu(const rule_check *j, const qz_deploy_linear *l) {
    if (l->shard != QZ_SHARD_COLUMN) return l->rows;
    if (l->fused && strcmp(l->fused, "qkv") == 0 && l->rows == j->s->kv_heads * j->s->head_dim &&
        j->tp > j->s->kv_heads)
        return j->s->head_dim;
    return l->rows / j->tp;
}
static void words(const rule_check *j, const rule *r, const qz_deploy_linear *l, uint64_t n, const char *what) {
    if (n * j->spec->bits % 32)
        REPORT(j, r, l->name, "%llu %s of %u bits on each of %llu GPUs do not fill 32-bit words", ull(n), what,
               j->spec->bits, ull(j->tp));
}
static void test_COL_WORDS(const rule_check *j, const rule *r) {
    EACH_LINEAR(l) words(j, r, l, rows_per_gpu(j, l), "outputs");
}
static void test_COL_WORDS_ASYM(const rule_check *j, const rule *r) {
    if (!j->spec->sym) test_COL_WORDS(j, r);
}
static void test_ROW_WORDS(const rule_check *j, const rule *r) {
    EACH_LINEAR(l)
        if (l->shard == QZ_SHARD_ROW && l->cols % j->tp == 0) words(j, r, l, l->cols / j->tp, "inputs");
}
static void test_HEADS_TP(const rule_check *j, const rule *r) {
    if (j->s->heads == 0) return;
    if (j->s->heads % j->tp)
        REPORT(j, r, "num_attention_heads", "%llu heads do not divide by %llu GPUs", ull(j->s->heads), ull(j->tp));
    else if (j->s->kv_heads && j->s->kv_heads % j->tp && j->tp % j->s->kv_heads)
        REPORT(j, r, "num_key_value_heads", "%llu KV heads neither divide by nor divide %llu GPUs", ull(j->s->kv_heads),
               ull(j->tp));
}
static void test_TILE(const rule_check *j, const rule *r) {
    EACH_LINEAR(l) {
        uint64_t n = rows_per_gpu(j, l), k = l->shard == QZ_SHARD_ROW ? l->cols / j->tp : l->cols;
        if (n % r->a || k % r->b)
            REPORT(j, r, l->name, "[%llu, %llu] on each GPU: outputs must be a multiple of %llu, inputs of %llu",
                   ull(n), ull(k), ull(r->a), ull(r->b));
    }
}
static void test_TILE2(const rule_check *j, const rule *r) { /* either orientation of the tile fits */
    EACH_LINEAR(l) {
        uint64_t n = rows_per_gpu(j, l), k = l->shard == QZ_SHARD_ROW ? l->cols / j->tp : l->cols;
        if ((n % r->a || k % r->b) && (n % r->b || k % r->a)) REPORT(j, r, l->name,
            "[%llu, %llu] on each GPU does not fill Marlin's tiles", ull(n), ull(k));
    }
}
/* What that kernel asks of the weights: a bits, symmetric, groups of b, whole tiles of b. */
static void test_INPUTS_SHAPE(const rule_check *j, const rule *r) {
    if (!in_names(r->list, j->spec->inputs)) return;
    if (j->spec->bits != r->a || !j->spec->sym || j->spec->group_size != (long)r->b)
        REPORT(j, r, "weights", "%u bits, group %ld, %s: expected %llu bits, group %llu, symmetric", j->spec->bits,
               j->spec->group_size, j->spec->sym ? "symmetric" : "asymmetric", ull(r->a), ull(r->b));
    EACH_LINEAR(l) {
        const uint64_t n = rows_per_gpu(j, l), k = l->shard == QZ_SHARD_ROW ? l->cols / j->tp : l->cols;
        if (n % r->b || k % r->b)
            REPORT(j, r, l->name, "[%llu, %llu] on each GPU: both must be a multiple of %llu", ull(n), ull(k),
                   ull(r->b));
    }
}
static void test_FP8_BLOCK(const rule_check *j, const rule *r) {
    uint64_t bn = j->spec->block_rows ? j->spec->block_rows : 128, bk = j->spec->block_cols ? j->spec->block_cols : 128;
    EACH_LINEAR(l) {
        if (l->shard == QZ_SHARD_ROW && j->tp > 1 && l->cols / j->tp % bk)
            REPORT(j, r, l->name, "%llu inputs / %llu GPUs = %llu, not a multiple of the %llu block", ull(l->cols),
                   ull(j->tp), ull(l->cols / j->tp), ull(bk));
        if (l->shard == QZ_SHARD_COLUMN && (j->tp > 1 || l->fused) && rows_per_gpu(j, l) % bn)
            if (j->tp > 1 || !l->last) /* the last merged part may be ragged on one GPU */
                REPORT(j, r, l->name, "%llu outputs on each of %llu GPUs are not a multiple of the %llu block",
                       ull(rows_per_gpu(j, l)), ull(j->tp), ull(bn));
    }
}
static void test_FUSED(const rule_check *j, const rule *r) {
    EACH_LINEAR(l)
    if (l->odd)
        REPORT(j, r, l->odd, "is stored as %s, other parts of the fused layer '%s' are not",
               l->scheme ? l->scheme : "?", l->fused);
}

static void test_FUSED_SCALE(const rule_check *j, const rule *r) {
    for (const qz_fused_scale *x = j->s->unequal; x < j->s->unequal + j->s->n_unequal; x++)
        if (in_names(r->list, x->scale))
            REPORT(j, r, x->tensor, "the scale is %.9g, that of '%s' is %.9g; %zu such tensor%s of '%s' in the model",
                   x->value, x->first, x->first_value, x->n, x->n == 1 ? "" : "s", x->fused);
}

/* ---- KV cache ---- */
static void test_KV_TYPE(const rule_check *j, const rule *r) {
    const char *types = qz_runtime_kv_types(j->t->engine);
    /* other spellings of the model's own type */
    static const char sixteen[] = "f16,bf16,fp16,float16,bfloat16";
    if (j->t->kv == NULL || qz_runtime_kv(j->t->engine, j->t->kv) || in_names(sixteen, j->t->kv)) return;
    if (types == NULL)
        report(j, r, QZ_FINDING_NOTE, "kv cache", "which KV cache types %s takes is unknown here", where(j));
    else
        REPORT(j, r, "kv cache", "%s has no KV cache type '%s': it takes %s", where(j), j->t->kv, types);
}
static bool kv_blocks(const char *kv) { return kv && (kv[0] == 'q' || kv[0] == 'Q' || strncasecmp(kv, "iq", 2) == 0); }
static void test_KV_HEAD_DIM(const rule_check *j, const rule *r) {
    if (kv_blocks(j->t->kv) && j->s->head_dim % r->a)
        REPORT(j, r, "head_dim", "head_dim %llu is not a multiple of %llu", ull(j->s->head_dim), ull(r->a));
}
static void test_KV_FLASH(const rule_check *j, const rule *r) {
    if (kv_blocks(j->t->kv)) REPORT(j, r, "kv cache", "%s cache", j->t->kv);
}

static void test_MOE_HIDDEN(const rule_check *j, const rule *r) {
    if (j->s->experts && j->s->hidden % r->a)
        REPORT(j, r, "hidden_size", "hidden size %llu of a model with experts is not a multiple of %llu",
               ull(j->s->hidden), ull(r->a));
}
static void test_MOE_SAME(const rule_check *j, const rule *r) {
    if (j->s->experts) REPORT(j, r, "experts", "%llu experts", ull(j->s->experts));
}

/* ---- what compressed-tensors files say besides ---- */
static void test_STRAY_KEY(const rule_check *j, const rule *r) {
    if (j->spec->stray_key[0])
        REPORT(j, r, j->spec->stray_key, "unknown key '%s' in a config group", j->spec->stray_key);
}
static void test_STATUS(const rule_check *j, const rule *r) {
    const char *s = j->spec->status;
    if (s[0] && strcmp(s, "compressed") != 0 && strcmp(s, "frozen") != 0)
        REPORT(j, r, "quantization_status", "quantization_status '%s'", s);
}
static void test_TRANSFORMS(const rule_check *j, const rule *r) {
    if (j->spec->transforms) REPORT(j, r, "transform_config", "the file has a transform_config");
}
static void test_SPARSE(const rule_check *j, const rule *r) {
    if (j->spec->sparse) REPORT(j, r, "sparsity_config", "the file has a sparsity_config");
}
static void test_KV_FAMILY(const rule_check *j, const rule *r) {
    const bool calibrated = j->spec->kv_scheme[0] != 0;
    if (j->t->kv && strncasecmp(j->t->kv, "fp8", 3) == 0 && !calibrated && in_names(r->list, j->s->family))
        REPORT(j, r, "kv cache", "an FP8 KV cache without calibrated scales for a model of family %s", j->s->family);
}
static void test_KV_SCHEME(const rule_check *j, const rule *r) {
    if (j->spec->kv_scheme[0] && !in_names(r->list, j->spec->kv_scheme))
        REPORT(j, r, "kv_cache_scheme", "KV scheme '%s'", j->spec->kv_scheme);
}

static const rule rules[] = {
#define QZ_RULE(id, code, engines, kinds, predicate, a, b, list, level, why, fix, source) \
    {#id, code, engines, kinds, test_##predicate, a, b, list, QZ_FINDING_##level, why, fix, source},
#include "deploy/rules.def"
#undef QZ_RULE
};

void qz_rules_run(const qz_deploy_shape *s, const qz_deploy_spec *spec, const qz_target *t, const char *near,
                  qz_findings *f) {
    rule_check j = {.s = s, .spec = spec, .t = t, .f = f, .near = near, .tp = t->tp ? t->tp : 1};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].engines & 1u << t->engine && rules[i].kinds & 1u << spec->kind) rules[i].test(&j, &rules[i]);
}
bool qz_rule_at(size_t i, qz_rule_info *out) {
    if (i >= sizeof rules / sizeof rules[0]) return false;
    *out = (qz_rule_info){rules[i].code, rules[i].level, rules[i].why, rules[i].fix, rules[i].source};
    return true;
}
size_t qz_rules_count(void) { return sizeof rules / sizeof rules[0]; }
