/* AWQ scheme: a checkpoint folder in the "gemm" layout. Source: formats/hf-awq.md (AutoAWQ 0.2.9). A linear becomes
 * qweight, qzeros, scales; embedding, norms, biases and head stay float16. */
#include "artifacts/awq_int.h"
#include "base/size.h"
#include "formats/dtypes.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PACK_ROWS 64

static const char *const levels[] = {
#define QZ_AWQ_LEVEL(id, level, ...) level,
#include "artifacts/scheme_levels.def"
};
static const char *level_at(size_t i) { return i < sizeof levels / sizeof *levels ? levels[i] : NULL; }

static qz_status parse(qz_scheme_spec *s, const char *level, const char *flags, qz_error *err) {
    unsigned bits = 0, group = 0;
    char tail = 0, low[16] = "";
    for (size_t i = 0; i < sizeof low - 1 && level[i]; i++) low[i] = (char)tolower((unsigned char)level[i]);
    if (strstr(low, "g-")) /* the whole row, as GPTQ has it */
        return qz_fail(err, QZ_EUSAGE,
                       "'%s' has no groups (-1: the whole row), and AWQ's kernels read groups only: expected w4g128, "
                       "w4g64 or w4g32; gptq has whole rows",
                       level);
    if (sscanf(low, "w%ug%u%c", &bits, &group, &tail) != 2) return QZ_EUSAGE; /* the caller names the nearest */
    if (bits != 4)
        return qz_fail(err, QZ_EUSAGE,
                       "AWQ has a file format for 4 bits only: expected w4g128, w4g64 or w4g32, found '%s'", level);
    if (group != 128 && group != 64 && group != 32)
        return qz_fail(err, QZ_EUSAGE, "group size %u of AWQ is not read by its runtimes: expected 128, 64 or 32",
                       group);
    if (*flags) return qz_fail(err, QZ_EUSAGE, "unknown flag '+%s' of scheme 'awq': it has none", flags);
    s->bits = bits;
    s->group_size = group;
    s->sym = false;
    snprintf(s->level, sizeof s->level, "w%ug%u", bits, group);
    return QZ_OK;
}

/* ---- plan ---- */

static qz_status make_item(const qz_artifact_plan *p, qz_artifact_item *it, qz_error *err) {
    uint32_t g = p->spec.group_size;
    if (it->cols % g || it->rows % 32) {
        const char *hint = it->rows % 32 ? "this tensor cannot be stored in AWQ's layout; use gguf"
                           : it->cols % 64 == 0 ? "use awq:w4g64" : it->cols % 32 == 0 ? "use awq:w4g32" : "use gguf";
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "shape does not fit AWQ: tensor '%s' [%zu, %zu]: expected columns in groups of %u and rows in "
                       "multiples of 32; %s",
                       it->name, it->rows, it->cols, g, hint);
    }
    uint64_t k = it->cols, n = it->rows, groups = k / g;
    it->type = QZ_TYPE_CODED;
    it->bits = 4;
    it->group_size = g;
    it->bytes = k * n / 2 + groups * n / 2 + 2 * groups * n;
    return QZ_OK;
}

static size_t parts(const qz_artifact_plan *p, const qz_artifact_item *it, qz_arena *arena, qz_st_item *out) {
    (void)p;
    uint64_t k = it->cols, n = it->rows, g = it->cols / it->group_size;
    out[0] = (qz_st_item){ qz_arena_printf(arena, "%s.qweight", it->out_name), QZ_ST_I32, 2, { k, n / 8 } };
    out[1] = (qz_st_item){ qz_arena_printf(arena, "%s.qzeros", it->out_name), QZ_ST_I32, 2, { g, n / 8 } };
    out[2] = (qz_st_item){ qz_arena_printf(arena, "%s.scales", it->out_name), QZ_ST_F16, 2, { g, n } };
    return out[0].name && out[1].name && out[2].name ? 3 : 0;
}

static json_t *quantization(const qz_artifact_plan *p) {
    json_t *names = qz_folder_kept(p, false);
    if (names && json_array_size(names) == 0) { /* as the reference writes it */
        json_decref(names);
        names = json_null();
    }
    return names ? json_pack("{s:s, s:b, s:i, s:i, s:s, s:o}", "quant_method", "awq", "zero_point", 1, "group_size",
                             (int)p->spec.group_size, "bits", (int)p->spec.bits, "version", "gemm",
                             "modules_to_not_convert", names)
                 : NULL;
}

static const qz_folder_kind kind = { .name = "an AWQ", .quantizes = qz_folder_linears, .item = make_item,
                                     .parts = parts, .quantization = quantization };

static qz_status plan(qz_run *run, const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena,
                      qz_artifact_plan *out, qz_error *err) {
    (void)run;
    (void)ctx;
    return qz_folder_plan(&kind, m, arena, out, err);
}

/* ---- packing ---- */
static qz_status pack_words(qz_artifact_writer *w, const qz_quantized *q, const qz_int_codes *c, const size_t *map,
                            uint32_t *words, qz_error *err) {
    size_t groups = q->cols / c->group_size;
    for (size_t k = 0; k < q->cols; k += PACK_ROWS) {
        size_t k1 = qz_min_size(k + PACK_ROWS, q->cols);
        qz_awq_pack_codes(c->codes, q->rows, q->cols, map, k, k1, words);
        QZ_TRY(qz_artifact_writer_bytes(w, words, (k1 - k) * q->rows / 2, err));
    }
    for (size_t j = 0; j < groups; j++) {
        qz_awq_pack_zeros(c->zero_points, q->rows, groups, map, j, words);
        QZ_TRY(qz_artifact_writer_bytes(w, words, q->rows / 2, err));
    }
    return qz_folder_put_scales(w, q, map, err);
}

static qz_status pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q, qz_error *err) {
    size_t *map = NULL;
    const qz_int_codes *c;
    QZ_TRY(qz_folder_int_codes(q, "AWQ", false, &c, err));
    QZ_TRY(qz_folder_row_map(w, it, &map, err));
    uint32_t *words = qz_alloc_array(q->rows * PACK_ROWS / 8, sizeof *words);
    qz_status st = words ? pack_words(w, q, c, map, words, err)
                         : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    qz_free(words);
    qz_free(map);
    return st;
}

const qz_scheme_ops qz_awq_scheme = {
    .parse = parse, .level = level_at, .plan = plan, .open = qz_folder_open, .write = qz_folder_write,
    .flush = qz_folder_flush, .pack = pack,
    .round = qz_folder_round, .kind = { "integer groups", true, false, false },
    .finish = qz_folder_finish, .close = qz_folder_close, .detect = qz_awq_detect, .read = qz_awq_read_model,
};
