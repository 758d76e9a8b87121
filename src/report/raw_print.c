#include "report/raw_print.h"
#include "base/io.h"
#include "base/size.h"
#include "base/json_write.h"
#include "model/leftovers.h"
#include "plan/kv.h"
#include "report/fit.h"
#include "report/plan_view.h"
#include "report/table_print.h"
#include <stdio.h>
#include <string.h>

static qz_status tensor_table(const qz_raw *r, qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Tensor", 'l'}, {"Type", 'l'}, {"Shape", 'l'}, {"Offset", 'r'}, {"Bytes", 'r'},
                                     {"File", 'l'}};
    char shape[64];
    QZ_TRY(qz_table_init(t, a, NULL, cols, 6, err));
    for (size_t i = 0; i < r->n; i++) {
        const qz_raw_tensor *x = &r->tensors[i];
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", x->name));
        QZ_TRY(qz_table_set(t, 1, err, "%s", x->type));
        QZ_TRY(qz_table_set(t, 2, err, "%s", qz_raw_shape(x, shape)));
        QZ_TRY(qz_table_set(t, 3, err, "%llu", (unsigned long long)x->offset));
        QZ_TRY(qz_table_set(t, 4, err, "%llu", (unsigned long long)x->bytes));
        QZ_TRY(qz_table_set(t, 5, err, "%s", qz_path_base(x->file)));
    }
    return QZ_OK;
}

/* What is known of a folder whose family is only planned; NULL: nothing. The caller frees it. */
static qz_shape *known_shape(const char *path, qz_kv_plan_result *kv) {
    qz_shape *s = NULL;
    const qz_kv_types f16 = {QZ_KV_F16, QZ_KV_F16};
    if (!qz_path_is_dir(path) || qz_shape_load(path, &s, &(qz_error){0}) != QZ_OK) return NULL;
    if (!s->runs && qz_kv_plan(s, f16, 1, 1, kv, &(qz_error){0}) == QZ_OK) return s;
    qz_shape_free(s);
    return NULL;
}

static void print_shape(const qz_shape *s, const qz_kv_plan_result *kv, qz_str *out) {
    qz_str line = {0};
    qz_plan_attention(s, &line);
    qz_str_printf(out, "  family       %s, known by its shape: %llu weights, %llu layers\n", s->model_type,
                  (unsigned long long)s->params, (unsigned long long)s->layers);
    qz_fit_printf(out, 15, "  attention    %s", line.ptr ? line.ptr : "");
    qz_str_printf(out, "  KV cache     %llu bytes a token at 16 bits\n", (unsigned long long)kv->per_token);
    if (s->config.keys.n_noted) qz_fit_printf(out, 15, "  not counted  %s", s->config.keys.noted);
    qz_str_release(&line);
}

static void print_text(const qz_raw *r, const char *path, const qz_error *why, qz_str *out) {
    qz_kv_plan_result kv = {0};
    qz_shape *s = known_shape(path, &kv);
    char size[48], weights[48];
    qz_str_printf(out, "%s (%s: ", r->container, qz_path_base(path));
    if (r->n) qz_raw_types(r, out);
    else qz_str_puts(out, "no tensors");
    qz_str_printf(out, ")%s%s\n", *r->architecture ? ", architecture " : "", r->architecture);
    if (r->kind) qz_str_printf(out, "  kind         %s\n", r->kind);
    qz_str_printf(out, "  runs         no: %s\n", qz_raw_reason(r, why));
    qz_str_printf(out, "  size         %s, %zu tensor%s\n", qz_size_text(size, r->file_bytes), r->n, qz_plural(r->n));
    if (r->elems)
        qz_str_printf(out, "  weights      %llu values, %s, %.4f bits/value\n", (unsigned long long)r->elems,
                      qz_size_text(weights, r->tensor_bytes), 8.0 * (double)r->tensor_bytes / (double)r->elems);
    if (s) print_shape(s, &kv, out);
    if (r->kv_bytes && !s)
        qz_str_printf(out, "  KV cache     %llu bytes a token at 16 bits, by the usual keys\n",
                      (unsigned long long)r->kv_bytes);
    for (size_t i = 0; i < r->n_meta; i++) qz_str_printf(out, "  %-38s %s\n", r->meta[i].key, r->meta[i].value);
    qz_shape_free(s);
}

static void shape_json(const qz_shape *s, const qz_kv_plan_result *kv, qz_json_writer *w) {
    qz_jw_open(w, "shape", '{');
    qz_jw_text(w, "family", s->model_type);
    qz_jw_count(w, "weights", s->params);
    qz_jw_count(w, "layers", s->layers);
    qz_jw_count(w, "linear_layers", qz_shape_layers_of(s, QZ_ATTN_LINEAR));
    qz_jw_count(w, "heads", s->heads);
    qz_jw_count(w, "kv_heads", s->kv_heads);
    qz_jw_count(w, "head_dim", s->head_dim);
    qz_jw_count(w, "sliding_window", s->sliding_window);
    qz_jw_count(w, "kv_state_bytes", kv->state_bytes);
    qz_unread_json(&s->config.keys, "", w);
    qz_jw_close(w, '}');
}

static void print_json(const qz_raw *r, const char *path, const qz_error *why, qz_str *out) {
    qz_kv_plan_result kv = {0};
    qz_shape *s = known_shape(path, &kv);
    qz_str types = {0};
    qz_json_writer w;
    qz_raw_types(r, &types);
    qz_jw_begin(&w, out);
    qz_jw_text(&w, "container", r->container);
    if (r->kind) qz_jw_text(&w, "kind", r->kind);
    qz_jw_bool(&w, "runs", false);
    qz_jw_text(&w, "reason", qz_raw_reason(r, why));
    qz_jw_text(&w, "architecture", r->architecture);
    qz_jw_text(&w, "types", types.ptr ? types.ptr : "");
    qz_jw_count(&w, "weights", r->elems);
    qz_jw_count(&w, "weight_bytes", r->tensor_bytes);
    qz_jw_count(&w, "bytes", r->file_bytes);
    qz_jw_count(&w, "tensors", r->n);
    if (r->kv_bytes || s) qz_jw_count(&w, "kv_bytes_per_token", s ? kv.per_token : r->kv_bytes);
    else qz_jw_null(&w, "kv_bytes_per_token");
    if (s) shape_json(s, &kv, &w);
    qz_jw_open(&w, "metadata", '{');
    for (size_t i = 0; i < r->n_meta; i++) {
        if (r->meta[i].quoted) qz_jw_text(&w, r->meta[i].key, r->meta[i].value);
        else qz_jw_raw(&w, r->meta[i].key, r->meta[i].value);
    }
    qz_jw_close(&w, '}');
    qz_jw_end(&w);
    qz_shape_free(s);
    qz_str_release(&types);
}

qz_status qz_raw_show(const char *path, qz_raw_view as, const qz_error *why, qz_str *out, qz_error *err) {
    qz_raw raw;
    qz_table t;
    qz_arena a = {0};
    QZ_TRY(qz_raw_open(path, &raw, err));
    qz_status st = QZ_OK;
    if (as.tensors) {
        st = tensor_table(&raw, &a, &t, err);
        if (st == QZ_OK && as.json) qz_table_answer(&t, out);
        else if (st == QZ_OK) qz_table_text(&t, out);
    } else if (as.json) print_json(&raw, path, why, out);
    else print_text(&raw, path, why, out);
    qz_arena_release(&a);
    qz_raw_release(&raw);
    return st;
}

qz_status qz_raw_instead(const char *path, qz_raw_view as, const qz_error *why, qz_status st, qz_str *out,
                         qz_error *err) {
    qz_error container = {0};
    if (!qz_raw_applies(path, why)) return qz_fail(err, st, "%s", why->text);
    return qz_raw_show(path, as, why, out, &container) == QZ_OK ? QZ_OK : qz_raw_refuse(why, &container, st, err);
}
