#include "artifacts/gguf_mix.h"
#include "artifacts/tensor_types.h"
#include "artifacts/gguf_ftypes.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/gguf.h"
#include "model/tensor.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* GGUF type numbers, formats/gguf_types.def */
enum {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    IQ2_XXS = 16,
    IQ2_XS = 17,
    IQ3_XXS = 18,
    IQ1_S = 19,
    IQ4_NL = 20,
    IQ3_S = 21,
    IQ2_S = 22,
    IQ4_XS = 23,
    IQ1_M = 29,
    BF16 = 30,
    TQ1_0 = 34,
    TQ2_0 = 35,
    MXFP4 = 39,
    NVFP4 = 40,
    Q2_0 = 42
};
/* Short names of file types in the rules below. */
#define FT(id) QZ_FTYPE_##id

static const qz_ftype_info ftypes[QZ_FTYPE_COUNT] = {
#define QZ_FTYPE(id, name, number, type) [QZ_FTYPE_##id] = { name, number, type },
#include "artifacts/gguf_ftypes.def"
#undef QZ_FTYPE
};
const qz_ftype_info *qz_ftype_get(qz_ftype f) { return &ftypes[f]; }

qz_ftype qz_ftype_by_name(const char *name) {
    static const struct { const char *alias; qz_ftype f; } aliases[] = { { "Q3_K", FT(Q3_K_M) }, { "Q4_K", FT(Q4_K_M) },
                                                                         { "Q5_K", FT(Q5_K_M) } };
    for (int i = 0; i < QZ_FTYPE_COUNT; i++)
        if (strcasecmp(name, ftypes[i].name) == 0) return (qz_ftype)i;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcasecmp(name, aliases[i].alias) == 0) return aliases[i].f;
    const size_t digits = strspn(name, "0123456789"); /* the number of general.file_type, which it takes as well */
    if (digits && digits < 4 && name[digits] == 0) return qz_ftype_by_number(strtoull(name, NULL, 10));
    return QZ_FTYPE_COUNT;
}
qz_ftype qz_ftype_by_number(uint64_t file_type) {
    for (int i = 0; i < QZ_FTYPE_COUNT; i++)
        if (ftypes[i].file_type == file_type) return (qz_ftype)i;
    return QZ_FTYPE_COUNT;
}

uint32_t qz_ftype_kept(qz_ftype f, long layer, size_t n_dims) {
    const uint32_t type = qz_ftype_get(f)->type;
    return layer < 0 && n_dims == 2 && qz_floats_known(qz_type_by_ggml_id((int)type)) ? type : F32;
}

/* The reference goes by words in names. So do we where the model is not ours to know. */
static qz_use named_use(const char *name) {
    static const struct { const char *part; qz_use c; } table[] = {
        { "attn_qkv.weight", QZ_USE_QKV }, { "attn_kv_b.weight", QZ_USE_KV_B }, { "attn_v.weight", QZ_USE_V },
        { "attn_k.weight", QZ_USE_K }, { "attn_q.weight", QZ_USE_Q }, { "attn_output.weight", QZ_USE_O },
        { "ffn_up", QZ_USE_UP }, { "ffn_gate", QZ_USE_GATE }, { "ffn_down", QZ_USE_DOWN },
    };
    if (strcmp(name, "output.weight") == 0) return QZ_USE_HEAD;
    if (strcmp(name, "token_embd.weight") == 0 || strcmp(name, "per_layer_token_embd.weight") == 0) return QZ_USE_EMBED;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strstr(name, table[i].part)) return table[i].c;
    return QZ_USE_OTHER;
}
static qz_use use_of(const qz_mix_tensor *t) { return t->use != QZ_USE_UNKNOWN ? t->use : named_use(t->name); }
static bool v_like(qz_use c) { return c == QZ_USE_V || c == QZ_USE_QKV || c == QZ_USE_KV_B; }

static long layer_of(const char *name) {
    if (strncmp(name, "blk.", 4) || !isdigit((unsigned char)name[4])) return -1;
    char *end;
    long v = strtol(name + 4, &end, 10);
    return *end == '.' ? v : -1;
}
int qz_gguf_name_cmp(const char *a, const char *b) {
    long x = layer_of(a), y = layer_of(b);
    return x != y ? (x < y ? -1 : 1) : strcmp(a, b);
}

/* Section 3: never quantized, whatever the file type. */
static bool named_kept(const char *name) {
    static const char *const parts[] = {
        "_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup", "laurel", "per_layer_model_proj",
        "ssm_conv1d",
        "shortconv.conv.weight", "indexer.k_proj.weight", "indexer.q_proj.weight", "attn_rel_b.weight",
        ".position_embd", "sam.pos_embd",
        "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd", ".patch_merger", "a.rvq.codebook", "mm.a.code_embd",
        "time_mix_first.weight",
        "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight",
        "time_mix_v2.weight",
        "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_g1.weight", "time_mix_g2.weight",
        "time_mix_decay_w1.weight", "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight",
    };
    size_t n = strlen(name);
    if (n < 6 || strcmp(name + n - 6, "weight")) return true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(name, parts[i])) return true;
    return false;
}
static bool kept(const qz_mix_tensor *t, const qz_mix_options *o) {
    if (t->ne[1] == 1 && t->ne[2] == 1 && t->ne[3] == 1) return true;
    if (t->use != QZ_USE_UNKNOWN ? t->use == QZ_USE_KEPT : named_kept(t->name)) return true;
    return o->keep_output && use_of(t) == QZ_USE_HEAD;
}

typedef struct {
    const qz_mix_model *m;
    const qz_mix_options *o;
    qz_ftype f;
    uint32_t d;                       /* default type of the file type */
    uint64_t gqa, n_v;                /* heads per kv head; v-like tensors in total */
    uint64_t wv, down, gate, up;      /* visited so far */
    bool tied, is70, falcon;
} state;

static bool more_bits(uint64_t i, uint64_t n) {
    return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}
static bool any(qz_ftype f, const qz_ftype *set, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (set[i] == f) return true;
    return false;
}
#define IN(...) any(s->f, (const qz_ftype[]){__VA_ARGS__}, sizeof((const qz_ftype[]){__VA_ARGS__}) / sizeof(qz_ftype))

/* 5a */
static uint32_t output_type(const state *s, const qz_mix_tensor *t) {
    if (s->o->output_type >= 0) return (uint32_t)s->o->output_type;
    if (s->f == FT(MXFP4_MOE)) return Q8_0;
    if (s->falcon || t->ne[0] % qz_gguf_type_get(s->d)->elems) return Q8_0;
    if (IN(FT(IQ1_S), FT(IQ1_M), FT(IQ2_XXS), FT(IQ2_XS), FT(IQ2_S), FT(IQ2_M), FT(IQ3_XXS))) return Q5_K;
    return s->d == Q8_0 ? Q8_0 : Q6_K;
}
/* 5c */
static uint32_t embedding_type(const state *s) {
    if (IN(FT(IQ1_S), FT(IQ1_M), FT(IQ2_XXS), FT(IQ2_XS))) return Q2_K;
    if (IN(FT(IQ2_S), FT(IQ2_M), FT(IQ3_XXS))) return IQ3_S;
    if (IN(FT(TQ1_0), FT(TQ2_0), FT(Q2_0))) return Q4_K;
    return s->d;
}
/* 5d: the very low file types have rules of their own. */
static uint32_t low_bit_type(state *s, qz_use c) {
    bool s2 = IN(FT(IQ2_S), FT(IQ2_M));
    uint64_t e = s->m->experts;
    if (v_like(c)) {
        s->wv++;
        return s->gqa >= 4 || e >= 4 ? Q4_K : s2 ? IQ3_S : Q2_K;
    }
    if (c == QZ_USE_K && e == 8) return Q4_K;
    if (c == QZ_USE_DOWN) return s->down++ < s->m->layers / 8 ? (s2 ? IQ3_S : Q2_K) : s->d;
    if (c == QZ_USE_O) {
        if (e == 8) return Q5_K;
        if (IN(FT(IQ1_S), FT(IQ1_M))) return IQ2_XXS;
        return s2 ? IQ3_S : s->d;
    }
    return s->d;
}
/* 5e */
static uint32_t value_type(state *s) {
    uint64_t i = s->wv++;
    uint32_t t = s->d;
    bool g4 = s->gqa >= 4;
    switch ((int)s->f) {
    case FT(Q2_K): t = g4 ? Q4_K : Q3_K; break;
    case FT(Q2_K_S): case FT(IQ3_XS): case FT(IQ3_S): t = g4 ? Q4_K : s->d; break;
    case FT(IQ3_XXS): t = g4 ? Q4_K : s->m->has_imatrix ? IQ3_XXS : IQ3_S; break;
    case FT(IQ3_M): t = Q4_K; break;
    case FT(Q3_K_M): t = i < 2 ? Q5_K : Q4_K; break;
    case FT(Q3_K_L): t = Q5_K; break;
    case FT(IQ4_NL): case FT(IQ4_XS): t = g4 ? Q5_K : s->d; break;
    case FT(Q4_K_M): case FT(Q5_K_M): t = more_bits(i, s->n_v) ? Q6_K : s->d; break;
    case FT(Q4_K_S): t = i < 4 ? Q5_K : s->d; break;
    default: break;
    }
    if (s->is70 && (t == Q3_K || t == Q4_K)) t = Q5_K;
    return s->m->experts == 8 ? Q8_0 : t;
}
/* 5g */
static uint32_t down_type(const state *s, uint64_t i) {
    uint64_t n = s->m->layers;
    bool im = s->m->has_imatrix;
    switch ((int)s->f) {
    case FT(Q2_K): return Q3_K;
    case FT(Q2_K_S): return i < n / 8 ? Q4_K : s->d;
    case FT(IQ3_XXS): return im ? s->d : i < n / 8 ? Q4_K : Q3_K;
    case FT(Q3_K_M):
        if (i < n / 16) return Q5_K;
        return !s->falcon || more_bits(i, n) ? Q4_K : Q3_K;
    case FT(IQ3_M): return i < n / 8 || (s->m->experts == 8 && more_bits(i, n)) ? Q4_K : s->d;
    case FT(Q3_K_L): return s->falcon ? Q4_K : Q5_K;
    case FT(Q4_K_M):
        if (s->falcon) return i < n / 16 ? Q6_K : more_bits(i, n) ? Q5_K : Q4_K;
        return more_bits(i, n) ? Q6_K : s->d;
    case FT(IQ4_NL): case FT(IQ4_XS): return !im && i < n / 8 ? Q5_K : s->d;
    case FT(Q5_K_M): return more_bits(i, n) ? Q6_K : s->d;
    case FT(Q4_K_S): return !s->falcon && i < n / 8 ? Q5_K : s->d;
    case FT(Q4_0): return im && i < n / 8 ? Q4_1 : s->d;
    case FT(Q5_0): return im && i < n / 8 ? Q5_1 : s->d;
    default: return s->d;
    }
}
/* 5h */
static uint32_t attn_output_type(const state *s) {
    if (s->falcon) return s->f == FT(Q3_K_L) ? Q4_K : s->d;
    if (s->m->experts == 8)
        return IN(FT(Q2_K), FT(IQ3_XS), FT(IQ3_XXS), FT(Q3_K_S), FT(Q3_K_M), FT(IQ4_NL), FT(Q4_K_S), FT(Q4_K_M),
                  FT(IQ3_S), FT(IQ3_M), FT(IQ4_XS))
                   ? Q5_K
                   : s->d;
    switch ((int)s->f) {
    case FT(Q2_K): return Q3_K;
    case FT(IQ3_XXS): return IQ3_S;
    case FT(Q3_K_M): case FT(IQ3_M): return Q4_K;
    case FT(Q3_K_L): return Q5_K;
    default: return s->d;
    }
}

/* Layer index of a feed-forward tensor: the counter for dense models, the number in the name for experts. */
static qz_status ffn_index(const state *s, const qz_mix_tensor *t, uint64_t *counter, uint64_t *i, qz_error *err) {
    *i = (*counter)++;
    if (s->m->experts <= 1) return QZ_OK;
    const long l = t->use != QZ_USE_UNKNOWN ? t->layer : layer_of(t->name);
    if (l < 0 || (uint64_t)l >= s->m->layers)
        return qz_fail(err, QZ_EFORMAT, "no layer number: tensor '%s': expected 'blk.N.' with N below %llu", t->name,
                       (unsigned long long)s->m->layers);
    *i = (uint64_t)l;
    return QZ_OK;
}

static qz_status mixed_type(state *s, const qz_mix_tensor *t, qz_use c, uint32_t *out, qz_error *err) {
    uint64_t i = 0, n = s->m->layers;
    if (s->f == FT(NVFP4)) *out = c == QZ_USE_HEAD || c == QZ_USE_EMBED ? Q8_0 : s->d;
    else if (c == QZ_USE_HEAD || (c == QZ_USE_EMBED && s->tied)) *out = output_type(s, t);
    else if (s->f == FT(MXFP4_MOE)) *out = t->ne[2] > 1 ? MXFP4 : Q8_0;
    else if (c == QZ_USE_EMBED) *out = embedding_type(s);
    else if (IN(FT(IQ1_S), FT(IQ1_M), FT(IQ2_XXS), FT(IQ2_XS), FT(IQ2_S), FT(IQ2_M))) *out = low_bit_type(s, c);
    else if (v_like(c)) *out = value_type(s);
    else if (c == QZ_USE_K && s->m->experts == 8) *out = Q8_0;
    else if (c == QZ_USE_K || c == QZ_USE_Q) *out = s->f == FT(IQ3_XS) ? IQ3_XXS : s->f == FT(IQ3_XXS) ? IQ2_S : s->d;
    else if (c == QZ_USE_DOWN) {
        QZ_TRY(ffn_index(s, t, &s->down, &i, err));
        *out = down_type(s, i);
    } else if (c == QZ_USE_O) *out = attn_output_type(s);
    else if (c == QZ_USE_GATE || c == QZ_USE_UP) {
        QZ_TRY(ffn_index(s, t, c == QZ_USE_GATE ? &s->gate : &s->up, &i, err));
        *out = s->f == FT(IQ3_XS) && i >= n / 8 && i < 7 * n / 8 ? IQ3_XXS : s->d;
    } else *out = s->d;
    return QZ_OK;
}

/* Section 6: rows that are no multiple of the chosen type's block. */
static qz_status fallback(const qz_mix_tensor *t, uint32_t *type, qz_error *err) {
    const qz_gguf_type *info = qz_gguf_type_get(*type);
    if (t->ne[0] % info->elems == 0) return QZ_OK;
    switch (*type) {
    case IQ1_S:
    case IQ1_M:
    case IQ2_XXS:
    case IQ2_XS:
    case IQ2_S:
    case IQ3_XXS:
    case IQ3_S:
    case IQ4_XS: *type = IQ4_NL; break;
    case Q2_0: case Q2_K: case Q3_K: case TQ1_0: case TQ2_0: *type = Q4_0; break;
    case Q4_K: *type = Q5_0; break;
    case Q5_K: *type = Q5_1; break;
    case Q6_K: case NVFP4: *type = Q8_0; break; /* NVFP4: our own, the reference has no such mix */
    default:
        if (info->elems > 32)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "no fallback type: tensor '%s': rows of %llu values do not fit type %s (blocks of %u); "
                           "choose another level",
                           t->name, (unsigned long long)t->ne[0], info->name, info->elems);
    }
    if (t->ne[0] % qz_gguf_type_get(*type)->elems) *type = F16;
    return QZ_OK;
}

/* Section 7 */
static bool needs_imatrix(const state *s, qz_use c, uint32_t type) {
    if (c == QZ_USE_EMBED || c == QZ_USE_HEAD) return false;
    if (type == Q2_K) return s->f == FT(Q2_K_S);
    const qz_type t = qz_type_by_ggml_id((int)type);
    return t != QZ_TYPE_NONE && qz_type_get(t)->needs_importance;
}

static qz_status choose(state *s, const qz_mix_tensor *t, qz_mix_choice *out, qz_error *err) {
    *out = (qz_mix_choice){ .type = t->source, .wanted = t->source };
    if (kept(t, s->o)) return QZ_OK;
    const qz_use c = use_of(t);
    const bool floats = s->d == F32 || s->d == F16 || s->d == BF16;
    bool ruled = false;
    out->quantizable = true;
    out->wanted = s->d;
    if (c == QZ_USE_EMBED && s->o->embedding_type >= 0) out->wanted = (uint32_t)s->o->embedding_type;
    else if (c == QZ_USE_HEAD && s->o->output_type >= 0) out->wanted = (uint32_t)s->o->output_type;
    else {
        for (size_t i = 0; i < s->o->n_rules && !ruled && !floats; i++) {
            QZ_TRY(qz_mix_rule_match(&s->o->rules[i], t->name, &ruled, err));
            if (ruled) out->wanted = s->o->rules[i].type;
        }
        if (!ruled && !floats && c == QZ_USE_STORED) out->wanted = t->source;
        else if (!ruled && !floats && !s->o->pure) QZ_TRY(mixed_type(s, t, c, &out->wanted, err));
    }
    out->type = out->wanted;
    QZ_TRY(fallback(t, &out->type, err));
    out->needs_imatrix = needs_imatrix(s, c, out->type);
    return QZ_OK;
}

static int cmp_index(const void *a, const void *b, void *arg) {
    const qz_mix_tensor *t = arg;
    return qz_gguf_name_cmp(t[*(const size_t *)a].name, t[*(const size_t *)b].name);
}

qz_status qz_gguf_mix(const qz_mix_model *m, qz_ftype ftype, const qz_mix_options *options,
                      const qz_mix_tensor *tensors, size_t n, qz_mix_choice *choices, qz_error *err) {
    const qz_mix_options none = { .output_type = -1, .embedding_type = -1 };
    state s = { .m = m, .o = options ? options : &none, .f = ftype, .d = ftypes[ftype].type, .tied = true };
    s.gqa = m->kv_heads ? m->heads / m->kv_heads : 0;
    s.falcon = strcmp(m->arch, "falcon") == 0;
    s.is70 = (strcmp(m->arch, "llama") == 0 && m->layers == 80 && m->heads != m->kv_heads) ||
             (m->layers == 80 && (!strcmp(m->arch, "qwen2") || !strcmp(m->arch, "deci") || !strcmp(m->arch, "olmo"))) ||
             (m->layers == 68 && !strcmp(m->arch, "jais2"));
    size_t *order = qz_alloc_array(n, sizeof *order);
    if (!order) return qz_fail(err, QZ_EMEMORY, "out of memory: %zu tensors", n);
    for (size_t i = 0; i < n; i++) {
        order[i] = i;
        if (use_of(&tensors[i]) == QZ_USE_HEAD) s.tied = false;
        if (v_like(use_of(&tensors[i]))) s.n_v++;
    }
    if (n) qsort_r(order, n, sizeof *order, cmp_index, (void *)(uintptr_t)tensors);
    qz_status st = QZ_OK;
    for (size_t i = 0; i < n && st == QZ_OK; i++) st = choose(&s, &tensors[order[i]], &choices[order[i]], err);
    qz_free(order);
    return st;
}
