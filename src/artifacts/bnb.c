/* bitsandbytes scheme: a checkpoint folder as transformers 5.23 saves it. Source: formats/hf-bitsandbytes.md sections 5
 * to 8. 4 bit: X.weight uint8 [N·K/2, 1], X.weight.absmax, X.weight.quant_map, nested scales,
 * X.weight.quant_state.bitsandbytes__nf4; int8: X.weight, X.SCB, X.weight_format. No calibration. Everything else
 * keeps its type. */
#include "artifacts/bnb_int.h"
#include "artifacts/folder_floats.h"
#include "artifacts/loose.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const levels[] = {
#define QZ_BNB_LEVEL(id, level, ...) [QZ_BNB_##id] = level,
#include "artifacts/scheme_levels.def"
};
static const char *level_at(size_t i) { return i < sizeof levels / sizeof *levels ? levels[i] : NULL; }

/* The type that kernels compute in, as transformers spells it. */
static const struct { const char *flag, *name; } computes[] = {
    {"bf16", "bfloat16"}, {"fp16", "float16"}, {"fp32", "float32"}};

static qz_status parse_flags(qz_scheme_spec *s, const char *flags, qz_error *err) {
    for (const char *p = flags; *p;) {
        const size_t n = strcspn(p, "+");
        const bool twice = strncmp(p, "double", n) == 0 && n == 6;
        const char *compute = NULL;
        for (size_t i = 0; i < sizeof computes / sizeof *computes; i++)
            if (strlen(computes[i].flag) == n && strncmp(p, computes[i].flag, n) == 0) compute = computes[i].name;
        if ((!twice && !compute) || (compute && s->compute))
            return qz_fail(err, QZ_EUSAGE,
                           "unknown flag '+%s' of scheme 'bnb': expected +double, and one of +bf16, +fp16, +fp32",
                           flags);
        s->nested = s->nested || twice;
        if (compute) s->compute = compute;
        p += n + (p[n] == '+');
    }
    return QZ_OK;
}

static qz_status parse(qz_scheme_spec *s, const char *level, const char *flags, qz_error *err) {
    size_t k = 0;
    char low[8] = "";
    for (size_t i = 0; i < sizeof low - 1 && level[i]; i++) low[i] = (char)tolower((unsigned char)level[i]);
    while (level_at(k) && strcmp(low, levels[k])) k++;
    if (!level_at(k)) return QZ_EUSAGE; /* the caller names the nearest */
    s->bnb = (qz_bnb_kind)k;
    QZ_TRY(parse_flags(s, flags, err));
    if ((s->nested || s->compute) && s->bnb == QZ_BNB_INT8)
        return qz_fail(err, QZ_EUSAGE, "bnb:int8 has one scale a row and no +%s", flags);
    s->bits = s->bnb == QZ_BNB_INT8 ? 8 : 4;
    s->group_size = s->bnb == QZ_BNB_INT8 ? 0 : QZ_BNB_BLOCK;
    snprintf(s->level, sizeof s->level, "%s", levels[k]);
    return QZ_OK;
}

/* ---- plan ---- */
static qz_status quantizes(const qz_artifact_plan *p, const qz_slot *s, bool *yes, qz_error *err) {
    (void)p;
    (void)err;
    *yes = s->linear >= 0;
    return QZ_OK;
}

static size_t absmax_blocks(const qz_artifact_item *it) {
    return (it->rows * it->cols + QZ_BNB_BLOCK - 1) / QZ_BNB_BLOCK;
}
static size_t nested_blocks(const qz_artifact_item *it) {
    return (absmax_blocks(it) + QZ_BNB_NESTED - 1) / QZ_BNB_NESTED;
}

/* Shortest decimal form that reads back as the same double, with a point, as Python prints it. */
static void print_double(double v, char out[32]) {
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, v);
        if (strtod(out, NULL) == v) break;
    }
    if (!strpbrk(out, ".en")) memcpy(out + strlen(out), ".0", 3);
}

/* The quant_state as Python's json prints it. The plan knows sizes before it knows offsets: with nested scales the text
 * is filled up with spaces, which every JSON reader skips. deviates: the library's text ends with the brace. */
size_t qz_bnb_state_text(const qz_scheme_spec *s, const qz_artifact_item *it, float offset, char out[QZ_BNB_STATE]) {
    char number[32] = "";
    int n = snprintf(out, QZ_BNB_STATE,
                     "{\"quant_type\": \"%s\", \"blocksize\": %d, \"dtype\": \"%s\", \"shape\": [%zu, %zu]",
                     levels[s->bnb], QZ_BNB_BLOCK, qz_folder_dtype_name(qz_tensor_float_type(it->source)),
                     it->rows, it->cols);
    if (!s->nested) return (size_t)(n + snprintf(out + n, QZ_BNB_STATE - (size_t)n, "}"));
    print_double((double)offset, number);
    int pad = (int)QZ_BNB_NUMBER - (int)strlen(number);
    n += snprintf(out + n, QZ_BNB_STATE - (size_t)n,
                  ", \"nested_blocksize\": %d, \"nested_dtype\": \"float32\", \"nested_offset\": %s}%*s", QZ_BNB_NESTED,
                  number, pad > 0 ? pad : 0, "");
    return (size_t)n;
}

static qz_status make_item(const qz_artifact_plan *p, qz_artifact_item *it, qz_error *err) {
    const qz_scheme_spec *s = &p->spec;
    char state[QZ_BNB_STATE];
    uint64_t k = it->cols, n = it->rows;
    it->type = QZ_TYPE_CODED;
    it->bits = s->bits;
    it->group_size = s->bnb == QZ_BNB_INT8 ? (uint32_t)it->cols : QZ_BNB_BLOCK;
    it->bytes = qz_bnb_code_bytes(s->bnb, it->rows, it->cols);
    if (s->bnb == QZ_BNB_INT8) it->bytes += 4 * n + 1;
    else
        it->bytes += 64 + (s->nested ? absmax_blocks(it) + 4 * nested_blocks(it) + 1024 : 4 * absmax_blocks(it)) +
                     qz_bnb_state_text(s, it, 0, state);
    if (k > UINT32_MAX || n > UINT32_MAX) return qz_fail(err, QZ_EUNSUPPORTED, "tensor '%s' is too large", it->name);
    return QZ_OK;
}

static size_t parts(const qz_artifact_plan *p, const qz_artifact_item *it, qz_arena *arena, qz_st_item *out) {
    const qz_scheme_spec *s = &p->spec;
    const char *x = it->out_name;
    char state[QZ_BNB_STATE];
    size_t n = 0;
    if (s->bnb == QZ_BNB_INT8) {
        out[n++] = (qz_st_item){ qz_arena_printf(arena, "%s.weight", x), QZ_ST_I8, 2, { it->rows, it->cols } };
        out[n++] = (qz_st_item){ qz_arena_printf(arena, "%s.SCB", x), QZ_ST_F32, 1, { it->rows } };
        out[n++] = (qz_st_item){ qz_arena_printf(arena, "%s.weight_format", x), QZ_ST_U8, 0, { 0 } };
    } else {
        size_t b = absmax_blocks(it);
        out[n++] = (qz_st_item){qz_arena_printf(arena, "%s.weight", x),
                                QZ_ST_U8,
                                2,
                                {qz_bnb_code_bytes(s->bnb, it->rows, it->cols), 1}};
        out[n++] =
            (qz_st_item){qz_arena_printf(arena, "%s.weight.absmax", x), s->nested ? QZ_ST_U8 : QZ_ST_F32, 1, {b}};
        out[n++] = (qz_st_item){ qz_arena_printf(arena, "%s.weight.quant_map", x), QZ_ST_F32, 1, { 16 } };
        if (s->nested) {
            out[n++] =
                (qz_st_item){qz_arena_printf(arena, "%s.weight.nested_absmax", x), QZ_ST_F32, 1, {nested_blocks(it)}};
            out[n++] = (qz_st_item){ qz_arena_printf(arena, "%s.weight.nested_quant_map", x), QZ_ST_F32, 1, { 256 } };
        }
        out[n++] = (qz_st_item){qz_arena_printf(arena, "%s.weight.quant_state.bitsandbytes__%s", x, levels[s->bnb]),
                                QZ_ST_U8,
                                1,
                                {qz_bnb_state_text(s, it, 0, state)}};
    }
    for (size_t i = 0; i < n; i++)
        if (!out[i].name) return 0;
    return n;
}

/* Keys and order of transformers 5.23. compute_dtype: the type of the weights before. A list of its own switches the
 * loader's usual one (the head) off, so it names the head too. */
static json_t *quantization(const qz_artifact_plan *p) {
    const qz_scheme_spec *s = &p->spec;
    bool four = s->bnb != QZ_BNB_INT8;
    qz_type t = p->model->loose ? qz_folder_values_type(p->model, false)
                                : qz_tensor_float_type(qz_model_linear(p->model));
    json_t *kept = s->n_modules || p->model->loose || p->model->config.experts ? qz_folder_kept(p, true) : json_null();
    if (!kept) return NULL;
    return json_pack("{s:s, s:b, s:b, s:f, s:o, s:b, s:b, s:s, s:b, s:s, s:s, s:b, s:b}", "quant_method",
                     "bitsandbytes", "_load_in_8bit", !four, "_load_in_4bit", four, "llm_int8_threshold", 6.0,
                     "llm_int8_skip_modules", kept, "llm_int8_enable_fp32_cpu_offload", 0,
                     "llm_int8_has_fp16_weight", 0,
                     "bnb_4bit_quant_type", four ? levels[s->bnb] : "fp4", "bnb_4bit_use_double_quant", s->nested,
                     "bnb_4bit_compute_dtype",
                     !four             ? "float32"
                     : p->spec.compute ? p->spec.compute
                                       : qz_folder_dtype_name(t),
                     "bnb_4bit_quant_storage", "uint8", "load_in_4bit", four, "load_in_8bit", !four);
}

static const qz_folder_kind kind = { .name = "a bitsandbytes", .quantizes = quantizes, .item = make_item,
                                     .parts = parts, .quantization = quantization,
                                     .keeps_dtype = true };

#define ROWS_NOTE                                                                                                    \
    "rows of %zu values (%s) are no multiple of %d: bitsandbytes 0.50.2 decodes them wrongly on the CPU (on CUDA it "  \
    "is right)"
static qz_status say_loose_rows(qz_artifact_plan *out, qz_arena *arena, qz_error *err) {
    const qz_tensor_view *t;
    for (size_t i = 0; out->spec.bnb != QZ_BNB_INT8 && (t = qz_loose_next(out->model, &i)) != NULL;)
        if (t->cols % QZ_BNB_BLOCK)
            return qz_plan_note(out, arena, err, ROWS_NOTE, t->cols, t->name, QZ_BNB_BLOCK);
    return QZ_OK;
}

static qz_status plan(qz_run *run, const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena,
                      qz_artifact_plan *out, qz_error *err) {
    (void)run;
    (void)ctx;
    if (m->loose) QZ_TRY(say_loose_rows(out, arena, err));
    for (size_t l = 0; l < QZ_LINEARS && !m->loose && out->spec.bnb != QZ_BNB_INT8; l++) {
        const qz_tensor_view *t = m->blocks[0].linear[l];
        qz_site s;
        if (t == NULL || t->cols % QZ_BNB_BLOCK == 0 || !qz_site_of(&m->config, 0, l, &s)) continue;
        QZ_TRY(qz_plan_note(out, arena, err, ROWS_NOTE, t->cols, s.name, QZ_BNB_BLOCK));
        break;
    }
    return qz_folder_plan(&kind, m, arena, out, err);
}

/* ---- writing ---- */
static qz_status put_nested(qz_artifact_writer *w, const qz_bnb *b, qz_error *err) {
    QZ_TRY(qz_artifact_writer_bytes(w, b->absmax_codes, b->n_absmax, err));
    QZ_TRY(qz_artifact_writer_bytes(w, b->table, 64, err));
    QZ_TRY(qz_artifact_writer_bytes(w, b->nested_absmax, (b->n_absmax + QZ_BNB_NESTED - 1) / QZ_BNB_NESTED * 4, err));
    return qz_artifact_writer_bytes(w, qz_bnb_map8, 1024, err);
}

static qz_status pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q, qz_error *err) {
    static const uint8_t row_format = 0;
    const qz_bnb *b = qz_bnb_of(q->coded);
    const qz_scheme_spec *s = &w->plan->spec;
    char state[QZ_BNB_STATE];
    if (!b || b->kind != s->bnb || (b->absmax_codes != NULL) != s->nested)
        return qz_fail(err, QZ_EBUG, "tensor '%s' comes in another type than planned", q->name);
    QZ_TRY(qz_artifact_writer_bytes(w, b->codes, qz_bnb_code_bytes(b->kind, b->rows, b->cols), err));
    if (b->kind == QZ_BNB_INT8) {
        QZ_TRY(qz_artifact_writer_bytes(w, b->absmax, 4 * b->rows, err));
        return qz_artifact_writer_bytes(w, &row_format, 1, err);
    }
    if (s->nested) QZ_TRY(put_nested(w, b, err));
    else {
        QZ_TRY(qz_artifact_writer_bytes(w, b->absmax, 4 * b->n_absmax, err));
        QZ_TRY(qz_artifact_writer_bytes(w, b->table, 64, err));
    }
    return qz_artifact_writer_bytes(w, state, qz_bnb_state_text(s, it, b->nested_offset, state), err);
}

static qz_status round_codes(qz_run *run, const qz_artifact_plan *plan, const qz_artifact_item *it, const float *w,
                             qz_arena *arena, const qz_coded **out, qz_error *err) {
    qz_bnb *b = qz_arena_alloc(arena, 1, sizeof *b);
    if (!b) return qz_fail(err, QZ_EMEMORY, "out of memory for codes of '%s'", it->name);
    *out = &b->base;
    const qz_bnb_setting how = {plan->spec.bnb, plan->spec.nested, qz_tensor_float_type(it->source), it->rows,
                                it->cols};
    return qz_bnb_quantize(run, &how, w, arena, b, err);
}

const qz_scheme_ops qz_bnb_scheme = {
    .parse = parse, .level = level_at, .plan = plan, .open = qz_folder_open, .write = qz_folder_write,
    .flush = qz_folder_flush, .pack = pack,
    .round = round_codes, .loose = true, .kind = { "bitsandbytes codes", false, true, false },
    .finish = qz_folder_finish, .close = qz_folder_close, .detect = qz_bnb_detect, .read = qz_bnb_read_model,
};
