/* convert ADAPTER --to gguf: a LoRA adapter as llama.cpp takes it. */
#include "pipeline/convert_adapter.h"
#include "artifacts/adapter_gguf.h"
#include "artifacts/gguf_ftypes.h"
#include "artifacts/schemes.h"
#include "base/io.h"
#include "base/json_write.h"
#include "base/size.h"
#include "codecs/types.h"
#include "produce/outputs.h"
#include "report/table_print.h"
#include <stdio.h>
#include <strings.h>

#define CONFIG "adapter_config.json"

static bool holds(const char *dir, const char *file) {
    char *path = qz_path_join(dir, file);
    const bool yes = path && qz_path_is_dir(dir) && qz_path_exists(path);
    qz_free(path);
    return yes;
}
bool qz_is_adapter(const char *path) { return holds(path, CONFIG) && !holds(path, "config.json"); }

/* gguf alone: float32, as the converter. */
static qz_status type_of(const char *to, qz_type *out, qz_error *err) {
    static const char *const names[] = {"gguf:F32", "gguf:F16", "gguf:BF16", "gguf:Q8_0"};
    static const qz_type types[] = {QZ_TYPE_F32, QZ_TYPE_F16, QZ_TYPE_BF16, QZ_TYPE_Q8_0};
    *out = QZ_TYPE_F32;
    if (to == NULL || strcasecmp(to, "gguf") == 0) return QZ_OK;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcasecmp(to, names[i]) == 0) return *out = types[i], QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "bad format of an adapter: '%s': expected gguf:F32, gguf:F16, gguf:BF16 or gguf:Q8_0; another "
                   "scheme takes the merged model ('quantz merge')",
                   to);
}

static qz_status base_config(const qz_request *r, const qz_adapter *a, qz_config *out, qz_error *err) {
    const char *dir = r->base ? r->base : a->base;
    if (dir == NULL || !holds(dir, "config.json"))
        return qz_fail(err, QZ_EUSAGE,
                       "no base: expected --base DIR, the folder with the config.json of the model that adapter '%s' "
                       "was trained on%s%s%s",
                       a->path, dir ? ", found '" : "", dir ? dir : "", dir ? "'" : "");
    char *path = qz_path_join(dir, "config.json");
    qz_status st = path ? qz_config_load(path, out, err) : qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_free(path);
    return st;
}

/* Tensors in F16 whose rows are no whole blocks of the type that was asked for. */
static size_t other_types(const qz_adapter_gguf *g) {
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        n += g->pairs[i].a_type != g->type;
        n += g->pairs[i].b_type != g->type;
    }
    return n;
}

static qz_status show(const qz_adapter_gguf *g, const qz_request *r, const char *out, qz_error *err) {
    qz_str s = {0};
    qz_json_writer w;
    char size[48], others[80] = "";
    const size_t other = other_types(g);
    if (other)
        (void)snprintf(others, sizeof others, " (%zu in f16: their rows are no whole blocks)", other);
    if (r->json) {
        qz_jw_begin(&w, &s);
        qz_jw_text(&w, "artifact", r->dry_run ? "" : out);
        qz_jw_text(&w, "type", qz_type_get(g->type)->name);
        qz_jw_count(&w, "tensors", 2 * g->n);
        qz_jw_count(&w, "other_types", other);
        qz_jw_real(&w, "alpha", g->alpha);
        qz_jw_count(&w, "scaled", g->scaled);
        qz_jw_count(&w, "bytes", g->bytes);
        qz_jw_end(&w);
    } else
        qz_str_printf(&s, "%s\n  LoRA adapter for %s, %zu tensors in %s%s, alpha %g, %s\n",
                      r->dry_run ? "(dry run)" : out, qz_family_get(g->base->family)->gguf_arch, 2 * g->n,
                      qz_type_get(g->type)->name, others, g->alpha,
                      qz_size_text(size, g->bytes));
    qz_status st = r->json ? qz_show(&s, err) : qz_show_text(&s, err);
    qz_str_release(&s);
    return st;
}

static void warn(qz_run *run, const qz_adapter_gguf *g) {
    const qz_adapter *a = g->adapter;
    if (g->scaled)
        qz_warn(run, "llama.cpp scales every product by alpha / rank: lora_b of %zu tensors is multiplied by what the "
                     "adapter says besides (alpha_pattern, rslora)", g->scaled);
    else if ((float)g->alpha != (float)a->alpha)
        qz_warn(run, "llama.cpp scales every product by alpha / rank: alpha %g is stored instead of %g, which gives "
                     "the adapter's own scale", g->alpha, a->alpha);
}

static qz_status make(qz_run *run, const qz_request *r, const qz_adapter *a, qz_type type, qz_outputs *outs,
                      qz_error *err) {
    qz_config c;
    QZ_TRY(base_config(r, a, &c, err));
    qz_adapter_gguf g = {.adapter = a, .base = &c, .type = type, .name = r->name ? r->name : qz_path_base(a->path)};
    char *out = NULL;
    qz_str s = {0};
    if (r->output) qz_str_puts(&s, r->output);
    else qz_str_printf(&s, "%s.%s.gguf", qz_path_base(a->path), qz_ftype_get(type == QZ_TYPE_F32    ? QZ_FTYPE_F32
                                                                         : type == QZ_TYPE_F16  ? QZ_FTYPE_F16
                                                                         : type == QZ_TYPE_BF16 ? QZ_FTYPE_BF16
                                                                                                : QZ_FTYPE_Q8_0)->name);
    qz_status st = s.failed ? qz_fail(err, QZ_EMEMORY, "out of memory") : QZ_OK;
    if (st == QZ_OK) out = s.ptr, st = qz_outputs_claim(outs, r, out, QZ_OUTPUT_FILE, err);
    if (st == QZ_OK) st = qz_adapter_gguf_plan(run, &g, err);
    if (st == QZ_OK) warn(run, &g);
    if (st == QZ_OK && !r->dry_run) st = qz_disk_check(out, g.bytes, err);
    if (st == QZ_OK && !r->dry_run) st = qz_adapter_gguf_write(&g, out, err);
    if (st == QZ_OK) st = show(&g, r, out, err);
    qz_adapter_gguf_release(&g);
    qz_str_release(&s);
    return st;
}

qz_status qz_run_adapter(qz_run *run, const qz_request *r, qz_error *err) {
    qz_adapter a;
    qz_type type;
    qz_outputs outs = {.run = run};
    QZ_TRY(type_of(r->to, &type, err));
    QZ_TRY(qz_adapter_open(r->operands[0], &a, err));
    qz_status st = make(run, r, &a, type, &outs, err);
    qz_outputs_end(&outs, st);
    qz_adapter_release(&a);
    return st;
}
