#include "plan/levels.h"
#include "codecs/types.h"
#include "artifacts/schemes.h"
#include "artifacts/artifact.h"
#include "artifacts/gguf_ftypes.h"
#include "base/size.h"
#include "base/str.h"
#include "formats/gguf.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const qz_level_info levels[QZ_LEVEL_COUNT] = {
#define QZ_LEVEL(id, ...) [QZ_LEVEL_##id] = {__VA_ARGS__},
#include "plan/levels.def"
#undef QZ_LEVEL
};
const qz_level_info *qz_level_get(qz_level l) { return &levels[l]; }

static void lower(const char *text, char out[48]) {
    size_t i = 0;
    for (; text[i] && i < 47; i++) out[i] = (char)tolower((unsigned char)text[i]);
    out[i] = 0;
}

/* A whole name, or what stands before or behind its colon ("awq", "q4_k_m"): the first row wins. */
qz_status qz_level_parse(const char *text, qz_level *out, qz_error *err) {
    char want[48], have[48];
    qz_near near = {.word = want};
    lower(text, want);
    if (strcmp(want, "int8:w8a8") == 0 || strcmp(want, "w8a8") == 0) /* its old name */
        return *out = QZ_LEVEL_CT_INT8, QZ_OK;
    qz_scheme_spec whole; /* a scheme without a level means what quantize makes of it, where plan has that level */
    char name[96] = "";
    if (strchr(want, ':') == NULL && strcmp(want, "gguf") != 0 &&
        qz_scheme_parse(want, &whole, &(qz_error){0}) == QZ_OK)
        (void)snprintf(name, sizeof name, "%s:%s", want, qz_scheme_get(whole.scheme)->default_level);
    for (int i = 0; name[0] && i < QZ_LEVEL_COUNT; i++)
        if (strcasecmp(levels[i].name, name) == 0) return *out = (qz_level)i, QZ_OK;
    if (qz_ftype_by_name(text) != QZ_FTYPE_COUNT) QZ_TRY(qz_scheme_one_of(text, err)); /* "nvfp4" */
    if (strchr(text, ':') == NULL && qz_ftype_by_name(text) != QZ_FTYPE_COUNT && strcasecmp(text, "bf16") != 0)
        return *out = (qz_level)(QZ_LEVEL_GGUF_F32 + (int)qz_ftype_by_name(text)), QZ_OK;
    for (int i = 0; i < QZ_LEVEL_COUNT; i++) {
        lower(levels[i].name, have);
        char *colon = strchr(have, ':');
        if (strcmp(want, have) == 0) return *out = (qz_level)i, QZ_OK;
        (void)qz_near_as(&near, have, levels[i].name);
        if (colon && strcmp(want, colon + 1) == 0) return *out = (qz_level)i, QZ_OK;
        if (colon) (void)qz_near_as(&near, colon + 1, levels[i].name);
        if (colon) *colon = 0;
        if (strcmp(want, have) == 0 && strcmp(have, "gguf") != 0) return *out = (qz_level)i, QZ_OK;
    }
    if (strcmp(want, "gguf") == 0) return *out = QZ_LEVEL_GGUF_Q4_K_M, QZ_OK;
    if (strchr(want, '+') && qz_scheme_parse(want, &whole, &(qz_error){0}) == QZ_OK) { /* flags weigh little */
        (void)snprintf(name, sizeof name, "%s:%s", qz_scheme_get(whole.scheme)->name, whole.level);
        for (int i = 0; i < QZ_LEVEL_COUNT; i++)
            if (strcasecmp(levels[i].name, name) == 0) return *out = (qz_level)i, QZ_OK;
    }
    return qz_fail(err, QZ_EUSAGE,
                   "unknown format '%s': nearest known is '%s'; 'quantz plan MODEL --formats all' lists every one",
                   text, near.best);
}

/* ---- bytes of one tensor ---- */
static uint64_t elems_of(const qz_shape_tensor *t) { return t->rows * t->cols * t->count; }

static double coded_bytes(const qz_level_info *i, const qz_shape_tensor *t) {
    double groups = i->group == 1 ? 0 : (double)t->rows;
    if (i->group > 1) groups *= (double)((t->cols + i->group - 1) / i->group);
    double bits = (double)i->bits * (double)t->rows * (double)t->cols + groups * (i->scale_bits + i->zero_bits);
    return (double)t->count * (bits / 8 + i->tensor_bytes + i->column_bytes * (double)t->cols);
}
static bool coded(const qz_shape_tensor *t) { return t->role == QZ_ROLE_LINEAR || t->role == QZ_ROLE_EXPERT; }

static void account(const qz_shape *s, const qz_shape_tensor *t, uint64_t bytes, qz_weighed *w, double *read) {
    w->bytes += bytes;
    switch (t->role) {
    case QZ_ROLE_EMBED:
        w->embed_bytes += bytes;
        if (s->tied) *read += (double)bytes;
        break;
    case QZ_ROLE_HEAD: w->head_bytes += bytes, *read += (double)bytes; break;
    case QZ_ROLE_EXPERT:
        w->linear_bytes += bytes;
        w->expert_bytes += bytes;
        *read += (double)bytes * (double)s->experts_used / (double)t->count;
        break;
    case QZ_ROLE_LINEAR: w->linear_bytes += bytes, *read += (double)bytes; break;
    case QZ_ROLE_ROUTER:
    case QZ_ROLE_FLOAT:
    case QZ_ROLE_ROPE_FREQS: w->float_bytes += bytes, *read += (double)bytes; break;
    }
}

/* The tensors of GGUF behind one of the shape: kv_b of latent attention is two stacks of a matrix a head there. */
static size_t in_gguf(const qz_shape *s, qz_ftype f, const qz_shape_tensor *x, qz_mix_tensor out[2]) {
    const bool plain = x->role == QZ_ROLE_FLOAT || x->role == QZ_ROLE_ROUTER || x->role == QZ_ROLE_ROPE_FREQS;
    const uint64_t nope = s->config.latent.nope, v = s->config.latent.v;
    out[0] = (qz_mix_tensor){x->gguf, {x->cols, x->rows, x->count, 1}, 1, x->use, x->layer};
    if (plain) out[0].source = x->use == QZ_USE_KEPT ? qz_ftype_kept(f, x->layer, x->n_dims) : 0;
    if (x->use != QZ_USE_KV_B || nope == 0 || x->rows != s->heads * (nope + v)) return 1;
    out[0] = (qz_mix_tensor){"attn_k_b.weight", {nope, x->cols, s->heads, 1}, 1, QZ_USE_OTHER, x->layer};
    out[1] = (qz_mix_tensor){"attn_v_b.weight", {x->cols, v, s->heads, 1}, 1, QZ_USE_OTHER, x->layer};
    return 2;
}

static qz_status weigh_gguf(const qz_shape *s, qz_ftype f, bool imatrix, uint64_t *bytes, qz_weighed *w,
                            qz_error *err) {
    size_t n = s->n_tensors, all = 0;
    qz_mix_tensor *t = qz_calloc_array(2 * n, sizeof *t);
    qz_mix_choice *c = qz_calloc_array(2 * n, sizeof *c);
    qz_status st = t && c ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", s->name);
    if (st != QZ_OK) goto out;
    for (size_t i = 0; i < n; i++) all += in_gguf(s, f, &s->tensors[i], t + all);
    qz_mix_model m = {s->gguf_arch, s->layers, s->heads, s->kv_heads, s->experts, imatrix};
    QZ_GOTO(qz_gguf_mix(&m, f, NULL, t, all, c, err));
    for (size_t i = 0, k = 0; i < n; i++) {
        qz_mix_tensor parts[2];
        bytes[i] = 0;
        for (size_t end = k + in_gguf(s, f, &s->tensors[i], parts); k < end; k++) {
            const qz_gguf_type *type = qz_gguf_type_get(c[k].type);
            bytes[i] += t[k].ne[0] / type->elems * type->bytes * t[k].ne[1] * t[k].ne[2];
            w->imatrix_required |= c[k].needs_imatrix;
            if (c[k].quantizable && c[k].type != c[k].wanted)
                w->substituted += t[k].ne[0] * t[k].ne[1] * t[k].ne[2], w->n_substituted++;
        }
    }
out:
    qz_free(t);
    qz_free(c);
    return st;
}

static qz_status weigh_codes(const qz_shape *s, const qz_level_info *i, uint64_t *bytes, qz_error *err) {
    for (size_t k = 0; k < s->n_tensors; k++) {
        const qz_shape_tensor *t = &s->tensors[k];
        if (t->role == QZ_ROLE_ROPE_FREQS) bytes[k] = 0; /* GGUF alone stores them */
        else if (i->kind == QZ_LEVEL_FLOAT || !coded(t)) bytes[k] = 2 * elems_of(t);
        else if (i->group > 1 && i->scale_bits >= 8 && t->cols % i->group && strncmp(i->name, "bnb:", 4) != 0)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "%s does not fit: tensor '%s': %llu columns are no multiple of the group of %u; choose a "
                           "smaller group or GGUF",
                           i->title, t->name, (unsigned long long)t->cols, i->group);
        else if (t->rows % i->rows_of || t->cols % i->cols_of) {
            const bool by_rows = t->rows % i->rows_of != 0;
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "%s does not fit: tensor '%s' [%llu, %llu]: expected %s in multiples of %u; choose GGUF",
                           i->title, t->name, (unsigned long long)t->rows, (unsigned long long)t->cols,
                           by_rows ? "rows" : "columns", by_rows ? i->rows_of : i->cols_of);
        } else bytes[k] = (uint64_t)(coded_bytes(i, t) + 0.5);
    }
    return QZ_OK;
}

qz_status qz_level_weigh(const qz_shape *s, qz_level l, bool imatrix, uint64_t *bytes_of, qz_weighed *out,
                         qz_error *err) {
    const qz_level_info *i = &levels[l];
    *out = (qz_weighed){0};
    uint64_t *bytes = bytes_of ? bytes_of : qz_calloc_array(s->n_tensors, sizeof *bytes);
    if (bytes == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", s->name);
    qz_status st = i->kind == QZ_LEVEL_GGUF ? weigh_gguf(s, i->ftype, imatrix, bytes, out, err)
                                            : weigh_codes(s, i, bytes, err);
    double read = 0;
    for (size_t k = 0; k < s->n_tensors && st == QZ_OK; k++) account(s, &s->tensors[k], bytes[k], out, &read);
    out->read_bytes = (uint64_t)(read + 0.5);
    out->bpw = s->params ? 8.0 * (double)out->bytes / (double)s->params : 0;
    if (bytes != bytes_of) qz_free(bytes);
    return st;
}

qz_status qz_level_file(qz_run *run, const qz_shape *s, qz_level l, bool imatrix, const char *source_dir,
                        qz_level_files *out, qz_error *err) {
    qz_scheme_spec spec;
    qz_error ignored = {0};
    *out = (qz_level_files){0};
    if (!s->runs || levels[l].kind == QZ_LEVEL_FLOAT || qz_scheme_parse(levels[l].name, &spec, &ignored) != QZ_OK)
        return QZ_OK;
    /* a folder carries files of the source over */
    if (source_dir == NULL && qz_scheme_get(spec.scheme)->directory) return QZ_OK;
    qz_arena arena = {0};
    qz_model *m = NULL;
    qz_artifact_plan p;
    qz_artifact_context ctx = {.has_imatrix = imatrix, .source_dir = source_dir, .name = s->name};
    QZ_TRY(qz_model_from_config(&s->config, s->name, &m, err));
    qz_status st = qz_artifact_plan_make(run, m, &spec, &ctx, &arena, &p, err);
    if (st == QZ_OK) *out = (qz_level_files){true, p.total_bytes, p.weight_bytes - p.head_bytes, false};
    qz_model_free(m);
    qz_arena_release(&arena);
    return st;
}

const char *qz_level_scheme(qz_level l) {
    qz_scheme_spec spec;
    /* one layout under two names: row scales, dynamic activations */
    const char *name = l == QZ_LEVEL_FP8_CHANNEL ? "ct:fp8_dynamic" : levels[l].name;
    if (qz_scheme_parse(name, &spec, &(qz_error){0}) != QZ_OK) return NULL;
    return name;
}


qz_status qz_plan_levels(const char *text, qz_arena *arena, qz_level **out, size_t *n, qz_error *err) {
    static const qz_level usual[] = {QZ_LEVEL_BF16, QZ_LEVEL_FP8_TENSOR, QZ_LEVEL_CT_INT8, QZ_LEVEL_AWQ_G128,
                                     QZ_LEVEL_GPTQ_G128,
                                     QZ_LEVEL_CT_W4A16, QZ_LEVEL_CT_MXFP4, QZ_LEVEL_CT_NVFP4, QZ_LEVEL_BNB_NF4,
                                     QZ_LEVEL_NF4_DOUBLE,
                                     QZ_LEVEL_GGUF_Q8_0, QZ_LEVEL_GGUF_Q6_K, QZ_LEVEL_GGUF_Q5_K_M, QZ_LEVEL_GGUF_Q4_K_M,
                                     QZ_LEVEL_GGUF_IQ4_XS,
                                     QZ_LEVEL_GGUF_Q3_K_M, QZ_LEVEL_GGUF_Q2_K};
    bool all = strcmp(text, "all") == 0, gguf = strcmp(text, "gguf") == 0;
    *out = qz_arena_alloc(arena, QZ_LEVEL_COUNT + strlen(text) + 1, sizeof **out);
    *n = 0;
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    if (strcmp(text, "default") == 0) {
        memcpy(*out, usual, sizeof usual);
        *n = sizeof usual / sizeof usual[0];
        return QZ_OK;
    }
    for (int i = 0; i < QZ_LEVEL_COUNT && (all || gguf); i++)
        if (all || qz_level_get((qz_level)i)->kind == QZ_LEVEL_GGUF) (*out)[(*n)++] = (qz_level)i;
    for (qz_piece p; !all && !gguf && qz_list_next(&text, &p);) {
        char one[64];
        (void)snprintf(one, sizeof one, "%.*s", (int)qz_min_size(p.n, 63), p.at);
        QZ_TRY(qz_level_parse(one, &(*out)[*n], err));
        (*n)++;
    }
    return *n ? QZ_OK
              : qz_fail(err, QZ_EUSAGE, "no format is asked for; use --formats, for example --formats awq,Q4_K_M");
}

const char *qz_level_named(const qz_shape *s, qz_level l, char buf[64]) {
    const char *scheme = s->runs ? qz_level_scheme(l) : NULL;
    const bool there = qz_level_get(l)->kind == QZ_LEVEL_FLOAT; /* nothing is made */
    (void)snprintf(buf, 64, "%s%s", scheme ? scheme : qz_level_get(l)->name,
                   scheme || there ? "" : " (by another tool)");
    return buf;
}
