/* GPTQ scheme: a checkpoint folder as AutoGPTQ and GPTQModel write it. Source: formats/hf-gptq.md. A linear becomes
 * qweight [K·bits/32, N] (codes along the input), qzeros [G, N·bits/32], scales [G, N], g_idx [K]; the rest stays
 * float16. Symmetric files use v1 zero points (z − 1), asymmetric ones v2 (z): no loader then guesses who
 * wrote the file. */
#include "artifacts/gptq_int.h"
#include "artifacts/module_rules.h"
#include "base/size.h"
#include "formats/dtypes.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const levels[] = {
#define QZ_GPTQ_LEVEL(id, level, ...) level,
#include "artifacts/scheme_levels.def"
};
static const char *level_at(size_t i) { return i < sizeof levels / sizeof *levels ? levels[i] : NULL; }

/* ---- parsing ---- */
static const char *const flag_names[] = { "sym", "asym", "act_order", "static_groups", "v1", "v2", "lm_head" };
enum { F_SYM = 1, F_ASYM = 2, F_ACT = 4, F_STATIC = 8, F_V1 = 16, F_V2 = 32, F_HEAD = 64, N_FLAGS = 7 };

static qz_status parse_flags(const char *flags, unsigned *out, qz_error *err) {
    *out = 0;
    for (const char *p = flags; *p;) {
        size_t n = strcspn(p, "+"), f = 0;
        while (f < N_FLAGS && (strlen(flag_names[f]) != n || strncmp(p, flag_names[f], n))) f++;
        if (f == N_FLAGS)
            return qz_fail(err, QZ_EUSAGE,
                           "unknown flag '+%.*s' of scheme 'gptq': expected +sym, +asym, +act_order, +static_groups, "
                           "+v1, +v2 or +lm_head",
                           (int)n, p);
        *out |= 1u << f;
        p += n + (p[n] == '+');
    }
    if ((*out & (F_SYM | F_ASYM)) == (F_SYM | F_ASYM) || (*out & (F_V1 | F_V2)) == (F_V1 | F_V2))
        return qz_fail(err, QZ_EUSAGE, "flags of scheme 'gptq' contradict each other: '+%s'", flags);
    if ((*out & F_STATIC) && !(*out & F_ACT))
        return qz_fail(err, QZ_EUSAGE,
                       "+static_groups changes act_order only: expected gptq:…+act_order+static_groups, found '+%s'",
                       flags);
    return QZ_OK;
}

static qz_status parse(qz_scheme_spec *s, const char *level, const char *flags, qz_error *err) {
    unsigned bits = 0, on = 0;
    int group = 0;
    char tail = 0, low[16] = "";
    for (size_t i = 0; i < sizeof low - 1 && level[i]; i++) low[i] = (char)tolower((unsigned char)level[i]);
    if (sscanf(low, "w%ug%d%c", &bits, &group, &tail) != 2) return QZ_EUSAGE; /* the caller names the nearest */
    if (!qz_gptq_bits_known((long)bits))
        return qz_fail(err, QZ_EUSAGE, "GPTQ files hold 2, 3, 4 or 8 bits: found '%s'", level);
    if (!qz_gptq_group_known(group))
        return qz_fail(err, QZ_EUSAGE,
                       "group size %d of GPTQ is not read by its runtimes: expected -1 (whole row), 16, 32, 64, 128, "
                       "256, 512 or 1024",
                       group);
    QZ_TRY(parse_flags(flags, &on, err));
    s->bits = bits;
    s->group_size = qz_group_read(group);
    s->sym = !(on & F_ASYM);
    s->act_order = on & F_ACT;
    s->static_groups = on & F_STATIC;
    s->lm_head = on & F_HEAD;
    s->v2 = (on & F_V2) || (!s->sym && !(on & F_V1));
    snprintf(s->level, sizeof s->level, "w%ug%d", bits, group);
    return QZ_OK;
}

/* ---- plan ---- */
static qz_status quantizes(const qz_artifact_plan *p, const qz_slot *s, bool *yes, qz_error *err) {
    (void)err;
    *yes = s->linear >= 0 || (p->spec.lm_head && s->t == p->model->head);
    return QZ_OK;
}

static qz_status make_item(const qz_artifact_plan *p, qz_artifact_item *it, qz_error *err) {
    qz_code_setting x;
    QZ_TRY(qz_module_setting_of(&p->spec, it->out_name, &x, err));
    uint64_t k = it->cols, n = it->rows, b = x.bits;
    const uint32_t g = (uint32_t)qz_group_columns(x.group_size, it->cols);
    const uint64_t whole = b == 3 ? 32 : 32 / b; /* values of whole 32-bit words */
    if (it->cols > UINT32_MAX || k % whole || n % whole)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "shape does not fit GPTQ: tensor '%s' [%zu, %zu]: expected rows and columns in multiples of %u "
                       "at %u bits%s",
                       it->name, it->rows, it->cols, (unsigned)whole, (unsigned)b,
                       it->linear < 0 ? "; leave out +lm_head" : "; use gguf");
    if (k % g) {
        int fits = k % 64 == 0 && g > 64 ? 64 : g > 32 ? 32 : -1;
        char use[48];
        if (qz_module_rule_of(&x) && qz_module_rule_of(&x)->group_size != QZ_AS_SCHEME && x.group_size != QZ_WHOLE_ROW)
            (void)snprintf(use, sizeof use, "use group_size:%d in its --module", fits);
        else (void)snprintf(use, sizeof use, "use gptq:w%ug%d", p->spec.bits, fits);
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "shape does not fit GPTQ: tensor '%s' [%zu, %zu]: expected columns in groups of %u; %s",
                       it->name, it->rows, it->cols, g, use);
    }
    it->type = QZ_TYPE_CODED;
    it->bits = x.bits;
    it->group_size = g;
    it->sym = x.sym;
    it->act_order = x.act_order && !p->spec.static_groups;
    it->note = x.rule ? "--module" : NULL;
    it->bytes = k * n * b / 8 + k / g * (n * b / 8 + 2 * n) + 4 * k;
    return QZ_OK;
}

static size_t parts(const qz_artifact_plan *p, const qz_artifact_item *it, qz_arena *arena, qz_st_item *out) {
    (void)p;
    uint64_t k = it->cols, n = it->rows, g = it->cols / it->group_size, b = it->bits;
    out[0] = (qz_st_item){ qz_arena_printf(arena, "%s.qweight", it->out_name), QZ_ST_I32, 2, { k * b / 32, n } };
    out[1] = (qz_st_item){ qz_arena_printf(arena, "%s.qzeros", it->out_name), QZ_ST_I32, 2, { g, n * b / 32 } };
    out[2] = (qz_st_item){ qz_arena_printf(arena, "%s.scales", it->out_name), QZ_ST_F16, 2, { g, n } };
    out[3] = (qz_st_item){ qz_arena_printf(arena, "%s.g_idx", it->out_name), QZ_ST_I32, 1, { k } };
    return out[0].name && out[1].name && out[2].name && out[3].name ? 4 : 0;
}

/* desc_act tells loaders that g_idx matters; static groups leave it trivial. meta.quantizer names this program: a
 * loader that trusts another maker's habits must not take this file for one of his. */
static json_t *quantization(const qz_artifact_plan *p) {
    const qz_scheme_spec *s = &p->spec;
    const char *version = qz_plan_provenance(p, "version");
    char maker[64];
    snprintf(maker, sizeof maker, "quantz:%.40s", version ? version : "0");
    const qz_artifact_context *how = p->context;
    json_t *q = json_pack("{s:s, s:i, s:i, s:b, s:b, s:b, s:s, s:s, s:b, s:{s:[s]}}", "quant_method", "gptq", "bits",
                          (int)s->bits, "group_size", (int)qz_group_written(s->group_size), "desc_act",
                          s->act_order && !s->static_groups, "sym", s->sym, "lm_head", s->lm_head, "checkpoint_format",
                          s->v2 ? "gptq_v2" : "gptq", "pack_dtype", "int32", "static_groups", s->static_groups, "meta",
                          "quantizer", maker);
    if (how->solved && json_object_set_new(q, "true_sequential", json_boolean(!how->together)) != 0) goto failed;
    if (how->solved && how->damp > 0 && json_object_set_new(q, "damp_percent", json_real(how->damp)) != 0) goto failed;
    if (!q || s->n_modules == 0) return q;
    json_t *dynamic = qz_module_rules_json(p);
    if (dynamic && json_object_set_new(q, "dynamic", dynamic) == 0) return q;
failed:
    json_decref(q);
    return NULL;
}

static const qz_folder_kind kind = { .name = "a GPTQ", .quantizes = quantizes, .item = make_item, .parts = parts,
                                     .quantization = quantization,
                                     .twin = "quantize_config.json" };

static qz_status plan(qz_run *run, const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena,
                      qz_artifact_plan *out, qz_error *err) {
    (void)run;
    (void)ctx;
    if (out->spec.lm_head && m->head == m->embed)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "the output matrix is the embedding (tied) and stays float: model '%s'; leave out +lm_head",
                       m->path);
    bool asym = !out->spec.sym;
    for (size_t i = 0; i < out->spec.n_modules; i++) asym |= out->spec.modules[i].sym == 0;
    if (asym && !out->spec.v2)
        QZ_TRY(qz_plan_note(out, arena, err,
                            "asymmetric zero points in v1: every z is at least 1; some loaders refuse such files of "
                            "makers they do not know, +v2 is safe"));
    return qz_folder_plan(&kind, m, arena, out, err);
}

/* ---- packing ---- */
/* Asymmetric v1 has no way to say z = 0 (section 4.3). */
static qz_status check_zeros(const qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q,
                             const qz_int_codes *c, qz_error *err) {
    size_t groups = q->cols / c->group_size, n = q->rows * groups;
    for (size_t i = 0; i < n; i++) {
        if (it->sym && c->zero_points[i] != 1u << (c->bits - 1))
            return qz_fail(err, QZ_EBUG,
                           "zero point of a symmetric file: tensor '%s', row %zu, group %zu: expected %u, found %u",
                           q->name, i / groups, i % groups, 1u << (c->bits - 1), c->zero_points[i]);
        if (!w->plan->spec.v2 && c->zero_points[i] == 0)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "GPTQ v1 cannot store zero point 0: tensor '%s', row %zu, group %zu; use +v2", q->name,
                           i / groups, i % groups);
    }
    return QZ_OK;
}

/* Up to 32 input rows at a time: at most `bits` words for each output. */
static qz_status put_codes(qz_artifact_writer *w, const qz_quantized *q, const qz_int_codes *c, const size_t *map,
                           uint32_t *words, qz_error *err) {
    for (size_t k = 0; k < q->cols; k += 32) {
        const size_t part = qz_min_size(32, q->cols - k), bytes = part * c->bits / 32 * q->rows * sizeof *words;
        memset(words, 0, bytes);
        for (size_t n = 0; n < q->rows; n++)
            qz_gptq_pack_stream(c->codes + (map ? map[n] : n) * q->cols + k, part, c->bits, q->rows, words + n);
        QZ_TRY(qz_artifact_writer_bytes(w, words, bytes, err));
    }
    return QZ_OK;
}

static qz_status put_zeros(qz_artifact_writer *w, const qz_quantized *q, const qz_int_codes *c, const size_t *map,
                           uint32_t *words, uint8_t *zeros, qz_error *err) {
    size_t groups = q->cols / c->group_size, n_words = q->rows * c->bits / 32;
    for (size_t j = 0; j < groups; j++) {
        for (size_t n = 0; n < q->rows; n++)
            zeros[n] = (uint8_t)(c->zero_points[(map ? map[n] : n) * groups + j] - !w->plan->spec.v2);
        memset(words, 0, n_words * sizeof *words);
        qz_gptq_pack_stream(zeros, q->rows, c->bits, 1, words);
        QZ_TRY(qz_artifact_writer_bytes(w, words, n_words * sizeof *words, err));
    }
    return QZ_OK;
}

static qz_status put_g_idx(qz_artifact_writer *w, const qz_quantized *q, const qz_int_codes *c, uint32_t *words,
                           qz_error *err) {
    for (size_t k = 0; k < q->cols; k++) words[k] = c->g_idx ? c->g_idx[k] : (uint32_t)(k / c->group_size);
    return qz_artifact_writer_bytes(w, words, q->cols * sizeof *words, err);
}

static qz_status pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q, qz_error *err) {
    size_t *map = NULL;
    const qz_int_codes *c;
    QZ_TRY(qz_folder_int_codes(q, "this GPTQ file", it->act_order, &c, err));
    QZ_TRY(check_zeros(w, it, q, c, err));
    QZ_TRY(qz_folder_row_map(w, it, &map, err));
    uint32_t *words = qz_alloc_array(qz_max_size(c->bits * q->rows, q->cols), sizeof *words);
    uint8_t *zeros = qz_alloc_array(q->rows, 1);
    qz_status st = words && zeros ? put_codes(w, q, c, map, words, err)
                                  : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    if (st == QZ_OK) st = put_zeros(w, q, c, map, words, zeros, err);
    if (st == QZ_OK) st = qz_folder_put_scales(w, q, map, err);
    if (st == QZ_OK) st = put_g_idx(w, q, c, words, err);
    qz_free(words);
    qz_free(zeros);
    qz_free(map);
    return st;
}

const qz_scheme_ops qz_gptq_scheme = {
    .parse = parse, .level = level_at, .plan = plan, .open = qz_folder_open, .write = qz_folder_write,
    .flush = qz_folder_flush, .pack = pack,
    .round = qz_folder_round, .kind = { "integer groups", true, false, true },
    .finish = qz_folder_finish, .close = qz_folder_close, .detect = qz_gptq_detect, .read = qz_gptq_read_model,
};
