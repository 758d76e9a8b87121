#include "report/check_print.h"
#include "base/size.h"
#include "report/findings_print.h"
#include "report/fit.h"
#include "report/table_print.h"
#include <stdio.h>
#include <string.h>

/* "Q4_K_M", "AWQ (autoawq gemm), 4 bits, group 128, asymmetric" */
static const char *format_text(const qz_check_job *j, char buf[128]) {
    char spec[96];
    if (j->has_wanted) (void)snprintf(buf, 128, "to become %s", j->scheme.name);
    else if (j->gguf)
        (void)snprintf(buf, 128, "GGUF %s, imatrix: %s", j->facts.level ? j->facts.level : "of unknown level",
                       j->facts.imatrix ? "yes" : "not recorded");
    else (void)snprintf(buf, 128, "%s", qz_deploy_spec_text(&j->spec, spec));
    return buf;
}

static const char *architecture(const qz_check_job *j) {
    return !j->foreign ? j->shape->model_type : *j->foreign ? j->foreign : "no architecture";
}

static void print_head(const qz_check_job *j, qz_str *s) {
    if (j->alone) {
        qz_str_printf(s, "input: %s\n", j->path);
        return;
    }
    char format[128], text[512], label[64];
    size_t n = (size_t)snprintf(text, sizeof text, "%s, %.2f billion weights, %s", architecture(j),
                                (double)j->facts.params / 1e9, format_text(j, format));
    if (j->folder && j->weight_files == 0 && n < sizeof text)
        n += (size_t)snprintf(text + n, sizeof text - n, "; no weights here: the configuration alone is judged");
    if (j->target.engine != QZ_RUNTIME_NONE && n < sizeof text)
        n += (size_t)snprintf(text + n, sizeof text - n, "; for %s", qz_runtime_label(j->target.engine, label));
    if (j->target.tp > 1 && n < sizeof text)
        n += (size_t)snprintf(text + n, sizeof text - n, ", tensor parallel %u", j->target.tp);
    if (j->target.cc && n < sizeof text)
        n += (size_t)snprintf(text + n, sizeof text - n, ", compute capability %u.%u", j->target.cc / 10,
                              j->target.cc % 10);
    if (j->card && n < sizeof text) (void)snprintf(text + n, sizeof text - n, ", on %s", j->card->name);
    qz_str_printf(s, "input: %s\n", j->path);
    qz_print_wrapped(s, "       ", 7, text);
}

/* Group sizes that the divisibility table looks at. */
static const long group_sizes[] = {128, 64, 32, 16, -1};
static void print_degrees(const qz_check_job *j, qz_str *s) {
    if (!qz_deploy_get(qz_check_served(j)->kind)->grouped) return;
    qz_str line = {0};
    for (size_t i = 0; i < sizeof group_sizes / sizeof group_sizes[0]; i++) {
        unsigned tp = qz_preflight_max_tp(&j->deploy, qz_check_served(j), group_sizes[i]);
        qz_str_printf(&line, "%s%s%ld: %u", i ? ", " : "", i ? "" : "group ", group_sizes[i], tp);
    }
    qz_fit_printf(s, 2, "tensor parallel, at most: %s", line.ptr ? line.ptr : "");
    s->failed |= line.failed;
    qz_str_release(&line);
}

static const char *loading_text(const qz_loads *l) {
    return l == NULL ? "unknown" : l->how == QZ_RUNS ? "runs" : l->how == QZ_DEQUANTIZES ? "dequantizes" : "no";
}

/* w: as JSON; NULL: as text. */
static qz_status print_engines(qz_check_job *j, qz_json_writer *w, qz_str *s, qz_error *err) {
    static const qz_column cols[] = {{"Engine", 'l'}, {"version", 'l'}, {"as of", 'l'}, {"loads it", 'l'}, {"cc", 'r'},
                                     {"refusals", 'l'}};
    qz_table t;
    if (j->target.engine != QZ_RUNTIME_NONE || j->foreign) return QZ_OK;
    QZ_TRY(qz_table_init(&t, &j->arena, NULL, cols, sizeof cols / sizeof cols[0], err));
    for (int e = 0; e < QZ_RUNTIME_COUNT; e++) {
        const qz_runtime_info *i = qz_runtime_get((qz_runtime)e);
        const qz_loads *l = qz_loads_get(qz_check_served(j)->kind, (qz_runtime)e);
        qz_findings f = {.arena = &j->arena};
        qz_target target = j->target;
        target.engine = (qz_runtime)e;
        QZ_TRY(qz_preflight_artifact(j->has_wanted ? NULL : j->model, json_object_get(j->root, "quantization_config"),
                                     &j->deploy, qz_check_served(j), &target, &f, err));
        const char *code = "";
        for (size_t k = 0; k < f.n && !*code; k++)
            if (f.rows[k].level == QZ_FINDING_ERROR && strcmp(f.rows[k].code, "PRE-LOAD") != 0)
                code = f.rows[k].problem;
        QZ_TRY(qz_table_row(&t, err));
        QZ_TRY(qz_table_set(&t, 0, err, "%s", i->name));
        QZ_TRY(qz_table_set(&t, 1, err, "%s", i->version));
        QZ_TRY(qz_table_set(&t, 2, err, "%s", i->date));
        QZ_TRY(qz_table_set(&t, 3, err, "%s", loading_text(l)));
        if (l && l->cc) QZ_TRY(qz_table_set(&t, 4, err, "%u.%u", l->cc / 10, l->cc % 10));
        QZ_TRY(qz_table_set(&t, 5, err, "%.46s%s", code, strlen(code) > 46 ? "…" : ""));
    }
    if (w) {
        qz_str table = {0};
        qz_table_json(&t, &table);
        if (table.len) table.ptr[table.len - 1] = 0; /* its line end */
        qz_jw_raw(w, "engines", table.ptr ? table.ptr : "null");
        qz_str_release(&table);
    } else qz_table_text(&t, s);
    return QZ_OK;
}

static void memory_json(qz_json_writer *w, const qz_check_facts *x) {
    qz_jw_open(w, "memory", '{');
    qz_jw_count(w, "weight_bytes", x->weight_bytes);
    qz_jw_count(w, "kv_bytes", x->kv_bytes);
    qz_jw_count(w, "buffer_bytes", x->buffers);
    qz_jw_count(w, "total_bytes", x->weight_bytes + x->kv_bytes + x->buffers);
    qz_jw_count(w, "usable_bytes", x->budget);
    qz_jw_count(w, "users", x->users);
    qz_jw_count(w, "ctx", x->ctx);
    qz_jw_close(w, '}');
}

static qz_status json_end(qz_check_job *j, qz_json_writer *w) {
    qz_json_findings(w, "findings", &j->f);
    qz_jw_count(w, "errors", j->f.count[QZ_FINDING_ERROR]);
    qz_jw_count(w, "warnings", j->f.count[QZ_FINDING_WARN]);
    qz_jw_count(w, "notes", j->f.count[QZ_FINDING_NOTE]);
    qz_jw_end(w);
    return QZ_OK;
}

qz_status qz_check_json(qz_check_job *j, qz_str *s, qz_error *err) {
    char format[128], spec[96], size[24];
    const qz_runtime_info *e = qz_runtime_get(j->target.engine);
    qz_json_writer w;
    qz_jw_begin(&w, s);
    qz_jw_text(&w, "input", j->path);
    if (j->alone) return json_end(j, &w);
    qz_jw_text(&w, "model_type", j->foreign ? j->foreign : j->shape->model_type);
    qz_jw_text(&w, "format", format_text(j, format));
    qz_jw_text(&w, "stored", qz_deploy_spec_text(&j->spec, spec));
    qz_jw_count(&w, "weights", j->facts.params);
    qz_jw_count(&w, "weight_files_bytes", j->weight_files);
    qz_jw_text(&w, "engine", e ? e->name : NULL);
    qz_jw_text(&w, "engine_version", e ? e->version : NULL);
    qz_jw_text(&w, "engine_date", e ? e->date : NULL);
    qz_jw_text(&w, "hardware", j->card ? j->card->name : NULL);
    qz_jw_count(&w, "tensor_parallel", j->target.tp);
    if (j->target.cc) {
        qz_jw_key(&w, "compute_capability");
        qz_str_printf(s, "%u.%u", j->target.cc / 10, j->target.cc % 10);
    } else qz_jw_null(&w, "compute_capability");
    if (j->facts.budget) memory_json(&w, &j->facts);
    if (qz_deploy_get(qz_check_served(j)->kind)->grouped) {
        qz_jw_open(&w, "max_tensor_parallel", '{');
        for (size_t i = 0; i < sizeof group_sizes / sizeof group_sizes[0]; i++) {
            (void)snprintf(size, sizeof size, "%ld", group_sizes[i]);
            qz_jw_count(&w, size, qz_preflight_max_tp(&j->deploy, qz_check_served(j), group_sizes[i]));
        }
        qz_jw_close(&w, '}');
    }
    QZ_TRY(print_engines(j, &w, s, err));
    return json_end(j, &w);
}

qz_status qz_check_text(qz_check_job *j, qz_str *s, qz_error *err) {
    print_head(j, s);
    if (j->facts.budget)
        qz_fit_printf(s, 2,
                      "memory: %.2f GB weights + %.2f GB KV cache (%llu x %llu tokens) + %.2f GB buffers = %.2f GB of "
                      "%.2f GB usable",
                      (double)j->facts.weight_bytes / 1e9, (double)j->facts.kv_bytes / 1e9,
                      (unsigned long long)j->facts.users, (unsigned long long)j->facts.ctx,
                      (double)j->facts.buffers / 1e9,
                      (double)(j->facts.weight_bytes + j->facts.kv_bytes + j->facts.buffers) / 1e9,
                      (double)j->facts.budget / 1e9);
    if (!j->alone) print_degrees(j, s);
    if (!j->alone) QZ_TRY(print_engines(j, NULL, s, err));
    qz_print_findings(s, &j->f);
    qz_str_printf(s, "errors: %zu, warnings: %zu, notes: %zu\n", j->f.count[QZ_FINDING_ERROR],
                  j->f.count[QZ_FINDING_WARN], j->f.count[QZ_FINDING_NOTE]);
    return QZ_OK;
}
